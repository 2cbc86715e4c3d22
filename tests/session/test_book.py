"""What a session holds on to: open jobs, and of those that ended the last ones."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from attrs import evolve

from veo_async import BudgetExceededError, ConfigurationError, Job, VeoSession, VideoRequest
from veo_async.engine.lifecycle import State
from veo_async.job import JobHost
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId
from veo_async.session.book import Book

from .script import ScriptedTransport, accepted, lost, ok
from .test_session import POLICY

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
KEPT = 3


def hear(*_: object) -> None:
    """Remember nothing, so hold no job."""


HOST = cast("JobHost", SimpleNamespace(moved=hear, ended=hear))


@pytest.fixture(autouse=True)
def _few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veo_async.session.book.ENDED_KEPT", KEPT)


async def ended(veo: VeoSession, name: str) -> Job:
    """Let a job run to its end, known by a key."""
    job = await veo.enqueue(VideoRequest(name, idempotency_key=name))
    await job.outcome()
    return job


async def test_ended_jobs_are_let_go_and_stay_counted(session: Make, wire: ScriptedTransport) -> None:
    """Nothing else holds them either: they go without the garbage collector."""
    gc.disable()
    try:
        async with session() as veo:
            gone = [weakref.ref(await ended(veo, f"boat {number}")) for number in range(10)]
            assert [job.request and job.request.prompt for job in veo.jobs] == ["boat 7", "boat 8", "boat 9"]
            assert [ref() for ref in gone[:7]] == [None] * 7
            assert veo.statistics().jobs == {State.SUCCEEDED: 10}
    finally:
        gc.enable()
    assert veo.report is not None
    assert veo.report.jobs == {State.SUCCEEDED: 10}


async def test_an_ended_job_is_found_as_long_as_somebody_holds_it(
    session: Make, wire: ScriptedTransport
) -> None:
    """In its place among the jobs, and by its id; later its operation brings it back."""
    async with session() as veo:
        held = await ended(veo, "held")
        for number in range(10):
            await ended(veo, f"boat {number}")
        assert veo.job(held.id) is held
        assert veo.jobs[0] is held
        job_id, operation = held.id, held.operation
        del held
        with pytest.raises(ConfigurationError, match="ended long ago"):
            veo.job(job_id)
        assert operation is not None
        again = await veo.attach(operation)
        assert (again.id, again.state) == (job_id, State.SUCCEEDED)
        assert veo.statistics().jobs == {State.SUCCEEDED: 11}


async def test_open_and_unknown_jobs_are_held_however_many_end_after_them(
    session: Make, wire: ScriptedTransport
) -> None:
    """Money may be owed for an unknown one."""
    wire.submits = lambda number, _: lost() if number == 0 else accepted(number)
    async with session(on_exit="detach") as veo:
        await ended(veo, "lost")
        for number in range(10):
            await ended(veo, f"boat {number}")
        unknown = veo.jobs[0]
        assert unknown.state is State.UNKNOWN
        assert veo.job(unknown.id) is unknown
        assert veo.statistics().jobs == {State.SUCCEEDED: 10, State.UNKNOWN: 1}
    assert veo.report is not None
    assert veo.report.unknown == (unknown.id,)


async def test_jobs_that_ended_before_the_session_count_too(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """Asked for again by their keys, they are not sent."""
    async with session(ledger=tmp_path / "jobs.db") as veo:
        await ended(veo, "boat")
    async with session(ledger=tmp_path / "jobs.db") as veo:
        await ended(veo, "boat")
        assert veo.statistics().jobs == {State.SUCCEEDED: 1}
    assert len(wire.sent) == 1


async def test_money_of_jobs_that_are_let_go_is_held_against_max_cost(
    session: Make, wire: ScriptedTransport
) -> None:
    """What they cost stays counted, what a refusal freed does not."""
    wire.submits = lambda number, _: ok(POLICY, 400) if number % 2 else accepted(number)
    async with session(max_cost=5 * 0.8) as veo:
        for number in range(9):
            await ended(veo, f"boat {number}")
        with pytest.raises(BudgetExceededError, match=r"\$0\.80 on top of \$4\.00"):
            await veo.enqueue(VideoRequest("one more"))


def row(job_id: str, state: State = State.RUNNING) -> JobRecord:
    """Return the row of an operation that somebody else submitted."""
    return JobRecord(
        id=JobId(job_id),
        state=state,
        request=None,
        digest="",
        provider="gemini",
        origin="https://gateway.example",
        model="veo",
        operation="operations/1",
        created_at=1.0,
    )


def test_a_job_that_ended_holds_no_session() -> None:
    """Whoever keeps it keeps nothing else: the rest goes without the garbage collector."""
    gc.disable()
    try:
        book = Book()
        ended, open_ = (book.take_up(row(state, state), HOST)[0] for state in (State.FAILED, State.RUNNING))
        assert list(book) == [ended, open_]
        gone = weakref.ref(open_)
        del book, open_
        assert gone() is None
    finally:
        gc.enable()
    assert ended.state is State.FAILED


def test_jobs_of_one_operation_wait_together() -> None:
    """In their order; nobody waits any more when the last has left."""
    book = Book()
    first, second, third = (Job(row(str(number)), HOST) for number in range(3))
    key = book.open(first)
    assert book.waiting_for(key) == (first,)
    assert book.open(second) == book.open(third) == book.open(first) == key
    assert book.waiting_for(key) == (first, second, third)
    assert not book.leave(second)
    assert book.waiting_for(key) == (first, third)
    assert not book.leave(first)
    assert not book.leave(first)
    assert book.waiting_for(key) == (third,)
    assert book.leave(third)
    assert book.waiting_for(key) == ()
    assert book.named("operations/1") == []


def test_those_who_wait_for_the_operations_of_a_page_are_counted() -> None:
    """One for most, several for some, nobody for those of others."""
    book = Book()
    for number in range(4):
        job, _ = book.take_up(evolve(row(str(number)), operation=f"operations/{number // 3}"), HOST)
        book.open(job)
    assert book.count_waiting("gemini", [f"operations/{number}" for number in range(3)]) == 4
    assert book.count_waiting("vertex", ["operations/1"]) == 0


def test_jobs_keep_their_places_whichever_ends_first() -> None:
    """Of those that ended and are let go, nothing stays, not even the id."""
    book = Book()
    jobs = [book.take_up(row(str(number)), HOST)[0] for number in range(2 * KEPT)]
    for place in (0, *range(len(jobs) - 1, 1, -1)):
        jobs[place].advance(row(str(place), State.FAILED), 2.0)
        book.ended(jobs[place])
        assert list(book) == jobs
    del jobs[2:]
    assert list(book) == [*jobs, *(book.get(JobId(str(number))) for number in range(2, 2 + KEPT))]
    assert len(book._jobs) == 2 + KEPT
    assert book.states() == {State.RUNNING: 1, State.FAILED: 2 * KEPT - 1}
