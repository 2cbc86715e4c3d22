"""What short lives of sessions need."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from .lives import Provided


@pytest.fixture
def folder(tmp_path: Path) -> Generator[Path]:
    """A folder in memory where there is one: hundreds of ledgers are opened, and none of them is at stake."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="veo-cancel-") as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checks go out at once: a life is short."""
    monkeypatch.setattr("veo_async.engine.watches.TICK_S", 0.005)


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[Provided]:
    """Give each session a scripted provider of its own, the last one at the end of the list."""
    made: list[Provided] = []

    def transport(**_: object) -> Provided:
        made.append(Provided())
        return made[-1]

    monkeypatch.setattr("veo_async.session.runtime.Transport", transport)
    return made
