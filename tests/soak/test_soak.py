"""10,000 jobs through one session, with faults: nothing lost, nothing billed twice, nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(1800)  # about a minute on a processor of its own
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ten_thousand_jobs_leave_nothing_behind() -> None:
    """In a process of its own: what pytest and asyncio's debug mode remember is not ours."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak", "10000"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
