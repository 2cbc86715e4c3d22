"""Unknown jobs and the provider's list of operations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from veo_async import Job, LedgerError, OutcomeUnknownError, Provider, Succeeded, VeoSession, VideoRequest
from veo_async.engine.adoption import candidates
from veo_async.engine.lifecycle import State
from veo_async.wire import Response

from .script import BASE, KEY, MODEL, FlakyLedger, ScriptedTransport, accepted, listed, lost, ok

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")
DAY_S = 86_400.0


def name(number: int | str) -> str:
    return f"models/{MODEL}/operations/op{number}"


@pytest.fixture
def provider() -> Provider:
    """A provider that lists operations."""
    return Provider.gemini(api_key=KEY, base_url=BASE, can_list=True)


async def unknown(veo: VeoSession, request: VideoRequest = BOAT) -> Job:
    job = await veo.enqueue(request)
    with pytest.raises(OutcomeUnknownError):
        await job.accepted()
    return job


async def test_an_unknown_job_is_found_by_itself(session: Make, wire: ScriptedTransport) -> None:
    """A moment after its answer was lost it runs, and its video comes; nothing is sent again."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: listed(name("x"))
    async with session() as veo:
        job = await unknown(veo)
        await asyncio.sleep(6)
        assert job.operation == name("x")
        assert job.record.adopted == "list"
        result = await job
        assert (result.job_id, result.operation) == (job.id, name("x"))
    assert (len(wire.sent), len(wire.listings)) == (1, 1)


async def test_it_is_looked_for_some_times_within_ten_minutes(session: Make, wire: ScriptedTransport) -> None:
    """The list may come to know of it late; then nobody is asked any more."""
    wire.submits = lambda _, __: lost()
    async with session() as veo:
        await unknown(veo)
        await asyncio.sleep(7200)
        gaps = [later - at for at, later in zip(wire.listings, wire.listings[1:], strict=False)]
        assert len(wire.listings) == 5
        assert gaps == sorted(gaps)
        assert 500 <= wire.listings[-1] - wire.listings[0] <= 610


async def test_trouble_with_the_list_passes(session: Make, wire: ScriptedTransport) -> None:
    """A 500, HTML and a lost answer are waited out."""
    wire.submits = lambda _, __: lost()
    troubles: list[Callable[[], Response | Exception]] = [
        lambda: ok({"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}, 500),
        lost,
        lambda: listed(name("x")),
    ]
    wire.lists = lambda number, _: troubles[number]()
    async with session() as veo:
        job = await unknown(veo)
        await asyncio.sleep(600)
        assert isinstance(await job.outcome(), Succeeded)
    assert len(wire.listings) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (501, {"code": 501, "message": "Operation is not implemented.", "status": "UNIMPLEMENTED"}),
        (404, {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}),
        (404, None),
    ],
)
async def test_a_provider_without_lists_is_asked_once_and_never_again(
    session: Make, wire: ScriptedTransport, status: int, error: object
) -> None:
    """Whatever later jobs come to, and whoever asks."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: (
        Response(status=status, headers={}, body=b"<html>", sent_at=0.0)
        if error is None
        else ok({"error": error}, status)
    )
    async with session() as veo:
        await unknown(veo)
        await asyncio.sleep(3600)
        await unknown(veo)
        assert await veo.reconcile() == []
        await asyncio.sleep(3600)
    assert len(wire.listings) == 1


async def test_without_the_capability_nothing_is_asked(wire: ScriptedTransport) -> None:
    """No provider is known to have lists unless it is said to."""
    wire.submits = lambda _, __: lost()
    async with VeoSession(Provider.gemini(api_key=KEY, base_url=BASE)) as veo:
        await unknown(veo)
        assert await veo.reconcile() == []
        await asyncio.sleep(3600)
    assert wire.listings == []


# ── exactly one ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_of_two_strange_operations_none_is_taken(
    session: Make, wire: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """Both are named in the log."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: listed(name("x"), name("y"))
    async with session() as veo:
        job = await unknown(veo)
        assert await veo.reconcile() == []
        assert job.state is State.UNKNOWN
    assert name("x") in caplog.text
    assert name("y") in caplog.text


async def test_the_second_page_counts(session: Make, wire: ScriptedTransport) -> None:
    """One strange operation on each page are two."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda number, _: listed(name("x"), token="more") if number % 2 == 0 else listed(name("y"))
    async with session() as veo:
        await unknown(veo)
        assert await veo.reconcile() == []
    assert len(wire.listings) == 2


async def test_a_list_without_end_proves_nothing(session: Make, wire: ScriptedTransport) -> None:
    """What was not seen whole does not say that there is only one."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: listed(name("x"), token="more")
    async with session() as veo:
        await unknown(veo)
        assert await veo.reconcile() == []
        assert 20 <= len(wire.listings) <= 21  # the session's own looking may have begun


async def test_one_strange_operation_for_two_unknown_jobs_is_nobodys(
    session: Make, wire: ScriptedTransport
) -> None:
    """Whose it is cannot be told."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: listed(name("x"))
    async with session() as veo:
        jobs = [await unknown(veo), await unknown(veo)]
        assert await veo.reconcile() == []
        assert {job.state for job in jobs} == {State.UNKNOWN}


async def test_unknown_jobs_of_two_models_are_told_apart(session: Make, wire: ScriptedTransport) -> None:
    """Each model has its own list."""
    other = "veo-3.1-generate-preview"
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, request: listed(
        f"models/{other}/operations/b" if f"/{other}/" in request.url else name("a")
    )
    async with session() as veo:
        first = await unknown(veo)
        second = await unknown(veo, VideoRequest("a kite", model=other))
        assert set(await veo.reconcile()) == {first, second}
        assert first.operation == name("a")
        assert second.operation == f"models/{other}/operations/b"


async def test_what_somebody_has_is_not_strange(session: Make, wire: ScriptedTransport) -> None:
    """Operations of other jobs, final ones too, are subtracted."""
    wire.submits = lambda number, _: accepted(number) if number < 2 else lost()
    wire.lists = lambda _, __: listed(name(0), name(1), name("x"))
    async with session() as veo:
        await (await veo.submit(BOAT))
        await veo.submit(BOAT)
        job = await unknown(veo)
        assert await veo.reconcile() == [job]
        assert job.operation == name("x")


async def test_an_operation_whose_answer_is_still_on_its_way_is_not_strange(
    session: Make, wire: ScriptedTransport
) -> None:
    """The list knows it before its own job does."""

    async def slowly() -> Response:
        await asyncio.sleep(60)
        return accepted(1)

    wire.submits = lambda number, _: lost() if number == 0 else slowly()
    wire.lists = lambda _, __: listed(name(1))
    async with session() as veo:
        job = await unknown(veo)
        slow = await veo.enqueue(VideoRequest("slow"))
        await asyncio.sleep(1)
        assert slow.state is State.ARMED
        assert await veo.reconcile() == []
        assert job.state is State.UNKNOWN
        assert slow.operation == name(1)


async def test_an_operation_that_only_the_spill_has_is_not_strange(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """The ledger's tables do not show it yet."""
    wire.submits = lambda number, _: lost() if number == 0 else accepted(1)
    wire.lists = lambda _, __: listed(name(1))
    async with session() as veo:
        job = await unknown(veo)
        flaky.fails = lambda change: change.operation is not None
        await veo.submit(BOAT)
        assert await veo.reconcile() == []
        assert job.state is State.UNKNOWN


# ── the time ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("created", "found"), [(-7200, False), (-50, True), (500, True), (7200, False)])
async def test_only_operations_from_around_the_instant_of_sending_count(
    session: Make, wire: ScriptedTransport, created: float, found: bool
) -> None:
    """From one minute before to ten minutes after."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: listed(name("x"), at=time.time() + created)
    async with session() as veo:
        await unknown(veo)
        assert len(await veo.reconcile()) == found


@pytest.mark.parametrize("skew", [-DAY_S, DAY_S])
async def test_a_server_clock_that_is_a_day_off_does_not_matter(
    session: Make, wire: ScriptedTransport, skew: float
) -> None:
    """Its own Date header says so."""
    wire.submits = lambda _, __: lost()

    def page(_: int, __: object) -> Response:
        there = time.time() + skew
        date = format_datetime(datetime.fromtimestamp(there, UTC), usegmt=True)
        return listed(name("x"), at=there, date=date)

    wire.lists = page
    async with session() as veo:
        job = await unknown(veo)
        assert await veo.reconcile() == [job]


def test_candidates_by_time() -> None:
    """Bounds belong to the window; what has no time may be any job's."""
    created_at = {"before": 939.9, "first": 940.0, "last": 1600.0, "after": 1600.1, "timeless": None}
    assert candidates(created_at, 1000.0) == ("first", "last", "timeless")
    assert candidates(created_at, None) == tuple(created_at)


# ── earlier processes, failing ledgers ──────────────────────────────────────────────────────────────────────


async def test_an_unknown_job_of_an_earlier_process_is_found(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """Whether it was resumed or not."""
    wire.submits = lambda _, __: lost()
    async with session(ledger=tmp_path / "jobs.db") as veo:
        await unknown(veo)
    wire.lists = lambda _, __: listed(name("x"))
    async with session(ledger=tmp_path / "jobs.db") as veo:
        (job,) = await veo.reconcile()
        assert job.state is State.RUNNING
        assert isinstance(await job.outcome(), Succeeded)
    assert len(wire.sent) == 1


async def test_resuming_begins_to_look(session: Make, wire: ScriptedTransport, flaky: FlakyLedger) -> None:
    """A crash leaves unknown jobs behind."""
    wire.submits = lambda _, __: lost()
    async with session() as veo:
        await unknown(veo)
    wire.lists = lambda _, __: listed(name("x"))
    async with session() as veo:
        (job,) = await veo.resume()
        await asyncio.sleep(6)
        assert job.operation == name("x")


async def test_what_was_found_and_cannot_be_recorded_is_found_again(
    session: Make, wire: ScriptedTransport, flaky: FlakyLedger
) -> None:
    """Until it is on record it is not said to be found."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: listed(name("x"))
    async with session() as veo:
        job = await unknown(veo)
        flaky.fails = lambda change: change.adopted is not None
        with pytest.raises(LedgerError):
            await veo.reconcile()
        assert job.state is State.UNKNOWN
        flaky.fails = lambda _: False
        assert await veo.reconcile() == [job]


async def test_cancelling_reconcile_loses_nothing(session: Make, wire: ScriptedTransport) -> None:
    """It goes on in a task of the session."""
    wire.submits = lambda _, __: lost()
    wire.lists = lambda _, __: listed(name("x"))
    async with session() as veo:
        job = await unknown(veo)
        looking = asyncio.create_task(veo.reconcile())
        await asyncio.sleep(0.01)
        looking.cancel()
        await asyncio.sleep(1)
        assert looking.cancelled()
        assert job.operation == name("x")
