"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .shell import Shell, Started


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's settings counts, and nothing is written beside the tests."""
    names = ("VEO_PROVIDER", "VEO_API_KEY", "VEO_BASE_URL", "VEO_PROJECT", "VEO_LOCATION")
    keys = ("GPTPROTO_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "CHAINHUB_API_KEY")
    for name in (*names, *keys):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands in this process."""
    return Shell(capsys)


@pytest.fixture
def started() -> Iterator[Started]:
    """Runs commands in processes of their own."""
    processes = Started()
    yield processes
    processes.end()
