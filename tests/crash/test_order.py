"""The order on the disk, seen by strace from outside: recorded, then sent; recorded, then told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from veo_async.emulator import Emulator

from .order import Witness
from .syscalls import OPTIONS, calls
from .variants import Variant

ROOT = Path(__file__).parents[2]
SUBMITS = int(os.environ.get("VEO_TEST_SUBMITS", "200"))
STRACE = shutil.which("strace")


def can_trace() -> bool:
    """Return whether strace is here and may trace."""
    if STRACE is None:
        return False
    return (
        subprocess.run([STRACE, "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0
    )


pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not can_trace(), reason="strace is not here or may not trace"),
    pytest.mark.timeout(300),
]


def watched(folder: Path, count: int, variant: Variant) -> Witness:
    """Submit so many jobs under strace, and return what the disk held when."""
    trace = folder / "trace"
    with Emulator(clip="tiny").in_thread() as emulator:
        program = [sys.executable, "-m", "tests.crash.submits", emulator.base_url, emulator.key]
        subprocess.run(
            [str(STRACE), *OPTIONS, "-o", str(trace), *program, str(folder), str(count), variant],
            cwd=ROOT,
            check=True,
        )
        assert len(emulator.bill) == count
    witness = Witness(folder)
    with trace.open() as lines:
        witness.watch(calls(lines))
    assert witness.posts == count
    assert witness.promises == {"kept": count, "accepted": count}
    return witness


def test_every_post_follows_its_record_and_every_promise_its_commit(tmp_path: Path) -> None:
    """N of N, by the disk that a power cut would have left: armed before sent, named before told."""
    witness = watched(tmp_path, SUBMITS, "whole")
    assert witness.breaches == []
    assert witness.syncs < 3 * SUBMITS  # commits are shared, and the order holds all the same


@pytest.mark.parametrize(
    ("variant", "breach"),
    [
        ("arm not awaited", "sent"),
        ("no intent record", "sent"),
        ("told before recorded", "accepted"),
        ("no fsync", "kept"),
    ],
)
def test_a_broken_order_is_seen(tmp_path: Path, variant: Variant, breach: str) -> None:
    """Without the safeguard the same witness finds what was sent or told too early."""
    witness = watched(tmp_path, 20, variant)
    assert any(found.startswith(breach) for found in witness.breaches)
