"""What was asked, sent, answered and stored: in memory or in SQLite."""

from __future__ import annotations

import importlib
import os

from veo_async.errors import ConfigurationError
from veo_async.ledger.ledger import Ledger

__all__ = ["Ledger", "open_ledger"]


def open_ledger(path: str | os.PathLike[str] | None) -> Ledger:
    """Return the ledger for a path, or one in memory for None; `await` its `open()` before use.

    Raises:
        ConfigurationError: The path is empty or SQLite's ":memory:".
    """
    if path is None:
        return _ledger("memory", "MemoryLedger")
    if os.fspath(path) in ("", ":memory:"):
        raise ConfigurationError(f"{os.fspath(path)!r} is no path for a ledger: use ledger=None for memory")
    return _ledger("sqlite", "SqliteLedger", path)


def _ledger(module: str, name: str, *args: object) -> Ledger:
    # sqlite3 is imported only where a file is asked for.
    made: Ledger = getattr(importlib.import_module(f"{__name__}.{module}"), name)(*args)
    return made
