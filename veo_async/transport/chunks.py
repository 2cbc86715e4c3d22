"""Where a chunked body ends (RFC 9112, section 7.1)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Chunks"]

_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")
_LINE_END: Final = 2
_LONGEST_LINE: Final = 1 << 13


class Chunks:
    """Follows a chunked body through the pieces it comes in."""

    def __init__(self) -> None:
        self._line = b""
        """What has come of a line so far."""
        self._left = 0
        """Bytes to come of a chunk, with the end of its line."""
        self._is_last = False
        """The chunk without bytes was there: lines follow up to an empty one."""
        self._is_over = False
        self._is_spoilt = False
        """Its end is not known: what reads the answer will complain."""

    def take(self, data: bytes) -> int:
        """Return how many bytes of the next piece belong to the body; all, where it is none."""
        at = 0
        while at < len(data) and not self._is_over:
            if self._is_spoilt:
                return len(data)
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            else:
                at = self._take_line(data, at)
        return at

    def _take_line(self, data: bytes, start: int) -> int:
        """Take a line or the beginning of one, and return where the next byte is."""
        end = data.find(b"\n", start) + 1
        self._line += data[start : end or len(data)]
        self._is_spoilt = len(self._line) > _LONGEST_LINE
        if not end:
            return len(data)
        line, self._line = self._line.strip(), b""
        if self._is_last:
            self._is_over = not line
        else:
            self._begin(line)
        return end

    def _begin(self, line: bytes) -> None:
        """Begin the chunk that a line tells of."""
        size = _SIZE.match(line)
        if size is None:
            self._is_spoilt = True
            return
        length = int(size[0], 16)
        self._is_last = not length
        self._left = length + _LINE_END if length else 0
