"""A folder's ledger, read beside whoever owns it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from veo_async.errors import ConfigurationError
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger

__all__ = ["LEDGER_NAME", "ledger_at", "read_jobs", "reading"]

LEDGER_NAME = "jobs.db"


def ledger_at(path: Path) -> Path:
    """Return the absolute path of the ledger that `path` names: its file, or the folder it is in.

    Raises:
        ConfigurationError: there is none.
    """
    file = path / LEDGER_NAME if path.is_dir() else path
    if not file.is_file():
        raise ConfigurationError(f"{file}: there is no such ledger; name its file, or the folder it is in")
    return file.absolute()


@asynccontextmanager
async def reading(path: Path) -> AsyncGenerator[SqliteLedger, None]:
    """Open a ledger that only looks.

    Raises:
        LedgerError: it is not there, or cannot be read.
    """
    ledger = SqliteLedger.read_only(path)
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()


async def read_jobs(path: Path) -> Sequence[JobRecord]:
    """Return all jobs of a ledger, oldest first.

    Raises:
        LedgerError: it is not there, or cannot be read.
    """
    async with reading(path) as ledger:
        return await ledger.select()
