"""What a torn ledger still tells: operation names found by a scan of its bytes, which no damage can stop.

Nothing is opened as a database. A name is looked for in three places: in the rows of jobs, in the index of
operations (short entries, whole where a row is spread over pages), and by its shape anywhere else. Damage
inside a name cannot be seen: what comes out is to be compared with what the provider lists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeGuard

from attrs import frozen

from veo_async.ledger.sqlite_schema import COLUMNS

__all__ = ["Salvaged", "find_operations", "salvage"]

_SUFFIXES: Final = ("", "-wal", "-journal", ".spill")
_INT: Final = rb"[\x01-\x06\x08\x09]"
# https://www.sqlite.org/fileformat2.html#record_format: the header's length, a number for each value's type
# (0: NULL; an odd one from 13: a text, 0x55 one of 36 letters), then the values without a gap.
_ROW: Final = re.compile(rb"[\x12-\x30](?=\x00\x55)")
"""A row of jobs: `seq` is NULL in it (it stands before the row), then comes the id."""
_ROW_COLUMNS: Final = ("seq", *COLUMNS[: COLUMNS.index("operation") + 1])
_INDEX_ENTRY: Final = re.compile(
    rb"\x04(?=[\x0f-\x7f]{2}" + _INT + rb")|\x05(?=[\x81-\xff][\x00-\x7f][\x0f-\x7f]" + _INT + rb")"
)
"""An entry of the index of operations: a name, a provider, the job's `seq`."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHAPES: Final = (
    re.compile(rb"(projects/[!-.0-~]{1,64}/locations/[\w-]{1,32}/[\w./@:-]{1,200}/operations/[\w.-]{1,128})"),
    re.compile(rb"(models/[\w.@:-]{1,200}/operations/[\w.~:=@+-]{1,256})"),
    re.compile(rb'"operation": "([^"\\\x00-\x1f]{1,512})"'),  # in what was spilled
)
_PRINTABLE: Final = re.compile(r"[!-~]{1,512}")

_PAGE: Final = 4096
# Types of values.
_WIDTHS: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)
_INTEGERS: Final = range(1, 7)
_CONSTANTS: Final = {8: 0, 9: 1}
_BLOB: Final = 12
"""Even from here on a blob, odd a text; its length is half of what is past this."""
_MORE: Final = 0x80
"""Set in every byte of a number but the last."""


@frozen
class Salvaged:
    """An operation that a torn ledger still names."""

    operation: str
    provider: str | None = None
    """None where only the name was found."""
    job_id: str | None = None
    """None where only the name was found."""


def salvage(path: str | os.PathLike[str]) -> list[str]:
    """Return every operation name that can still be read in a ledger's files, however damaged they are.

    Reads the file, its log and what was spilled; writes nothing. Blocks: run it in a thread.

    Raises:
        OSError: The file cannot be read.
    """
    return [found.operation for found in find_operations(path)]


def find_operations(path: str | os.PathLike[str]) -> list[Salvaged]:
    """Return what `salvage` does, with provider and job id where they stand near the name.

    Raises:
        OSError: The file cannot be read.
    """
    path = Path(path)
    content = path.read_bytes()
    for suffix in _SUFFIXES[1:]:
        beside = path.with_name(path.name + suffix)
        content += b"\n" + (beside.read_bytes() if beside.exists() else b"")
    rows = list(_rows(content))
    ids = {seq: job_id for seq, job_id, _ in rows}
    found: dict[str, Salvaged] = {}
    for one in (*(one for _, _, one in rows if one is not None), *_index_entries(content, ids)):
        found.setdefault(one.operation, one)
    providers = {one.provider for one in found.values() if one.provider is not None}
    for name in _shapes(content, providers):
        if not any(
            name[:end] in found for end in range(len(name) + 1)
        ):  # or it ran into what stands behind it
            found[name] = Salvaged(name)
    return list(found.values())


def _rows(content: bytes) -> Iterator[tuple[int, str, Salvaged | None]]:
    """Yield `seq` and id of each row of jobs, and its operation where that can be read."""
    for match in _ROW.finditer(content):
        start = match.start()
        seq, before = _number_before(content, start)
        size, _ = _number_before(content, before)
        row = dict(zip(_ROW_COLUMNS, _record(content, start, _on_page(size)), strict=False))
        job_id, provider, operation = row.get("id"), row.get("provider"), row.get("operation")
        if isinstance(job_id, str) and _UUID.fullmatch(job_id):
            whole = _is_name(operation) and _is_name(provider)
            named = Salvaged(str(operation), str(provider), job_id) if whole else None
            yield seq, job_id, named


def _index_entries(content: bytes, ids: Mapping[int, str]) -> Iterator[Salvaged]:
    for match in _INDEX_ENTRY.finditer(content):
        operation, provider, seq = (*_record(content, match.start(), _PAGE), None, None, None)[:3]
        if _is_name(operation) and _is_name(provider) and isinstance(seq, int):
            yield Salvaged(operation, provider, ids.get(seq))


def _shapes(content: bytes, providers: Iterable[str]) -> Iterator[str]:
    """Yield what looks like a name; in the index the provider stands right behind it."""
    behind = re.compile("|".join(map(re.escape, providers)) or "$")
    for match in (match for shape in _SHAPES for match in shape.finditer(content)):
        if content[match.start() - 1 : match.start()] == b"/":
            continue  # the end of a longer name
        name = match[1].decode("utf-8", "replace")
        cut = behind.search(name, name.rfind("/") + 2)
        yield name if cut is None else name[: cut.start()]


def _on_page(size: int) -> int:
    """Return how many bytes of a row are on its own page; the rest is on others."""
    if size <= _PAGE - 35:
        return size
    least = (_PAGE - 12) * 32 // 255 - 23
    here = least + (size - least) % (_PAGE - 4)
    return here if here <= _PAGE - 35 else least


def _record(content: bytes, start: int, size: int) -> list[int | str | None]:
    """Return the values of the record whose header begins here; None for what is past so many bytes."""
    types, at, end = list[int](), start + 1, start + content[start]
    while at < end:
        kind, at = _number(content, at)
        types.append(kind)
    values: list[int | str | None] = []
    for kind in types:
        width = (kind - _BLOB) // 2 if kind >= _BLOB else _WIDTHS[kind]
        value = content[at : min(at + width, start + size)]
        values.append(_value(kind, value) if len(value) == width else None)
        at += width
    return values


def _value(kind: int, value: bytes) -> int | str | None:
    if kind > _BLOB and kind % 2:
        return value.decode("utf-8", "replace")
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    return int.from_bytes(value, "big", signed=True) if kind in _INTEGERS else None


def _number(content: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins here, seven bits a byte, and where it ends."""
    number = 0
    for offset, byte in enumerate(content[at : at + 9], 1):
        number = number << 7 | byte & ~_MORE
        if not byte & _MORE:
            return number, at + offset
    return 0, at + 9


def _number_before(content: bytes, end: int) -> tuple[int, int]:
    """Return the number that ends here, and where it begins: behind the last byte of another one."""
    start = end - 1
    while start > 0 and content[start - 1] & _MORE:
        start -= 1
    return _number(content, start)[0], start


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _PRINTABLE.fullmatch(value) is not None
