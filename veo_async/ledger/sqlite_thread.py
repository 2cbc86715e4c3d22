"""All that an open ledger file owns, from the lock to the last checkpoint; lives in the ledger's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from veo_async.ledger.blobs import Blobs
from veo_async.ledger.lock import Lock
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
        self._connection: sqlite3.Connection | None = None
        self._group: GroupCommit | None = None

    def open(self) -> None:
        """Check the file, take it and recover from a crash.

        Raises:
            LedgerError: What stands in the way, and what to do.
        """
        try:
            self._open()
        except OSError as error:
            raise os_error(self._path, error) from None
        except sqlite3.Error as error:
            raise sqlite_error(self._path, error) from None

    def run(self, batch: Sequence[Task]) -> None:
        """Do what has queued up; before there is a file to write to, that is to open it."""
        if self._group is None:
            for task in batch:
                task.attempt()
        else:
            self._group.run(batch)

    def close(self) -> None:
        """Close what is open and let the next owner in."""
        if self._connection is not None:
            self._connection.close()
        self._lock.release()

    def _open(self) -> None:
        check_folder(self._path)
        if self._read_only:
            connection = open_for_reading(self._path)
        else:
            self._lock.take()
            connection = open_for_writing(self._path)
        self._connection = connection
        self.store = store = Store(connection, self._blobs)
        if not self._read_only:
            store.recover()
        self._group = GroupCommit(connection, self._path, committed=store.committed, undone=store.undone)
