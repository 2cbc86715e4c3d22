"""A server that does what a script says and remembers what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl as ssl_module
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field, frozen

from veo_async.models import Media
from veo_async.options import Timeouts
from veo_async.transport import TraceEvent, Transport

KEY = "canary-5f0e7a61c2"
"""The credential of every test; it may show up nowhere."""
PATIENT = Timeouts(connect=10, submit_read=10, check_read=10, download_read=10)
QUICK = Timeouts(connect=10, submit_read=0.2, check_read=0.2, download_read=0.2)
"""For servers that fall silent."""


@frozen(repr=False)  # it holds the key, which is searched for in what tests show
class Seen:
    """One request as it arrived."""

    line: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One request, and the connection to answer it on."""

    def __init__(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        self.seen = seen
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def reply(self, body: bytes = b"{}", status: int = 200, **headers: str) -> None:
        """Send a whole answer; an underscore in a header's name stands for a hyphen."""
        fields = {"Content-Length": str(len(body)), **headers}
        await self.send(head(status, fields) + body)

    async def close(self) -> None:
        self._writer.close()

    async def reset(self) -> None:
        """Close with RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Word"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode()


@define(repr=False)
class Trap:
    """The server's state."""

    answer: Answer
    port: int = 0
    scheme: str = "http"
    seen: list[Seen] = field(factory=list[Seen])
    connections: int = 0
    open: int = 0
    """Connections that are open now."""
    received: bytearray = field(factory=bytearray)
    """Every byte that arrived, a request or not."""

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return self.origin + path

    async def closed(self, but: int = 0) -> None:
        """Wait until no more connections than `but` are open, and both sides have had turns to see it."""
        async with asyncio.timeout(5):
            while self.open > but:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while not writer.is_closing():
                seen = await self._read(reader)
                self.seen.append(seen)
                await self.answer(Visit(seen, writer))
        self.open -= 1
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Seen:
        raw = await self._until_head(reader)
        first, *lines = raw.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.received += body
        return Seen(first, headers, body)

    async def _until_head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            self.received += error.partial
            raise
        self.received += raw
        return raw[:-4]


@asynccontextmanager
async def trap(answer: Answer, tls: ssl_module.SSLContext | None = None) -> AsyncGenerator[Trap, None]:
    """Run a server that answers each request with `answer`."""
    state = Trap(answer, scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await state.serve(reader, writer)
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def give_key() -> Mapping[str, str]:
    return {"x-goog-api-key": KEY}


async def give_media(media: Media) -> bytes | Path:
    content = media.data if media.data is not None else media.path
    assert content is not None
    return content


def transport_for(
    *own: str,
    timeouts: Timeouts = PATIENT,
    trace: Callable[[TraceEvent], None] | None = None,
    proxy: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    connections: int = 16,
) -> Transport:
    """Make a transport whose key belongs to the origins `own`."""
    return Transport(
        authorization=give_key,
        credential_origins=frozenset(own),
        timeouts=timeouts,
        open_media=give_media,
        trace=trace,
        proxy=proxy,
        ssl=ssl,
        check_connections=connections,
    )
