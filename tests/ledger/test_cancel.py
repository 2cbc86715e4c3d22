"""Cancelling a caller at any moment: what it asked for is done whole, and the ledger goes on."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from veo_async.engine.lifecycle import Move, State
from veo_async.errors import LedgerError
from veo_async.ledger.records import FileRecord
from veo_async.ledger.sqlite import SqliteLedger

from .samples import PNG, job, move
from .threads import held

pytestmark = pytest.mark.anyio

Attempt = Callable[[SqliteLedger], Coroutine[Any, Any, Any]]


async def cancelled_after(turns: int, attempt: Coroutine[Any, Any, Any]) -> bool:
    """Start something, cancel it after some turns of the loop, and return whether it was in time."""
    task = asyncio.ensure_future(attempt)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


@pytest.mark.parametrize("turns", [1, 2, 3, 10, 100, 1000])
async def test_a_cancelled_write_is_written(sqlite: SqliteLedger, turns: int) -> None:
    record = job()
    await cancelled_after(turns, sqlite.add(record))
    assert await sqlite.get(record.id) == record
    await cancelled_after(turns, sqlite.apply(move(record, Move.ARMED)))
    armed = await sqlite.get(record.id)
    assert armed is not None
    assert (armed.state, armed.attempts) == (State.ARMED, 1)


async def test_a_write_cancelled_before_its_first_step_asks_for_nothing(sqlite: SqliteLedger) -> None:
    record = job()
    assert await cancelled_after(0, sqlite.add(record))
    assert await sqlite.get(record.id) is None


async def test_a_write_cancelled_while_it_waits_is_written(sqlite: SqliteLedger) -> None:
    record = job()
    async with held(sqlite):
        assert await cancelled_after(3, sqlite.add(record))
        with anyio.move_on_after(0.01) as scope:
            await sqlite.apply(move(record, Move.ARMED))
        assert scope.cancelled_caught
    armed = await sqlite.get(record.id)
    assert armed is not None
    assert armed.state is State.ARMED


async def test_the_neighbours_of_a_cancelled_write_are_told(sqlite: SqliteLedger) -> None:
    records = [job() for _ in range(20)]
    async with held(sqlite):
        tasks = [asyncio.ensure_future(sqlite.add(record)) for record in records]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[1::2] == records[1::2]
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert len(await sqlite.select()) == 20


async def test_a_failure_nobody_waits_for_makes_no_noise(
    sqlite: SqliteLedger, caplog: pytest.LogCaptureFixture
) -> None:
    async with held(sqlite):
        assert await cancelled_after(2, sqlite.apply(move(job(), Move.ARMED)))
    await sqlite.select()
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("turns", [1, 2, 5, 50])
async def test_a_cancelled_keep_is_kept(sqlite: SqliteLedger, turns: int) -> None:
    await cancelled_after(turns, sqlite.keep(PNG))
    sha256 = await sqlite.keep(b"after it in the same thread")
    folder = sqlite.path.with_name("jobs.db.media")
    assert len(list(folder.iterdir())) == 2
    assert sha256 in {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 50, 500])
async def test_a_cancelled_open_holds_nothing(sqlite: SqliteLedger, turns: int) -> None:
    await sqlite.close()
    if not await cancelled_after(turns, sqlite.open()):
        await sqlite.close()
    for _ in range(500):  # its thread may still be closing what it had opened
        try:
            await sqlite.open()
        except LedgerError:
            await asyncio.sleep(0.002)
        else:
            break
    await sqlite.add(job())


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 50])
async def test_a_cancelled_close_closes_when_it_is_asked_again(sqlite: SqliteLedger, turns: int) -> None:
    record = job()
    await sqlite.keep(PNG)
    adding = asyncio.ensure_future(sqlite.add(record))
    await asyncio.sleep(0)
    await cancelled_after(turns, sqlite.close())
    await asyncio.gather(sqlite.close(), sqlite.close())
    await adding
    await sqlite.open()
    assert await sqlite.select() == [record]


async def test_every_coroutine_survives_being_cancelled(sqlite: SqliteLedger) -> None:
    record = await sqlite.add(job())
    file = FileRecord(job_id=record.id, index=0, path="/0", sha256="ab" * 32, size=5, stored_at=2.5)
    attempts: list[Attempt] = [
        lambda ledger: ledger.add_many([job()]),
        lambda ledger: ledger.get(record.id),
        lambda ledger: ledger.find("gptproto", "x"),
        lambda ledger: ledger.select(),
        lambda ledger: ledger.files(record.id),
        lambda ledger: ledger.moves(record.id),
        lambda ledger: ledger.add_file(file),
        lambda ledger: ledger.content("0" * 64),
    ]
    for attempt in attempts:
        async with held(sqlite):
            assert await cancelled_after(2, attempt(sqlite))
    assert len(await sqlite.select()) == 2
    assert list(await sqlite.files(record.id)) == [file]
