"""Cuts long base64 texts out of JSON while it streams by, and decodes them piece by piece. Pure.

A status answer of Vertex AI holds its videos as base64, tens of MB of it. Decoding JSON and base64 of that
size stops the event loop for 76 to 480 ms, in a thread just the same (faults §1.4, row 53). So such a text
never reaches the decoder: what remains of the answer is small, with a short mark in the place of each text.

Cut is the value of an object's member that is longer than `LONG` and whose first `LONG` bytes could be
base64; how the stream was split never matters. Nothing else is judged here: that is for the one strict
decoder.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator
from typing import Final

from attrs import frozen

__all__ = ["LONG", "Cut", "Cutter"]

LONG: Final = 64 * 1024
"""Texts up to this length stay where they are: they take well under a millisecond. Also the bytes that are
looked at in one step, so that a string that begins and ends in one step is never long."""

_QUOTE: Final = b'"'
_BACKSLASH: Final = b"\\"
# Possessive, so that whatever comes is scanned once.
_WHOLE_STRINGS: Final = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_CONTENT: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""The inside of a string up to its closing quote, or up to a backslash whose other half has yet to come."""
# Some encoders escape the slash, some the characters that mean something in HTML.
_ESCAPES: Final = {b"\\u002b": b"+", b"\\u002f": b"/", b"\\u003d": b"="}
_ESCAPE: Final = re.compile(rb"\\u00(?:2[bf]|3d)", re.IGNORECASE)
_HALF_ESCAPE: Final = re.compile(rb"\\(?:u(?:0(?:0[23]?)?)?)?\Z")
_BASE64: Final = re.compile(
    rb"(?:[A-Za-z0-9+/=]++|\\/|\\u00(?:2[bBfF]|3[dD]))*+(?:\\(?:u(?:0(?:0[23]?)?)?)?)?"
)


@frozen
class Cut:
    """A text was cut out up to its end."""

    mark: str
    """What stands in its place."""
    is_base64: bool
    """False: it only looked like base64, and nothing that was decoded of it is of use."""


class _Text:
    """A base64 text that arrives in pieces."""

    def __init__(self) -> None:
        self.length = 0
        self._rest = b""
        self._is_padded = False
        self._is_damaged = False

    def feed(self, raw: bytes) -> bytes:
        """Return what the next piece decodes to; nothing more once something in it was no base64."""
        self.length += len(raw)
        text = self._rest + raw
        whole = len(text)
        if _BACKSLASH in text:
            text = _ESCAPE.sub(_unescaped, text.replace(b"\\/", b"/"))
            half = _HALF_ESCAPE.search(text)
            whole = len(text) if half is None else half.start()
        whole &= ~3
        self._rest = text[whole:]
        return self._decoded(text[:whole]) if whole and not self._is_damaged else b""

    def is_whole(self) -> bool:
        """Return whether the text, which has ended, was base64."""
        return not self._is_damaged and not self._rest

    def _decoded(self, text: bytes) -> bytes:
        self._is_damaged = self._is_padded  # it goes on after its end
        self._is_padded = text.endswith(b"=")
        try:
            return b"" if self._is_damaged else a2b_base64(text, strict_mode=True)
        except Base64Error:
            self._is_damaged = True
            return b""


def _unescaped(found: re.Match[bytes]) -> bytes:
    return _ESCAPES[found[0].lower()]


class Cutter:
    """Reads one answer.

    Args:
        nonce: A text that its server cannot know, so that it cannot write a mark itself.
    """

    def __init__(self, nonce: str) -> None:
        self.skeleton: list[bytes] = []
        """What stays of the answer."""
        self.skeleton_bytes: int = 0
        self._nonce = nonce
        self._cuts = 0
        self._rest = b""
        """Half an escape, or a string so far of which it is open whether it is cut."""
        self._last = b""
        """The last byte outside of strings that is no blank."""
        self._is_string = False
        self._is_plain = False
        """The string stays."""
        self._text: _Text | None = None
        """The string that is being cut."""

    def feed(self, data: bytes) -> Iterator[bytes | Cut]:
        """Take the next bytes; yield what the text that is being cut decodes to, and where it ends.

        At most `LONG` bytes and a few are worked on between two values; an empty one only says that there is
        more to do.
        """
        for start in range(0, len(data), LONG):
            yield from self._step(data[start : start + LONG])
            yield b""

    def _step(self, data: bytes) -> Iterator[bytes | Cut]:
        data, self._rest = self._rest + data, b""
        position = 0
        while position < len(data):
            if not self._is_string:
                position = self._outside(data, position)
                continue
            end, is_over = _end_of_content(data, position)
            if not is_over and self._is_open(end - position):
                self._rest = data[position:]
                return
            yield from self._inside(data[position:end], is_over=is_over)
            position = end + is_over
            if not is_over:
                self._rest = data[end:]
                return

    def _outside(self, data: bytes, start: int) -> int:
        """Keep all up to a string that does not end in `data`; return where its content begins."""
        found = _WHOLE_STRINGS.match(data, start)
        assert found is not None
        self._keep(found[0])
        self._last = found[0].rstrip()[-1:] or self._last
        if found.end() == len(data):
            return len(data)
        self._keep(_QUOTE)
        self._is_string, self._is_plain = True, self._last != b":"
        return found.end() + 1

    def _is_open(self, length: int) -> bool:
        """Return whether it takes more than `length` bytes of a string to know if it is cut."""
        return not self._is_plain and self._text is None and length <= LONG

    def _inside(self, content: bytes, *, is_over: bool) -> Iterator[bytes | Cut]:
        if not self._is_plain and self._text is None:
            self._begin(content)
        if self._text is not None:
            yield self._text.feed(content)
        else:
            self._keep(content)
        if is_over:
            if self._text is not None:
                yield self._cut(self._text)
            self._keep(_QUOTE)
            self._is_string, self._text, self._last = False, None, _QUOTE

    def _begin(self, content: bytes) -> None:
        if len(content) > LONG and _BASE64.fullmatch(content, 0, LONG):
            self._text = _Text()
        else:
            self._is_plain = True

    def _cut(self, text: _Text) -> Cut:
        self._cuts += 1
        mark = f"<{text.length} characters cut: {self._nonce}-{self._cuts}>"
        self._keep(mark.encode())
        return Cut(mark, text.is_whole())

    def _keep(self, data: bytes) -> None:
        self.skeleton.append(data)
        self.skeleton_bytes += len(data)


def _end_of_content(data: bytes, start: int) -> tuple[int, bool]:
    """Return where a string's content ends in `data`, and whether the closing quote is there."""
    quote = data.find(_QUOTE, start)
    end = len(data) if quote < 0 else quote
    if data.find(_BACKSLASH, start, end) >= 0:
        found = _CONTENT.match(data, start)
        assert found is not None
        end = found.end()
        quote = end if data[end : end + 1] == _QUOTE else -1
    return end, quote >= 0
