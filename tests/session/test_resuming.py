"""What a process before left in the ledger: taken up gently, or distrusted."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from attrs import evolve

from veo_async import OutcomeUnknownError, SessionClosedError, Succeeded, VeoSession, VideoRequest
from veo_async.engine.events import Action, Event, OperationOpened
from veo_async.engine.lifecycle import Move, State
from veo_async.engine.scheduler import PollScheduler
from veo_async.ledger import open_ledger
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import JobId, Unknown
from veo_async.session.runtime import TAKEN_UP_AT_ONCE

from .script import BASE, MODEL, FlakyLedger, ScriptedTransport, VirtualLoop, unanswered, unreachable
from .test_money import leave_queued

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")
DAY_S = 86_400.0


def open_job(number: int, age: float) -> JobRecord:
    """Return the row of a job that an earlier process left running."""
    accepted_at = time.time() - age
    return JobRecord(
        id=JobId(str(uuid.uuid4())),
        state=State.RUNNING,
        request=BOAT,
        digest="d",
        provider="gemini",
        origin=BASE,
        model=MODEL,
        operation=f"models/{MODEL}/operations/op{number}",
        created_at=accepted_at,
        accepted_at=accepted_at,
    )


def test_ten_thousand_open_jobs_are_taken_up_without_a_herd(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """Within the rate from the first second on, those that expire soonest first, and none is left out."""
    count = 10_000
    ages = [number * DAY_S / count for number in range(count)]
    random.Random(5).shuffle(ages)
    began: list[float] = []

    async def main() -> None:
        await flaky.add_many([open_job(number, age) for number, age in enumerate(ages)])
        async with session(on_exit="detach") as veo:
            began.append(asyncio.get_running_loop().time())
            jobs = await veo.resume()
            outcomes = await asyncio.gather(*(job.outcome() for job in jobs))
        assert [type(outcome) for outcome in outcomes] == [Succeeded] * count

    with asyncio.Runner(
        loop_factory=VirtualLoop
    ) as runner:  # not in debug mode, which takes four times as long
        runner.run(main())
    times = [at for at, _ in wire.checked]
    assert len(times) == count  # one check each: all were done
    assert all(later - at >= 1 for at, later in zip(times, times[20:], strict=False))  # 20 a second
    assert times[-1] - began[0] <= 1.1 * count / 20
    order = [ages[int(name.rsplit("/op", 1)[1])] for _, name in wire.checked]
    sooner = sorted(order, reverse=True)
    ranks = {age: rank for rank, age in enumerate(sooner)}
    assert max(abs(ranks[age] - place) for place, age in enumerate(order)) <= 200  # ten seconds' worth


async def test_many_jobs_are_taken_up_in_many_turns(
    session: Make, flaky: FlakyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have theirs in between, and what is returned stands as the ledger has it."""
    turns: list[list[OperationOpened]] = []
    handle = PollScheduler.handle

    def noting(scheduler: PollScheduler, *events: Event, now: float) -> Sequence[Action]:
        turns.append([event for event in events if isinstance(event, OperationOpened)])
        return handle(scheduler, *events, now=now)

    monkeypatch.setattr(PollScheduler, "handle", noting)
    records = [open_job(number, float(number)) for number in range(1000)]
    await flaky.add_many(records)
    async with session(on_exit="detach") as veo:
        jobs = await veo.resume()
        await asyncio.sleep(0)
    assert {job.id for job in jobs} == {record.id for record in records}
    assert max(map(len, turns)) <= TAKEN_UP_AT_ONCE
    opened = [event for turn in turns for event in turn]
    assert len(opened) == 1000
    assert [event.age for event in opened] == sorted((event.age for event in opened), reverse=True)
    assert [event.following for event in opened[::TAKEN_UP_AT_ONCE]] == [750, 500, 250, 0]


async def test_what_is_attached_twice_at_once_is_one_job_in_each_place(session: Make) -> None:
    """In the order in which they were given."""
    names = [f"models/{MODEL}/operations/op{number % 300}" for number in range(600)]
    async with session(on_exit="detach") as veo:
        jobs = await veo.attach_many(names)
        assert [job.operation for job in jobs] == names
        assert len(set(map(id, jobs))) == 300
        assert await veo.attach_many([]) == []


async def test_a_few_jobs_are_looked_at_at_once(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """Nobody waits for an interval to pass."""
    await flaky.add_many([open_job(number, 300.0) for number in range(3)])
    async with session(on_exit="detach") as veo:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(job.outcome() for job in await veo.resume()))
        assert asyncio.get_running_loop().time() - started < 2


# ── a restored backup ───────────────────────────────────────────────────────────────────────────────────────


async def test_after_a_restore_nothing_queued_is_sent(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """The backup does not know what was sent after it was made: unknown, with the reason, and for good."""
    ledger = tmp_path / "jobs.db"
    await leave_queued(session, wire, ledger, 3)
    async with session(ledger=ledger) as veo:
        jobs = await veo.resume(after_restore=True)
        assert [job.state for job in jobs] == [State.UNKNOWN] * 3
        with pytest.raises(OutcomeUnknownError, match="backup") as raised:
            await jobs[0]
        assert raised.value.reason == "restored"
        assert raised.value.billed == "unknown"
        await asyncio.sleep(3600)
        fresh = await veo.submit(BOAT)
        assert isinstance(await fresh.outcome(), Succeeded)
        assert len(wire.sent) == 1
    async with session(ledger=ledger) as veo:
        assert {job.state for job in await veo.resume()} == {State.UNKNOWN}
    assert len(wire.sent) == 1


async def test_after_a_restore_what_ran_is_checked_and_what_was_being_sent_is_unknown(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """An operation's name proves itself; an armed row is unknown in any case."""
    armed = evolve(open_job(1, 60.0), state=State.QUEUED, operation=None, accepted_at=None)
    await flaky.add_many([open_job(0, 60.0), armed])
    await flaky.apply(Change(job_id=armed.id, move=Move.ARMED, at=time.time()))
    async with session(on_exit="detach") as veo:
        jobs = await veo.resume(after_restore=True)
        assert [job.state for job in jobs] == [State.RUNNING, State.UNKNOWN]
        assert isinstance(await jobs[0].outcome(), Succeeded)
    assert wire.sent == []


async def test_what_this_session_took_in_is_not_distrusted(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """It is no part of the backup."""
    ledger = tmp_path / "jobs.db"
    await leave_queued(session, wire, ledger, 1)
    answers, wire.submits = wire.submits, unreachable
    async with session(ledger=ledger) as veo:
        mine = await veo.enqueue(BOAT)
        await veo.resume(after_restore=True)
        assert mine.state is State.QUEUED
        wire.submits = answers
        await veo.resume()
        assert isinstance(await mine.outcome(), Succeeded)
    assert len(wire.sent) == 1


async def test_a_restored_job_may_be_sent_again_on_explicit_word(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """Its owner may know better."""
    ledger = tmp_path / "jobs.db"
    await leave_queued(session, wire, ledger, 1)
    async with session(ledger=ledger) as veo:
        (job,) = await veo.resume(after_restore=True)
        again = await veo.resubmit(job, accept_duplicate_risk=True)
        assert isinstance(await again.outcome(), Succeeded)
    assert len(wire.sent) == 1


async def test_plain_resume_sends_what_was_queued_and_never_what_is_unknown(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """Queued is proof that nothing was sent."""
    async with session(ledger=tmp_path / "jobs.db") as veo:
        answers, wire.submits = wire.submits, unanswered
        job = await veo.enqueue(BOAT)
        assert isinstance(await job.outcome(), Unknown)
        wire.submits = answers
    wire.sent.clear()
    await leave_queued(session, wire, tmp_path / "jobs.db", 2)
    assert wire.sent == []
    async with session(ledger=tmp_path / "jobs.db") as veo:
        jobs = await veo.resume()
        outcomes = await asyncio.gather(*(job.outcome() for job in jobs))
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Succeeded", "Succeeded", "Unknown"]
    assert len(wire.sent) == 2
    ledger = open_ledger(tmp_path / "jobs.db")
    await ledger.open()
    assert sorted(record.state for record in await ledger.select()) == ["succeeded", "succeeded", "unknown"]
    await ledger.close()


async def test_taking_up_that_the_end_overtakes_says_that_the_session_is_closed(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """And not that its ledger is."""
    await flaky.add_many([open_job(number, age=60.0) for number in range(5 * TAKEN_UP_AT_ONCE)])
    async with session(on_exit="abort") as veo:
        resuming = asyncio.ensure_future(veo.resume())
        await asyncio.sleep(0)
    with pytest.raises(SessionClosedError):
        await resuming


async def test_taking_up_goes_on_when_who_asked_for_it_is_cancelled(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """Every job is taken up, and brought to its end."""
    count = 5 * TAKEN_UP_AT_ONCE
    await flaky.add_many([open_job(number, age=60.0) for number in range(count)])
    async with session(on_exit="drain") as veo:
        resuming = asyncio.ensure_future(veo.resume())
        await asyncio.sleep(0)
        resuming.cancel()
        await asyncio.sleep(3600)
        assert veo.statistics().jobs == {State.SUCCEEDED: count}


async def test_attaching_goes_on_when_who_asked_for_it_is_cancelled(session: Make) -> None:
    """What the ledger has is watched, however far it was when the caller gave up."""
    count = 5 * TAKEN_UP_AT_ONCE
    names = [f"models/{MODEL}/operations/op{number}" for number in range(count)]
    async with session(on_exit="drain") as veo:
        attaching = asyncio.ensure_future(veo.attach_many(names))
        await anext(aiter(veo.events()))
        attaching.cancel()
        await asyncio.sleep(3600)
        assert veo.statistics().jobs == {State.SUCCEEDED: count}
