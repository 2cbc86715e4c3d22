"""Ctrl+C and SIGTERM: the first asks for an orderly end, the second for an end now."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Interrupts"]

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Turns signals into events of the running loop, between `with` and its end."""

    def __init__(self) -> None:
        self.first: asyncio.Event = asyncio.Event()
        """Set once: take nothing new, bring what was begun to a safe place."""
        self.second: asyncio.Event = asyncio.Event()
        """Set when the first was not enough."""

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._arrived)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def _arrived(self) -> None:
        (self.second if self.first.is_set() else self.first).set()

    async def until_first(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what `work` returns; None when the first signal came before, `work` then being cancelled."""
        return await _before(self.first, work)

    async def until_second(self, work: Coroutine[Any, Any, T]) -> T | None:
        """As `until_first`, for the second signal."""
        return await _before(self.second, work)


async def _before(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    task = asyncio.ensure_future(work)
    signalled = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, signalled}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        signalled.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    return None if task.cancelled() else task.result()
