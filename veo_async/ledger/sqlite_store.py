"""What is done to the tables. Runs in the ledger's thread, inside a transaction of `GroupCommit`."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import evolve

from veo_async.engine.lifecycle import FINAL, IllegalTransitionError, Move, State
from veo_async.engine.waiting_times import Learned
from veo_async.errors import LedgerError
from veo_async.ledger import waiting_rows
from veo_async.ledger.blobs import Blobs
from veo_async.ledger.money import Accounts, Caps, check_caps, tally, word_for
from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord, Pruned
from veo_async.ledger.rules import (
    crashed,
    moved,
    name_taken,
    needed,
    no_such_job,
    pruned,
    replacing,
    same_job,
    unless_taken,
)
from veo_async.ledger.spill import Spill
from veo_async.ledger.sqlite_schema import (
    COLUMNS,
    FILE_COLUMNS,
    VERSION,
    changed,
    columns_in,
    file_of,
    job_of,
    move_text,
    moves_of,
    outcome_text,
    row_of,
)
from veo_async.models import JobId

__all__ = ["Store"]

_LOG = logging.getLogger("veo_async")


def _marks(columns: Sequence[Any]) -> str:
    return ", ".join("?" * len(columns))


_INSERT: Final = f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({_marks(COLUMNS)})"  # noqa: S608  # names of our own
_REPLACE_FILE: Final = (
    f"INSERT OR REPLACE INTO files ({', '.join(FILE_COLUMNS)}) VALUES ({_marks(FILE_COLUMNS)})"  # noqa: S608
)
_SELECT_OLD: Final = f"""
    SELECT seq, {", ".join(COLUMNS)} FROM jobs
    WHERE seq > ? AND finished_at < ? AND state IN ({_marks(tuple(FINAL))}) ORDER BY seq LIMIT ?
"""  # noqa: S608
_SELECT_SUMS: Final = """
    SELECT state, CASE WHEN json_valid(outcome) THEN json_extract(outcome, '$.billed') END, cost_estimate,
        count(*)
    FROM jobs GROUP BY 1, 2, 3
"""
_SELECT_FILES: Final = f"SELECT {', '.join(FILE_COLUMNS)} FROM files WHERE job_id = ? ORDER BY position"  # noqa: S608


@lru_cache
def _update_of(columns: Sequence[str]) -> str:
    settings = "".join(f"{name} = ?, " for name in columns)
    return f"UPDATE jobs SET {settings}moves = moves || ? WHERE id = ? AND state = ?"  # noqa: S608


class Store:
    """The tables, with the records of live jobs at hand so that a move need not decode its row.

    Rule: an operation touches this object's own state only after its last statement.
    """

    def __init__(
        self, connection: sqlite3.Connection, blobs: Blobs, spill: Spill, version: int = VERSION
    ) -> None:
        self._connection = connection
        self._blobs = blobs
        self._spill = spill
        self._version = version
        self._select = f"SELECT {columns_in(version)} FROM jobs"  # noqa: S608
        # As many as the session holds itself: a job leaves when it is final.
        self._live: dict[JobId, JobRecord] = {}
        self._named: list[str] = []
        """Content that jobs of this transaction name: unpinned when it is committed."""
        self._loosened: set[str] = set()
        """Content that may be needed by no job once this transaction is committed."""
        # To hold a job against the caps must not cost a scan of the table: once they were asked for, the sums
        # are kept here, moved with each job, and taken back as a whole with a transaction that fails.
        self._accounts: Accounts | None = None
        self._committed_accounts: Accounts | None = None

    def recover(self) -> None:
        """Apply what was spilled, then turn jobs that a dead process left ARMED into UNKNOWN."""
        self._begin()
        for record in self.select({State.ARMED}):
            self.apply(crashed(record, time.time()))
        self._commit()

    def go_on(self) -> None:
        """Apply what was spilled and prove that the file takes writes again; jobs stay as they are."""
        self._begin()
        self._connection.execute(f"PRAGMA user_version = {VERSION}")  # a write, although it is the same
        self._commit()
        self._spill.empty()

    def sweep(self) -> None:
        """Remove kept content that no job needs: a dead process left it behind."""
        rows = self._connection.execute("SELECT DISTINCT sha256 FROM needs")
        self._blobs.sweep({sha256 for (sha256,) in rows})

    def begun(self) -> None:
        """Apply what was spilled, as far as the table allows it; what is recorded already is passed over."""
        for spilled in self._spill.waiting:
            change = self._unless_taken(spilled)
            recorded = [(move.move, move.at) for move in self.moves(change.job_id)]
            if (change.move, change.at) in recorded:
                continue
            try:
                self.apply(change)
            except (IllegalTransitionError, LedgerError) as error:
                _LOG.warning("a spilled answer is left out (%s %s): %s", change.move, change.operation, error)

    def _unless_taken(self, change: Change) -> Change:
        """Return a spilled change as it holds now: another job may have come to its operation meanwhile."""
        job = None if change.operation is None else self.get(change.job_id)
        if job is None or change.operation is None:
            return change
        return unless_taken(change, self.find(job.provider, change.operation))

    def add_many(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Keep jobs, or return those that stand under their keys or operations."""
        kept: list[JobRecord] = []
        new: list[JobRecord] = []
        replaced: list[JobRecord] = []
        for record in records:
            standing = self._standing(record)
            if standing is None:
                standing = self._insert(record, replaced)
                new.append(standing)
            kept.append(standing)
        for record in (*kept, *replaced):
            self._remember(record)
        if self._accounts is not None:
            for record in new:
                self._accounts = self._accounts.with_new(record)
        for digests in map(needed, records):
            self._named += digests
            self._loosened |= digests
        return kept

    def apply(self, change: Change, caps: Caps | None = None) -> JobRecord:
        """Move a job."""
        before = self._live.get(change.job_id) or self.get(change.job_id)
        if before is None:
            raise no_such_job(change.job_id)
        after = moved(before, change)
        if caps is not None and change.move is Move.ARMED:
            check_caps(caps, before, self._sums())
        self._update(before, after, change)
        replaced = self._give_back(before, after)
        needs, needed_before = needed(after), needed(before)
        new, old = needs - needed_before, needed_before - needs
        self._link(after.id, new)
        self._unlink(after.id, old)
        for record in (*replaced, after):
            self._remember(record)
        if self._accounts is not None:
            self._accounts = self._accounts.with_moved(before, after)
        self._named += new
        self._loosened |= old
        return after

    def prune(self, before: float, after_seq: int, jobs: int) -> tuple[int, Pruned]:
        """Take the words out of final jobs behind a place, at most so many; return the last one's place, too.

        The place is 0 when there are no more.
        """
        done, place, let_go = 0, 0, frozenset[str]()
        for seq, *row in self._connection.execute(_SELECT_OLD, (after_seq, before, *FINAL, jobs)).fetchall():
            place, record = seq, job_of(row)
            bare = pruned(record, {file.index for file in self.files(record.id)})
            if bare != record:
                done += 1
                let_go |= self._strip(record, bare)
        contents = sum(self._is_loose(sha256) for sha256 in let_go)
        self._loosened |= let_go
        return place, Pruned(jobs=done, contents=contents)

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
        rows = self._connection.execute(f"{self._select} {where}", [name.value for name in names])
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

    def keep_waiting_times(self, provider: str, learned: Sequence[Learned]) -> None:
        """Keep what was learned of a provider's waiting times."""
        waiting_rows.keep(self._connection, provider, learned)

    def waiting_times(self, provider: str) -> list[Learned]:
        """Return what was kept of a provider's waiting times."""
        if self._version < waiting_rows.SINCE_VERSION:
            return []
        return list(waiting_rows.load(self._connection, provider))

    def committed(self) -> None:
        """Let go of content that no job needs any more, and of what was spilled."""
        self._committed_accounts = self._accounts
        if self._named:
            self._blobs.unpin(self._named)
        # It is committed already: what stays behind here is swept at the next opening.
        with contextlib.suppress(sqlite3.Error):
            for sha256 in self._loosened:
                if self._is_loose(sha256):
                    self._blobs.drop(sha256)
        self._forget()
        if self._spill.waiting:
            self._spill.empty()

    def undone(self) -> None:
        """Forget what was believed of a transaction that came to nothing."""
        self._live.clear()
        self._accounts = self._committed_accounts
        self._forget()

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self.begun()

    def _commit(self) -> None:
        self._connection.execute("COMMIT")
        self.committed()

    def _forget(self) -> None:
        self._named = []
        self._loosened = set()

    def _sums(self) -> Accounts:
        if self._accounts is None:
            rows = self._connection.execute(_SELECT_SUMS)
            self._accounts = tally(
                (State(state), word_for(State(state), word), price, count)
                for state, word, price, count in rows
            )
        return self._accounts

    def _one(self, where: str, *values: str) -> JobRecord | None:
        row = self._connection.execute(f"{self._select} {where}", values).fetchone()
        return None if row is None else job_of(row)

    def _standing(self, record: JobRecord) -> JobRecord | None:
        """Return the job that has the record's key or operation already, or replaces the same job."""
        if record.replaces is not None:
            return self._one("WHERE replaces = ?", record.replaces)
        standing: JobRecord | None = None
        if record.idempotency_key is not None:
            standing = self.keyed(record.idempotency_key)
        if standing is None and record.operation is not None:
            standing = self.find(record.provider, record.operation)
        return None if standing is None else same_job(record, standing)

    def _insert(self, record: JobRecord, replaced: list[JobRecord]) -> JobRecord:
        if record.replaces is not None:
            old = self.get(record.replaces)
            record = replacing(record, old)
            assert old is not None
            replaced.append(self._with_key(old, None))
        try:
            self._connection.execute(_INSERT, row_of(record))
        except sqlite3.IntegrityError:  # its key and operation were looked up before
            message = f"job {record.id} is in this ledger already"
            raise LedgerError(message, job_id=record.id) from None
        self._link(record.id, needed(record))
        return record

    def _update(self, before: JobRecord, after: JobRecord, change: Change) -> None:
        values = changed(before, after)
        where = (move_text(change), after.id, before.state.value)
        try:
            cursor = self._connection.execute(_update_of(tuple(values)), (*values.values(), *where))
        except sqlite3.IntegrityError:
            raise name_taken(before, after.operation) from None
        if cursor.rowcount != 1:  # a second writer in spite of the lock
            raise LedgerError(f"job {after.id} was changed by somebody else", job_id=after.id)

    def _give_back(self, before: JobRecord, after: JobRecord) -> list[JobRecord]:
        """Return its key to the unknown job that a withdrawn one replaces no more, and return that job."""
        if before.replaces is None or after.replaces is not None:
            return []
        old = self.get(before.replaces)
        return [] if old is None else [self._with_key(old, before.idempotency_key)]

    def _with_key(self, record: JobRecord, key: str | None) -> JobRecord:
        self._connection.execute("UPDATE jobs SET idempotency_key = ? WHERE id = ?", (key, record.id))
        return evolve(record, idempotency_key=key)

    def _strip(self, record: JobRecord, bare: JobRecord) -> frozenset[str]:
        """Write the bare record over a job, and return the content that it needs no more."""
        query = "UPDATE jobs SET request = NULL, outcome = ? WHERE id = ?"
        self._connection.execute(query, (outcome_text(bare), record.id))
        let_go = needed(record) - needed(bare)
        self._unlink(record.id, let_go)
        return let_go

    def _is_loose(self, sha256: str) -> bool:
        query = "SELECT 1 FROM needs WHERE sha256 = ?"
        return self._connection.execute(query, (sha256,)).fetchone() is None

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
