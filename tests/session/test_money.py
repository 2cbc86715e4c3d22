"""What a session does when money is at stake: limits, and sending an unknown job again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from veo_async import (
    BudgetExceededError,
    ConfigurationError,
    ContentBlockedError,
    InvalidRequestError,
    Job,
    OutcomeUnknownError,
    Provider,
    Succeeded,
    VeoSession,
    VideoRequest,
)
from veo_async.engine.lifecycle import State

from .script import BASE, KEY, MODEL, ScriptedTransport, accepted, listed, lost, ok, unreachable
from .test_session import POLICY

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")
"""$0.80 by estimate: 8 s at $0.10."""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


async def leave_queued(session: Make, wire: ScriptedTransport, ledger: Path, count: int) -> None:
    """Let an earlier process have queued jobs that it did not send."""
    answers, wire.submits = wire.submits, unreachable
    async with session(ledger=ledger) as veo:
        for number in range(count):
            await veo.enqueue(VideoRequest(f"boat {number}"))
    wire.submits = answers
    assert wire.sent == []


async def unknown(veo: VeoSession, request: VideoRequest = BOAT) -> Job:
    job = await veo.enqueue(request)
    with pytest.raises(OutcomeUnknownError):
        await job.accepted()
    return job


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_past_max_unknown_cost_nothing_more_is_sent(session: Make, wire: ScriptedTransport) -> None:
    """The job stays queued and its awaiters are told, those of later jobs too; the first was within it."""
    wire.submits = lambda number, _: lost() if number < 2 else accepted(number)
    async with session(max_unknown_cost=1.0, on_exit="detach") as veo:
        await unknown(veo)
        await unknown(veo)  # $0.80 was within $1.00, $1.60 is not
        job = await veo.enqueue(BOAT)
        with pytest.raises(BudgetExceededError, match=r"max_unknown_cost=\$1\.00") as raised:
            await job.accepted()
        assert raised.value.billed == "no"
        assert raised.value.job_id == job.id
        assert (job.state, len(wire.sent)) == (State.QUEUED, 2)
        with pytest.raises(BudgetExceededError):
            await veo.submit(BOAT)
        await veo.resume()  # nothing has changed
        with pytest.raises(BudgetExceededError):
            await job.accepted()
        await asyncio.sleep(3600)
        assert len(wire.sent) == 2


async def test_submits_go_on_once_the_unknown_is_settled(wire: ScriptedTransport) -> None:
    """Found in the provider's list, it is no longer unknown; nobody has to resume."""
    name = f"models/{MODEL}/operations/found"
    wire.submits = lambda number, _: lost() if number == 0 else accepted(number)
    wire.lists = lambda _, __: listed(name)
    provider = Provider.gemini(api_key=KEY, base_url=BASE, can_list=True)
    async with VeoSession(provider, max_unknown_cost=0.5) as veo:
        await unknown(veo)
        job = await veo.enqueue(BOAT)
        with pytest.raises(BudgetExceededError):
            await job.accepted()
        (found,) = await veo.reconcile()
        assert found.operation == name
        await job.accepted()
        assert len(wire.sent) == 2


async def test_max_cost_holds_for_jobs_of_an_earlier_process(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """They were queued under no limit; what is sent under one stays within it."""
    await leave_queued(session, wire, tmp_path / "jobs.db", 3)
    async with session(ledger=tmp_path / "jobs.db", max_cost=1.70) as veo:
        jobs = await veo.resume()
        outcomes = await asyncio.gather(*(job.accepted() for job in jobs), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(BudgetExceededError) == 1
        assert sorted(job.state for job in jobs).count(State.QUEUED) == 1
    assert len(wire.sent) == 2


async def test_money_that_a_refusal_frees_lets_the_next_job_go(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """By itself: it was the job that stood in the way."""
    wire.submits = lambda number, _: ok(POLICY, 400) if number == 0 else accepted(number)
    await leave_queued(session, wire, tmp_path / "jobs.db", 2)
    async with session(ledger=tmp_path / "jobs.db", max_cost=1.0) as veo:
        first, second = await veo.resume()
        with pytest.raises(ContentBlockedError):
            await first.accepted()
        await asyncio.sleep(5)
        assert isinstance(await second.outcome(), Succeeded)


@pytest.mark.parametrize(
    "limits", [{"max_cost": -1}, {"max_unknown_cost": -0.01}, {"max_cost": float("nan")}]
)
async def test_a_limit_is_a_sum(session: Make, limits: dict[str, float]) -> None:
    """Anything else is refused before anything is opened."""
    with pytest.raises(ConfigurationError, match="USD"):
        session(**limits)


# ── sending again on the caller's word ──────────────────────────────────────────────────────────────────────


async def test_an_unknown_job_is_sent_again_on_explicit_word_only(
    session: Make, wire: ScriptedTransport
) -> None:
    """Without it the error says what it may cost, and nothing is sent."""
    wire.submits = lambda number, _: lost() if number == 0 else accepted(number)
    async with session() as veo:
        job = await unknown(veo, VideoRequest("boat", idempotency_key="k"))
        with pytest.raises(InvalidRequestError, match=r"\$0\.80.*a second time"):
            await veo.resubmit(job)
        assert len(wire.sent) == 1
        again = await veo.resubmit(job, accept_duplicate_risk=True)
        assert again.id != job.id
        assert again.record.replaces == job.id
        assert again.request == job.request
        assert isinstance(await again.outcome(), Succeeded)
        assert job.state is State.UNKNOWN  # it may be running all the same
        assert await veo.enqueue(VideoRequest("boat", idempotency_key="k")) is again
        assert job.record.idempotency_key is None
    assert len(wire.sent) == 2


async def test_resubmitting_twice_is_one_job(session: Make, wire: ScriptedTransport) -> None:
    """At once and later: whoever asks gets the job that is there."""
    wire.submits = lambda number, _: lost() if number == 0 else accepted(number)
    async with session() as veo:
        job = await unknown(veo)
        asked = [veo.resubmit(job, accept_duplicate_risk=True) for _ in range(5)]
        jobs = await asyncio.gather(*asked)
        assert len(set(map(id, jobs))) == 1
        await jobs[0]
        assert await veo.resubmit(job, accept_duplicate_risk=True) is jobs[0]
    assert len(wire.sent) == 2


async def test_only_unknown_jobs_of_the_session_are_sent_again(
    session: Make, wire: ScriptedTransport
) -> None:
    """Everything else has an answer already."""
    async with session() as veo:
        job = await veo.submit(BOAT)
        with pytest.raises(InvalidRequestError, match="running"):
            await veo.resubmit(job, accept_duplicate_risk=True)
        await job
        with pytest.raises(InvalidRequestError, match="succeeded"):
            await veo.resubmit(job, accept_duplicate_risk=True)
    async with session() as other:
        with pytest.raises(ConfigurationError, match="not of this session"):
            await other.resubmit(job, accept_duplicate_risk=True)
    assert len(wire.sent) == 1


async def test_a_resubmitted_job_counts_against_max_cost(session: Make, wire: ScriptedTransport) -> None:
    """Both may be billed."""
    wire.submits = lambda _, __: lost()
    async with session(max_cost=1.0) as veo:
        job = await unknown(veo)
        with pytest.raises(BudgetExceededError, match="max_cost"):
            await veo.resubmit(job, accept_duplicate_risk=True)
    assert len(wire.sent) == 1


async def test_a_resubmitted_job_has_its_picture(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """Also in a later process: the medium of an unknown job is kept."""
    wire.submits = lambda number, _: lost() if number == 0 else accepted(number)
    async with session(ledger=tmp_path / "jobs.db") as veo:
        await unknown(veo, VideoRequest("boat", image=PNG))
    async with session(ledger=tmp_path / "jobs.db") as veo:
        (job,) = await veo.resume()
        again = await veo.resubmit(job, accept_duplicate_risk=True)
        assert again.request is not None
        assert again.request.image == (job.request and job.request.image)
        await again
    assert len(wire.sent) == 2


async def test_giving_up_a_resubmission_withdraws_it_and_the_job_can_be_resubmitted_anew(
    session: Make, wire: ScriptedTransport
) -> None:
    """Nothing was sent, so the old job is as it was."""
    wire.submits = lambda number, _: lost() if number == 0 else accepted(number)
    async with session() as veo:
        job = await unknown(veo, VideoRequest("boat", idempotency_key="k"))
        first = await veo.resubmit(job, accept_duplicate_risk=True)
        assert await first.cancel() == "withdrawn"
        second = await veo.resubmit(job, accept_duplicate_risk=True)
        assert second.id != first.id
        assert isinstance(await second.outcome(), Succeeded)
    assert len(wire.sent) == 2
