"""A ledger that fails: before a submit nothing is sent, after one nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from veo_async import Job, LedgerError, OutcomeUnknownError, Succeeded, VeoSession, VideoRequest
from veo_async.engine.lifecycle import Move, State
from veo_async.ledger.records import Change

from .script import KEY, MODEL, FlakyLedger, ScriptedTransport, accepted, done, ok, operation_of, running
from .test_session import POLICY

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")
NAME = f"models/{MODEL}/operations/op0"


def answers(change: Change) -> bool:
    """Fail what is learned from the provider."""
    return change.move is not Move.ARMED


def arms(change: Change) -> bool:
    """Fail what comes before a first byte."""
    return change.move is Move.ARMED


def everything(_: Change) -> bool:
    return True


# ── before the first byte ───────────────────────────────────────────────────────────────────────────────────


async def test_what_cannot_be_recorded_is_not_sent_and_resume_mends_it(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """All submits stand still, those of later jobs too, until the ledger is well and someone resumes."""
    flaky.fails = arms
    async with session() as veo:
        jobs = [await veo.enqueue(VideoRequest(f"boat {number}")) for number in range(3)]
        ends = await asyncio.gather(*(job.accepted() for job in jobs), return_exceptions=True)
        assert {type(end) for end in ends} == {LedgerError}
        assert [getattr(end, "billed", None) for end in ends] == ["no"] * 3
        with pytest.raises(LedgerError):
            await veo.submit(BOAT)
        await asyncio.sleep(3600)
        assert wire.sent == []
        assert {job.state for job in veo.jobs} == {State.QUEUED}
        with pytest.raises(LedgerError):
            await veo.resume()
        assert wire.sent == []
        flaky.fails = lambda _: False
        await veo.resume()
        outcomes = await asyncio.gather(*(job.outcome() for job in jobs))
        assert {type(outcome) for outcome in outcomes} == {Succeeded}
    assert flaky.reopened == 2
    assert len(wire.sent) == 4


async def test_checks_go_on_while_submits_stand_still(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """What runs is looked after."""
    wire.checks = lambda number, request: (running if number < 3 else done)(operation_of(request))
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        flaky.fails = arms
        with pytest.raises(LedgerError):
            await veo.submit(BOAT)
        assert isinstance(await job.outcome(), Succeeded)


# ── after it ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_goes_into_the_spill_and_the_job_goes_on(
    session: Make,
    wire: ScriptedTransport,
    flaky: FlakyLedger,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is durable there; the operation's name is said aloud too, the key is not."""
    flaky.fails = lambda change: change.move is Move.STARTED
    async with session() as veo:
        job = await veo.submit(BOAT)
        assert (job.state, job.operation) == (State.RUNNING, NAME)
        assert [change.operation for change in flaky.spilled] == [NAME]
        assert isinstance(await job.outcome(), Succeeded)
        record = await flaky.get(job.id)
        assert record is not None
        assert (record.state, record.operation) == (State.SUCCEEDED, NAME)
    said = capsys.readouterr().err
    assert NAME in said
    assert NAME in caplog.text
    assert "CRITICAL" in caplog.text
    assert KEY not in said + caplog.text
    assert len(wire.sent) == 1


async def test_a_ledger_that_is_locked_for_a_moment_needs_no_spill(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is asked again a few times."""
    flaky.fails = lambda change: change.move is Move.STARTED and len(flaky.refused) < 2
    async with session() as veo:
        job = await veo.submit(BOAT)
        assert len(flaky.refused) == 2
        assert isinstance(await job.outcome(), Succeeded)
    assert flaky.spilled == []
    assert capsys.readouterr().err == ""


async def test_what_is_durable_nowhere_is_not_reported_as_done(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Polling goes on, whoever waits is told, and once the ledger is well all of it is recorded."""
    flaky.fails, flaky.spills = answers, False
    async with session() as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(LedgerError) as raised:
            await job.accepted()
        assert raised.value.billed == "unknown"
        assert raised.value.operation == NAME
        assert NAME in capsys.readouterr().err
        await asyncio.sleep(120)
        assert wire.checked  # polling went on
        with pytest.raises(LedgerError):
            await job.wait()
        assert job.state is State.RUNNING
        with pytest.raises(LedgerError):
            await veo.resume()
        flaky.fails = lambda _: False
        await veo.resume()
        await job.accepted()
        assert isinstance(await job.outcome(), Succeeded)
        moves = [record.move for record in await flaky.moves(job.id)]
    assert moves == [Move.ARMED, Move.STARTED, Move.SUCCEEDED]
    assert len(wire.sent) == 1


async def test_what_only_memory_has_is_recorded_before_anything_further(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """A job's end cannot be recorded before its beginning; nobody has to resume for that."""
    wire.checks = lambda number, request: (running if number < 9 else done)(operation_of(request))
    flaky.fails, flaky.spills = answers, False
    async with session() as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(LedgerError):
            await job.accepted()
        flaky.fails = lambda _: False
        await asyncio.sleep(600)
        assert isinstance(await job.outcome(), Succeeded)
        moves = [record.move for record in await flaky.moves(job.id)]
    assert moves == [Move.ARMED, Move.STARTED, Move.SUCCEEDED]


async def test_what_only_memory_has_is_recorded_at_the_end_if_it_can_be(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """The last chance before the process is gone."""
    wire.checks = lambda _, request: running(operation_of(request))
    flaky.fails, flaky.spills = answers, False
    async with session(on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(LedgerError):
            await job.accepted()
        flaky.fails = lambda _: False
    record = await flaky.get(job.id)
    assert record is not None
    assert (record.state, record.operation) == (State.RUNNING, NAME)


async def test_a_refusal_that_cannot_be_recorded_does_not_send_the_job_again(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """Neither in this session nor in the next."""
    wire.submits = lambda number, _: ok(POLICY, 400) if number == 0 else accepted(number)
    flaky.fails, flaky.spills = answers, False
    async with session(on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        await asyncio.sleep(10)
        assert job.state is State.REJECTED
    flaky.fails = lambda _: False
    async with session(on_exit="detach") as veo:
        resumed = await veo.resume()
        assert [job.state for job in resumed] == [State.UNKNOWN]
    assert len(wire.sent) == 1


async def test_a_dead_ledger_breaks_no_session_off(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """It says so and ends in order."""
    wire.checks = lambda number, request: (running if number < 2 else done)(operation_of(request))
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        flaky.fails, flaky.spills = everything, False
        with pytest.raises(LedgerError):
            await job.wait()
        await asyncio.sleep(600)
        assert job.state is State.RUNNING
    assert veo.report is not None
    assert veo.report.running == (job.token,)


async def test_two_answers_with_one_name_in_the_same_turn_are_one_operation(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """The ledger takes the name once; whose it is the second time cannot be told."""
    wire.submits = lambda _, __: accepted(0)
    async with session() as veo:
        jobs: list[Job] = [await veo.enqueue(VideoRequest(f"boat {number}")) for number in range(4)]
        ends = await asyncio.gather(*(job.accepted() for job in jobs), return_exceptions=True)
        assert [type(end) for end in ends].count(OutcomeUnknownError) == 3
        assert sorted(job.state for job in jobs)[-3:] == [State.UNKNOWN] * 3
    assert flaky.spilled == []


async def test_a_job_that_ended_was_accepted_whatever_troubled_it(session: Make) -> None:
    """Trouble that was never taken back, as by a wait that was cancelled, hides neither of the two."""
    async with session() as veo:
        job = await veo.submit(BOAT)
        await job
        job.trouble = LedgerError("it was troubled on its way")
        async with asyncio.timeout(60):
            await job.accepted()
            assert isinstance(await job.outcome(), Succeeded)


@pytest.mark.parametrize("spills", [True, False])
async def test_of_two_jobs_that_were_given_one_operation_while_the_ledger_failed_one_is_unknown(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger, spills: bool
) -> None:
    """What a check says of the operation is the other's: this one may have been billed."""
    flaky.fails, flaky.spills = answers, spills
    wire.submits = lambda _, __: accepted(0)
    wire.checks = lambda _, request: running(operation_of(request))
    async with session() as veo:
        jobs = [await veo.enqueue(VideoRequest(f"boat {number}")) for number in range(2)]
        ends = [asyncio.ensure_future(job.outcome()) for job in jobs]
        await asyncio.sleep(600)
        flaky.fails = lambda _: False
        refusal = {"error": {"code": 400, "message": "The prompt violates our content policy."}}
        wire.checks = lambda _, __: ok(refusal, 400)
        await asyncio.sleep(600)
        assert [job.state for job in jobs] == [State.REJECTED, State.UNKNOWN]
        for end in ends:
            end.cancel()
        with pytest.raises(OutcomeUnknownError) as raised:
            await jobs[1]
        assert (raised.value.reason, raised.value.billed) == ("duplicate_name", "unknown")
