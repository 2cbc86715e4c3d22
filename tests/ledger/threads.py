"""Reaching into the ledger's thread, and under it: to hold it, to set up its connection, to fail its disk."""

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from veo_async.ledger.sqlite import SqliteLedger


async def in_thread(ledger: SqliteLedger, do: Callable[[sqlite3.Connection], Any]) -> Any:
    """Run something on the ledger's own connection, in its own thread."""
    inner: Any = ledger
    return await inner._writer.call(lambda: do(inner._file._connection))


@asynccontextmanager
async def held(ledger: SqliteLedger) -> AsyncGenerator[None]:
    """Hold the ledger's thread, so that what is asked meanwhile is one batch."""
    entered, free = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(_: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(entered.set)
        assert free.wait(10)

    waiting = asyncio.ensure_future(in_thread(ledger, wait))
    await entered.wait()
    try:
        yield
    finally:
        free.set()
        await waiting


@contextmanager
def file_size_limit(size: int) -> Generator[None]:
    """Let the kernel refuse to write files past a size: for SQLite, a disk that fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
