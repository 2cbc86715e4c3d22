"""Names for people: of files, and of requests in a list."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath

__all__ = ["file_name", "shortened", "slug"]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_SLUG_LENGTH = 20
_ID_LENGTH = 100  # bytes a file system leaves for a name, less what is added to it
_SHOWN_HASH = 6
_SUFFIXES = {"video/mp4": ".mp4", "video/webm": ".webm", "video/quicktime": ".mov"}


def shortened(text: str, length: int = 40) -> str:
    """Return `text` on one line of at most `length` characters."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def slug(text: str, length: int = _SLUG_LENGTH) -> str:
    """Return the first words of `text` as they may stand in a file's name; empty where none may."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.split(r"[^a-z0-9]+", plain)
    name = ""
    for word in filter(None, words):
        if name and len(name) + 1 + len(word) > length:
            break
        name = f"{name}-{word}" if name else word[:length]
    return name


def file_name(
    *, place: int, line_id: str | None, prompt: str, job_id: str, index: int = 0, mime_type: str | None = None
) -> str:
    """Return the name of a request's video: its id if it has one, else its place (unless 0) and words.

    The end of the name is taken from the job, so that two jobs never want the same file.
    """
    mark = job_id.replace("-", "")[:_SHOWN_HASH]
    stem = (
        _stem_of_id(line_id, mark)
        if line_id
        else "-".join(filter(None, [f"{place:03}" if place else "", slug(prompt), mark]))
    )
    more = f"-{index + 1}" if index else ""
    return f"{stem}{more}{_SUFFIXES.get(mime_type or '', '.mp4')}"


def _stem_of_id(line_id: str, mark: str) -> str:
    """An id that is a good name stands as it is; any other is cleaned, and told apart by `mark`."""
    clean = _NOT_IN_NAMES.sub("-", line_id).strip("-.")[:_ID_LENGTH]
    if clean == line_id:
        return clean
    return f"{clean}-{mark}" if clean else mark


def beside(path: PurePath, mark: str) -> str:
    """Return another name for a file whose own name is taken by somebody else's."""
    return f"{path.stem}-{mark[:_SHOWN_HASH]}{path.suffix}"
