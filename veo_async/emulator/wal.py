"""SQLite's write-ahead log, with which a file is read while it is written."""

import sqlite3
import time
from collections.abc import Callable

_TRIES = 100
_PAUSE_S = 0.02


def use_wal(db: sqlite3.Connection, pause: Callable[[float], object] = time.sleep) -> None:
    """Let a file be read while it is written.

    Where others open or close it at this instant, SQLite says at times that it is locked and waits for
    nobody, so it is tried again.

    Raises:
        sqlite3.OperationalError: it stays locked, for two seconds and more.
    """
    for _ in range(_TRIES):
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            pause(_PAUSE_S)
        else:
            return
    db.execute("PRAGMA journal_mode=WAL")
