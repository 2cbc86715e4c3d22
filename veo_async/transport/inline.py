"""An answer that may hold videos: they go to the ledger while it is read, never into memory as a whole."""

from __future__ import annotations

import asyncio
import secrets
from math import inf
from typing import Final, Protocol

import anyio
import anyio.lowlevel

from veo_async.transport.connectors import Journey
from veo_async.transport.cutting import LONG, Cut, Cutter
from veo_async.transport.failures import UnreadableAnswer
from veo_async.wire import MAX_ANSWER_BYTES, Part

__all__ = ["InlineAnswer", "PartStore", "PartWriter"]

_SLOWEST: Final = 16 * 1024
"""Bytes a second that a long answer is granted beyond the usual time, as uploads are."""


class PartWriter(Protocol):
    """Takes one video piece by piece."""

    async def write(self, data: bytes) -> None:
        """Append the next piece."""
        ...

    async def keep(self) -> str:
        """Keep what was written and return its SHA-256."""
        ...

    async def discard(self) -> None:
        """Forget what was written unless it was kept; idempotent."""
        ...


class PartStore(Protocol):
    """Where videos go that stand in answers: the ledger."""

    def writer(self) -> PartWriter:
        """Return where the next one goes."""
        ...

    async def release(self, sha256: str) -> None:
        """Let go of one that was kept and is of no use."""
        ...


class InlineAnswer:
    """Takes the body of one answer piece by piece; a short one passes as it is.

    Args:
        store: Where videos go.
        slots: Bounds how many long answers are read at once.
        journey: The exchange, whose time does not count while it waits for its turn.
    """

    def __init__(self, store: PartStore, slots: asyncio.Semaphore, journey: Journey) -> None:
        self.parts: dict[str, Part] = {}
        """What was cut out and kept, by the mark in its place."""
        self.received_bytes: int = 0
        self._store = store
        self._slots = slots
        self._journey = journey
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._cutter: Cutter | None = None
        self._writer: PartWriter | None = None
        self._part_bytes = 0
        self._is_whole = False

    async def take(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            UnreadableAnswer: There is too much in it that is no video.
            LedgerError: A video could not be written.
        """
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes >= LONG:
            await self._work()

    async def finish(self) -> bytes:
        """Return what stays of the answer, now that it has ended."""
        if self._cutter is not None:
            await self._work()
            self._pending = self._cutter.skeleton
        self._is_whole = True
        return self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)

    def start(self) -> list[bytes]:
        """Return the first pieces of what stays of the answer, to show them."""
        return [*(self._cutter.skeleton[:8] if self._cutter else ()), *self._pending[:8]]

    async def close(self) -> None:
        """Give everything back; what was kept of an answer that did not come whole is let go."""
        if self._cutter is None:
            return
        self._slots.release()
        with anyio.CancelScope(shield=True):
            if self._writer is not None:
                await self._writer.discard()
            if not self._is_whole:
                for part in self.parts.values():
                    await self._let_go(part)

    async def _work(self) -> None:
        data, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        cutter = self._cutter or await self._begin()
        self.received_bytes += len(data)
        self._journey.patience += len(data) / _SLOWEST
        for found in cutter.feed(data):
            if isinstance(found, Cut):
                await self._end_part(found)
            elif found:
                await self._write(found)
            if cutter.skeleton_bytes > MAX_ANSWER_BYTES:
                raise UnreadableAnswer(
                    f"the answer is longer than {MAX_ANSWER_BYTES} bytes without its videos"
                )
            await anyio.lowlevel.checkpoint()

    async def _begin(self) -> Cutter:
        # Meanwhile the connection is not read, so that its server waits, too.
        loop = asyncio.get_running_loop()
        patience, self._journey.patience = self._journey.patience, inf
        began_at = loop.time()
        await self._slots.acquire()
        self._journey.patience = patience + loop.time() - began_at
        self._cutter = Cutter(secrets.token_hex(8))
        return self._cutter

    async def _write(self, data: bytes) -> None:
        if self._writer is None:
            self._writer = self._store.writer()
            self._part_bytes = 0
        self._part_bytes += len(data)
        await self._writer.write(data)

    async def _end_part(self, cut: Cut) -> None:
        writer, sha256 = self._writer, ""
        if cut.is_base64 and writer is not None:
            sha256 = await writer.keep()
        elif writer is not None:
            await writer.discard()
        self._writer = None
        self.parts[cut.mark] = Part(sha256=sha256, size=self._part_bytes)

    async def _let_go(self, part: Part) -> None:
        if part.sha256:
            await self._store.release(part.sha256)
