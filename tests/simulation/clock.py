"""Time and chance of a simulated world: a loop without I/O, and the machine's clocks and dice."""

from __future__ import annotations

import asyncio
import io
import itertools
import selectors
import uuid
import warnings
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager, redirect_stderr
from random import Random
from typing import Any, ClassVar, Self
from unittest.mock import patch

from anyio._backends._asyncio import CancelScope
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


class _Task(asyncio.Task[Any]):
    """Sets of tasks, anyio's among them, have an order that does not hang on where these lie in memory."""

    _number: int

    def __new__(cls, number: int, coroutine: Coroutine[Any, Any, Any], **options: Any) -> Self:  # noqa: ARG004
        """Take a number, which the base's constructor asks for already."""
        task = super().__new__(cls)
        task._number = number
        return task

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, Any], **options: Any) -> None:  # noqa: ARG002
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class _Scope(CancelScope):
    """The same for sets of anyio's cancel scopes."""

    numbers: ClassVar[Iterator[int]]
    _number: int | None = None

    def __hash__(self) -> int:
        if self._number is None:
            self._number = next(self.numbers)
        return self._number


class SimulatedLoop(asyncio.SelectorEventLoop):
    """The loop of one simulated process: its monotonic clock begins anew with the process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._booted_at = clock.true - 1_000.0
        self._tasks: list[asyncio.Task[Any]] = []
        self._begun = 0
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
        self._begun += 1
        task = _Task(self._begun, coroutine, loop=loop, **options)
        self._tasks.append(task)
        return task


@contextmanager
def machine(clock: Clock, dice: Random) -> Generator[None]:
    """Let this process believe the simulated clock, and draw its ids from the world's dice."""

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=dice.getrandbits(128), version=4)

    _Scope.numbers = itertools.count()
    with (
        patch("anyio._backends._asyncio.CancelScope", _Scope),
        patch("time.time", clock.wall),
        patch("uuid.uuid4", uuid4),
        redirect_stderr(io.StringIO()),  # alarms about money are said there too
        warnings.catch_warnings(),
    ):
        # anyio drops what is spawned into a task group that is being cancelled, and Python says so.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited")
        yield
