"""Where an answer ends, found in whatever pieces it comes."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.transport.chunks import Chunks
from veo_async.transport.framing import Counted, FramedProtocol, body_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 2\r\n\r\n"
CHUNKED = HEAD.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")
INTERIM = b"HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\n"
LAST = b"0\r\n\r\n"
ANSWERS = {
    "counted": INTERIM + HEAD + b"{}",
    "chunked": CHUNKED + b"2\r\n{\n\r\nA ; of=10\r\n0123456789\r\n1\r\n}\r\n" + LAST,
    "with trailers": CHUNKED + b"02\r\n{}\r\n0;last\r\nDigest: x\r\nb: 2\r\n\r\n",
    "counted as well": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n") + b"2\r\n{}\r\n" + LAST,
}
MORE = b"0\r\n\r\nand more"


def end_of(data: bytes) -> float | None:
    """Return where the answer ends, by what tells it once the head is there."""
    found = body_of(data)
    if found is None:
        return None
    start, body = found
    assert isinstance(body, Counted)
    return start + body.left


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", None),
        (HEAD[:-1], None),
        (HEAD, len(HEAD) + 2),
        (INTERIM + HEAD + b"{}and more", len(INTERIM + HEAD) + 2),
        (INTERIM, None),
        (HEAD.replace(b"Content-Length: 2", b"CONTENT-LENGTH:2 "), len(HEAD) + 2),
        (HEAD.replace(b"Content-Length: 2", b"Transfer-Encoding: gzip, chunked"), inf),
        (HEAD.replace(b"2\r\n", b"-2\r\n"), inf),
        (HEAD.replace(b"2\r\n", b"\xef\xbc\x92\r\n"), inf),
        (HEAD.replace(b"Content-Length: 2", b"Connection: close") + b"\r\nContent-Length: 2\r\n", inf),
        (b"x" * 70_000, inf),
    ],
)
def test_an_answers_length_is_told_by_its_head(data: bytes, end: float | None) -> None:
    """By that of the final answer; infinite where it says nothing, and for what is no head at all."""
    assert end_of(data) == end


@pytest.mark.parametrize("body", [b"\r\n{}", b"{}", b"-1\r\n{}", b"2" * 9_000, b"2\r\n{}\r\nx\r\n"])
def test_what_is_no_chunked_body_has_no_end(body: bytes) -> None:
    """The reader of the answer sees all of it, and says what is wrong."""
    chunks = Chunks()
    assert sum(chunks.take(body[start : start + 7]) for start in range(0, len(body), 7)) == len(body)
    assert chunks.take(LAST + MORE) == len(LAST + MORE)


class Reader(asyncio.Protocol):
    """Keeps the pieces it is given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@given(st.lists(st.integers(0, 140), max_size=6))
def test_nothing_is_dropped_and_no_piece_reaches_over_the_end(answer: bytes, cuts: list[int]) -> None:
    """However the bytes come: the same bytes, cut where the answer ends; and again for the next one."""
    whole = answer + MORE
    places = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})
    reader = Reader()
    protocol = FramedProtocol(reader)
    for _ in range(2):
        reader.pieces.clear()
        protocol.begin()
        for start, stop in pairwise(places):
            protocol.data_received(whole[start:stop])
        assert b"".join(reader.pieces) == whole
        ends = {len(b"".join(reader.pieces[: count + 1])) for count in range(len(reader.pieces))}
        assert len(answer) in ends
