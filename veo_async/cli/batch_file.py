"""A batch file's lines as requests; every broken line is told, not just the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from veo_async.cli.rows import Form, Row, Trouble, read_rows
from veo_async.codec import structure_request
from veo_async.errors import InvalidRequestError
from veo_async.models import Media, Priority, VideoRequest

__all__ = ["BatchFile", "Line", "read_batch"]

_LONGEST_ID = 200


@frozen(kw_only=True)
class Line:
    """One request of a batch."""

    number: int
    """Where it stands in the file; for people only, never its identity."""
    id: str | None = None
    request: VideoRequest


@frozen(kw_only=True)
class BatchFile:
    """What a file asks for, and what cannot be read of it."""

    lines: tuple[Line, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def read_batch(
    content: bytes,
    form: Form,
    *,
    folder: Path,
    model: str | None = None,
    priority: Priority | None = None,
) -> BatchFile:
    """Return the requests of a batch file; nothing is opened but what is given.

    Args:
        content: The file's bytes.
        form: How it is written.
        folder: What paths of media are relative to.
        model: The model of lines that name none.
        priority: The priority of lines that name none.
    """
    usual = {} if priority is None else {"priority": priority}
    read = [_line(row, folder, model, usual) for row in read_rows(content, form)]
    lines = [line for line in read if isinstance(line, Line)]
    troubles = [trouble for trouble in read if isinstance(trouble, Trouble)]
    doubled = _doubled_ids(lines)
    wrong = {trouble.line for trouble in doubled}
    return BatchFile(
        lines=tuple(line for line in lines if line.number not in wrong),
        troubles=tuple(sorted([*troubles, *doubled], key=lambda trouble: trouble.line)),
    )


def _line(row: Row | Trouble, folder: Path, model: str | None, usual: Mapping[str, Any]) -> Line | Trouble:
    if isinstance(row, Trouble):
        return row
    where = f"line {row.line}"
    try:
        fields = {**usual, **row.fields}
        line_id = _line_id(fields.pop("id", None))
        _refuse_key(fields)
        request = structure_request(fields, where=where)
    except InvalidRequestError as error:
        return Trouble(line=row.line, message=error.message.removeprefix(f"{where}: "))
    return Line(number=row.line, id=line_id, request=_placed(request, folder, model))


def _line_id(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise InvalidRequestError("id: must be a short text, or left out")
    if len(value) > _LONGEST_ID:
        raise InvalidRequestError(f"id: has {len(value)} characters; at most {_LONGEST_ID} are taken")
    return value.strip()


def _refuse_key(fields: dict[str, Any]) -> None:
    """A second name for a line beside its id would let the two disagree."""
    if fields.get("idempotency_key") is not None:
        raise InvalidRequestError('idempotency_key: give the line an "id" instead; it does the same here')


def _placed(request: VideoRequest, folder: Path, model: str | None) -> VideoRequest:
    return attrs.evolve(
        request,
        model=request.model or model,
        image=_from_folder(request.image, folder),
        last_frame=_from_folder(request.last_frame, folder),
        video=_from_folder(request.video, folder),
        reference_images=tuple(
            filter(None, (_from_folder(media, folder) for media in request.reference_images))
        ),
    )


def _from_folder(media: Media | None, folder: Path) -> Media | None:
    if media is None or media.path is None:
        return media
    return attrs.evolve(media, path=folder / media.path.expanduser())


def _doubled_ids(lines: Iterable[Line]) -> list[Trouble]:
    first: dict[str, int] = {}
    found: list[Trouble] = []
    for line in lines:
        if line.id is None:
            continue
        before = first.setdefault(line.id, line.number)
        if before != line.number:
            found.append(
                Trouble(
                    line=line.number, message=f'id: "{line.id}" is taken by line {before}; choose another'
                )
            )
    return found
