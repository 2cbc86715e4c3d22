"""Group commit: many writes, one fsync; each caller is told the truth about its own."""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from veo_async.engine.lifecycle import IllegalTransitionError, Move, State
from veo_async.errors import BudgetExceededError, InvalidRequestError, LedgerError
from veo_async.ledger.money import Caps
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.ledger.sqlite_group import GroupCommit

from .samples import PNG, SUCCEEDED, job, move
from .threads import file_size_limit, held, in_thread

pytestmark = pytest.mark.anyio


async def one_batch(ledger: SqliteLedger, *attempts: Awaitable[Any]) -> list[Any]:
    """Let the attempts share one transaction and return their results or errors."""
    async with held(ledger):
        tasks = [asyncio.ensure_future(attempt) for attempt in attempts]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that were run."""
    sizes: list[int] = []
    run = GroupCommit.run

    def counting(self: GroupCommit, batch: Any) -> None:
        sizes.append(len(batch))
        run(self, batch)

    monkeypatch.setattr(GroupCommit, "run", counting)
    return sizes


def reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


async def test_writes_that_wait_share_one_commit(sqlite: SqliteLedger, batches: list[int]) -> None:
    statements: list[str] = []
    await in_thread(sqlite, lambda connection: connection.set_trace_callback(statements.append))
    await one_batch(sqlite, *(sqlite.add(job()) for _ in range(500)))
    assert max(batches) == 500
    assert statements.count("COMMIT") == 1
    assert len(await sqlite.select()) == 500


async def test_the_settings_make_a_commit_durable(sqlite: SqliteLedger) -> None:
    def settings(connection: sqlite3.Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await in_thread(sqlite, settings) == ["wal", 2, 1, 1]


async def test_nobody_is_told_before_the_commit(sqlite: SqliteLedger) -> None:
    """A second connection sees what was told at the moment it is told."""
    with contextlib.closing(reader(sqlite.path)) as other:
        for n in range(20):
            await asyncio.gather(*(sqlite.add(job()) for _ in range(5)))
            assert other.execute("SELECT count(*) FROM jobs").fetchone() == ((n + 1) * 5,)


async def test_reads_see_the_writes_before_them_in_the_same_batch(sqlite: SqliteLedger) -> None:
    record = job()
    results = await one_batch(
        sqlite,
        sqlite.add(record),
        sqlite.apply(move(record, Move.ARMED)),
        sqlite.get(record.id),
        sqlite.apply(move(record, Move.STARTED, name="operations/1")),
        sqlite.find("gptproto", "operations/1"),
    )
    assert [result.state for result in results] == ["queued", "armed", "armed", "running", "running"]


async def test_a_write_that_fails_leaves_the_others_alone(sqlite: SqliteLedger) -> None:
    known = await sqlite.add(job(key="taken"))
    good, unarmed = job(), job()
    results = await one_batch(
        sqlite,
        sqlite.add(good),
        sqlite.add(job("Another prompt", key="taken")),
        sqlite.apply(move(unarmed, Move.ARMED)),
        sqlite.apply(move(known, Move.SUCCEEDED, outcome=SUCCEEDED)),
        sqlite.add(unarmed),
    )
    assert [type(result) for result in results] == [
        JobRecord,
        InvalidRequestError,
        LedgerError,
        IllegalTransitionError,
        JobRecord,
    ]
    assert {record.id for record in await sqlite.select()} == {known.id, good.id, unarmed.id}


async def test_a_write_that_fails_half_way_leaves_no_trace(sqlite: SqliteLedger) -> None:
    await sqlite.add(job(key="taken"))
    first, half, last = job("one"), job("half", key="half"), job("last")
    results = await one_batch(
        sqlite,
        sqlite.add(first),
        sqlite.add_many([half, job("Another prompt", key="taken")]),
        sqlite.apply(move(first, Move.ARMED)),
        sqlite.add(last),
    )
    assert isinstance(results[1], InvalidRequestError)
    assert results[2].state is State.ARMED
    assert results[2].attempts == 1
    assert await sqlite.get(half.id) is None
    assert await sqlite.get(last.id) == last
    assert await sqlite.add(half) == half


@pytest.mark.parametrize(
    "facts", [{"operation": "\ud800"}, {"origin": "\ud800"}, {"created_at": float("nan")}]
)
async def test_what_sqlite_cannot_hold_fails_alone(sqlite: SqliteLedger, facts: dict[str, Any]) -> None:
    good = job()
    results = await one_batch(sqlite, sqlite.add(job(**facts)), sqlite.add(good))
    assert isinstance(results[0], LedgerError)
    assert await sqlite.select() == [good]


async def test_a_full_disk_fails_all_its_callers_and_later_ones_go_on(sqlite: SqliteLedger) -> None:
    known = await sqlite.add(job())
    pages = await in_thread(sqlite, lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await in_thread(sqlite, lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    results = await one_batch(
        sqlite,
        sqlite.apply(move(known, Move.ARMED)),
        sqlite.apply(move(known, Move.SUCCEEDED, outcome=SUCCEEDED)),
        sqlite.add(job("long " * 10_000)),
        sqlite.get(known.id),
    )
    assert [type(result) for result in results] == [LedgerError] * 4
    assert len({id(result) for result in results}) == 4
    assert all("free some space" in str(result) for result in results)
    assert await sqlite.select() == [known]  # nothing of that batch is there, nor believed to be
    await in_thread(sqlite, lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    assert (await sqlite.apply(move(known, Move.ARMED))).attempts == 1


async def test_sums_are_taken_back_with_a_transaction_that_comes_to_nothing(sqlite: SqliteLedger) -> None:
    """Each job costs 1.20: were the failed one counted, the next would pass the cap."""
    earlier, first, second = [await sqlite.add(job()) for _ in range(3)]
    caps = Caps(max_cost=2.4)
    await sqlite.apply(move(earlier, Move.ARMED), caps)
    pages = await in_thread(sqlite, lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await in_thread(sqlite, lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    armed = sqlite.apply(move(first, Move.ARMED), caps)
    results = await one_batch(sqlite, armed, sqlite.add(job("long " * 10_000)))
    assert [type(result) for result in results] == [LedgerError] * 2
    await in_thread(sqlite, lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    await sqlite.apply(move(first, Move.ARMED), caps)
    with pytest.raises(BudgetExceededError, match=r"on top of \$2.40"):
        await sqlite.apply(move(second, Move.ARMED), caps)


async def test_sums_hold_when_a_neighbour_fails(sqlite: SqliteLedger) -> None:
    """The batch is done a second time then, and each job is counted once."""
    await sqlite.add(job(key="taken"))
    first, second = await sqlite.add(job()), await sqlite.add(job())
    caps = Caps(max_cost=2.4)
    results = await one_batch(
        sqlite,
        sqlite.apply(move(first, Move.ARMED), caps),
        sqlite.add_many([job("half"), job("Another prompt", key="taken")]),
        sqlite.apply(move(second, Move.ARMED), caps),
    )
    assert [type(result) for result in results] == [JobRecord, InvalidRequestError, JobRecord]
    third = await sqlite.add(job())
    with pytest.raises(BudgetExceededError):
        await sqlite.apply(move(third, Move.ARMED), caps)


async def test_media_stay_when_the_commit_fails_that_let_them_go(sqlite: SqliteLedger) -> None:
    sha256 = await sqlite.keep(PNG)
    record = await sqlite.add(job(image=sha256))
    log = sqlite.path.with_name("jobs.db-wal")
    with file_size_limit(log.stat().st_size), pytest.raises(LedgerError):
        await sqlite.apply(move(record, Move.TAKEN_BACK))
    assert (await sqlite.content(sha256)) == sqlite.path.with_name("jobs.db.media") / sha256


async def test_after_an_io_error_nothing_is_written_until_it_is_opened_again(sqlite: SqliteLedger) -> None:
    """The kernel refuses to write past the limit: SQLite sees a failing disk."""
    known = await sqlite.add(job())
    log = sqlite.path.with_name("jobs.db-wal")
    with file_size_limit(log.stat().st_size):
        with pytest.raises(LedgerError, match="until the ledger is opened again") as caught:
            await sqlite.apply(move(known, Move.ARMED))
        assert caught.value.__cause__ is None
    with pytest.raises(
        LedgerError, match="until the ledger is opened again"
    ):  # though the disk is well again
        await sqlite.apply(move(known, Move.ARMED))
    assert await sqlite.select() == [known]
    await sqlite.close()
    await sqlite.open()
    assert (await sqlite.apply(move(known, Move.ARMED))).state is State.ARMED


async def test_a_busy_database_is_waited_for(sqlite: SqliteLedger) -> None:
    with contextlib.closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        adding = asyncio.ensure_future(sqlite.add(job()))
        await asyncio.sleep(0.05)
        assert not adding.done()
        other.execute("ROLLBACK")
        await adding


async def test_a_database_that_stays_busy_is_an_error_and_not_the_end(sqlite: SqliteLedger) -> None:
    await in_thread(sqlite, lambda c: c.execute("PRAGMA busy_timeout = 20").fetchone())
    with contextlib.closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program"):
            await sqlite.add(job())
    assert len(await sqlite.select()) == 0
    await sqlite.add(job())


async def test_waiting_is_thirty_seconds_by_default(sqlite: SqliteLedger) -> None:
    assert await in_thread(sqlite, lambda c: c.execute("PRAGMA busy_timeout").fetchone()[0]) == 30_000


async def test_a_long_video_does_not_hold_up_a_commit(
    sqlite: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        assert free.wait(10)
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", slow)
        keeping = asyncio.ensure_future(sqlite.keep(PNG))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await sqlite.add(job())
        assert not keeping.done()
        free.set()
        await keeping


async def test_a_job_that_somebody_else_moved_is_not_moved_again(sqlite: SqliteLedger) -> None:
    """Nobody can, for the lock; should it be so all the same, nothing is overwritten."""
    record = await sqlite.add(job())
    with contextlib.closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("UPDATE jobs SET state = 'withdrawn'")
    with pytest.raises(LedgerError, match="somebody else"):
        await sqlite.apply(move(record, Move.ARMED))
    assert len(await sqlite.select({State.WITHDRAWN})) == 1
