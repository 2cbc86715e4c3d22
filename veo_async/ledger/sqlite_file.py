"""Opening a ledger file: the checks before it is trusted, and the settings that make a commit durable."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Final, NoReturn

from veo_async.errors import LedgerError
from veo_async.ledger.blobs import sync_folder
from veo_async.ledger.sqlite_schema import VERSION, migrate, prepare, verify

__all__ = ["check_folder", "open_for_reading", "open_for_writing"]

_BUSY_S: Final = 30.0
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)

_DURABLE: Final = (
    # NORMAL loses acknowledged commits at a power cut; FULL syncs the log before each COMMIT returns.
    "PRAGMA synchronous = FULL",
    # On macOS a plain fsync stops at the drive's cache.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    # What was pruned is overwritten, not only let go of.
    "PRAGMA secure_delete = ON",
)


def check_folder(path: Path) -> None:
    """Refuse a folder in which anybody may put another file in the ledger's place.

    Raises:
        LedgerError: It is world-writable without the sticky bit.
        OSError: It is not there.
    """
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise LedgerError(
            f"ledger {path}: everybody may write to its folder: run `chmod o-w {path.parent}` or give "
            "another path"
        )


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return the one connection that writes; the file is made where it is missing.

    Raises:
        LedgerError: It is not a ledger, of a later version, or damaged.
        OSError, sqlite3.Error: The system's or SQLite's complaint.
    """
    new = not path.exists()
    _make_private(path)
    if new:
        sync_folder(path.parent)
    connection = _connect(path, "rw")
    try:
        version = verify(connection, path)
        _check_pages(connection, path)
        _use_log(connection, path)
        for pragma in _DURABLE:
            connection.execute(pragma)
        if version == 0:
            prepare(connection)
        elif version < VERSION:
            migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> tuple[sqlite3.Connection, int]:
    """Return a connection that only reads, whoever writes, and the ledger's version, perhaps an earlier one.

    Raises:
        LedgerError: It is not a ledger, or of a later version.
        OSError, sqlite3.Error: The system's or SQLite's complaint.
    """
    os.close(os.open(path, os.O_RDONLY))  # the system's complaint says more than SQLite's
    connection = _connect(path, "ro")
    try:
        version = verify(connection, path)
        if version == 0:
            _refuse_empty(path)
    except BaseException:
        connection.close()
        raise
    return connection, version


def _refuse_empty(path: Path) -> NoReturn:
    raise LedgerError(f"ledger {path} is empty: nothing was recorded in it yet")


def _make_private(path: Path) -> None:
    """Make the file, readable by its owner only; SQLite gives its log the same mode."""
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and committed here and nowhere else.
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None)


def _use_log(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(f"ledger {path}: its file system cannot keep a write-ahead log: use a local disk")


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise LedgerError(
            f"ledger {path} is damaged: keep it; `veo-async audit --salvage` lists its operations "
            f"(SQLite says: {found})"
        )
