"""The one task that owns all others of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal

import anyio
from anyio.abc import TaskGroup

__all__ = ["ExitMode", "Supervisor"]

ExitMode = Literal["drain", "detach", "abort"]
"""drain: wait until all jobs are decided. detach: finish what was sent. abort: stop now."""


class Supervisor:
    """Owns the session's task group, so that no caller's cancellation reaches a task of the session.

    An anyio shield would not do: it does not stop `task.cancel()`.
    """

    def __init__(
        self,
        wind_down: Callable[[ExitMode], Awaitable[None]],
        ended: Callable[[BaseException | None], Awaitable[None]],
    ) -> None:
        """Make ready to start.

        Args:
            wind_down: Brings the work to its end as a mode says; may be cancelled and called with another.
            ended: Awaited last, when no task is left, with the exception that nobody expected, if any.
        """
        self._wind_down = wind_down
        self._ended = ended
        self._winding: anyio.CancelScope | None = None
        self._next_mode: ExitMode | None = None
        self._group: TaskGroup | None = None
        self._mode: asyncio.Future[ExitMode] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start the supervisor, and in it `work`, which runs until the end."""
        loop = asyncio.get_running_loop()
        self._mode = loop.create_future()
        ready: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._supervise(work, ready), name="veo_async supervisor")
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)

    def spawn(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Run `function` in a task that the session owns."""
        assert self._group is not None
        self._group.start_soon(function, *args)

    async def close(self, mode: ExitMode) -> None:
        """End in `mode`, or sooner when called again with a shorter one; idempotent.

        When the caller is cancelled while it waits, the session detaches, and only then does the
        cancellation go on: what was sent gets its answer.
        """
        if self._task is None or self._mode is None:
            return
        if not self._mode.done():
            self._mode.set_result(mode)
        elif mode != "drain":
            self._hurry(mode)
        try:
            await asyncio.wait({self._task})
        except asyncio.CancelledError:
            self._hurry("detach")
            await asyncio.wait({self._task})
            raise

    def _hurry(self, mode: ExitMode) -> None:
        """Replace the winding down that is under way by a shorter one."""
        self._next_mode = mode
        if self._winding is not None:
            self._winding.cancel()

    async def _supervise(
        self, work: Callable[[], Coroutine[Any, Any, None]], ready: asyncio.Future[None]
    ) -> None:
        error: BaseException | None = None
        try:
            await self._run(work, ready)
        except BaseException as failure:  # noqa: BLE001 - told to every awaiter, raised again when no Exception
            error = failure
        await self._ended(error)
        if error is not None and not isinstance(error, Exception):
            raise error

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]], ready: asyncio.Future[None]) -> None:
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(work)
            ready.set_result(None)
            assert self._mode is not None
            mode: ExitMode | None = await self._mode
            while mode is not None:
                mode = await self._wind(mode)
            self._group.cancel_scope.cancel()

    async def _wind(self, mode: ExitMode) -> ExitMode | None:
        """Wind down in `mode`; return the mode that was asked for meanwhile, if any."""
        with anyio.CancelScope() as self._winding:
            await self._wind_down(mode)
        self._winding = None
        mode_asked, self._next_mode = self._next_mode, None
        return mode_asked
