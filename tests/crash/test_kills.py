"""SIGKILL at random instants: nothing that was billed is lost, nothing is paid twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .campaign import JOBS
from .variants import Variant

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork are POSIX's"),
    pytest.mark.timeout(3600),
]

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("VEO_TEST_KILLS", "40"))
SEED = os.environ.get("VEO_TEST_SEED", "1")


def campaign(kills: int, variant: Variant, *flags: str) -> tuple[int, dict[str, Any]]:
    """Run a campaign in a process of its own: it forks, which this one with its threads may not."""
    command = [sys.executable, "-m", "tests.crash.campaign", str(kills), "--seed", SEED]
    ran = subprocess.run(
        [*command, "--variant", variant, *flags], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def test_kills_lose_nothing_and_pay_nothing_twice() -> None:
    """Every billed operation is named in the ledger, or its job says that it may have been sent."""
    status, figures = campaign(KILLS, "whole")
    verdict = figures["verdict"]
    assert figures["kills"] >= KILLS
    assert verdict["jobs"] == JOBS * figures["rounds"]
    assert verdict["billed"] > 0
    assert verdict["lost"] == verdict["paid_twice"] == verdict["forgotten"] == verdict["undecided"] == 0
    assert verdict["recorded"] + verdict["reported_unknown"] == verdict["billed"]
    assert status == 0


@pytest.mark.parametrize(
    ("variant", "harm"),
    [
        ("no intent record", "paid_twice"),
        ("no intent record", "lost"),
        ("resend when unsure", "paid_twice"),
        ("arm not awaited", "paid_twice"),
        ("told before recorded", "forgotten"),
    ],
)
def test_the_same_kills_find_a_safeguard_that_is_missing(variant: Variant, harm: str) -> None:
    """Without one of them the campaign fails, by the harm that it keeps off."""
    status, figures = campaign(400, variant, "--until", harm)
    assert figures["verdict"][harm] > 0
    assert status == 1
