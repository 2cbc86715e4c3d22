"""Where an answer ends, found in whatever pieces it comes."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.transport.framing import FramedProtocol, end_of_answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 2\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\n"
ANSWER = INTERIM + HEAD + b"{}"


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", None),
        (HEAD[:-1], None),
        (HEAD, len(HEAD) + 2),
        (ANSWER + b"and more", len(ANSWER)),
        (INTERIM, None),
        (HEAD.replace(b"Content-Length: 2", b"CONTENT-LENGTH:2 "), len(HEAD) + 2),
        (HEAD.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked"), inf),
        (HEAD.replace(b"2\r\n", b"-2\r\n"), inf),
        (HEAD.replace(b"2\r\n", b"\xef\xbc\x92\r\n"), inf),
        (HEAD.replace(b"Content-Length: 2", b"Connection: close") + b"\r\nContent-Length: 2\r\n", inf),
        (b"x" * 70_000, inf),
    ],
)
def test_an_answers_length_is_told_by_its_head(data: bytes, end: float | None) -> None:
    """By that of the final answer; infinite where it says nothing, and for what is no head at all."""
    assert end_of_answer(data) == end


class Reader(asyncio.Protocol):
    """Keeps the pieces it is given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)


@given(st.lists(st.integers(0, len(ANSWER) + 8), max_size=6))
def test_nothing_is_dropped_and_no_piece_reaches_over_the_end(cuts: list[int]) -> None:
    """However the bytes come: the same bytes, cut where the answer ends; and again for the next one."""
    whole = ANSWER + b"and more"
    places = sorted({0, *cuts, len(whole)})
    reader = Reader()
    protocol = FramedProtocol(reader)
    for _ in range(2):
        reader.pieces.clear()
        protocol.begin()
        for start, stop in pairwise(places):
            protocol.data_received(whole[start:stop])
        assert b"".join(reader.pieces) == whole
        ends = {len(b"".join(reader.pieces[: count + 1])) for count in range(len(reader.pieces))}
        assert len(ANSWER) in ends
