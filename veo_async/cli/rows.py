"""The three forms of a batch file, read into plain objects; nothing here knows what a request is."""

from __future__ import annotations

import csv
import enum
import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, cast

from attrs import field, frozen

from veo_async.models import Priority

__all__ = ["STDIN", "Form", "Row", "Source", "Trouble", "form_of", "read_rows"]

_NUMBERS = frozenset({"duration_seconds", "seed", "sample_count"})
_SWITCHES = frozenset({"enhance_prompt", "generate_audio"})
_OBJECTS = frozenset({"labels", "extra"})
STDIN = "-"
"""Stands for standard input where a file is named."""
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Form(enum.StrEnum):
    """How a batch file is written."""

    JSONL = "jsonl"
    """One JSON object a line."""
    CSV = "csv"
    """A header of field names, then one request a row."""
    TEXT = "text"
    """One prompt a line."""


@frozen(kw_only=True)
class Trouble:
    """What is wrong with one line, and what to do about it."""

    line: int
    message: str


@frozen(kw_only=True)
class Row:
    """One line's fields as they were written."""

    line: int
    fields: dict[str, Any] = field(repr=False)


@frozen(kw_only=True)
class Source:
    """Where a batch comes from, and how it is read."""

    file: str
    form: Form | None = None
    model: str | None = None
    priority: Priority | None = None

    @property
    def folder(self) -> Path:
        """What paths of media are relative to."""
        return Path.cwd() if self.file == STDIN else Path(self.file).absolute().parent


_SUFFIXES = {".jsonl": Form.JSONL, ".ndjson": Form.JSONL, ".json": Form.JSONL, ".csv": Form.CSV}


def form_of(name: str, content: bytes) -> Form:
    """Return the form of a file by its name; for standard input and other names by its first character."""
    known = _SUFFIXES.get(PurePath(name).suffix.lower())
    if known is not None:
        return known
    return Form.JSONL if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" else Form.TEXT


def read_rows(content: bytes, form: Form) -> Iterator[Row | Trouble]:
    """Yield every line that is not blank, in file order: its fields, or why they cannot be read."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if form is Form.CSV:
        yield from _csv_rows(content)
        return
    read = _object if form is Form.JSONL else _prompt
    for number, raw in enumerate(content.splitlines(), 1):
        if raw.strip():
            yield _row(number, raw, read)


def _row(number: int, raw: bytes, read: Any) -> Row | Trouble:
    try:
        return Row(line=number, fields=read(raw.decode()))
    except UnicodeDecodeError as error:
        return Trouble(
            line=number, message=f"is not UTF-8 from byte {error.start + 1} on: save the file as UTF-8"
        )
    except RecursionError:
        return Trouble(line=number, message="is nested too deeply to be read")
    except ValueError as error:
        return Trouble(line=number, message=str(error))


def _prompt(text: str) -> dict[str, Any]:
    return {"prompt": text.strip()}


def _object(text: str) -> dict[str, Any]:
    try:
        value: object = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(value, dict):
        raise ValueError('is not a JSON object: write {"prompt": "…"}')  # noqa: TRY004 - the line is wrong, no caller
    return cast("dict[str, Any]", value)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'names "{doubled}" twice: keep one of them')
    return fields


def _no_constant(name: str) -> Any:
    raise ValueError(f"holds {name}, which is no JSON number")


def _csv_rows(content: bytes) -> Iterator[Row | Trouble]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        yield Trouble(line=line, message="is not UTF-8: save the file as UTF-8")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, list[str]())]
        yield from _header_troubles(header) or _csv_body(reader, header)
    except csv.Error as error:
        yield Trouble(line=reader.line_num, message=f"is not CSV: {error}")


def _header_troubles(header: list[str]) -> list[Trouble]:
    if "prompt" not in header:
        return [
            Trouble(line=1, message='is no header with a "prompt" column: the first row names the fields')
        ]
    doubled = sorted({name for name in header if header.count(name) > 1})
    return [Trouble(line=1, message=f'names the column "{name}" twice: keep one of them') for name in doubled]


def _csv_body(reader: Any, header: list[str]) -> Iterator[Row | Trouble]:
    start = reader.line_num + 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield _csv_row(start, header, cells)
        start = reader.line_num + 1


def _csv_row(line: int, header: list[str], cells: list[str]) -> Row | Trouble:
    if len(cells) > len(header):
        many = f"has {len(cells)} cells for {len(header)} columns: put text that holds commas into quotes"
        return Trouble(line=line, message=many)
    filled = [(name, cell.strip()) for name, cell in zip(header, cells, strict=False) if cell.strip()]
    try:
        return Row(line=line, fields={name: _cell(name, text) for name, text in filled})
    except ValueError as error:
        return Trouble(line=line, message=str(error))


def _cell(name: str, text: str) -> Any:
    """Give a cell the type that its field has in JSON."""
    if name in _NUMBERS:
        return int(text) if text.lstrip("+-").isdecimal() and text.isascii() else text
    if name in _SWITCHES:
        return _TRUTH.get(text.lower(), text)
    if name == "reference_images":
        return [path.strip() for path in text.split(";") if path.strip()]
    if name in _OBJECTS:
        return _object_cell(name, text)
    return text


def _object_cell(name: str, text: str) -> dict[str, Any]:
    try:
        return _object(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
