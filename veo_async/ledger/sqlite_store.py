"""What is done to the tables. Runs in the ledger's thread, inside a transaction of `GroupCommit`."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from veo_async.engine.lifecycle import FINAL, State
from veo_async.errors import LedgerError
from veo_async.ledger.blobs import Blobs
from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord
from veo_async.ledger.rules import crashed, moved, name_taken, needed, no_such_job, same_job
from veo_async.ledger.sqlite_schema import (
    COLUMNS,
    FILE_COLUMNS,
    MUTABLE,
    file_of,
    job_of,
    move_text,
    moves_of,
    outcome_text,
    row_of,
)
from veo_async.models import JobId

__all__ = ["Store"]


def _marks(columns: Sequence[Any]) -> str:
    return ", ".join("?" * len(columns))


_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM jobs"  # noqa: S608  # names of our own
_INSERT: Final = f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({_marks(COLUMNS)})"  # noqa: S608
_SETTINGS: Final = ", ".join(f"{name} = ?" for name in MUTABLE) + ", moves = moves || ?"
_UPDATE: Final = f"UPDATE jobs SET {_SETTINGS} WHERE id = ? AND state = ?"  # noqa: S608
_REPLACE_FILE: Final = (
    f"INSERT OR REPLACE INTO files ({', '.join(FILE_COLUMNS)}) VALUES ({_marks(FILE_COLUMNS)})"  # noqa: S608
)
_SELECT_FILES: Final = f"SELECT {', '.join(FILE_COLUMNS)} FROM files WHERE job_id = ? ORDER BY position"  # noqa: S608


class Store:
    """The tables, with the records of live jobs at hand so that a move need not decode its row.

    Rule: an operation touches this object's own state only after its last statement.
    """

    def __init__(self, connection: sqlite3.Connection, blobs: Blobs) -> None:
        self._connection = connection
        self._blobs = blobs
        # As many as the session holds itself: a job leaves when it is final.
        self._live: dict[JobId, JobRecord] = {}
        self._named: list[str] = []
        """Content that jobs of this transaction name: unpinned when it is committed."""
        self._loosened: set[str] = set()
        """Content that may be needed by no job once this transaction is committed."""

    def recover(self) -> None:
        """Turn jobs that a dead process left ARMED into UNKNOWN, and sweep the kept content."""
        self._connection.execute("BEGIN IMMEDIATE")
        for record in self.select({State.ARMED}):
            self.apply(crashed(record, time.time()))
        self._connection.execute("COMMIT")
        self._forget()
        rows = self._connection.execute("SELECT DISTINCT sha256 FROM needs")
        self._blobs.sweep({sha256 for (sha256,) in rows})

    def add_many(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Keep jobs, or return those that stand under their keys or operations."""
        kept = [self._standing(record) or self._insert(record) for record in records]
        for record in kept:
            self._remember(record)
        for digests in map(needed, records):
            self._named += digests
            self._loosened |= digests
        return kept

    def apply(self, change: Change) -> JobRecord:
        """Move a job."""
        before = self._live.get(change.job_id) or self.get(change.job_id)
        if before is None:
            raise no_such_job(change.job_id)
        after = moved(before, change)
        self._update(before, after, change)
        needs, needed_before = needed(after), needed(before)
        new, old = needs - needed_before, needed_before - needs
        self._link(after.id, new)
        self._unlink(after.id, old)
        self._remember(after)
        self._named += new
        self._loosened |= old
        return after

    def get(self, job_id: JobId) -> JobRecord | None:
        """Return one job."""
        return self._one("WHERE id = ?", job_id)

    def keyed(self, idempotency_key: str) -> JobRecord | None:
        """Return the job that stands under an idempotency key."""
        return self._one("WHERE idempotency_key = ?", idempotency_key)

    def find(self, provider: str, operation: str) -> JobRecord | None:
        """Return the job of an operation."""
        return self._one("WHERE provider = ? AND operation = ?", provider, operation)

    def select(self, states: Collection[State] | None) -> list[JobRecord]:
        """Return the jobs in `states`, oldest first."""
        names = tuple(State if states is None else states)
        where = f"WHERE state IN ({_marks(names)}) ORDER BY seq"
        rows = self._connection.execute(f"{_SELECT} {where}", [name.value for name in names])
        return [job_of(row) for row in rows]

    def release(self, sha256: str) -> None:
        """Let go of content that no job will name, once this is committed."""
        self._named.append(sha256)
        self._loosened.add(sha256)

    def add_file(self, record: FileRecord) -> None:
        """Record a stored video."""
        if record.job_id not in self._live and self.get(record.job_id) is None:
            raise no_such_job(record.job_id)
        row = (record.job_id, record.index, record.path, record.sha256, record.size, record.stored_at)
        self._connection.execute(_REPLACE_FILE, row)

    def files(self, job_id: JobId) -> list[FileRecord]:
        """Return the stored videos of a job, by index."""
        return [file_of(row) for row in self._connection.execute(_SELECT_FILES, (job_id,))]

    def moves(self, job_id: JobId) -> list[MoveRecord]:
        """Return every move of a job, oldest first."""
        row = self._connection.execute("SELECT moves FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return [] if row is None else moves_of(job_id, row[0])

    def committed(self) -> None:
        """Let go of content that no job needs any more."""
        if self._named:
            self._blobs.unpin(self._named)
        query = "SELECT 1 FROM needs WHERE sha256 = ?"
        # It is committed already: what stays behind here is swept at the next opening.
        with contextlib.suppress(sqlite3.Error):
            for sha256 in self._loosened:
                if self._connection.execute(query, (sha256,)).fetchone() is None:
                    self._blobs.drop(sha256)
        self._forget()

    def undone(self) -> None:
        """Forget what was believed of a transaction that came to nothing."""
        self._live.clear()
        self._forget()

    def _forget(self) -> None:
        self._named = []
        self._loosened = set()

    def _one(self, where: str, *values: str) -> JobRecord | None:
        row = self._connection.execute(f"{_SELECT} {where}", values).fetchone()
        return None if row is None else job_of(row)

    def _standing(self, record: JobRecord) -> JobRecord | None:
        """Return the job that has the record's key or operation already."""
        standing: JobRecord | None = None
        if record.idempotency_key is not None:
            standing = self.keyed(record.idempotency_key)
        if standing is None and record.operation is not None:
            standing = self.find(record.provider, record.operation)
        return None if standing is None else same_job(record, standing)

    def _insert(self, record: JobRecord) -> JobRecord:
        try:
            self._connection.execute(_INSERT, row_of(record))
        except sqlite3.IntegrityError:  # its key and operation were looked up before
            message = f"job {record.id} is in this ledger already"
            raise LedgerError(message, job_id=record.id) from None
        self._link(record.id, needed(record))
        return record

    def _update(self, before: JobRecord, after: JobRecord, change: Change) -> None:
        values = (
            after.state.value,
            after.idempotency_key,
            after.operation,
            outcome_text(after),
            after.attempts,
            after.armed_at,
            after.accepted_at,
            after.finished_at,
            move_text(change),
        )
        try:
            cursor = self._connection.execute(_UPDATE, (*values, after.id, before.state.value))
        except sqlite3.IntegrityError:
            raise name_taken(before, after.operation) from None
        if cursor.rowcount != 1:  # a second writer in spite of the lock
            raise LedgerError(f"job {after.id} was changed by somebody else", job_id=after.id)

    def _link(self, job_id: JobId, digests: Iterable[str]) -> None:
        for sha256 in digests:
            self._connection.execute("INSERT OR IGNORE INTO needs VALUES (?, ?)", (sha256, job_id))

    def _unlink(self, job_id: JobId, digests: Iterable[str]) -> None:
        for sha256 in digests:
            self._connection.execute("DELETE FROM needs WHERE sha256 = ? AND job_id = ?", (sha256, job_id))

    def _remember(self, record: JobRecord) -> None:
        if record.state in FINAL:
            self._live.pop(record.id, None)
        else:
            self._live[record.id] = record
