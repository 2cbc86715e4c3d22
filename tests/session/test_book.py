"""What a session holds on to: open jobs, and of those that ended the last ones."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from veo_async import BudgetExceededError, ConfigurationError, Job, VeoSession, VideoRequest
from veo_async.engine.lifecycle import State

from .script import ScriptedTransport, accepted, lost, ok
from .test_session import POLICY

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
KEPT = 3


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
