"""How many things are under way, and when there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Ongoing"]


class Ongoing:
    """Counts what is under way, so that closing can wait for it."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        """Count one more."""
        self._count += 1
        self._idle.clear()

    @contextmanager
    def ending(self) -> Generator[None]:
        """Count one less at the end of the block, however it ends."""
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is under way; cancelling is safe."""
        await self._idle.wait()
