"""What is promised, seen from the server: what it billed, how often it was asked, by how many sockets."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.end_to_end.departures import Departures
from veo_async import (
    AuthenticationError,
    ContentBlockedError,
    InsufficientBalanceError,
    Limits,
    OperationFilteredError,
    PollPolicy,
    Provider,
    Rate,
    RejectedError,
    Succeeded,
    Timeouts,
    VeoError,
    VeoSession,
    VideoRequest,
)
from veo_async.emulator import Emulator, Fault, Waiting
from veo_async.engine.lifecycle import State

pytestmark = pytest.mark.anyio

FAST = PollPolicy(expected=0.3, min_interval=0.05)
QUICK = Timeouts(connect=2, submit_read=1, check_read=1, shutdown=5)
LIMITS = Limits(submits=Rate(12_000, per=60), checks=Rate(200, per=1))


@asynccontextmanager
async def serving(**options: object) -> AsyncGenerator[Emulator, None]:
    settings: dict[str, object] = {"waiting": Waiting.uniform(0.1, 0.5), "clip": "tiny", **options}
    async with Emulator(**settings) as emulator:  # type: ignore[arg-type]
        yield emulator


def session(emulator: Emulator, **options: object) -> VeoSession:
    provider = Provider.gptproto(api_key=emulator.key, base_url=emulator.base_url, limits=LIMITS)
    settings: dict[str, object] = {"poll": FAST, "timeouts": QUICK, **options}
    return VeoSession(provider, **settings)  # type: ignore[arg-type]


async def test_many_videos_end_as_whole_files_within_the_rates(
    tmp_path: Path, departures: Departures
) -> None:
    """120 jobs over at most 16 sockets for checks; no stated window over its rate."""
    limits = Limits(submits=Rate(100, per=1), checks=Rate(40, per=1))
    async with serving() as emulator:
        provider = Provider.gptproto(api_key=emulator.key, base_url=emulator.base_url, limits=limits)
        async with VeoSession(provider, ledger=tmp_path / "jobs.db", poll=FAST) as veo:
            paths: list[Path] = []
            async for item in veo.as_completed(VideoRequest(f"boat {i}") for i in range(120)):
                assert item.job is not None
                paths += await item.job.save(tmp_path / "out")
        assert len(emulator.bill) == len(set(paths)) == 120
        assert len(emulator.requests.sockets("check")) <= 16
        assert len(departures.checks) == emulator.requests.count("check")
        assert departures.most_within(1.0, departures.checks) <= 40
        assert len(departures.submits) == emulator.requests.count("submit")
        assert departures.most_within(1.0, departures.submits) <= 100
        assert all(path.read_bytes()[4:8] == b"ftyp" for path in paths)


async def test_cancelling_half_of_the_awaiters_loses_nothing_on_the_bill() -> None:
    """Whatever was cancelled, and when: the session knows every operation that the server billed."""
    dice = random.Random(11)
    async with serving() as emulator:
        veo = session(emulator, on_exit="drain")
        async with veo:
            tasks = [asyncio.create_task(veo.generate(VideoRequest(f"boat {i}"))) for i in range(200)]
            for task in dice.sample(tasks, 100):
                asyncio.get_running_loop().call_later(dice.uniform(0, 0.6), task.cancel)
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            finished = [end for end in ended if not isinstance(end, BaseException)]
            assert len(finished) >= 100
        known = {job.operation for job in veo.jobs if job.operation}
        assert known == set(emulator.bill.operations)
        assert not emulator.bill.doubled
        assert veo.report is not None
        assert not veo.report.unknown
        assert veo.report.jobs[State.SUCCEEDED] == len(emulator.bill)


SEED_ERRORS: list[tuple[Callable[[], Fault], type[VeoError]]] = [
    (Fault.unauthorized, AuthenticationError),
    (Fault.insufficient_balance, InsufficientBalanceError),
    (lambda: Fault.policy(status=400), ContentBlockedError),
    (lambda: Fault.policy(status=503), ContentBlockedError),
]


@pytest.mark.parametrize(("fault", "error"), SEED_ERRORS)
@pytest.mark.parametrize("endpoint", ["submit", "check"])
async def test_the_seeds_errors_reach_the_awaiter_within_one_request(
    endpoint: str, fault: Callable[[], Fault], error: type[VeoError]
) -> None:
    """On submit and on status check alike."""
    async with serving(waiting=60.0) as emulator:
        emulator.faults.add(endpoint, fault())  # type: ignore[arg-type]
        async with session(emulator, on_exit="detach") as veo:
            with pytest.raises(error):
                await asyncio.wait_for(veo.generate(VideoRequest("a paper boat")), 10)
        assert emulator.requests.count(endpoint) == 1  # type: ignore[arg-type]


async def test_a_500_rejects_a_submit_and_only_delays_a_check() -> None:
    """The provider's own 500 is final for a submit that is not sent again, and passes for a check."""
    async with serving() as emulator:
        emulator.faults.add("submit", Fault.internal_error(), call=1)
        emulator.faults.add("check", Fault.internal_error(), call=1)
        async with session(emulator) as veo:
            with pytest.raises(RejectedError) as raised:
                await veo.generate(VideoRequest("a paper boat"))
            assert raised.value.billed == "unknown"
            job = await veo.submit(VideoRequest("a paper boat"))
            assert isinstance(await job.outcome(), Succeeded)
        assert emulator.requests.count("submit") == 2


LOST_ANSWERS: list[Callable[[], Fault]] = [
    lambda: Fault.reset_after_reading(accepted=True),
    lambda: Fault.close(accepted=True),
    lambda: Fault.silence(accepted=True),
    lambda: Fault.half_header(accepted=True),
    Fault.short_body,
    Fault.chunk_cut,
    Fault.unframed_cut,
    lambda: Fault.html(502, accepted=True),
    lambda: Fault.html(200, accepted=True),
    lambda: Fault.answer(200, b"", {}, accepted=True),
    lambda: Fault.answer(204, b"", {}, accepted=True),
]


@pytest.mark.parametrize("fault", LOST_ANSWERS)
async def test_a_paid_submit_whose_answer_is_lost_is_sent_once_and_reported(
    fault: Callable[[], Fault], tmp_path: Path
) -> None:
    """One POST, one operation on the bill, and the job is known to be unknown."""
    async with serving() as emulator:
        emulator.faults.add("submit", fault())
        async with session(emulator, ledger=tmp_path / "jobs.db") as veo:
            job = await veo.enqueue(VideoRequest("a paper boat"))
            outcome = await asyncio.wait_for(job.outcome(), 15)
            assert outcome.billed == "unknown"
            assert job.state is State.UNKNOWN
        async with session(emulator, ledger=tmp_path / "jobs.db") as veo:
            (again,) = await veo.resume()
            assert (again.id, again.state) == (job.id, State.UNKNOWN)
            await asyncio.sleep(0.1)
        assert emulator.requests.count("submit") == 1
        assert len(emulator.bill) == 1


async def test_a_redirected_submit_is_refused_and_never_followed() -> None:
    """A 307 would send the paid body and the key again."""
    async with serving() as emulator:
        emulator.faults.add("submit", Fault.redirect("/v1beta/models/x:predictLongRunning", 307))
        async with session(emulator) as veo:
            with pytest.raises(RejectedError) as raised:
                await veo.generate(VideoRequest("a paper boat"))
            assert raised.value.reason == "redirect"
        assert emulator.requests.count("submit") == 1


async def test_jobs_that_meet_429_all_finish(tmp_path: Path) -> None:
    """A server with a tighter quota than the session's: everything is accepted once in the end."""
    async with serving(submits_per_minute=6000, checks_per_second=30) as emulator:
        async with session(emulator) as veo:
            results = await asyncio.gather(*(veo.generate(VideoRequest(f"boat {i}")) for i in range(30)))
        assert len(results) == len(emulator.bill) == 30
        assert not emulator.bill.doubled


async def test_a_killed_sessions_jobs_are_resumed_from_the_ledger(tmp_path: Path) -> None:
    """Queued ones are sent once, running ones checked, finished ones left alone."""
    async with serving() as emulator:
        requests = [VideoRequest(f"boat {i}", idempotency_key=f"k{i}") for i in range(20)]
        async with session(emulator, ledger=tmp_path / "jobs.db") as veo:
            for request in requests[:10]:
                await veo.submit(request)
            for request in requests[10:]:
                await veo.enqueue(request)
        async with session(emulator, ledger=tmp_path / "jobs.db") as veo:
            await veo.resume()
            jobs = [await veo.submit(request) for request in requests]
            outcomes = [await job.outcome() for job in jobs]
            assert {type(outcome) for outcome in outcomes} == {Succeeded}
        assert len(emulator.bill) == 20
        assert not emulator.bill.doubled


async def test_a_filtered_video_and_a_streamed_one() -> None:
    """The filter's reasons reach the caller; a web app can hand the bytes on."""
    async with serving() as emulator, session(emulator) as veo:
        with pytest.raises(OperationFilteredError) as raised:
            await veo.generate(VideoRequest("something forbidden"))
        assert raised.value.reasons
        result = await veo.generate(VideoRequest("a paper boat"))
        body = b"".join([chunk async for chunk in veo.stream(result.videos[0])])
        assert body[4:8] == b"ftyp"


@pytest.mark.parametrize("shape", ["generateVideoResponse", "inline", "generatedSamples", "videos"])
async def test_videos_are_found_wherever_they_stand(shape: str, tmp_path: Path) -> None:
    """Inside the answer too."""
    async with (
        serving(sample_shape=shape, google_uris=True, short_names=True) as emulator,
        session(emulator, ledger=tmp_path / "jobs.db") as veo,
    ):
        job = await veo.submit(VideoRequest("a paper boat"))
        (path,) = await job.save(tmp_path / "boat.mp4")
        assert path.read_bytes()[4:8] == b"ftyp"
        (stored,) = await veo.files(job.id)
        assert stored.size == path.stat().st_size


async def test_bytes_go_out_as_they_came() -> None:
    """From memory, without a ledger's detour."""
    picture = (Path(__file__).parents[2] / "examples" / "boat.png").read_bytes()
    async with serving() as emulator, session(emulator) as veo:
        await veo.generate(VideoRequest("a paper boat", image=picture))
        (entry,) = emulator.bill
        assert hashlib.sha256(picture).hexdigest() in str(entry.request)


async def test_a_picture_goes_with_the_request(tmp_path: Path) -> None:
    """Read from a file, kept in the ledger until it is accepted, sent as base64."""
    picture = Path(__file__).parents[2] / "examples" / "boat.png"
    async with serving() as emulator, session(emulator, ledger=tmp_path / "jobs.db") as veo:
        await veo.generate(VideoRequest("a paper boat", image=picture, duration_seconds="8"))
        (entry,) = emulator.bill
        assert "sha256" in str(entry.request)
