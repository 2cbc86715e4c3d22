"""What kind of file some bytes are, read off their beginning."""

from __future__ import annotations

from typing import Final

__all__ = ["HEAD_BYTES", "mime_type_of"]

HEAD_BYTES: Final = 16
"""As many bytes of the beginning are enough."""

_SIGNATURES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF8", "image/gif"),
    (0, b"BM", "image/bmp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheix", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
)


def mime_type_of(head: bytes) -> str | None:
    """Return the MIME type of a picture or video that begins with `head`; None when it is neither."""
    for offset, signature, mime_type in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return mime_type
    return None
