"""How what was learned of waiting times stands in a row."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from veo_async.engine.events import Profile
from veo_async.engine.waiting_times import Learned

__all__ = ["SINCE_VERSION", "TABLE", "keep", "load"]

_LOG = logging.getLogger("veo_async")

SINCE_VERSION: Final = 3
"""Ledgers of earlier versions have no such table."""
TABLE: Final = """CREATE TABLE waiting_times (
        provider TEXT NOT NULL,
        profile TEXT NOT NULL,
        ends REAL NOT NULL,
        bins TEXT NOT NULL,
        PRIMARY KEY (provider, profile)
    ) WITHOUT ROWID"""
_INSERT: Final = "INSERT OR REPLACE INTO waiting_times (provider, profile, ends, bins) VALUES (?, ?, ?, ?)"
_SELECT: Final = "SELECT profile, ends, bins FROM waiting_times WHERE provider = ? ORDER BY profile"


def keep(connection: sqlite3.Connection, provider: str, learned: Iterable[Learned]) -> None:
    """Write rows over those that stand there."""
    connection.executemany(
        _INSERT,
        [(provider, json.dumps(known.profile), known.ends, json.dumps(known.bins)) for known in learned],
    )


def load(connection: sqlite3.Connection, provider: str) -> Iterator[Learned]:
    """Yield what stands there; a row that cannot be read is passed over: it is learned anew."""
    for row in connection.execute(_SELECT, (provider,)):
        try:
            yield _learned_of(row)
        except (ValueError, TypeError) as error:
            _LOG.warning("waiting times of %s in the ledger are not readable: %s", row[0], error)


def _learned_of(row: Sequence[Any]) -> Learned:
    profile, ends, bins = row
    model, resolution, duration, has_image = json.loads(profile)
    return Learned(
        profile=Profile(str(model), resolution, duration, bool(has_image)),
        ends=float(ends),
        bins=tuple(
            (int(place), float(ends_), float(exposure)) for place, ends_, exposure in json.loads(bins)
        ),
    )
