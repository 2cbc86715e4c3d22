"""Types of files, read off their beginnings."""

from __future__ import annotations

import pytest

from veo_async.sniffing import mime_type_of


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"\x00\x00\x00\x18ftypavif", "image/avif"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"<!doctype html>", None),
        (b"", None),
    ],
)
def test_a_type_is_known_by_its_first_bytes(head: bytes, expected: str | None) -> None:
    """What is neither a picture nor a video has no type."""
    assert mime_type_of(head) == expected
