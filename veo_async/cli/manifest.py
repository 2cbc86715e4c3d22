"""The list of a run for other programs: `manifest.jsonl`, one object a request, in the file's order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import attrs

from veo_async.cli.entries import Entry, StoredFile
from veo_async.cli.words import instant
from veo_async.codec import unstructure_outcome, unstructure_request
from veo_async.errors import InvalidRequestError, VeoError
from veo_async.ledger.records import JobRecord
from veo_async.models import Outcome, Succeeded, VideoRequest
from veo_async.transport.redaction import redacted_url

__all__ = ["as_object", "merged", "read_manifest", "write_manifest"]


def as_object(entry: Entry, root: PurePath) -> dict[str, Any]:
    """Return what the manifest says of one request; paths of files are relative to `root`."""
    record = entry.record
    return {
        "line": entry.place,
        "id": entry.line_id,
        "key": entry.key,
        "attempt": entry.attempt,
        "request": _request(entry.request),
        "state": entry.state,
        "job_id": record and record.id,
        "operation": record and record.operation,
        "outcome": _outcome(entry.outcome),
        "files": [_file(file, root) for file in entry.files],
        "error": _error(entry),
        "billed": entry.billed,
        "cost_estimate": entry.cost_estimate,
        "timings": _timings(record) | {"waited": _rounded(entry.waited)},
    }


def _request(request: VideoRequest | None) -> dict[str, Any] | None:
    if request is None:
        return None
    try:
        return unstructure_request(request)
    except InvalidRequestError:
        return {"prompt": request.prompt}  # its `extra` is no JSON; the trouble says so


def _outcome(outcome: Outcome | None) -> dict[str, Any] | None:
    """The whole answer stays in the ledger: here it would hide what matters, and links may hold secrets."""
    if outcome is None:
        return None
    outcome = attrs.evolve(outcome, raw=None)
    if isinstance(outcome, Succeeded):
        result = outcome.result
        videos = tuple(
            attrs.evolve(video, uri=video.uri and redacted_url(video.uri)) for video in result.videos
        )
        outcome = attrs.evolve(outcome, result=attrs.evolve(result, videos=videos))
    return unstructure_outcome(outcome)


def _file(file: StoredFile, root: PurePath) -> dict[str, Any]:
    path = file.path.relative_to(root) if file.path.is_relative_to(root) else file.path
    return {"path": path.as_posix(), "sha256": file.sha256, "bytes": file.size}


def _error(entry: Entry) -> dict[str, str] | None:
    error: VeoError | None = entry.error
    if error is not None:
        return {"kind": type(error).__name__, "message": error.message}
    if entry.trouble is not None:
        return {"kind": InvalidRequestError.__name__, "message": entry.trouble}
    return None


def _timings(record: JobRecord | None) -> dict[str, str | float | None]:
    names = ("created_at", "armed_at", "accepted_at", "finished_at")
    return {name: instant(getattr(record, name, None)) for name in names}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def write_manifest(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Write the manifest whole or not at all: a reader never sees half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # Half a surrogate pair is no UTF-8; its backslash form is the very same character in JSON.
        with part.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a manifest; empty where there is none that can be read."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        objects = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError):
        return []  # it is written anew from the ledger, which is what counts
    return [each for each in objects if isinstance(each, dict)]


def merged(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return `old` with what is known anew of the same requests, then what `old` did not name."""
    if not old:
        return list(new)
    news = {_identity(each): each for each in new}
    kept = [news.pop(_identity(each), each) for each in old]
    return [*kept, *news.values()]


def _identity(line: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a line is known by: a request of a batch may get its job later, or another."""
    if line.get("key") is not None:
        return "key", f"{line.get('attempt', 0)} {line['key']}"
    return "job", str(line.get("job_id"))
