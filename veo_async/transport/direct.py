"""Requests without what a session of aiohttp's does for each.

That is more than half of a status check's CPU (measured), and nothing of it is wanted here: redirects,
cookies, proxies, hooks, automatic headers, second tries. Connecting and reading are aiohttp's own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage, StreamWriter
from multidict import MultiMapping
from yarl import URL

from veo_async.transport.bodies import Outgoing
from veo_async.transport.connectors import MarkedConnector

__all__ = ["MAX_HEADERS", "MAX_LINE_BYTES", "DirectAnswer", "DirectClient"]

MAX_LINE_BYTES: Final = 8190
MAX_HEADERS: Final = 128

_ORIGINS_KEPT = 8
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_URL: Final = re.compile(r"([hH][tT]{2}[pP][sS]?://[^/?#\x00-\x20\x7f]+)([^#\x00-\x20\x7f]*+)(?:#.*)?")
"""Origin, and what is asked for there."""
_INTERIM: Final = frozenset(range(100, 200)) - {101}


class DirectAnswer:
    """The head of an answer, and its body."""

    __slots__ = ("_give_back", "_sending", "content", "headers", "status")

    def __init__(
        self,
        give_back: Callable[[], None],
        message: RawResponseMessage,
        content: aiohttp.StreamReader,
        sending: asyncio.Task[None] | None,
    ) -> None:
        self._give_back = give_back
        self._sending = sending
        self.status: int = message.code
        self.headers: MultiMapping[str] = message.headers
        self.content: aiohttp.StreamReader = content

    def close(self) -> None:
        """Give the connection back; where the answer was not read to its end, it is closed."""
        if self._sending is not None:
            self._sending.cancel()
        self._give_back()


class DirectClient:
    """Sends requests over the connections of a connector."""

    def __init__(
        self,
        connector: MarkedConnector,
        timeout: aiohttp.ClientTimeout,
        headers: Mapping[str, str],
        held_bytes: int,
    ) -> None:
        """Make ready to send.

        Args:
            connector: Makes the connections.
            timeout: How long the network may take.
            headers: They go with every request.
            held_bytes: Twice as much of an answer is held before its reading pauses.
        """
        self._connector = connector
        self._timeout = timeout
        self._held_bytes = held_bytes
        self._headers = dict(headers)
        self._last_headers: Mapping[str, str] = {}
        self._last_fields = _fields(self._headers)
        self._to = lru_cache(maxsize=_ORIGINS_KEPT)(_to)

    async def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Outgoing | None
    ) -> DirectAnswer:
        """Return the answer to one request, to be closed when it was read; any status is an answer.

        Cancelling is safe: the connection is closed.
        """
        target, request = self._written(method, url, headers, body)
        try:
            connection = await self._connector.connect(target, [], self._timeout)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        sending = None
        try:
            protocol = self._begin(connection, request)
            if isinstance(body, Outgoing):
                sending = asyncio.create_task(_send(body, protocol))
            else:
                protocol.start_timeout()  # where there is one
            message, content = await protocol.read()
            while message.code in _INTERIM:
                message, content = await protocol.read()
        except BaseException:
            if sending is not None:
                sending.cancel()
            connection.close()
            raise
        give_back = partial(self._connector.give_back, connection, target)
        return DirectAnswer(give_back, message, content, sending)

    def _written(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Outgoing | None
    ) -> tuple[aiohttp.ClientRequest, bytes]:
        """Return where a request goes, and all of it but a body with media."""
        found = _URL.fullmatch(url)
        if found is None:
            raise aiohttp.NonHttpUrlClientError(url)
        target, host = self._to(found[1])
        path = found[2] if found[2].startswith("/") else f"/{found[2]}"
        if headers != self._last_headers:  # those of most requests are the same
            self._last_fields, self._last_headers = _fields({**self._headers, **headers}), dict(headers)
        size = body.length if isinstance(body, Outgoing) else len(body or b"")
        length = b"" if body is None else b"Content-Length: %d\r\n" % size
        start = f"{method} {path} HTTP/1.1\r\n".encode()
        rest = body if isinstance(body, bytes) else b""
        return target, b"".join([start, host, self._last_fields, length, b"\r\n", rest])

    def _begin(self, connection: Connection, request: bytes) -> ResponseHandler:
        """Send what there is of a request, and return what reads its answer."""
        protocol, wire = connection.protocol, connection.transport
        if protocol is None or wire is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._timeout.sock_read,
            read_bufsize=self._held_bytes,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
        )
        wire.write(request)
        return protocol


async def _send(body: Outgoing, protocol: ResponseHandler) -> None:
    """Send a body while its answer is waited for, which may come early; its reader is told of failures."""
    writer = StreamWriter(protocol, asyncio.get_running_loop())
    try:
        async for piece in body:
            await writer.write(piece)
    except Exception as error:  # noqa: BLE001  # whoever reads the answer raises it
        protocol.set_exception(error)
    else:
        protocol.start_timeout()


def _fields(headers: Mapping[str, str]) -> bytes:
    return b"".join(_line(f"{name}: {value}") for name, value in headers.items())


def _line(text: str) -> bytes:
    if _CONTROL.search(text):
        raise ValueError("a control character stands in the head of a request")
    return text.encode() + b"\r\n"


def _to(origin: str) -> tuple[aiohttp.ClientRequest, bytes]:
    """Return what tells a connector where to connect to, itself never sent, and the header for it."""
    url = URL(origin, encoded=True).origin()
    return aiohttp.ClientRequest("GET", url), _line(f"Host: {url.host_port_subcomponent}")
