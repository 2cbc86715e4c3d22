"""What a session promises to whoever submits and awaits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from veo_async import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ContentBlockedError,
    InsufficientBalanceError,
    InvalidRequestError,
    Job,
    NotSentError,
    OperationExpiredError,
    OperationFailedError,
    OperationStalledError,
    OutcomeUnknownError,
    ProtocolError,
    Provider,
    RejectedError,
    SessionClosedError,
    Succeeded,
    VeoSession,
    VideoRequest,
    WaitTimeoutError,
)
from veo_async.engine.lifecycle import State
from veo_async.models import Failed, Rejected, Unknown, Withdrawn
from veo_async.transport import NotSentFailure
from veo_async.wire import Request

from .script import KEY, MODEL, ScriptedTransport, accepted, done, lost, ok, operation_of, running

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")

INVALID_SIGNATURE = {"error": {"message": "Invalid signature", "type": "401"}}
NO_BALANCE = {"error": {"message": "Insufficient balance", "type": "403"}}
INTERNAL = {"error": {"message": "Internal server error", "type": "500"}}
POLICY = {
    "error": {
        "message": "Input may not meet the guidelines. Please adjust and try again.",
        "type": "503",
    }
}


def now() -> float:
    return asyncio.get_running_loop().time()


# ── the way of one job ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_goes_from_the_queue_to_its_result(session: Make, wire: ScriptedTransport) -> None:
    """Every state is passed through once, and the events end."""
    async with session() as veo:
        job = await veo.enqueue(BOAT)
        assert job.state is State.QUEUED
        assert wire.sent == []
        result = await job
        assert [event.state async for event in job.events()] == ["queued", "armed", "running", "succeeded"]
    assert result.videos[0].uri == "https://gateway.example/v1beta/files/op0:download?alt=media"
    assert (result.job_id, result.operation) == (job.id, f"models/{MODEL}/operations/op0")
    assert len(wire.sent) == 1


async def test_submit_returns_once_the_provider_has_it(session: Make) -> None:
    """The operation is known then."""
    async with session() as veo:
        job = await veo.submit(BOAT)
        assert job.state is State.RUNNING
        assert job.operation == f"models/{MODEL}/operations/op0"
        assert job.token is not None
        assert job.token.startswith("veo1.")


async def test_outcome_is_exhaustive_and_never_raises_for_the_jobs_fate(
    session: Make, wire: ScriptedTransport
) -> None:
    """The same fates raise from `wait`."""
    failed = {"name": "x", "done": True, "error": {"code": 13, "message": "Internal error."}}
    wire.checks = lambda _, request: ok({**failed, "name": operation_of(request)})
    async with session() as veo:
        job = await veo.submit(BOAT)
        outcome = await job.outcome()
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.message) == (13, "Internal error.")
        with pytest.raises(OperationFailedError, match="Internal error") as raised:
            await job
        assert (raised.value.job_id, raised.value.operation) == (job.id, job.operation)


async def test_a_wait_that_times_out_leaves_the_job_going(session: Make, wire: ScriptedTransport) -> None:
    """The time limit is the waiter's, not the job's."""
    wire.checks = lambda number, request: (running if number < 3 else done)(operation_of(request))
    async with session() as veo:
        job = await veo.submit(BOAT)
        with pytest.raises(TimeoutError) as raised:
            await job.wait(timeout=1)
        assert isinstance(raised.value, WaitTimeoutError)
        assert raised.value.billed == "unknown"
        assert isinstance(await job.outcome(), Succeeded)


async def test_generate_gathers_over_one_scheduler(session: Make, wire: ScriptedTransport) -> None:
    """Many at once share ticks: far fewer instants of checking than checks."""
    async with session() as veo:
        results = await asyncio.gather(*(veo.generate(VideoRequest(f"boat {i}")) for i in range(40)))
        assert len({result.operation for result in results}) == 40
    assert len({at for at, _ in wire.checked}) <= 12


# ── cancelling ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_cancelling_one_awaiter_disturbs_nobody(session: Make, wire: ScriptedTransport) -> None:
    """Awaiters have futures of their own."""
    wire.checks = lambda number, request: (running if number < 2 else done)(operation_of(request))
    async with session() as veo:
        job = await veo.submit(BOAT)
        first, second = asyncio.create_task(job.wait()), asyncio.create_task(job.wait())
        await asyncio.sleep(1)
        first.cancel()
        assert (await second).operation == job.operation
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_cancelling_half_of_the_awaiters_loses_no_operation(
    session: Make, wire: ScriptedTransport
) -> None:
    """200 submitting tasks, 100 of them cancelled at random moments: the ledger knows all that was sent."""
    dice = random.Random(7)
    async with session(on_exit="drain") as veo:
        tasks = [asyncio.create_task(veo.generate(VideoRequest(f"boat {i}"))) for i in range(200)]
        for task in dice.sample(tasks, 100):
            asyncio.get_running_loop().call_later(dice.uniform(0, 12), task.cancel)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(end, asyncio.CancelledError) for end in ended) <= 100
        sent = len(wire.sent)
        known = {job.operation for job in veo.jobs if job.operation}
        assert known == {f"models/{MODEL}/operations/op{number}" for number in range(sent)}
    assert veo.report is not None
    assert veo.report.jobs.get(State.SUCCEEDED, 0) == len(wire.sent)
    assert veo.report.jobs.get(State.UNKNOWN, 0) == 0


@pytest.mark.parametrize("turns", range(12))
async def test_submit_cancelled_at_any_turn_loses_nothing(
    session: Make, wire: ScriptedTransport, turns: int
) -> None:
    """Cancelled before the first byte the job is withdrawn; later it goes on and is found."""
    async with session(on_exit="drain") as veo:
        task = asyncio.create_task(veo.submit(BOAT))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    assert veo.report is not None
    states = {state for state, count in veo.report.jobs.items() if count}
    expected = {State.SUCCEEDED} if wire.sent else {State.WITHDRAWN}
    assert states <= expected
    assert len(wire.sent) <= 1


async def test_cancel_says_what_it_could_do(session: Make, wire: ScriptedTransport) -> None:
    """Withdrawn while queued, detached while running, final after the end."""
    wire.checks = lambda number, request: (running if number < 1 else done)(operation_of(request))
    async with session() as veo:
        queued = await veo.enqueue(BOAT)
        assert await queued.cancel() == "withdrawn"
        assert isinstance(await queued.outcome(), Withdrawn)
        assert wire.sent == []
        job = await veo.submit(BOAT)
        assert await job.cancel() == "detached"
        with pytest.raises(Exception, match="the provider goes on"):
            await job
        assert await queued.cancel() == "final"


@pytest.mark.parametrize("way", ["resume", "attach"])
async def test_a_job_that_was_cancelled_while_it_ran_can_be_taken_up_again(
    session: Make, wire: ScriptedTransport, way: str
) -> None:
    """As its error says, in the same session too."""
    wire.checks = lambda number, request: (running if number < 3 else done)(operation_of(request))
    async with session() as veo:
        job = await veo.submit(BOAT)
        assert await job.cancel() == "detached"
        await asyncio.sleep(300)
        assert job.state is State.RUNNING
        assert job.token is not None
        (again,) = await veo.resume() if way == "resume" else [await veo.attach(job.token)]
        assert again is job
        assert (await job).operation == job.operation
        assert await veo.resume() == []
    assert len(wire.sent) == 1


# ── what the provider says ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, INVALID_SIGNATURE, AuthenticationError),
        (403, NO_BALANCE, InsufficientBalanceError),
        (400, POLICY, ContentBlockedError),
        (503, POLICY, ContentBlockedError),
    ],
)
async def test_an_error_on_a_check_reaches_the_awaiter_with_that_check(
    session: Make, wire: ScriptedTransport, status: int, body: dict[str, object], error: type[Exception]
) -> None:
    """Nobody waits for a deadline to hear of key, money or policy."""
    wire.checks = lambda _, __: ok(dict(body), status)
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        with pytest.raises(error):
            await job
        assert len(wire.checked) == 1
        if error is ContentBlockedError:
            assert isinstance(await job.outcome(), Rejected)
        else:
            assert job.state is State.RUNNING  # the operation stays open and attachable


@pytest.mark.parametrize(
    ("status", "body", "error", "state", "billed"),
    [
        (401, INVALID_SIGNATURE, AuthenticationError, State.QUEUED, "no"),
        (403, NO_BALANCE, InsufficientBalanceError, State.QUEUED, "no"),
        (400, POLICY, ContentBlockedError, State.REJECTED, "no"),
        (503, POLICY, ContentBlockedError, State.REJECTED, "no"),
        (500, INTERNAL, RejectedError, State.REJECTED, "unknown"),
        (307, {}, RejectedError, State.REJECTED, "no"),
    ],
)
async def test_an_error_on_a_submit_reaches_the_awaiter_and_is_sent_once(
    session: Make,
    wire: ScriptedTransport,
    status: int,
    body: dict[str, object],
    error: type[RejectedError],
    state: State,
    billed: str,
) -> None:
    """The provider's word decides; nothing is sent a second time."""
    wire.submits = lambda _, __: ok(dict(body), status, {"location": "https://elsewhere.example/"})
    async with session(on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(error) as raised:
            await job.accepted()
        assert type(raised.value) is error
        assert raised.value.billed == billed
        assert (job.state, len(wire.sent)) == (state, 1)
        await asyncio.sleep(600)
        assert len(wire.sent) == 1


async def test_a_pause_tells_the_awaiters_of_queued_jobs_too(session: Make, wire: ScriptedTransport) -> None:
    """One refused key: everyone hears of it at once, the queue is kept, and one request was spent."""
    wire.checks = lambda _, __: ok(INVALID_SIGNATURE, 401)
    wire.submits = lambda _, __: ok(INVALID_SIGNATURE, 401)
    async with session(on_exit="detach") as veo:
        started = now()
        ended = await asyncio.gather(
            *(veo.generate(VideoRequest(f"boat {i}")) for i in range(300)), return_exceptions=True
        )
        assert {type(end) for end in ended} == {AuthenticationError}
        assert len({id(end) for end in ended}) == 300
        assert now() - started < 1
        assert veo.statistics().jobs[State.QUEUED] == 300
        with pytest.raises(AuthenticationError):
            await veo.submit(BOAT)


async def test_resume_ends_a_pause(session: Make, wire: ScriptedTransport) -> None:
    """After the account was topped up the queue goes on, each job sent once more at most."""
    wire.submits = lambda number, _: ok(NO_BALANCE, 403) if number == 0 else accepted(number)
    async with session() as veo:
        with pytest.raises(InsufficientBalanceError):
            await veo.submit(BOAT)
        (job,) = await veo.resume()
        assert isinstance(await job.outcome(), Succeeded)
    assert len(wire.sent) == 2


async def test_internal_errors_on_a_check_are_retried_and_decide_nothing(
    session: Make, wire: ScriptedTransport
) -> None:
    """A documented 500 is about the server, not about the job."""
    wire.checks = lambda number, request: ok(INTERNAL, 500) if number < 4 else done(operation_of(request))
    async with session() as veo:
        assert isinstance(await (await veo.submit(BOAT)).outcome(), Succeeded)
    assert len(wire.checked) == 5


async def test_a_429_on_submit_is_sent_again_after_the_hint(session: Make, wire: ScriptedTransport) -> None:
    """It is proof that nothing was started, and the hint holds for every job."""
    limited = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
    wire.submits = lambda number, _: (
        ok(limited, 429, {"retry-after": "30"}) if number == 0 else accepted(number)
    )
    async with session() as veo:
        started = now()
        job = await veo.submit(BOAT)
        assert 30 <= now() - started < 40
        assert isinstance(await job.outcome(), Succeeded)
    assert len(wire.sent) == 2


@pytest.mark.parametrize("answer", [lost, lambda: ok({}), lambda: ok({"name": None}), lambda: ok({}, 502)])
async def test_a_lost_answer_is_unknown_and_never_sent_again(
    session: Make, wire: ScriptedTransport, answer: Callable[[], Exception]
) -> None:
    """At most one operation is billed, and it is reported."""
    wire.submits = lambda _, __: answer()
    async with session() as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(OutcomeUnknownError) as raised:
            await job
        assert raised.value.billed == "unknown"
        assert isinstance(await job.outcome(), Unknown)
        await asyncio.sleep(3600)
    assert len(wire.sent) == 1
    assert veo.report is not None
    assert veo.report.unknown == (job.id,)


async def test_the_same_operation_for_two_jobs_is_unknown_for_the_second(
    session: Make, wire: ScriptedTransport
) -> None:
    """A caching proxy does that: which job was billed cannot be told."""
    wire.submits = lambda _, __: accepted(0)
    async with session() as veo:
        first = await veo.submit(BOAT)
        with pytest.raises(OutcomeUnknownError) as raised:
            await veo.submit(VideoRequest("another"))
        assert raised.value.reason == "duplicate_name"
        assert isinstance(await first.outcome(), Succeeded)


async def test_no_connection_is_tried_again_and_then_told(session: Make, wire: ScriptedTransport) -> None:
    """Nothing was sent, so it is safe; the job stays queued while its awaiters are told."""
    wire.submits = lambda _, __: NotSentFailure("connection refused")
    async with session(on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(NotSentError, match="connection refused"):
            await job
        assert (job.state, wire.sent) == (State.QUEUED, [])
        wire.submits = lambda number, _: accepted(number)
        await asyncio.sleep(60)  # it goes on by itself
        assert isinstance(await job.outcome(), Succeeded)


async def test_an_operation_past_its_deadline_is_told_and_may_still_succeed(
    session: Make, wire: ScriptedTransport
) -> None:
    """Slow checks go on after the awaiters were told."""
    started = now()
    wire.checks = lambda _, request: (running if now() - started < 4000 else done)(operation_of(request))
    async with session() as veo:
        job = await veo.submit(BOAT)
        with pytest.raises(OperationStalledError):
            await job
        assert now() - started == pytest.approx(1200, abs=2)
        assert job.state is State.RUNNING
        with pytest.raises(OperationStalledError):
            await job
        await asyncio.sleep(3600)
        assert isinstance(await job.outcome(), Succeeded)


async def test_an_early_404_is_waited_out_and_a_late_one_expires(
    session: Make, wire: ScriptedTransport
) -> None:
    """The provider may not be consistent yet; later it has forgotten."""
    missing = {"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}
    wire.checks = lambda _, __: ok(missing, 404)
    async with session() as veo:
        started = now()
        with pytest.raises(OperationExpiredError):
            await veo.generate(BOAT)
        assert now() - started >= 120


async def test_done_with_nothing_is_asked_again_and_then_failed(
    session: Make, wire: ScriptedTransport
) -> None:
    """Never a success without a video, never endless."""
    wire.checks = lambda _, request: ok({"name": operation_of(request), "done": True})
    async with session() as veo:
        outcome = await (await veo.submit(BOAT)).outcome()
        assert isinstance(outcome, Failed)
        assert outcome.reason == "empty"
    assert len(wire.checked) == 4


async def test_unreadable_checks_are_told_and_the_operation_stays_open(
    session: Make, wire: ScriptedTransport
) -> None:
    """Ten in a row are enough; then it goes on."""
    wire.checks = lambda number, request: (
        ok({"done": "false"}) if number < 10 else done(operation_of(request))
    )
    async with session() as veo:
        job = await veo.submit(BOAT)
        with pytest.raises(ProtocolError):
            await job
        assert isinstance(await job.outcome(), Succeeded)


async def test_a_refused_duration_type_is_encoded_anew_once(session: Make, wire: ScriptedTransport) -> None:
    """A 400 that names the type of durationSeconds proves that nothing was started."""
    refusal = {
        "error": {
            "code": 400,
            "message": "Invalid value at 'parameters.durationSeconds' (TYPE_STRING), 8",
            "status": "INVALID_ARGUMENT",
        }
    }

    def answer(number: int, request: Request) -> object:
        body = b"".join(part for part in request.body if isinstance(part, bytes))
        return accepted(number) if b'"durationSeconds":"8"' in body.replace(b" ", b"") else ok(refusal, 400)

    wire.submits = answer  # type: ignore[assignment]
    async with session() as veo:
        job = await veo.submit(VideoRequest("boat", duration_seconds=8))
        assert isinstance(await job.outcome(), Succeeded)
    assert len(wire.sent) == 2


# ── bad input ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (VideoRequest(""), "prompt"),
        (VideoRequest("boat \ud800"), "prompt"),
        (VideoRequest("boat", model="veo-3.1", resolution="1080p", duration_seconds=4), "1080p"),
        (VideoRequest("boat", image=b"this is no picture"), "image"),
        (VideoRequest("boat", image="no/such/file.png"), "image"),
        (VideoRequest("boat", reference_images=[b""]), r"reference_images\[0\]"),
    ],
)
async def test_a_bad_request_is_refused_before_anything_is_sent(
    session: Make, wire: ScriptedTransport, request_: VideoRequest, field: str
) -> None:
    """The error names the field and the remedy."""
    async with session() as veo:
        with pytest.raises(InvalidRequestError, match=field) as raised:
            await veo.enqueue(request_)
        assert raised.value.billed == "no"
    assert wire.sent == []


async def test_what_the_catalogue_doubts_is_logged_once_and_sent(
    session: Make, wire: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """Gateways differ: a doubtful combination warns with its rule, and is not refused."""
    request = VideoRequest("boat", seed=1)
    async with session() as veo:
        await veo.generate(request)
        await veo.generate(request)
    assert len(wire.sent) == 2
    doubts = [record.getMessage() for record in caplog.records if "may not take" in record.getMessage()]
    assert doubts
    assert len(doubts) == len(set(doubts))


async def test_max_cost_holds(session: Make, wire: ScriptedTransport) -> None:
    """The job that would pass it is not sent; what was rejected frees its money."""
    wire.submits = lambda number, _: ok(POLICY, 400) if number == 0 else accepted(number)
    async with session(max_cost=1.70) as veo:  # two clips of 8 s at $0.10
        with pytest.raises(ContentBlockedError):
            await veo.generate(BOAT)
        await asyncio.gather(veo.generate(BOAT), veo.generate(BOAT))
        with pytest.raises(BudgetExceededError, match="max_cost"):
            await veo.enqueue(BOAT)
    assert len(wire.sent) == 3


async def test_max_cost_counts_a_job_once_however_often_it_is_asked_for(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """Three clips of $0.80 fit into $2.40, and the same keys again in a later session are no new cost."""
    requests = [VideoRequest(f"boat {i}", idempotency_key=f"k{i}") for i in range(3)]
    for _ in range(2):
        async with session(max_cost=2.40, ledger=tmp_path / "jobs.db") as veo:
            for request in requests:
                await veo.enqueue(request)
            with pytest.raises(BudgetExceededError):
                await veo.enqueue(BOAT)


async def test_a_key_of_another_providers_job_is_refused(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """The job is left to a session with its own provider."""
    request = VideoRequest("boat", idempotency_key="k")
    async with session(ledger=tmp_path / "jobs.db") as veo:
        await veo.enqueue(request)
    elsewhere = Provider.gptproto(api_key=KEY)
    async with VeoSession(elsewhere, ledger=tmp_path / "jobs.db") as veo:
        with pytest.raises(InvalidRequestError, match=r"gateway\.example") as raised:
            await veo.enqueue(request)
    assert raised.value.reason == "key_reuse"


async def test_the_same_idempotency_key_is_the_same_job(session: Make, wire: ScriptedTransport) -> None:
    """In parallel too; another request under it is refused."""
    request = VideoRequest("boat", idempotency_key="k")
    async with session() as veo:
        jobs = await asyncio.gather(*(veo.submit(request) for _ in range(5)))
        assert len({id(job) for job in jobs}) == 1
        with pytest.raises(InvalidRequestError) as raised:
            await veo.submit(VideoRequest("another", idempotency_key="k"))
        assert raised.value.reason == "key_reuse"
    assert len(wire.sent) == 1


async def test_a_withdrawn_job_gives_its_idempotency_key_back(session: Make, wire: ScriptedTransport) -> None:
    """Asked for again, it is a new job and is sent."""
    request = VideoRequest("boat", idempotency_key="k")
    async with session() as veo:
        first = await veo.enqueue(request)
        assert await first.cancel() == "withdrawn"
        second = await veo.submit(request)
        assert second.id != first.id
    assert len(wire.sent) == 1


# ── many ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_as_completed_yields_each_once_and_no_bad_one_raises(
    session: Make, wire: ScriptedTransport
) -> None:
    """Back-pressure holds, whatever the iterable is."""
    taken = 0

    async def requests() -> object:
        nonlocal taken
        for number in range(50):
            taken += 1
            yield VideoRequest("" if number % 10 == 0 else f"boat {number}")

    seen = 0
    async with session() as veo:
        async for item in veo.as_completed(requests(), max_in_flight=7):  # type: ignore[arg-type]
            seen += 1
            assert taken - seen <= 7
            if item.request.prompt == "":
                assert isinstance(item.outcome, Rejected)
                assert isinstance(item.error, InvalidRequestError)
                assert item.job is None
            else:
                assert isinstance(item.outcome, Succeeded)
                assert item.error is None
    assert (seen, len(wire.sent)) == (50, 45)


async def test_leaving_as_completed_early_stops_taking(session: Make, wire: ScriptedTransport) -> None:
    """What was sent goes on and is drained with the session."""
    async with session() as veo:
        async for _ in veo.as_completed([VideoRequest(f"boat {i}") for i in range(50)], max_in_flight=5):
            break
        await asyncio.sleep(600)
    assert len(wire.sent) <= 6
    assert veo.report is not None
    assert veo.report.jobs.get(State.SUCCEEDED) == len(wire.sent)


async def test_what_the_iterable_raises_is_raised(session: Make) -> None:
    """Nothing hangs when taking a request fails."""

    def requests() -> object:
        yield BOAT
        raise KeyError("no more rows")

    async with session() as veo:
        with pytest.raises(KeyError):
            async for _ in veo.as_completed(requests()):  # type: ignore[arg-type]
                pass


async def test_a_pause_ends_as_completed_with_undecided_items(session: Make, wire: ScriptedTransport) -> None:
    """A bad key does not hang a batch: every item says why it is not decided."""
    wire.submits = lambda _, __: ok(INVALID_SIGNATURE, 401)
    async with session(on_exit="detach") as veo:
        items = [item async for item in veo.as_completed([BOAT] * 5)]
    assert {type(item.error) for item in items} == {AuthenticationError}
    assert {item.outcome for item in items} == {None}


# ── operations of others, and of earlier processes ──────────────────────────────────────────────────────────


async def test_attaching_by_operation_or_token_shares_the_checks(
    session: Make, wire: ScriptedTransport
) -> None:
    """Two handles on one operation are one job with one series of checks."""
    async with session() as veo:
        first = await veo.attach("operations/abc", model="veo-3.1-fast")
        second = await veo.attach(f"models/{MODEL}/operations/abc")
        assert first is second
        assert first.token is not None
        assert await veo.attach(first.token) is first
        assert isinstance(await first.outcome(), Succeeded)
    assert len(wire.checked) == 1


async def test_a_foreign_token_is_refused(session: Make) -> None:
    """One provider a session."""
    from veo_async.tokens import Token

    token = Token(provider="gptproto", origin="https://gptproto.com", model="m", operation="o").encode()
    async with session() as veo:
        for bad in (token, "veo1.rubbish", "veo1."):
            with pytest.raises(ConfigurationError):
                await veo.attach(bad)


async def test_attach_many_spreads_its_first_checks(session: Make, wire: ScriptedTransport) -> None:
    """600 operations of somebody else: no burst beyond the rate."""
    async with session() as veo:
        jobs = await veo.attach_many((f"operations/o{i}" for i in range(600)), model="veo-3.1-fast")
        assert len(jobs) == 600
        await asyncio.gather(*(job.outcome() for job in jobs))
    times = sorted(at for at, _ in wire.checked)
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[20:], strict=False))


async def test_attaching_in_a_loop_lets_others_on(session: Make, wire: ScriptedTransport) -> None:
    """A ledger in memory has nothing to wait for; what was attached is taken up in between."""
    async with session(on_exit="detach") as veo:
        open_operations: list[int] = []
        for number in range(3):
            await veo.attach_many(f"models/{MODEL}/operations/{number}-{n}" for n in range(10))
            open_operations.append(veo.statistics().open_operations)
    assert open_operations == [10, 20, 30]


async def test_what_is_attached_together_begins_at_one_instant(
    session: Make, wire: ScriptedTransport
) -> None:
    """It is one call."""
    async with session(on_exit="detach") as veo:
        jobs = await veo.attach_many(f"models/{MODEL}/operations/{number}" for number in range(10))
    assert len({(job.record.created_at, job.record.accepted_at) for job in jobs}) == 1


# ── opening and closing ─────────────────────────────────────────────────────────────────────────────────────


async def test_leaving_with_a_memory_ledger_drains(session: Make, wire: ScriptedTransport) -> None:
    """Nothing else could take the jobs up."""
    async with session() as veo:
        jobs = [await veo.enqueue(VideoRequest(f"boat {i}")) for i in range(10)]
    assert {job.state for job in jobs} == {State.SUCCEEDED}
    assert wire.closed


async def test_detaching_from_memory_withdraws_what_is_queued_and_logs_tokens(
    session: Make, wire: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """What runs can be attached to by its token."""
    wire.checks = lambda _, request: running(operation_of(request))
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        queued = await veo.enqueue(BOAT)
    assert queued.state is State.WITHDRAWN
    assert job.token is not None
    assert job.token in caplog.text
    with pytest.raises(SessionClosedError):
        await job
    with pytest.raises(SessionClosedError):
        await veo.submit(BOAT)


async def test_closing_waits_for_the_answer_of_a_submit_under_way(
    session: Make, wire: ScriptedTransport
) -> None:
    """An armed submit is finished, whatever the body of `async with` raised."""

    async def slowly() -> object:
        await asyncio.sleep(20)
        return accepted(0)

    wire.submits = lambda _, __: slowly()  # type: ignore[assignment,return-value]
    jobs: list[Job] = []

    async def use() -> None:
        async with session(on_exit="detach") as veo:
            jobs.append(await veo.enqueue(BOAT))
            await asyncio.sleep(1)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        await use()
    assert jobs[0].state is State.RUNNING


async def test_aborting_leaves_what_was_sent_unknown(session: Make, wire: ScriptedTransport) -> None:
    """Sent without an answer: it may be billed."""

    async def never() -> object:
        await asyncio.sleep(10_000)
        return accepted(0)

    wire.submits = lambda _, __: never()  # type: ignore[assignment,return-value]
    async with session(on_exit="abort") as veo:
        job = await veo.enqueue(BOAT)
        await asyncio.sleep(1)
    assert job.state is State.UNKNOWN
    assert veo.report is not None
    assert veo.report.unknown == (job.id,)


async def test_cancelling_a_drain_detaches_first(session: Make, wire: ScriptedTransport) -> None:
    """The cancellation goes on once everything is in order."""
    wire.checks = lambda _, request: running(operation_of(request))
    veo = session()

    async def use() -> None:
        async with veo:
            await veo.submit(BOAT)

    task = asyncio.create_task(use())
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert veo.report is not None
    assert len(veo.report.running) == 1


async def test_closing_twice_and_unopened_is_harmless(session: Make) -> None:
    """Idempotent, safe from any state."""
    never_opened = session()
    assert await never_opened.aclose() is None
    async with session() as veo:
        pass
    assert await veo.aclose("abort") is veo.report


async def test_a_bug_in_a_task_reaches_every_awaiter(session: Make, wire: ScriptedTransport) -> None:
    """No hang: the session closes with it and says so."""

    def explode(_: int, __: Request) -> object:
        raise ZeroDivisionError("bug")

    veo = await session().__aenter__()
    jobs = [await veo.submit(VideoRequest(f"boat {i}")) for i in range(3)]
    wire.checks = explode  # type: ignore[assignment]
    ended = await asyncio.gather(*(job.wait() for job in jobs), return_exceptions=True)
    assert {type(end) for end in ended} == {SessionClosedError}
    with pytest.raises(SessionClosedError, match="bug"):
        await veo.aclose()


async def test_a_session_is_of_one_loop(session: Make) -> None:
    """Use from another thread is refused before any state is touched."""
    async with session() as veo:

        def elsewhere() -> None:
            asyncio.run(veo.enqueue(BOAT))

        with pytest.raises(ConfigurationError, match="loop"):
            await asyncio.to_thread(elsewhere)
    with pytest.raises(ConfigurationError):
        await veo.__aenter__()
