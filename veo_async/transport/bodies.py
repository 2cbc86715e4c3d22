"""Bodies in both directions, in bounded pieces."""

from __future__ import annotations

import asyncio
import zlib
from binascii import b2a_base64
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import anyio.lowlevel
import anyio.to_thread

from veo_async.models import Media
from veo_async.transport.failures import NotSentFailure, UnreadableAnswer
from veo_async.wire import Base64Media

__all__ = ["ByteStream", "Outgoing", "plain_body", "read_capped"]

_ENCODED_AT_ONCE = 3 * 128 * 1024
"""A multiple of three, so that the pieces' texts join to the text of the whole. Smaller pieces cost more
system calls, larger ones fall out of the processor's cache (measured: the least CPU of six sizes)."""
_READ_AT_ONCE = 8 * _ENCODED_AT_ONCE
_PIECES_A_TURN = 3
"""A millisecond's work at most; a turn of the loop for each piece costs a tenth more."""
_INFLATED_AT_ONCE = 256 * 1024

_GZIP = 31  # zlib's name for "a gzip header and trailer"


def _standard_base64(data: bytes | memoryview) -> bytes:
    return b2a_base64(data, newline=False)


try:  # several times faster where it is installed
    from pybase64 import b64encode as _base64  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    _base64 = _standard_base64


def plain_body(parts: Sequence[bytes | Base64Media]) -> bytes:
    """Return the body of a request that holds no media."""
    if len(parts) == 1 and isinstance(parts[0], bytes):
        return parts[0]
    assert not any(isinstance(part, Base64Media) for part in parts), "only a submit's body may hold media"
    return b"".join(part for part in parts if isinstance(part, bytes))


def _opened(path: Path) -> tuple[BinaryIO, int]:
    file = path.open("rb")
    size = file.seek(0, 2)
    file.seek(0)
    return file, size


_Plan = Generator[bytes | BinaryIO, bytes, None]
"""Yields pieces to send, and files of which it wants to be sent the next piece."""


def _encoded(source: bytes | BinaryIO) -> _Plan:
    if isinstance(source, bytes):
        view = memoryview(source)
        for start in range(0, len(source), _ENCODED_AT_ONCE):
            yield _base64(view[start : start + _ENCODED_AT_ONCE])
    else:
        while piece := (yield source):
            yield from _encoded(piece)


class Outgoing:
    """A body with media in it: its length is known and its files are open before anything is sent."""

    def __init__(
        self, parts: Sequence[bytes | Base64Media], open_media: Callable[[Media], Awaitable[bytes | Path]]
    ) -> None:
        self._parts = parts
        self._open_media = open_media
        self._sources: list[bytes | BinaryIO] = []
        self._files = ExitStack()
        self.length: int = sum(len(part) if isinstance(part, bytes) else part.length for part in parts)

    async def open(self) -> None:
        """Open all media.

        Raises:
            NotSentFailure: Media cannot be read, or is not of the length that was announced.
        """
        for part in self._parts:
            if isinstance(part, Base64Media):
                await self._open_one(part.media)

    async def _open_one(self, media: Media) -> None:
        reason = None
        try:
            size = await self._take(await self._open_media(media))
        except OSError as error:
            reason = f"media cannot be read: {error.strerror or type(error).__name__}"
        else:
            if size != media.size:
                reason = f"media has {size} bytes now, not the {media.size} it had when the job was enqueued"
        if reason is not None:
            raise NotSentFailure(reason, permanent=True)

    async def _take(self, source: bytes | Path) -> int:
        """Take what is to be sent next, and return its length."""
        if isinstance(source, Path):
            file, size = await anyio.to_thread.run_sync(_opened, source)
            self._sources.append(self._files.enter_context(file))
            return size
        self._sources.append(source)
        return len(source)

    def __aiter__(self) -> Self:
        # A class and not an async generator: nothing is left to clean up when the sending stops half-way.
        self._plan = self._steps()
        self._pieces = 0
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece; the loop gets its turns here, as a free socket never suspends."""
        if self._pieces % _PIECES_A_TURN == 0:
            await asyncio.sleep(0)
        self._pieces += 1
        try:
            step = next(self._plan)
            while not isinstance(step, bytes):
                step = self._plan.send(await anyio.to_thread.run_sync(step.read, _READ_AT_ONCE))
        except StopIteration:
            raise StopAsyncIteration from None
        return step

    def _steps(self) -> _Plan:
        sources = iter(self._sources)
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from _encoded(next(sources))

    def close(self) -> None:
        """Close all files."""
        self._files.close()


class ByteStream(Protocol):
    """What is read from: aiohttp's stream of an answer's body."""

    async def readany(self) -> bytes:
        """Return what is there, waiting for at least one byte; empty at the end."""
        ...

    def at_eof(self) -> bool:
        """Return whether all was read."""
        ...


Take = Callable[[bytes], Awaitable[None]]
"""Takes the next bytes of a body."""


async def read_capped(
    stream: ByteStream, encoding: str | None, limit: int, kept: list[bytes], take: Take | None = None
) -> bytes:
    """Return a whole body, decoded, of at most `limit` bytes; memory never holds more than that.

    Args:
        stream: Where the body comes from.
        encoding: Its Content-Encoding.
        limit: Largest number of bytes, decoded.
        kept: Takes what was read, so that a failure can show its start.
        take: Takes what was read instead; nothing is returned then.

    Raises:
        UnreadableAnswer: Too long, or not in an encoding that is read.
    """
    if encoding is not None and encoding.strip().lower() not in {"", "identity"}:
        return await _read_compressed(stream, encoding.strip().lower(), limit, kept, take)
    size = 0
    while not stream.at_eof():
        chunk = await stream.readany()
        size += len(chunk)
        if take is None:
            kept.append(chunk)
        if size > limit:
            raise UnreadableAnswer(f"the answer is longer than {limit} bytes")
        if take is not None:
            await take(chunk)
    return kept[0] if len(kept) == 1 else b"".join(kept)


async def _read_compressed(
    stream: ByteStream, encoding: str, limit: int, kept: list[bytes], take: Take | None
) -> bytes:
    if encoding not in {"gzip", "x-gzip"}:
        raise UnreadableAnswer(f"the answer is compressed with {encoding[:40]!r}, which is not read")
    inflater = zlib.decompressobj(_GZIP)
    size = 0
    while not stream.at_eof():
        compressed = await stream.readany()
        while compressed and not inflater.eof:
            # One piece more than the limit at most is ever inflated, whatever the ratio.
            piece = inflater.decompress(compressed, _INFLATED_AT_ONCE)
            compressed = inflater.unconsumed_tail
            size += len(piece)
            if take is None:
                kept.append(piece)
            if size > limit:
                raise UnreadableAnswer(f"the answer is longer than {limit} bytes when decompressed")
            if take is not None:
                await take(piece)
            await anyio.lowlevel.checkpoint()
        if compressed or inflater.unused_data:
            raise UnreadableAnswer("there are bytes after the compressed answer's end")
    if not inflater.eof:
        raise UnreadableAnswer("the compressed answer was cut short")
    return b"".join(kept)
