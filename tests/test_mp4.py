"""The walk over an MP4 file: the same verdict however its bytes are cut, from the first to the last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.mp4 import Mp4Walker


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def long_box(kind: bytes, content: bytes = b"") -> bytes:
    return (1).to_bytes(4) + kind + (16 + len(content)).to_bytes(8) + content


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
WHOLE = FTYP + box(b"free") + long_box(b"mdat", b"m" * 100) + box(b"moov", b"t" * 40)


def walked(*chunks: bytes) -> Mp4Walker:
    walker = Mp4Walker()
    for chunk in chunks:
        walker.feed(chunk)
    return walker


def verdict(walker: Mp4Walker) -> tuple[object, ...]:
    return (
        walker.starts_with_ftyp,
        walker.closed,
        walker.is_whole,
        walker.has_moov,
        walker.has_mdat,
        walker.open_ended,
        walker.broken,
        walker.size,
    )


def test_a_whole_file_is_whole() -> None:
    assert walked(WHOLE).is_whole
    assert walked(WHOLE).size == len(WHOLE)


def test_every_cut_file_is_not_whole() -> None:
    assert [end for end in range(len(WHOLE)) if walked(WHOLE[:end]).is_whole] == []


def test_bytes_after_the_last_box_are_noticed() -> None:
    for extra in (b"\0", b"\0\0\0\x10free", b"<html>"):
        assert not walked(WHOLE + extra).closed


def test_the_verdict_does_not_depend_on_how_the_bytes_are_cut() -> None:
    assert verdict(walked(*(bytes([byte]) for byte in WHOLE))) == verdict(walked(WHOLE))


def test_a_cut_between_two_boxes_is_closed_but_misses_a_box() -> None:
    walker = walked(WHOLE[: -len(box(b"moov", b"t" * 40))])
    assert walker.closed
    assert not walker.has_moov
    assert not walker.is_whole


def test_a_last_box_without_a_size_reaches_to_the_end() -> None:
    walker = walked(FTYP + box(b"moov"), (0).to_bytes(4) + b"mdat", b"anything at all")
    assert walker.is_whole
    assert walker.open_ended


@pytest.mark.parametrize("size", [2, 3, 7])
def test_a_box_smaller_than_its_header_is_broken(size: int) -> None:
    walker = walked(FTYP + size.to_bytes(4) + b"mdat" + b"m" * 20)
    assert walker.broken
    assert not walker.closed


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_long_box_smaller_than_its_header_is_broken(size: int) -> None:
    assert walked(FTYP + (1).to_bytes(4) + b"mdat" + size.to_bytes(8) + b"m" * 20).broken


def test_other_content_does_not_start_like_an_mp4_file() -> None:
    assert walked(b"<!DOCTYPE html><html>").starts_with_ftyp is False
    assert walked(b"\0\0\0").starts_with_ftyp is None
    assert not walked().closed


def test_an_empty_first_box_still_counts() -> None:
    assert walked(box(b"ftyp") + box(b"moov") + box(b"mdat")).is_whole


@given(st.binary(max_size=200), st.integers(1, 30))
def test_any_bytes_are_walked_in_any_pieces_with_one_verdict(data: bytes, step: int) -> None:
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    assert verdict(walked(*pieces)) == verdict(walked(data))


@given(
    st.lists(st.tuples(st.sampled_from([b"moov", b"mdat", b"free"]), st.binary(max_size=20), st.booleans()))
)
def test_any_row_of_boxes_is_closed(boxes: list[tuple[bytes, bytes, bool]]) -> None:
    data = FTYP + b"".join(long_box(kind, text) if wide else box(kind, text) for kind, text, wide in boxes)
    kinds = {kind for kind, _, _ in boxes}
    assert walked(data).closed
    assert walked(data).is_whole == ({b"moov", b"mdat"} <= kinds)
