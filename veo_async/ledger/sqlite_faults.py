"""One table from what SQLite and the system complain of to what a person can do about it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from veo_async.errors import LedgerError

__all__ = ["breaks", "os_error", "sqlite_error"]

_REMEDIES: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and go on",
    sqlite3.SQLITE_BUSY: "another program has held the database for 30 seconds: close it and go on",
    sqlite3.SQLITE_LOCKED: "another program holds the database: close it and go on",
    sqlite3.SQLITE_NOTADB: "this is no ledger but another kind of file: give another path",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: keep it; `veo-async audit --salvage` lists its operations",
    sqlite3.SQLITE_READONLY: "it cannot be written: look at the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look at the permissions of the file and its folder",
    sqlite3.SQLITE_PERM: "access is denied: look at the permissions of the file and its folder",
    sqlite3.SQLITE_IOERR: "the disk failed: nothing is written any more until the ledger is opened again",
}

_BREAKING: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)

_OS_REMEDIES: Final[Mapping[int, str]] = {
    errno.ENOENT: "its folder does not exist: make it first",
    errno.ENOTDIR: "its folder is a file: give another path",
    errno.EISDIR: "it is a folder: give the path of a file in it",
    errno.EACCES: "access is denied: look at the permissions of the file and its folder",
    errno.EPERM: "it belongs to somebody else: use a file of your own",
    errno.EROFS: "the file system is read-only: give another path",
    errno.ENOSPC: "the disk is full: free some space and try again",
    errno.ELOOP: "a symbolic link stands in its place: remove the link",
    errno.ENOLCK: "the file system has no locks: put the ledger on a local disk",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENAMETOOLONG: "the path is too long: give a shorter one",
}


def _primary(error: sqlite3.Error) -> int:
    """Return the primary result code; the rest of an extended code says more than is needed."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def breaks(error: sqlite3.Error) -> bool:
    """Tell whether nothing may be written any more until the ledger is opened again.

    After a failed fsync the kernel may forget what it could not write and report success the next time.
    """
    return _primary(error) in _BREAKING


def sqlite_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return the ledger's error for one of SQLite's."""
    remedy = _REMEDIES.get(_primary(error), "look at the file and the disk it is on")
    return LedgerError(f"ledger {path}: {remedy} (SQLite says: {error})")


def os_error(path: Path, error: OSError) -> LedgerError:
    """Return the ledger's error for one of the system's."""
    remedy = _OS_REMEDIES.get(error.errno or 0, "look at the file and the disk it is on")
    return LedgerError(f"ledger {path}: {remedy} ({error.strerror})")
