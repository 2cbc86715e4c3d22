"""Where an answer ends in what its server sends, so that what follows it cannot spoil it.

aiohttp's parser takes bytes piece by piece, and throws away whole answers when nonsense follows them in the
same piece: the name of a paid operation would be lost. Here such a piece is cut at the answer's end. Nothing
is dropped or held back, so a head that aiohttp reads differently does no harm.
"""

from __future__ import annotations

import asyncio
import re
from math import inf
from typing import Final, Protocol

from attrs import define

from veo_async.transport.chunks import Chunks
from veo_async.transport.relays import RelayProtocol

__all__ = ["Counted", "FramedProtocol", "body_of"]

_HEAD_END: Final = b"\r\n\r\n"
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1[0-9][0-9]\b")
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")
_CHUNKED: Final = re.compile(rb"(?i)\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n")
_LONGEST_HEAD: Final = 1 << 16


class _Body(Protocol):
    """Knows where it ends."""

    def take(self, data: bytes) -> int:
        """Return how many bytes of the next piece belong to the body."""
        ...


@define
class Counted:
    """A body of so many bytes; infinite where only the connection's end ends it."""

    left: float

    def take(self, data: bytes) -> int:
        """Return how many bytes of the next piece belong to the body."""
        taken = int(min(self.left, len(data)))
        self.left -= taken
        return taken


def body_of(data: bytes) -> tuple[int, _Body] | None:
    """Return where the body begins of the answer that `data` begins with, and what knows its end.

    None: the head is not complete yet. What has no end to its head is a body as a whole.
    """
    start = 0
    while (head_end := data.find(_HEAD_END, start)) >= 0:
        body = head_end + len(_HEAD_END)
        if not _INTERIM.match(data, start):
            if _CHUNKED.search(data, start, body):
                return body, Chunks()
            length = _LENGTH.search(data, start, body)
            return body, Counted(int(length[1]) if length else inf)
        start = body
    return (0, Counted(inf)) if len(data) > _LONGEST_HEAD else None


class FramedProtocol(RelayProtocol, asyncio.Protocol):
    """Cuts what comes at the answer's end."""

    def begin(self) -> None:
        """Expect a new answer."""
        self._head = b""
        self._body: _Body | None = None

    def data_received(self, data: bytes) -> None:
        """Hand over bytes; those after the answer's end on their own."""
        cut = self._cut(data)
        self._reader.data_received(data[:cut])
        if cut < len(data):
            self._reader.data_received(data[cut:])

    def _cut(self, data: bytes) -> int:
        """Return how many bytes of `data` belong to the answer: all of them until its end is known."""
        if self._body is not None:
            return self._body.take(data)
        before = len(self._head)
        self._head += data
        found = body_of(self._head)
        if found is None:
            return len(data)
        start, self._body = found
        head, self._head = self._head, b""
        return start - before + self._body.take(head[start:])
