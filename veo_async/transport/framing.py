"""Where an answer ends in what its server sends, so that what follows it cannot spoil it.

aiohttp's parser takes bytes piece by piece, and throws away whole answers when nonsense follows them in the
same piece: the name of a paid operation would be lost. Here such a piece is cut at the answer's end. Nothing
is dropped or held back, so a head that aiohttp reads differently does no harm.
"""

from __future__ import annotations

import asyncio
import re
from math import inf
from typing import Final

from veo_async.transport.relays import RelayProtocol

__all__ = ["FramedProtocol", "end_of_answer"]

_HEAD_END: Final = b"\r\n\r\n"
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1[0-9][0-9]\b")
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")
_LONGEST_HEAD: Final = 1 << 16


def end_of_answer(data: bytes) -> float | None:
    """Return how long the answer is that `data` begins with; infinite where its head doesn't say it.

    None: the head is not complete yet.
    """
    start = 0
    while (head_end := data.find(_HEAD_END, start)) >= 0:
        body = head_end + len(_HEAD_END)
        if not _INTERIM.match(data, start):
            length = _LENGTH.search(data, start, body)
            return body + int(length[1]) if length else inf
        start = body
    return inf if len(data) > _LONGEST_HEAD else None


class FramedProtocol(RelayProtocol, asyncio.Protocol):
    """Cuts what comes at the answer's end."""

    def begin(self) -> None:
        """Expect a new answer."""
        self._head = b""
        self._left: float | None = None

    def data_received(self, data: bytes) -> None:
        """Hand over bytes; those after the answer's end on their own."""
        cut = self._cut(data)
        self._reader.data_received(data[:cut])
        if cut < len(data):
            self._reader.data_received(data[cut:])

    def _cut(self, data: bytes) -> int:
        """Return how many bytes of `data` belong to the answer: all of them until its end is known."""
        if self._left is None:
            before = len(self._head)
            self._head += data
            end = end_of_answer(self._head)
            if end is None:
                return len(data)
            self._head, self._left = b"", end - before
        cut = int(min(max(0, self._left), len(data)))
        self._left -= cut
        return cut
