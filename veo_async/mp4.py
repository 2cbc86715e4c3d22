"""Is it a whole MP4 file? Walks over the top-level boxes as the bytes come in. Pure.

A file is a row of boxes: 32 bits of size, four letters of type, content. Size 1 means that 64 bits of size
follow the type; size 0, that the box reaches to the end of the file (ISO/IEC 14496-12, 4.2).
"""

from __future__ import annotations

from typing import Final

__all__ = ["Mp4Walker"]

_SHORT_HEADER: Final = 8
_LONG_HEADER: Final = 16
_TO_THE_END: Final = 0
_LONG_SIZE: Final = 1


class Mp4Walker:
    """Told a file's bytes in order, knows whether they are a whole MP4 file; keeps 16 bytes at most."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._types: set[bytes] = set()
        self.size: int = 0
        """How many bytes came."""
        self.open_ended: bool = False
        """True once a box came that reaches to the end of the file, wherever that is."""
        self.broken: bool = False
        """True once a box's size cannot be."""
        self.starts_with_ftyp: bool | None = None
        """Whether the first box says that this is an MP4 file; None until eight bytes came."""

    @property
    def has_moov(self) -> bool:
        """Whether there is a box that describes the tracks."""
        return b"moov" in self._types

    @property
    def has_mdat(self) -> bool:
        """Whether there is a box of pictures and sound."""
        return b"mdat" in self._types

    @property
    def closed(self) -> bool:
        """Whether the bytes so far end where a box ends."""
        return not self.broken and not self._header and self._left == 0 and self.size > 0

    @property
    def is_whole(self) -> bool:
        """Whether the bytes so far are a whole file that can be played."""
        return self.starts_with_ftyp is True and self.closed and self.has_moov and self.has_mdat

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the file."""
        self.size += len(chunk)
        at = 0
        while at < len(chunk) and not self.open_ended and not self.broken:
            if self._left:
                step = min(self._left, len(chunk) - at)
                self._left -= step
            else:
                step = self._take_header(bytes(chunk[at : at + _LONG_HEADER]))
            at += step

    def _take_header(self, data: bytes) -> int:
        """Take from `data` what belongs to a box's header; return how many bytes that was."""
        wanted = _SHORT_HEADER
        if len(self._header) >= _SHORT_HEADER:
            wanted = _LONG_HEADER  # not begun with a box's content, so it has a long size
        taken = data[: wanted - len(self._header)]
        self._header += taken
        if len(self._header) == wanted:
            self._begin_box(bytes(self._header))
        return len(taken)

    def _begin_box(self, header: bytes) -> None:
        size = int.from_bytes(header[:4])
        self._note_type(header[4:8])
        if size == _LONG_SIZE and len(header) == _SHORT_HEADER:
            return  # eight more bytes are needed
        if size == _LONG_SIZE:
            size = int.from_bytes(header[8:])
        self._header.clear()
        if size == _TO_THE_END and len(header) == _SHORT_HEADER:
            self.open_ended = True
        elif size < len(header):
            self.broken = True
        else:
            self._left = size - len(header)

    def _note_type(self, kind: bytes) -> None:
        if self.starts_with_ftyp is None:
            self.starts_with_ftyp = kind == b"ftyp"
        if kind in {b"moov", b"mdat"}:
            self._types.add(kind)
