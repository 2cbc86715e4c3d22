"""What stands between a connection and aiohttp's reader of its answers."""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["BufferedProtocol", "RelayProtocol"]

READ_BYTES: Final = 1 << 16
"""Read at once; as much as aiohttp holds before it pauses the reading."""


class RelayProtocol(asyncio.BaseProtocol):
    """Hands on all that happens to a connection."""

    def __init__(self, reader: asyncio.Protocol) -> None:
        self._reader = reader
        self.begin()

    def begin(self) -> None:
        """Expect a new answer."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._reader.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._reader.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._reader.resume_writing()


class BufferedProtocol(RelayProtocol, asyncio.BufferedProtocol):
    """Reads short answers into a buffer of its own.

    Left to itself, asyncio allocates 256 KiB for each read (measured: a quarter of a status check's CPU).
    """

    def __init__(self, reader: asyncio.Protocol) -> None:
        super().__init__(reader)
        self._buffer = memoryview(bytearray(READ_BYTES))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return where to read into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over what was read."""
        self._reader.data_received(bytes(self._buffer[:nbytes]))
