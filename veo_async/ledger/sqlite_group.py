"""Group commit: every write that has queued up shares one transaction and one fsync, and fails by itself."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from veo_async.errors import LedgerError
from veo_async.ledger.sqlite_faults import breaks, sqlite_error
from veo_async.ledger.worker import Task

__all__ = ["GroupCommit"]

_UNFIT: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    UnicodeError,
    OverflowError,
)
"""What is wrong with the values of one task, and with nothing else."""


class GroupCommit:
    """Runs batches on one connection, in the thread that opened it.

    Rule 1: a task is told of success only after the COMMIT that holds its writes returned.
    Rule 2: a task that fails by itself is undone by itself; the others never notice.
    Rule 3: when the transaction fails, all its tasks fail: those that only read may have read of it.
    Rule 4: what failed to commit is not committed again. After an I/O error nothing is written at all
    until the ledger is opened anew.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        begun: Callable[[], None],
        committed: Callable[[], None],
        undone: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._path = path
        self._begun = begun
        self._committed = committed
        self._undone = undone
        self._broken: LedgerError | None = None
        self.failed: bool = False
        """Whether a commit failed since the ledger was opened."""

    def run(self, batch: Sequence[Task]) -> None:
        """Do a batch; afterwards each task has its value or its error."""
        if self._broken is not None:
            _refuse_writes(batch, self._broken)
        batch = [task for task in batch if task.error is None]
        try:
            if not self._transact(batch, self._attempt):
                self._roll_back()
                self._transact(batch, self._attempt_apart)
        except sqlite3.Error as error:
            self._abandon(batch, error)

    def _transact(self, batch: Sequence[Task], attempt: Callable[[Task], bool]) -> bool:
        """Do and commit a batch; return False, with nothing committed, when a failed task left traces."""
        writing = any(task.writes for task in batch)
        if writing:
            self._connection.execute("BEGIN IMMEDIATE")
            self._begun()
        for task in batch:
            if not attempt(task):
                return False
        if writing:
            self._connection.execute("COMMIT")
            self._committed()
        return True

    def _attempt(self, task: Task) -> bool:
        """Do one task; return whether it is done, or failed before it changed anything."""
        before = self._connection.total_changes
        task.attempt()
        self._translate(task)
        return task.error is None or self._connection.total_changes == before

    def _attempt_apart(self, task: Task) -> bool:
        """Do one task so that it leaves no trace when it fails; savepoints copy pages, so not every time."""
        self._connection.execute("SAVEPOINT task")
        self._attempt(task)
        if task.error is not None:
            self._connection.execute("ROLLBACK TO task")
        self._connection.execute("RELEASE task")
        return True

    def _translate(self, task: Task) -> None:
        """Make an error that is about this task alone one of ours; raise one that is about the database."""
        error = task.error
        if isinstance(error, sqlite3.Error):
            if task.writes and not isinstance(error, _UNFIT):
                raise error
            task.error = sqlite_error(self._path, error)
        elif isinstance(error, _UNFIT):
            task.error = LedgerError(f"ledger {self._path}: a text or number in it cannot be kept ({error})")

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._undone()

    def _abandon(self, batch: Sequence[Task], error: sqlite3.Error) -> None:
        self._roll_back()
        told = sqlite_error(self._path, error)
        self.failed = True
        if breaks(error):
            self._broken = told
        for task in batch:
            task.fail(told)


def _refuse_writes(batch: Sequence[Task], error: LedgerError) -> None:
    for task in batch:
        if task.writes:
            task.fail(error)
