"""The loop dies at each of its turns: whatever the session was doing, its ledger can go on with it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from pathlib import Path

import pytest

from veo_async import VideoRequest

from .leaks import no_leaks
from .lives import Provided, new_session, verdict_of

MOST_TURNS = 400
STEP = 3
"""Turns between two deaths in one test; all tests together take each turn."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:coroutine '.*' was never awaited:RuntimeWarning"),
]


class _Counting(selectors.DefaultSelector):
    """Calls back before a given turn of its loop."""

    def __init__(self, turn: int, strike: Callable[[], None]) -> None:
        super().__init__()
        self.left = turn
        self._strike = strike

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.left -= 1
        if self.left == 0:
            self._strike()
        return super().select(timeout)


def _interrupt() -> None:
    raise KeyboardInterrupt


async def three_videos(path: Path) -> None:
    """Open a session, get three videos at once, and close it."""
    async with new_session(path) as veo:
        await asyncio.gather(*(veo.generate(VideoRequest(f"boat {number}")) for number in range(3)))


def dies_at(turn: int, path: Path) -> bool:
    """Run and let the loop die at a turn; return whether it came to that turn."""
    selector = _Counting(turn, _interrupt)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        try:
            runner.run(three_videos(path))
        except KeyboardInterrupt:
            return True
        finally:
            selector.left = 0  # what ends the loop itself is not ours
    return False


@pytest.mark.parametrize("offset", range(1, STEP + 1))
def test_a_loop_that_dies_at_any_turn_loses_nothing(offset: int, folder: Path, wires: list[Provided]) -> None:
    """A keyboard interrupt in a callback ends everything, the session's own tasks too."""
    for turn in range(offset, MOST_TURNS, STEP):
        wires.clear()
        path = folder / f"{turn}.db"
        with no_leaks():
            was_reached = dies_at(turn, path)
        for wire in wires:
            assert wire.closed
            verdict = verdict_of(wire, path)
            assert verdict.holds, verdict
        if not was_reached:
            break
    else:
        pytest.fail(f"it still runs after {MOST_TURNS} turns")
    assert turn > 30
