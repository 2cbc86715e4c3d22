"""Drives a coroutine to its n-th suspension and interrupts it there, in one of six ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, Literal, NoReturn, get_args

import anyio
from attrs import define

__all__ = ["MOMENTS", "WAYS", "Ending", "Moment", "Way", "interrupted"]

Way = Literal[
    "cancelled once", "cancelled twice", "anyio scope", "asyncio.timeout", "closed", "keyboard interrupt"
]
WAYS: Final[tuple[Way, ...]] = get_args(Way)
Moment = Literal["waiting", "answered"]
"""While what is awaited is still to come, or in the very tick in which it came."""
MOMENTS: Final[tuple[Moment, ...]] = get_args(Moment)
Ending = Literal["not reached", "finished", "interrupted"]
"""Whether the call came to the point, and whether it ended well in spite of what happened there."""


@define(eq=False)
class _Stepper:
    """An awaitable around a coroutine; knows each time that it suspends."""

    coroutine: Coroutine[Any, Any, Any]
    points: frozenset[int]
    moment: Moment
    strike: Callable[[], object] | None
    """None: the coroutine is closed, as by the garbage collector."""
    passed: int = 0
    """Suspensions so far."""
    struck: bool = False
    finished: bool = False

    def __await__(self) -> Generator[Any, None, Any]:
        error: BaseException | None = None
        while True:
            try:
                waited = self.coroutine.send(None) if error is None else self.coroutine.throw(error)
            except StopIteration as end:
                self.finished = True
                return end.value
            self.passed += 1
            is_here = self.passed in self.points
            if is_here:
                self.struck = True
                if self.strike is not None:
                    self._strike_at(waited, self.strike)
                elif self.moment == "waiting":
                    return self.coroutine.close()
            error = None
            try:
                yield waited
            except BaseException as failure:  # noqa: BLE001 - all of it is the coroutine's
                error = failure
            if is_here and self.strike is None:
                return self.coroutine.close()

    def _strike_at(self, waited: Any, strike: Callable[[], object]) -> None:
        if self.moment == "answered" and asyncio.isfuture(waited):
            future: asyncio.Future[Any] = waited
            # Before the task adds its own callback, so that this one runs first.
            future.add_done_callback(lambda _: strike())
        else:
            asyncio.get_running_loop().call_soon(strike)


async def interrupted(coroutine: Coroutine[Any, Any, Any], point: int, way: Way, moment: Moment) -> Ending:
    """Run a coroutine in a task, interrupt it at a point from 1 on, and wait until the task has ended.

    A keyboard interrupt ends the whole loop and is not seen here.
    """
    points = {point, point + 1} if way == "cancelled twice" else {point}
    step = _Stepper(coroutine, frozenset(points), moment, None)
    task = asyncio.create_task(_run(step, way))
    await asyncio.wait({task})
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, TimeoutError):
        raise error
    if not step.struck:
        return "not reached"
    return "finished" if step.finished else "interrupted"


async def _run(step: _Stepper, way: Way) -> None:
    task = asyncio.current_task()
    assert task is not None
    match way:
        case "cancelled once" | "cancelled twice":
            step.strike = task.cancel
            await step
        case "anyio scope":
            with anyio.CancelScope() as scope:
                step.strike = scope.cancel
                await step
        case "asyncio.timeout":
            async with asyncio.timeout(None) as limit:
                step.strike = lambda: limit.reschedule(asyncio.get_running_loop().time())
                await step
        case "keyboard interrupt":
            step.strike = _interrupt
            await step
        case "closed":
            await step


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt
