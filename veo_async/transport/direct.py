"""Requests without what a session of aiohttp's does for each.

That is more than half of a status check's CPU (measured), and nothing of it is wanted here: redirects,
cookies, proxies, hooks, automatic headers, second tries. Connecting and reading are aiohttp's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from multidict import MultiMapping
from yarl import URL

__all__ = ["MAX_HEADERS", "MAX_LINE_BYTES", "DirectAnswer", "DirectClient"]

MAX_LINE_BYTES: Final = 8190
MAX_HEADERS: Final = 128

_FIELDS_KEPT = 8
_ORIGINS_KEPT = 8
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_URL: Final = re.compile(r"(?i)(https?://[^/?#\s]+)([^#\s]*)(?:#.*)?")
"""Origin, and what is asked for there."""
_INTERIM: Final = frozenset(range(100, 200)) - {101}


class DirectAnswer:
    """The head of an answer, and its body."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self, connection: Connection, message: RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self._connection = connection
        self.status: int = message.code
        self.headers: MultiMapping[str] = message.headers
        self.content: aiohttp.StreamReader = content

    def close(self) -> None:
        """Give the connection back; where the answer was not read to its end, aiohttp closes it."""
        self._connection.release()


class DirectClient:
    """Sends requests that carry no media over the connections of a connector."""

    def __init__(
        self,
        connector: aiohttp.TCPConnector,
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
        self._headers = tuple(headers.items())
        self._fields = lru_cache(maxsize=_FIELDS_KEPT)(_fields)
        self._to = lru_cache(maxsize=_ORIGINS_KEPT)(_to)

    async def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> DirectAnswer:
        """Return the answer to one request, to be closed when it was read; any status is an answer.

        Cancelling is safe: the connection is closed.
        """
        target, request = self._written(method, url, headers, body)
        try:
            connection = await self._connector.connect(target, [], self._timeout)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        try:
            protocol = self._send(connection, request)
            message, content = await protocol.read()
            while message.code in _INTERIM:
                message, content = await protocol.read()
        except BaseException:
            connection.close()
            raise
        return DirectAnswer(connection, message, content)

    def _written(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[aiohttp.ClientRequest, bytes]:
        """Return where a request goes, and all of it."""
        found = _URL.fullmatch(url)
        if found is None:
            raise aiohttp.NonHttpUrlClientError(url)
        target, host = self._to(found[1])
        path = found[2] if found[2].startswith("/") else f"/{found[2]}"
        fields = self._fields((*self._headers, *headers.items()))
        length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        start = _line(f"{method} {path} HTTP/1.1")
        return target, b"".join([start, host, fields, length, b"\r\n", body or b""])

    def _send(self, connection: Connection, request: bytes) -> ResponseHandler:
        """Send a request, and return what reads its answer."""
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
        protocol.start_timeout()  # where there is one
        return protocol


def _fields(headers: tuple[tuple[str, str], ...]) -> bytes:
    return b"".join(_line(f"{name}: {value}") for name, value in headers)


def _line(text: str) -> bytes:
    if _CONTROL.search(text):
        raise ValueError("a control character stands in the head of a request")
    return text.encode() + b"\r\n"


def _to(origin: str) -> tuple[aiohttp.ClientRequest, bytes]:
    """Return what tells a connector where to connect to, itself never sent, and the header for it."""
    url = URL(origin, encoded=True).origin()
    return aiohttp.ClientRequest("GET", url), _line(f"Host: {url.host_port_subcomponent}")
