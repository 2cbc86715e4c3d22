"""Reaching into the ledger's thread: to hold it, and to set up its connection."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
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
