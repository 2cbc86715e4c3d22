"""What a session tells whoever watches it."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from veo_async import (
    CheckAnswered,
    ConfigurationError,
    Dropped,
    JobMoved,
    Lifted,
    Limits,
    ListAnswered,
    Paused,
    Provider,
    Rate,
    RateChanged,
    Result,
    SessionClosedError,
    SessionEvent,
    VeoSession,
    Video,
    VideoRequest,
    VideoStored,
)
from veo_async.answers import RefusalKind, Refused
from veo_async.engine.events import SUBMITS, Announce, Lift, Pause
from veo_async.session import observing, runtime
from veo_async.wire import Request

from .script import (
    BASE,
    KEY,
    MODEL,
    Answer,
    FlakyLedger,
    ScriptedTransport,
    accepted,
    done,
    lost,
    ok,
    operation_of,
    running,
)
from .test_interleavings import LIMITED
from .test_pauses import PER_DAY
from .test_session import INVALID_SIGNATURE


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


SMALL = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + box(b"moov", bytes(500)) + box(b"mdat", b"m" * 40)
"""What passes for a video."""

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
Kind = TypeVar("Kind", bound=SessionEvent)
BOAT = VideoRequest("A paper boat crosses a puddle")


async def all_of(stream: AsyncIterator[SessionEvent]) -> list[SessionEvent]:
    return [event async for event in stream]


def of(kind: type[Kind], events: Sequence[SessionEvent]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


async def told_in(veo: VeoSession, *requests: VideoRequest) -> list[SessionEvent]:
    """What a session tells from before the requests until it has closed."""
    async with veo:
        stream = veo.events(buffer=100_000)
        await asyncio.gather(*(one_outcome(veo, request) for request in requests))
    return await all_of(stream)


async def one_outcome(veo: VeoSession, request: VideoRequest) -> object:
    return await (await veo.enqueue(request)).outcome()


async def test_a_job_is_told_from_its_row_to_its_end(session: Make) -> None:
    """Every state once, with what it came from; the same states and instants as `job.events()`."""
    async with session() as veo:
        stream = veo.events()
        job = await veo.enqueue(BOAT)
        await job
        seen = [(event.state, event.at) async for event in job.events()]
    moves = of(JobMoved, await all_of(stream))
    assert [(move.before, move.state) for move in moves] == [
        (None, "queued"),
        ("queued", "armed"),
        ("armed", "running"),
        ("running", "succeeded"),
    ]
    assert [(move.state, move.at) for move in moves] == seen
    assert {move.job_id for move in moves} == {job.id}
    assert [move.operation for move in moves] == [None, None, job.operation, job.operation]


async def test_a_check_is_told_with_what_it_brought(session: Make, wire: ScriptedTransport) -> None:
    """The lag stands at the end alone: half the time since it was last seen running."""

    def check(number: int, request: Request) -> Answer:
        name = operation_of(request)
        return (running(name), lost(), ok({"name": name, "done": True}), done(name))[number]

    wire.checks = check
    events = await told_in(session(), BOAT)
    checks = of(CheckAnswered, events)
    assert [check.kind for check in checks] == ["running", "lost", "empty", "finished"]
    assert [check.lag is None for check in checks] == [True, True, True, False]
    asked = [at for at, _ in wire.checked]
    assert checks[3].lag == pytest.approx((asked[3] - asked[0]) / 2, abs=0.15)  # told by the next tick
    assert checks[3].operation == wire.checked[0][1]
    ended = next(position for position, event in enumerate(events) if event is checks[3])
    assert of(JobMoved, events[ended:])[0].state == "succeeded"


async def test_a_list_is_told_with_the_ends_it_showed(wire: ScriptedTransport) -> None:
    """One page for all, and a check that was not sent for each end: each is told once, with its lag."""
    began: dict[str, float] = {}

    def page(_: int, __: Request) -> Answer:
        now = asyncio.get_running_loop().time()
        names = [f"models/{MODEL}/operations/op{number}" for number in range(20)]
        over = [name for name in names if now >= began.setdefault(name, now) + 20]
        answers = [json.loads((done if name in over else running)(name).body) for name in names]
        return ok({"operations": answers})

    wire.lists = page
    wire.checks = lambda _, request: running(operation_of(request))
    provider = Provider.gemini(api_key=KEY, base_url=BASE, can_list=True)
    events = await told_in(VeoSession(provider), *(VideoRequest(f"boat {number}") for number in range(20)))
    pages = of(ListAnswered, events)
    assert [page.operations for page in pages] == [20] * len(wire.listings)
    ends = [check for check in of(CheckAnswered, events) if check.kind == "finished"]
    assert len(ends) == len({check.operation for check in ends}) == 20
    assert all(check.lag is not None for check in ends)


async def test_a_list_that_does_not_come_is_told(wire: ScriptedTransport) -> None:
    """As a page of nothing known; single checks do the work."""
    wire.lists = lambda _, __: lost()
    provider = Provider.gemini(api_key=KEY, base_url=BASE, can_list=True)
    wire.checks = lambda number, request: (running if number < 30 else done)(operation_of(request))
    events = await told_in(VeoSession(provider), *(VideoRequest(f"boat {number}") for number in range(20)))
    assert {page.operations for page in of(ListAnswered, events)} == {None}


async def test_a_hint_is_told_with_its_end(session: Make, wire: ScriptedTransport) -> None:
    """And so is the pace, which a 429 lowers."""
    wire.submits = lambda number, _: accepted(number) if number else ok(LIMITED, 429, {"retry-after": "30"})
    began = time.time()
    events = await told_in(session(), BOAT)
    [paused] = of(Paused, events)
    assert (paused.quota, paused.reason) == ("submits", "hint")
    assert paused.until is not None
    assert paused.until - began == pytest.approx(30, abs=5)
    rates = of(RateChanged, events)
    assert [rate.quota for rate in rates] == ["submits"]
    assert 0 < rates[0].per_minute < 50


async def test_a_pace_that_rises_is_told_in_steps(session: Make, wire: ScriptedTransport) -> None:
    """Each fall, each tenth that is gained back, and the full pace at last: not one event an answer."""
    wire.submits = lambda number, _: accepted(number) if number else ok(LIMITED, 429)
    async with session() as veo:
        stream = veo.events(buffer=100_000)
        for number in range(100):
            await veo.generate(VideoRequest(f"boat {number}"))
    paces = [rate.per_minute for rate in of(RateChanged, await all_of(stream)) if rate.quota == "submits"]
    assert paces[0] < paces[-1] == 50
    assert all(after >= min(50, before * 1.1) for before, after in pairwise(paces))
    assert 2 <= len(paces) <= 5


async def test_a_pause_is_told_and_its_end_too(session: Make, wire: ScriptedTransport) -> None:
    """A refused key stands still until someone resumes."""
    wire.submits = lambda number, _: ok(INVALID_SIGNATURE, 401) if number == 0 else accepted(number)
    async with session() as veo:
        stream = veo.events()
        job = await veo.enqueue(BOAT)
        await job.settled()
        assert [(still.quota, still.reason) for still in veo.statistics().standstills] == [
            ("submits", "authentication")
        ]
        await veo.resume()
        other = await veo.enqueue(VideoRequest("another"))
        await other
        assert veo.statistics().standstills == ()
    events = await all_of(stream)
    [paused], [lifted] = of(Paused, events), of(Lifted, events)
    assert (paused.quota, paused.reason, paused.until) == ("submits", "authentication", None)
    assert lifted.quota == "submits"
    assert events.index(paused) < events.index(lifted)


async def test_a_pause_that_is_over_at_once_is_told_in_full(session: Make) -> None:
    """Two answers of one turn may bring it and end it."""
    async with session() as veo:
        stream, room = veo.events(), veo._runtime
        assert room is not None
        pause = Pause(RefusalKind.QUOTA, Refused(kind=RefusalKind.QUOTA))
        room._observer.turned((), [Announce(SUBMITS, pause), Lift(SUBMITS)])
        paused, lifted = [await anext(stream) for _ in range(2)]
    assert isinstance(paused, Paused)
    assert (paused.reason, paused.until) == ("quota", None)
    assert isinstance(lifted, Lifted)


async def test_a_days_quota_is_told_with_its_reset(session: Make, wire: ScriptedTransport) -> None:
    """As an instant of the wall clock."""
    wire.submits = lambda _, __: ok(PER_DAY, 429)
    async with session(on_exit="detach") as veo:
        stream = veo.events()
        job = await veo.enqueue(BOAT)
        await job.settled()
        [still] = veo.statistics().standstills
    [paused] = of(Paused, await all_of(stream))
    assert (paused.reason, still.reason) == ("quota", "quota")
    assert paused.until is not None
    assert 0 < paused.until - paused.at <= 86_400
    assert still.until == pytest.approx(paused.until, abs=1)


async def test_a_ledger_that_fails_is_told_as_such(
    session: Make, flaky: FlakyLedger, wire: ScriptedTransport
) -> None:
    """Not as a provider that cannot be reached."""
    flaky.fails = lambda change: change.move == "armed"
    async with session(on_exit="detach") as veo:
        stream = veo.events()
        job = await veo.enqueue(BOAT)
        await job.settled()
        [still] = veo.statistics().standstills
    [paused] = of(Paused, await all_of(stream))
    assert (still.reason, paused.reason, paused.until) == ("ledger", "ledger", None)


async def test_a_money_limit_is_told_as_such(session: Make, wire: ScriptedTransport) -> None:
    """What an unknown job may cost keeps the next from being sent."""
    wire.submits = lambda _, __: lost()
    async with session(on_exit="detach", max_unknown_cost=0.1) as veo:
        stream = veo.events()
        for _ in range(2):
            await (await veo.enqueue(BOAT)).settled()
    assert {paused.reason for paused in of(Paused, await all_of(stream))} == {"budget"}


async def test_a_stored_video_is_told(
    session: Make, flaky: FlakyLedger, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """With its place and size, once it is whole."""
    async with session(on_exit="detach") as veo:
        stream = veo.events()
        video = Video(sha256=await flaky.keep(SMALL))
        job = await veo.submit(BOAT)
        await veo.save(Result(videos=(video,), job_id=job.id), tmp_path / "boat.mp4")
        await veo.save(video, tmp_path / "again.mp4")
    first, second = of(VideoStored, await all_of(stream))
    assert (first.job_id, first.index, first.size) == (job.id, 0, len(SMALL))
    assert first.path == tmp_path / "boat.mp4"
    assert (second.job_id, second.path) == (None, tmp_path / "again.mp4")


async def test_a_reader_that_does_not_read_costs_the_session_nothing(session: Make) -> None:
    """All jobs end; it has as many events as it wanted, and the number of those that are gone."""
    async with session() as veo:
        slow, whole = veo.events(buffer=5), veo.events(buffer=100_000)
        await asyncio.gather(*(veo.generate(VideoRequest(f"boat {number}")) for number in range(40)))
    told, all_told = await all_of(slow), await all_of(whole)
    assert told[0] == Dropped(count=len(all_told) - 5)
    assert told[1:] == all_told[-5:]


async def test_events_end_with_the_session(session: Make, wire: ScriptedTransport) -> None:
    """Whoever waits is woken; what came before is still read; later calls are refused."""
    wire.checks = lambda _, request: running(operation_of(request))
    async with session(on_exit="detach") as veo:
        reading = asyncio.create_task(all_of(veo.events()))
        await veo.submit(BOAT)
    events = await reading
    assert of(JobMoved, events)[-1].state == "running"
    with pytest.raises(SessionClosedError):
        veo.events()


async def test_what_closing_moves_is_told(session: Make, wire: ScriptedTransport) -> None:
    """The last move is before the end."""
    wire.submits = lambda _, __: ok(INVALID_SIGNATURE, 401)
    async with session(on_exit="detach") as veo:
        stream = veo.events()
        await (await veo.enqueue(BOAT)).settled()
    assert of(JobMoved, await all_of(stream))[-1].state == "withdrawn"


async def test_nothing_is_made_when_nobody_reads(
    session: Make, wire: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event, from the start or after the last reader has left."""

    def made(**facts: object) -> None:
        raise AssertionError(f"made for nobody: {facts}")

    async with session() as veo:
        stream = veo.events()
        await veo.generate(BOAT)
        assert isinstance(await anext(stream), JobMoved)
        del stream
        gc.collect()
        monkeypatch.setattr(observing, "CheckAnswered", made)
        monkeypatch.setattr(runtime, "JobMoved", made)
        await veo.generate(VideoRequest("another"))


async def test_a_new_reader_hears_only_of_what_is_new(session: Make, wire: ScriptedTransport) -> None:
    """A pace that fell while nobody read is no news later."""
    wire.submits = lambda number, _: accepted(number) if number else ok(LIMITED, 429, {"retry-after": "1"})
    async with session() as veo:
        await veo.events().aclose()  # an earlier reader knew another pace
        await veo.generate(BOAT)
        stream = veo.events()
        await veo.generate(VideoRequest("another"))
    events = await all_of(stream)
    assert of(RateChanged, events) == []
    assert of(Paused, events) == []


async def test_a_pace_of_checks_is_told_apart(wire: ScriptedTransport) -> None:
    """Each quota has its own."""
    provider = Provider.gemini(api_key=KEY, base_url=BASE, limits=Limits(checks=Rate(1, per=2)))
    wire.checks = lambda number, request: done(operation_of(request)) if number else ok(LIMITED, 429)
    events = await told_in(VeoSession(provider), BOAT)
    assert [rate.quota for rate in of(RateChanged, events)][:1] == ["checks"]


@pytest.mark.parametrize("buffer", [0, -1])
async def test_a_buffer_without_room_is_refused(session: Make, buffer: int) -> None:
    """It could tell of nothing."""
    async with session() as veo:
        with pytest.raises(ConfigurationError, match="buffer must be at least 1"):
            veo.events(buffer=buffer)


async def test_a_move_that_could_not_be_recorded_is_not_told(
    session: Make, flaky: FlakyLedger, wire: ScriptedTransport
) -> None:
    """What is not durable has not happened."""
    flaky.fails = lambda change: change.move == "succeeded"
    async with session(on_exit="detach") as veo:
        stream = veo.events()
        job = await veo.enqueue(BOAT)
        await job.settled()
        assert flaky.refused
    assert of(JobMoved, await all_of(stream))[-1].state == "running"
