"""The tables of a ledger file, and how a record stands in a row."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from veo_async.codec import structure_outcome, structure_request, unstructure_outcome, unstructure_request
from veo_async.engine.lifecycle import Move, State
from veo_async.errors import InvalidRequestError, LedgerError
from veo_async.ledger import waiting_rows
from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord
from veo_async.models import JobId

__all__ = [
    "COLUMNS",
    "FILE_COLUMNS",
    "VERSION",
    "changed",
    "columns_in",
    "file_of",
    "job_of",
    "migrate",
    "move_text",
    "moves_of",
    "outcome_text",
    "prepare",
    "row_of",
    "verify",
]

VERSION: Final = 3
"""Stands in `PRAGMA user_version`; goes up with every change of a table or of what stands in a column."""
_APPLICATION_ID: Final = 0x76656F31  # "veo1", as `file jobs.db` shows it

_REPLACES: Final = "CREATE UNIQUE INDEX jobs_replaces ON jobs (replaces) WHERE replaces IS NOT NULL"

_SCHEMA: Final = (
    # seq says which job is older: created_at is a wall clock and may go backwards.
    # There is no index on state: each would cost every move, and only `resume` and `jobs` ask for states.
    """CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        request TEXT,
        digest TEXT NOT NULL,
        idempotency_key TEXT,
        provider TEXT NOT NULL,
        origin TEXT NOT NULL,
        model TEXT NOT NULL,
        operation TEXT,
        outcome TEXT,
        attempts INTEGER NOT NULL,
        cost_estimate REAL,
        created_at REAL NOT NULL,
        armed_at REAL,
        accepted_at REAL,
        finished_at REAL,
        moves TEXT NOT NULL DEFAULT '',
        replaces TEXT,
        adopted TEXT
    )""",
    "CREATE UNIQUE INDEX jobs_key ON jobs (idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE UNIQUE INDEX jobs_operation ON jobs (operation, provider) WHERE operation IS NOT NULL",
    _REPLACES,
    """CREATE TABLE files (
        job_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        path TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        size INTEGER NOT NULL,
        stored_at REAL NOT NULL,
        PRIMARY KEY (job_id, position)
    ) WITHOUT ROWID""",
    # Which job still needs which kept content: what nobody needs is dropped.
    """CREATE TABLE needs (
        sha256 TEXT NOT NULL,
        job_id TEXT NOT NULL,
        PRIMARY KEY (sha256, job_id)
    ) WITHOUT ROWID""",
    waiting_rows.TABLE,
)

_MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {
    1: (
        "ALTER TABLE jobs ADD COLUMN replaces TEXT",
        "ALTER TABLE jobs ADD COLUMN adopted TEXT",
        _REPLACES,
    ),
    2: (waiting_rows.TABLE,),
}
"""What makes a ledger of a version one of the next."""

_MUTABLE: Final = (
    *("state", "idempotency_key", "operation", "outcome", "attempts"),
    *("armed_at", "accepted_at", "finished_at", "replaces", "adopted"),
)
"""The columns that a change may touch; the move itself is added to the text in `moves`."""

COLUMNS: Final = (
    *("id", "state", "request", "digest", "idempotency_key", "provider", "origin", "model", "operation"),
    *("outcome", "attempts", "cost_estimate", "created_at", "armed_at", "accepted_at", "finished_at"),
    *("replaces", "adopted"),
)
"""The columns of a job, in the order of `row_of`."""

_ADDED: Final[Mapping[str, int]] = {"replaces": 2, "adopted": 2}
"""Columns that earlier versions do not have, and the first version that does."""

FILE_COLUMNS: Final = ("job_id", "position", "path", "sha256", "size", "stored_at")


# An outcome is recorded whatever its raw answer holds: losing it would be worse than a lossy raw.
_encode: Final = json.JSONEncoder(default=repr).encode


def verify(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the ledger that the file holds, and 0 for an empty file.

    Raises:
        LedgerError: It holds something else, or a ledger of a later version.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application == 0 and version == 0 and tables == 0:
        return 0
    if application != _APPLICATION_ID or version < 1:
        raise LedgerError(f"ledger {path}: this is the database of another program: give another path")
    if version > VERSION:
        raise LedgerError(
            f"ledger {path} was written by a later veo-async (its version {version}, known here: {VERSION}): "
            "upgrade this one"
        )
    return version


def columns_in(version: int) -> str:
    """Return what to select as `COLUMNS` from a ledger of a version, which may be an earlier one."""
    return ", ".join(name if _ADDED.get(name, 1) <= version else f"NULL AS {name}" for name in COLUMNS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Make a ledger of an earlier version one of this version, in one transaction: whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for earlier in range(version, VERSION):
            for statement in _MIGRATIONS[earlier]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # some failures end the transaction themselves
            connection.execute("ROLLBACK")
        raise


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of a new ledger, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def row_of(record: JobRecord) -> tuple[Any, ...]:
    """Return the job's row; the request's media must be kept already."""
    request = None if record.request is None else _encode(unstructure_request(record.request))
    return (
        record.id,
        record.state.value,
        request,
        record.digest,
        record.idempotency_key,
        record.provider,
        record.origin,
        record.model,
        record.operation,
        outcome_text(record),
        record.attempts,
        record.cost_estimate,
        record.created_at,
        record.armed_at,
        record.accepted_at,
        record.finished_at,
        record.replaces,
        record.adopted,
    )


def changed(before: JobRecord, after: JobRecord) -> dict[str, Any]:
    """Return what a move changed, by column: a column that is written costs its index, changed or not."""
    values = {
        name: value for name in _MUTABLE if (value := getattr(after, name)) is not getattr(before, name)
    }
    if "state" in values:
        values["state"] = after.state.value
    if "outcome" in values:
        values["outcome"] = outcome_text(after)
    return values


def outcome_text(record: JobRecord) -> str | None:
    """Return the job's outcome as it stands in its row."""
    if record.outcome is None:
        return None
    return _encode(unstructure_outcome(record.outcome))


def job_of(row: Sequence[Any]) -> JobRecord:
    """Return the job that stands in a row.

    Raises:
        LedgerError: What stands there is no job.
    """
    facts = dict(zip(COLUMNS, row, strict=True))
    where = f"job {facts['id']}"
    try:
        facts["state"] = State(facts["state"])
        if facts["request"] is not None:
            facts["request"] = structure_request(json.loads(facts["request"]), where)
        if facts["outcome"] is not None:
            facts["outcome"] = structure_outcome(json.loads(facts["outcome"]), where)
    except (InvalidRequestError, ValueError) as error:
        raise LedgerError(f"the ledger's row is not readable: {where}: {error}") from None
    return JobRecord(**facts)


def file_of(row: Sequence[Any]) -> FileRecord:
    """Return the stored video that stands in a row."""
    job_id, index, path, sha256, size, stored_at = row
    return FileRecord(
        job_id=JobId(job_id), index=index, path=path, sha256=sha256, size=size, stored_at=stored_at
    )


def move_text(change: Change) -> str:
    """Return what a change adds to its job's `moves`."""
    return f"{change.move.value} {change.at!r}\n"


def moves_of(job_id: JobId, text: str) -> list[MoveRecord]:
    """Return the moves that stand in a job's row."""
    lines = (line.split() for line in text.splitlines())
    return [MoveRecord(job_id=job_id, move=Move(move), at=float(at)) for move, at in lines]
