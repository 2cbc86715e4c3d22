"""A ledger whose disk failed: looked at again and taken up in place, by the process that has it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from veo_async.engine.lifecycle import Move, State
from veo_async.errors import BudgetExceededError, LedgerError
from veo_async.ledger import sqlite_file
from veo_async.ledger.money import Caps
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger

from .samples import PNG, job, move
from .threads import file_size_limit, held

pytestmark = pytest.mark.anyio


@pytest.fixture
async def armed(sqlite: SqliteLedger) -> JobRecord:
    """A job that is being sent."""
    record = await sqlite.add(job())
    return await sqlite.apply(move(record, Move.ARMED))


def log_size(ledger: SqliteLedger) -> int:
    return ledger.path.with_name("jobs.db-wal").stat().st_size


async def broken(ledger: SqliteLedger) -> None:
    """Let the disk fail once."""
    with file_size_limit(log_size(ledger)), pytest.raises(LedgerError):
        await ledger.add(job())


def connection_of(ledger: SqliteLedger) -> object:
    inner: Any = ledger
    return inner._file._connection


async def test_a_disk_that_is_well_again_is_written_to(sqlite: SqliteLedger, armed: JobRecord) -> None:
    """The job that was being sent is still this process's own: its answer can come."""
    await broken(sqlite)
    with pytest.raises(LedgerError, match="until the ledger is opened again"):
        await sqlite.add(job())
    await sqlite.reopen()
    assert await sqlite.select() == [armed]
    started = await sqlite.apply(move(armed, Move.STARTED, name="operations/1"))
    assert started.state is State.RUNNING


async def test_a_disk_that_still_fails_is_read_and_not_written_to(
    sqlite: SqliteLedger, armed: JobRecord
) -> None:
    await broken(sqlite)
    with file_size_limit(log_size(sqlite)):
        for _ in range(2):
            with pytest.raises(LedgerError, match="the disk"):
                await sqlite.reopen()
            assert await sqlite.select() == [armed]
            with pytest.raises(LedgerError, match="until the ledger is opened again"):
                await sqlite.apply(move(armed, Move.STARTED, name="operations/1"))
    await sqlite.reopen()
    await sqlite.apply(move(armed, Move.STARTED, name="operations/1"))


async def test_a_file_that_was_damaged_is_not_taken_up(sqlite: SqliteLedger, armed: JobRecord) -> None:
    await sqlite.add_many([job() for _ in range(100)])
    await sqlite.close()
    await sqlite.open()
    await broken(sqlite)
    content = sqlite.path.read_bytes()
    sqlite.path.write_bytes(content[:20_000] + b"\xff" * 8192 + content[28_192:])
    with pytest.raises(LedgerError, match="damaged"):
        await sqlite.reopen()
    with pytest.raises(LedgerError, match="until the ledger is opened again"):
        await sqlite.add(job())


async def test_nobody_else_gets_in_meanwhile(sqlite: SqliteLedger) -> None:
    await broken(sqlite)
    await sqlite.reopen()
    with pytest.raises(LedgerError, match="in use"):
        await SqliteLedger(sqlite.path).open()
    await sqlite.close()
    other = SqliteLedger(sqlite.path)
    await other.open()
    await other.close()


async def test_what_was_spilled_is_applied(sqlite: SqliteLedger, armed: JobRecord) -> None:
    await broken(sqlite)
    await sqlite.spill(move(armed, Move.STARTED, name="operations/1"))
    await sqlite.reopen()
    found = await sqlite.find("gptproto", "operations/1")
    assert found is not None
    assert (found.id, found.state) == (armed.id, State.RUNNING)


async def test_the_sums_are_those_of_the_file(sqlite: SqliteLedger, armed: JobRecord) -> None:
    """One job costs 1.20 and is being sent; the one that failed to be kept costs nothing."""
    record = await sqlite.add(job())
    await broken(sqlite)
    await sqlite.reopen()
    with pytest.raises(BudgetExceededError, match=r"on top of \$1.20"):
        await sqlite.apply(move(record, Move.ARMED), Caps(max_cost=2.0))
    await sqlite.apply(move(record, Move.ARMED), Caps(max_cost=2.4))


async def test_content_that_no_job_names_yet_stays(sqlite: SqliteLedger) -> None:
    sha256 = await sqlite.keep(PNG)
    await broken(sqlite)
    await sqlite.reopen()
    assert isinstance(await sqlite.content(sha256), Path)


async def test_a_ledger_that_did_not_fail_is_left_as_it_is(sqlite: SqliteLedger) -> None:
    before = connection_of(sqlite)
    await sqlite.reopen()
    assert connection_of(sqlite) is before


async def test_it_takes_its_turn_among_the_writes_around_it(
    sqlite: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never in the middle of their transaction, though all of them wait in one batch."""
    monkeypatch.setattr(sqlite_file, "_BUSY_S", 0.05)
    await broken(sqlite)
    async with held(sqlite):
        attempts = (sqlite.add(job()), sqlite.reopen(), sqlite.add(job()), sqlite.reopen(), sqlite.add(job()))
        tasks = [asyncio.ensure_future(attempt) for attempt in attempts]
        await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [LedgerError, type(None), JobRecord, type(None), JobRecord]
    assert len(await sqlite.select()) == 2


async def test_a_closed_ledger_is_not_opened_by_it(sqlite: SqliteLedger) -> None:
    await sqlite.close()
    with pytest.raises(LedgerError, match="not open"):
        await sqlite.reopen()
