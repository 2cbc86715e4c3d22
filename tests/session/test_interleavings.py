"""What two things at once may not do to each other: each of these once came out of the simulation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from veo_async import Succeeded, VeoSession, VideoRequest
from veo_async.engine.lifecycle import Move, State
from veo_async.errors import LedgerError
from veo_async.ledger.memory import MemoryLedger
from veo_async.ledger.records import Change, JobRecord
from veo_async.wire import Request, Response

from .script import ScriptedTransport, accepted, done, ok, operation_of, running

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")
LIMITED = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
WRONG_TYPE = {"error": {"code": 400, "message": "The value type for `durationSeconds` needs to be a number."}}


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_hint_holds_other_submits_while_its_answer_is_being_recorded(
    session: Make, wire: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk does not let more requests go to a server that has just asked for a pause."""
    apply = MemoryLedger.apply

    async def slow_apply(self: MemoryLedger, change: Change, *rest: object) -> JobRecord:
        if change.move is Move.NOT_STARTED:
            await asyncio.sleep(5)
        return await apply(self, change, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryLedger, "apply", slow_apply)
    sent_at: list[float] = []

    def submits(number: int, _: Request) -> Response:
        sent_at.append(now())
        return ok(LIMITED, 429, {"retry-after": "30"}) if number == 0 else accepted(number)

    wire.submits = submits
    async with session() as veo:
        first = await veo.enqueue(BOAT)
        await asyncio.sleep(1)  # the 429 is here, and not on record
        second = await veo.enqueue(VideoRequest("another"))
        assert isinstance(await first.outcome(), Succeeded)
        assert isinstance(await second.outcome(), Succeeded)
    assert all(at >= sent_at[0] + 30 for at in sent_at[1:])


async def test_checks_that_wait_for_a_connection_heed_a_hint(session: Make, wire: ScriptedTransport) -> None:
    """They were granted before the 429 came; those that have not begun wait with all others."""
    limited_at: list[float] = []

    async def answer(number: int, request: Request) -> Response:
        await asyncio.sleep(3)  # connections are taken, and the others wait
        if number == 0:
            limited_at.append(now())
            return ok(LIMITED, 429, {"retry-after": "60"})
        return (done if now() > 200 else running)(operation_of(request))

    wire.checks = answer
    async with session() as veo:
        jobs = [await veo.enqueue(VideoRequest(f"boat {i}")) for i in range(45)]
        outcomes = [await job.outcome() for job in jobs]
    assert all(isinstance(outcome, Succeeded) for outcome in outcomes)
    early = [at for at, _ in wire.checked if limited_at[0] <= at < limited_at[0] + 60]
    assert early == []


async def test_every_job_may_be_written_anew_once_the_type_of_the_duration_is_known(
    session: Make, wire: ScriptedTransport
) -> None:
    """A job that was sent before another one taught us, and not for the first time, is not refused for it."""
    begun_again = asyncio.Event()

    async def submits(number: int, request: Request) -> Response:
        body = b"".join(part for part in request.body if isinstance(part, bytes))
        if number == 1:
            begun_again.set()
        if number == 0:
            return ok(LIMITED, 429)
        as_string = b'"durationSeconds":"8"' in body.replace(b" ", b"")
        # the second attempt of the first job is answered after the other job has taught the session
        await asyncio.sleep(10 if b"boat 0" in body else 0)
        return accepted(number) if as_string else ok(WRONG_TYPE, 400)

    wire.submits = submits
    async with session() as veo:
        first = await veo.enqueue(VideoRequest("boat 0", duration_seconds=8))
        await begun_again.wait()
        second = await veo.enqueue(VideoRequest("boat 1", duration_seconds=8))
        assert isinstance(await second.outcome(), Succeeded)
        assert isinstance(await first.outcome(), Succeeded)


async def test_a_withdrawal_that_cannot_be_recorded_breaks_nothing(
    session: Make, wire: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job stays queued; the session and its other jobs go on."""
    apply = MemoryLedger.apply

    async def failing_apply(self: MemoryLedger, change: Change, *rest: object) -> JobRecord:
        if change.move is Move.TAKEN_BACK:
            raise LedgerError("the disk is full")
        return await apply(self, change, *rest)  # type: ignore[arg-type]

    wire.submits = lambda number, _: (
        ok(LIMITED, 429, {"retry-after": "60"}) if number == 0 else accepted(number)
    )
    async with session() as veo:
        other = await veo.enqueue(VideoRequest("another"))
        await asyncio.sleep(1)
        monkeypatch.setattr(MemoryLedger, "apply", failing_apply)
        submitting = asyncio.create_task(veo.submit(BOAT))
        await asyncio.sleep(1)
        submitting.cancel()
        assert isinstance(await other.outcome(), Succeeded)
        assert veo.statistics().jobs[State.UNKNOWN] == 0
        assert len(veo.jobs) == 2
