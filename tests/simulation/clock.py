"""Time and chance of a simulated world: a loop without I/O, and the machine's clocks and dice."""

from __future__ import annotations

import asyncio
import io
import selectors
import uuid
import warnings
from collections.abc import Coroutine, Generator
from contextlib import contextmanager, redirect_stderr
from random import Random
from typing import Any
from unittest.mock import patch

from attrs import define

__all__ = ["Clock", "NothingLeftError", "SimulatedLoop", "StandstillError", "machine"]

EPOCH = 1_790_000_000.0
MOST_TURNS = 20_000
"""Of the loop in one instant."""
LEAST_S = 1e-9
"""Of time that passes at once: less is lost in rounding, and a timer that is a hair early waits for ever."""
LONGEST_S = 48 * 3600.0
"""Of a process that comes to its end."""


@define
class Clock:
    """What time it is, and what the machine believes it is."""

    true: float = 0.0
    """Seconds since the world began."""
    wall_error: float = 0.0
    """How far the machine's wall clock is off: it may jump."""

    def wall(self) -> float:
        """Return what `time.time()` says."""
        return EPOCH + self.true + self.wall_error


class NothingLeftError(Exception):
    """Tasks wait and nothing will ever wake them."""


class StandstillError(Exception):
    """Tasks are busy and get nowhere."""


class _NoSelector(selectors.SelectSelector):
    """Has no files to look at: where a loop would sleep, time passes."""

    loop: SimulatedLoop
    _turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeftError
        self._turns = 0 if timeout else self._turns + 1
        if self._turns > MOST_TURNS or self.loop.time() > LONGEST_S:
            raise StandstillError
        if timeout:
            self.loop.clock.true += max(timeout, LEAST_S)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """The loop of one simulated process: its monotonic clock begins anew with the process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._booted_at = clock.true - 1_000.0
        self._tasks: list[asyncio.Task[Any]] = []
        selector = _NoSelector()
        selector.loop = self
        super().__init__(selector)
        self.set_task_factory(self._new_task)  # type: ignore[arg-type]  # the stub wants any loop, not this one

    def time(self) -> float:
        return self.clock.true - self._booted_at

    def suspend(self, seconds: float) -> None:
        """Let the world go on while the machine sleeps; its monotonic clock stands still."""
        self.clock.true += seconds
        self._booted_at += seconds

    def cancel_tasks(self) -> list[asyncio.Task[Any]]:
        """Cancel all tasks, as `asyncio.run` does at its end, the oldest first, so that runs repeat."""
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        return left

    def _new_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        if len(self._tasks) > 256:
            self._tasks = [task for task in self._tasks if not task.done()]
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        self._tasks.append(task)
        return task


@contextmanager
def machine(clock: Clock, dice: Random) -> Generator[None]:
    """Let this process believe the simulated clock, and draw its ids from the world's dice."""

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=dice.getrandbits(128), version=4)

    with (
        patch("time.time", clock.wall),
        patch("uuid.uuid4", uuid4),
        redirect_stderr(io.StringIO()),  # alarms about money are said there too
        warnings.catch_warnings(),
    ):
        # anyio drops what is spawned into a task group that is being cancelled, and Python says so.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited")
        yield
