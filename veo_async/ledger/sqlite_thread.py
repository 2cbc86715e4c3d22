"""All that an open ledger file owns, from the lock to the last checkpoint; lives in the ledger's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from veo_async.ledger.blobs import Blobs
from veo_async.ledger.lock import Lock
from veo_async.ledger.records import Change
from veo_async.ledger.spill import Spill
from veo_async.ledger.sqlite_faults import os_error, sqlite_error
from veo_async.ledger.sqlite_file import check_folder, open_for_reading, open_for_writing
from veo_async.ledger.sqlite_group import GroupCommit
from veo_async.ledger.sqlite_store import Store
from veo_async.ledger.worker import Task

__all__ = ["LedgerFile", "beside"]


def beside(path: Path, suffix: str) -> Path:
    """Return the name of a file that belongs to the ledger, as in "jobs.db.lock"."""
    return path.with_name(path.name + suffix)


class LedgerFile:
    """One opening of a ledger: made, opened, used and closed once."""

    store: Store

    def __init__(self, path: Path, blobs: Blobs, *, read_only: bool) -> None:
        self._path = path
        self._blobs = blobs
        self._read_only = read_only
        self._lock = Lock(beside(path, ".lock"))
        self._spill = Spill(beside(path, ".spill"))
        self._connection: sqlite3.Connection | None = None
        self._group: GroupCommit | None = None

    def open(self) -> None:
        """Check the file, take it and recover from a crash.

        Raises:
            LedgerError: What stands in the way, and what to do.
        """
        self._named(self._look if self._read_only else self._take)

    def reopen(self) -> None:
        """Open the file once more where a commit failed, keeping the lock; else do nothing.

        Raises:
            LedgerError: It is not well yet; what was open stays open, for reading at least.
        """
        if self._group is not None and self._group.failed:
            self._named(self._retake)

    def spill(self, change: Change) -> None:
        """Keep a change that could not be committed.

        Raises:
            LedgerError: It could not be kept there either.
        """
        self._spill.append(change)

    def checkpoint(self) -> None:
        """Move the log into the file and make it empty, so that nothing older is left in it."""
        connection = self._connection
        if connection is not None:
            self._named(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close())

    def run(self, batch: Sequence[Task]) -> None:
        """Do what has queued up; before there is a file to write to, that is to open it."""
        for alone, tasks in groupby(batch, attrgetter("alone")):
            if alone or self._group is None:
                for task in tasks:
                    task.attempt()
            else:
                self._group.run(list(tasks))

    def close(self) -> None:
        """Close what is open and let the next owner in."""
        if self._connection is not None:
            self._connection.close()
        self._spill.close()
        self._lock.release()

    def _named(self, do: Callable[[], Any]) -> None:
        """Do something; what goes wrong is told as an error of ours."""
        try:
            do()
        except OSError as error:
            raise os_error(self._path, error) from None
        except sqlite3.Error as error:
            raise sqlite_error(self._path, error) from None

    def _look(self) -> None:
        check_folder(self._path)
        self._connection, version = open_for_reading(self._path)
        self._use(self._connection, Store(self._connection, self._blobs, self._spill, version))

    def _take(self) -> None:
        check_folder(self._path)
        self._lock.take()
        # As soon as it is there, `close` closes it.
        self._connection = connection = open_for_writing(self._path)
        self._spill.open()
        store = Store(connection, self._blobs, self._spill)
        store.recover()
        store.sweep()
        self._use(connection, store)

    def _retake(self) -> None:
        # The old connection is idle meanwhile: if the file is not well yet, it still reads. It also keeps the
        # log's index, in which what failed to commit does not stand; read anew, the log might show it.
        connection = open_for_writing(self._path)
        try:
            store = Store(connection, self._blobs, self._spill)
            store.go_on()
        except BaseException:
            connection.close()
            raise
        if self._connection is not None:
            self._connection.close()
        self._connection = connection
        self._use(connection, store)

    def _use(self, connection: sqlite3.Connection, store: Store) -> None:
        self.store = store
        self._group = GroupCommit(
            connection, self._path, begun=store.begun, committed=store.committed, undone=store.undone
        )
