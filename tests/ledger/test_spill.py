"""Answers that could not be committed: kept beside the ledger, and applied as soon as that is possible."""

import contextlib
import errno
import logging
import os
import sqlite3
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.engine.lifecycle import Move, State
from veo_async.errors import LedgerError
from veo_async.ledger.memory import MemoryLedger
from veo_async.ledger.records import Change, JobRecord
from veo_async.ledger.spill import SIZE_BYTES, Spill, changes_in, line_of
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import JobId, Rejected, Unknown

from .samples import REJECTED, SUCCEEDED, UNKNOWN, job, move
from .threads import file_size_limit, in_thread

pytestmark = pytest.mark.anyio

NAME = "models/veo/operations/1"
CHANGE = Change(job_id=JobId("a"), move=Move.STARTED, at=2.5, operation=NAME)


@pytest.fixture
async def armed(sqlite: SqliteLedger) -> JobRecord:
    """A job that is being sent."""
    record = await sqlite.add(job())
    return await sqlite.apply(move(record, Move.ARMED))


@pytest.fixture
async def full(sqlite: SqliteLedger) -> AsyncIterator[None]:
    """A disk that takes no more."""
    log = sqlite.path.with_name("jobs.db-wal")
    with file_size_limit(log.stat().st_size):
        yield


def spill_file(ledger: SqliteLedger) -> Path:
    return ledger.path.with_name("jobs.db.spill")


async def reopened(ledger: SqliteLedger) -> None:
    await ledger.close()
    await ledger.open()


async def spill_on_a_full_disk(ledger: SqliteLedger, change: Change) -> None:
    log = ledger.path.with_name("jobs.db-wal")
    with file_size_limit(log.stat().st_size):
        with pytest.raises(LedgerError):
            await ledger.apply(change)
        await ledger.spill(change)


async def test_an_answer_that_the_disk_had_no_room_for_is_there_after_a_crash(
    sqlite: SqliteLedger, armed: JobRecord
) -> None:
    """The job is known to run: it is not one that crashed while it was being sent."""
    started = move(armed, Move.STARTED, 2.5, name=NAME)
    await spill_on_a_full_disk(sqlite, started)
    await reopened(sqlite)
    found = await sqlite.get(armed.id)
    assert found is not None
    assert (found.state, found.operation, found.accepted_at) == (State.RUNNING, NAME, 2.5)
    assert [entry.move for entry in await sqlite.moves(armed.id)] == [Move.ARMED, Move.STARTED]
    assert not spill_file(sqlite).read_bytes().strip(b"\0")


async def test_the_next_write_that_succeeds_applies_it(sqlite: SqliteLedger, armed: JobRecord) -> None:
    """Where the trouble passes by itself: the job goes on from where its owner believes it to be."""
    await in_thread(sqlite, lambda c: c.execute("PRAGMA busy_timeout = 1").fetchone())
    with contextlib.closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program"):
            await sqlite.apply(move(armed, Move.STARTED, name=NAME))
        await sqlite.spill(move(armed, Move.STARTED, name=NAME))
        other.execute("ROLLBACK")
    done = await sqlite.apply(move(armed, Move.SUCCEEDED, outcome=SUCCEEDED))
    assert (done.state, done.operation) == (State.SUCCEEDED, NAME)
    assert not spill_file(sqlite).read_bytes().strip(b"\0")


async def test_what_is_spilled_stays_until_a_commit_holds_it(sqlite: SqliteLedger, armed: JobRecord) -> None:
    await in_thread(sqlite, lambda c: c.execute("PRAGMA busy_timeout = 1").fetchone())
    await sqlite.spill(move(armed, Move.STARTED, name=NAME))
    with contextlib.closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError):
            await sqlite.add(job())
        other.execute("ROLLBACK")
    assert len(changes_in(spill_file(sqlite).read_bytes())) == 1
    await reopened(sqlite)
    assert (await sqlite.select({State.RUNNING}))[0].id == armed.id


async def test_what_is_recorded_already_is_not_applied_again(sqlite: SqliteLedger, armed: JobRecord) -> None:
    """The worst case: a stale proof of not started would let a job that was sent be sent again."""
    not_started = move(armed, Move.NOT_STARTED, 3.5)
    await sqlite.apply(not_started)
    await sqlite.apply(move(armed, Move.ARMED, 4.5))
    await sqlite.spill(not_started)
    await sqlite.add(job())
    assert (await sqlite.get(armed.id) or armed).state is State.ARMED
    await sqlite.spill(not_started)
    await reopened(sqlite)
    assert (await sqlite.get(armed.id) or armed).state is State.UNKNOWN


async def test_of_two_answers_that_name_one_operation_the_second_leaves_its_job_unknown(
    sqlite: SqliteLedger, armed: JobRecord
) -> None:
    """Both were spilled, so neither could be told of the other."""
    second = await sqlite.apply(move(await sqlite.add(job()), Move.ARMED))
    await sqlite.spill(move(armed, Move.STARTED, name=NAME))
    await sqlite.spill(move(second, Move.STARTED, name=NAME))
    await sqlite.add(job())
    kept = await sqlite.find(armed.provider, NAME)
    assert kept is not None
    assert kept.id == armed.id
    unknown = await sqlite.get(second.id)
    assert unknown is not None
    assert unknown.state is State.UNKNOWN
    assert isinstance(unknown.outcome, Unknown)
    assert unknown.outcome.reason == "duplicate_name"


async def test_what_the_table_does_not_allow_is_left_out_and_said(
    sqlite: SqliteLedger, armed: JobRecord, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "veo_async"):
        await sqlite.spill(move(armed, Move.SUCCEEDED, outcome=SUCCEEDED))
        await sqlite.spill(Change(job_id=JobId("nobody"), move=Move.STARTED, at=1.5, operation=NAME))
        await sqlite.spill(move(armed, Move.SILENCED, outcome=UNKNOWN))
        await sqlite.add(job())
    assert (await sqlite.get(armed.id) or armed).state is State.UNKNOWN
    assert "succeeded" in caplog.text
    assert NAME in caplog.text


async def test_a_ledger_that_takes_nothing_still_takes_lines(
    sqlite: SqliteLedger, armed: JobRecord, full: None
) -> None:
    with pytest.raises(LedgerError):
        await sqlite.add(job())
    for number in range(20):
        await sqlite.spill(move(armed, Move.STARTED, name=f"operations/{number}"))
    assert len(changes_in(spill_file(sqlite).read_bytes())) == 20


async def test_the_file_has_its_blocks_before_they_are_needed(sqlite: SqliteLedger) -> None:
    status = spill_file(sqlite).stat()
    assert status.st_size == SIZE_BYTES
    assert status.st_blocks * 512 >= SIZE_BYTES  # a hole would need room on the disk later
    await reopened(sqlite)
    assert spill_file(sqlite).stat().st_size == SIZE_BYTES


async def test_a_reader_leaves_it_alone(sqlite: SqliteLedger, armed: JobRecord) -> None:
    await sqlite.spill(move(armed, Move.STARTED, name=NAME))
    reader = SqliteLedger.read_only(sqlite.path)
    await reader.open()
    assert await reader.select() == [armed]
    with pytest.raises(LedgerError, match="to look at it only"):
        await reader.spill(CHANGE)
    await reader.close()
    assert len(changes_in(spill_file(sqlite).read_bytes())) == 1


async def test_a_ledger_in_memory_has_none() -> None:
    ledger = MemoryLedger()
    with pytest.raises(LedgerError, match="no spill"):
        await ledger.spill(CHANGE)


async def test_answers_of_a_later_version_are_not_lost(sqlite: SqliteLedger) -> None:
    await sqlite.close()
    line = line_of(CHANGE).replace(b'"started"', b'"dreamt_of"')
    text = line.strip().split(b" ", 1)[1]
    content = line_of(CHANGE) + b"\n%08x %s\n" % (zlib.crc32(text), text)
    spill_file(sqlite).write_bytes(content.ljust(SIZE_BYTES, b"\0"))
    with pytest.raises(LedgerError, match="upgrade"):
        await sqlite.open()
    assert spill_file(sqlite).read_bytes().startswith(content)


async def test_a_link_in_its_place_is_refused(sqlite: SqliteLedger, tmp_path: Path) -> None:
    await sqlite.close()
    victim = tmp_path / "victim.txt"
    victim.write_text("not ours")
    spill_file(sqlite).unlink()
    spill_file(sqlite).symlink_to(victim)
    with pytest.raises(LedgerError, match="symbolic link"):
        await sqlite.open()
    assert victim.read_text() == "not ours"


# The file itself


@pytest.fixture
def spill(tmp_path: Path) -> Spill:
    made = Spill(tmp_path / "jobs.db.spill")
    made.open()
    return made


def again(spill: Spill) -> list[Change]:
    """Return what the next process finds."""
    spill.close()
    other = Spill(spill.path)
    other.open()
    other.close()
    return other.waiting


OUTCOMES = st.sampled_from([None, SUCCEEDED, UNKNOWN, REJECTED, Rejected(raw={"text": "\ud800 \n \0"})])


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False), st.none() | st.text(), OUTCOMES)))
def test_lines_come_back_as_they_were_kept(
    facts: list[tuple[str, float, str | None, Rejected | None]],
) -> None:
    changes = [
        Change(job_id=JobId(name), move=Move.FAILED, at=at, operation=text, outcome=outcome, adopted=text)
        for name, at, text, outcome in facts
    ]
    assert changes_in(b"".join(map(line_of, changes))) == changes


@given(cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_a_torn_line_hides_no_other(cut: int, flip: int) -> None:
    lines = [line_of(CHANGE), line_of(CHANGE), line_of(CHANGE)]
    content = bytearray(b"".join(lines))
    flip %= len(content)
    content[flip] ^= 1
    whole = sum(not sum(map(len, lines[:n])) <= flip < sum(map(len, lines[: n + 1])) for n in range(3))
    assert len(changes_in(bytes(content))) >= whole
    rest = b"".join(lines)[cut % len(content) :]
    assert set(changes_in(rest)) <= {CHANGE}
    assert len(changes_in(rest)) >= len(rest) // len(lines[0])


def test_a_line_is_on_the_disk_when_it_is_told(spill: Spill, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = list[bytes]()

    def fsync(_: int) -> None:
        synced.append(spill.path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    spill.append(CHANGE)
    assert [changes_in(content) for content in synced] == [[CHANGE]]


def test_a_disk_that_failed_once_is_not_believed_again(spill: Spill, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(LedgerError, match="Input/output error") as caught:
            spill.append(CHANGE)
    assert (caught.value.job_id, caught.value.operation) == ("a", NAME)
    with pytest.raises(LedgerError, match="Input/output error"):
        spill.append(CHANGE)
    assert spill.waiting == []
    spill.empty()  # proven well
    spill.append(CHANGE)


def test_a_line_goes_over_one_that_had_no_room(spill: Spill) -> None:
    spill.append(CHANGE)
    with file_size_limit(len(line_of(CHANGE)) + 40), pytest.raises(LedgerError, match="either"):
        spill.append(move(job(), Move.STARTED, name="x" * 100))
    spill.append(CHANGE)
    assert spill.waiting == again(spill) == [CHANGE, CHANGE]


def test_more_than_there_is_room_for_makes_it_longer(spill: Spill) -> None:
    long = Change(job_id=JobId("b"), move=Move.STARTED, at=1.5, operation="x" * SIZE_BYTES)
    spill.append(CHANGE)
    spill.append(long)
    spill.append(CHANGE)
    assert again(spill) == [CHANGE, long, CHANGE]
    spill.open()
    spill.empty()
    assert spill.path.stat().st_size == SIZE_BYTES
    assert again(spill) == []


def test_a_file_that_cannot_be_emptied_goes_on_behind(spill: Spill, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    spill.append(CHANGE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", failing)
        spill.empty()
    other = Change(job_id=JobId("b"), move=Move.STARTED, at=1.5, operation="operations/2")
    spill.append(other)
    assert spill.waiting == [other]
    assert again(spill) == [CHANGE, other]
