"""What makes a session stand still, and what ends that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from veo_async import (
    AuthenticationError,
    InsufficientBalanceError,
    OperationError,
    Provider,
    QuotaExhaustedError,
    RejectedError,
    RetryPolicy,
    Succeeded,
    VeoSession,
    VideoRequest,
)
from veo_async.engine.lifecycle import State
from veo_async.engine.resets import seconds_to_reset
from veo_async.session.zones import quota_zones
from veo_async.transport import NotSentFailure

from .script import BASE, ScriptedTransport, accepted, done, ok, operation_of
from .test_session import INVALID_SIGNATURE, NO_BALANCE

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")
HOUR_S = 3600.0
PER_DAY = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}],
            }
        ],
    }
}


class Keys:
    """A callable that gives keys, the last one again and again."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.asked: list[float] = []

    async def __call__(self) -> str:
        self.asked.append(asyncio.get_running_loop().time())
        return self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]


# ── key and money ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(401, INVALID_SIGNATURE, AuthenticationError), (403, NO_BALANCE, InsufficientBalanceError)],
)
async def test_a_new_key_ends_a_pause_with_nothing_left_to_check(
    wire: ScriptedTransport, status: int, body: dict[str, object], error: type[Exception]
) -> None:
    """The callable is asked now and then; once it gives another key, the queue goes on by itself."""
    keys = Keys("sk-old-0123456789abcdef")
    works = False
    wire.submits = lambda number, _: accepted(number) if works else ok(dict(body), status)
    async with VeoSession(Provider.gemini(api_key=keys, base_url=BASE), on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(error):
            await job
        sent = len(wire.sent)
        await asyncio.sleep(2 * HOUR_S)
        assert len(wire.sent) == sent  # the same key is not tried again
        assert 20 <= len(keys.asked) <= 30
        works, keys.keys = True, ["sk-new-0123456789abcdef"]
        await asyncio.sleep(600)
        assert isinstance(await job.outcome(), Succeeded)
        asked = len(keys.asked)
        await asyncio.sleep(HOUR_S)
        assert len(keys.asked) == asked
    assert len(wire.sent) == sent + 1


async def test_a_callable_that_fails_is_asked_again(wire: ScriptedTransport) -> None:
    """A sign-in may be down as well."""

    class Failing(Keys):
        async def __call__(self) -> str:
            key = await super().__call__()
            if len(self.asked) in {3, 4}:
                raise RuntimeError("sign-in is down")
            return key

    keys = Failing("sk-old-0123456789abcdef")
    wire.submits = lambda number, _: accepted(number) if number > 1 else ok(INVALID_SIGNATURE, 401)
    async with VeoSession(Provider.gemini(api_key=keys, base_url=BASE), on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(AuthenticationError):
            await job
        keys.keys = ["sk-new-0123456789abcdef"]
        await asyncio.sleep(HOUR_S)
        assert isinstance(await job.outcome(), Succeeded)


async def test_a_fixed_key_waits_for_resume(session: Make, wire: ScriptedTransport) -> None:
    """One refusal a key: nothing tries it again by itself."""
    wire.submits = lambda number, _: accepted(number) if number else ok(INVALID_SIGNATURE, 401)
    async with session(on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(AuthenticationError):
            await job
        await asyncio.sleep(24 * HOUR_S)
        assert len(wire.sent) == 1
        await veo.resume()
        assert isinstance(await job.outcome(), Succeeded)


async def test_a_pause_by_a_check_whose_operation_is_gone_ends_with_a_new_key(
    wire: ScriptedTransport,
) -> None:
    """Nothing is left that could probe."""
    keys = Keys("sk-old-0123456789abcdef")
    wire.checks = lambda _, __: ok(INVALID_SIGNATURE, 401)
    async with VeoSession(Provider.gemini(api_key=keys, base_url=BASE), on_exit="detach") as veo:
        running_job = await veo.submit(BOAT)
        with pytest.raises(AuthenticationError):
            await running_job
        await running_job.cancel()
        job = await veo.enqueue(BOAT)
        wire.checks = lambda _, request: done(operation_of(request))
        keys.keys = ["sk-new-0123456789abcdef"]
        await asyncio.sleep(600)
        assert isinstance(await job.outcome(), Succeeded)


# ── a day's quota ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        ("2026-01-15T00:00:00Z", "2026-01-15T00:01:00Z"),
        ("2026-01-15T00:01:00Z", "2026-01-15T08:01:00Z"),
        ("2026-01-15T08:01:00Z", "2026-01-16T00:01:00Z"),
        ("2026-07-15T00:01:00Z", "2026-07-15T07:01:00Z"),
        ("2026-07-15T07:30:00Z", "2026-07-16T00:01:00Z"),
        (
            "2026-03-08T00:30:00Z",
            "2026-03-08T08:01:00Z",
        ),  # the night in which the Pacific's clocks go forward
        ("2026-03-09T00:30:00Z", "2026-03-09T07:01:00Z"),
        ("2026-11-01T00:30:00Z", "2026-11-01T07:01:00Z"),
        ("2026-11-02T00:30:00Z", "2026-11-02T08:01:00Z"),
    ],
)
def test_quotas_reset_at_midnight_in_utc_or_the_pacific(now: str, reset: str) -> None:
    """A minute later, since clocks differ; summer and winter."""
    began, ends = (datetime.fromisoformat(text).timestamp() for text in (now, reset))
    assert seconds_to_reset(began, quota_zones()) == ends - began


def test_without_a_time_zone_database_the_pacific_has_winter_all_the_year(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An hour late in summer, and never early."""

    def missing(name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr("veo_async.session.zones.ZoneInfo", missing)
    quota_zones.cache_clear()
    try:
        july = datetime(2026, 7, 15, 1, tzinfo=UTC).timestamp()
        assert seconds_to_reset(july, quota_zones()) == 7 * HOUR_S + 60
    finally:
        quota_zones.cache_clear()


async def test_a_days_quota_without_a_hint_ends_at_its_reset(session: Make, wire: ScriptedTransport) -> None:
    """Its awaiters are told; one job tries then, and the queue goes on by itself."""
    wire.submits = lambda number, _: accepted(number) if number else ok(PER_DAY, 429)
    async with session(on_exit="detach") as veo:
        reset_in = seconds_to_reset(time.time(), quota_zones())
        job = await veo.enqueue(BOAT)
        with pytest.raises(QuotaExhaustedError) as raised:
            await job
        assert raised.value.retry_after is None  # the provider said nothing
        await asyncio.sleep(reset_in - 30)
        assert (job.state, len(wire.sent)) == (State.QUEUED, 1)
        await asyncio.sleep(60)
        assert isinstance(await job.outcome(), Succeeded)


async def test_resume_ends_a_days_quota(session: Make, wire: ScriptedTransport) -> None:
    """Whoever bought more need not wait."""
    wire.submits = lambda number, _: accepted(number) if number else ok(PER_DAY, 429)
    async with session(on_exit="detach") as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(QuotaExhaustedError):
            await job
        await veo.resume()
        assert isinstance(await job.outcome(), Succeeded)


# ── what does not pass by itself ────────────────────────────────────────────────────────────────────────────


async def test_a_certificate_that_does_not_hold_is_told_to_who_waits_for_a_check(
    session: Make, wire: ScriptedTransport
) -> None:
    """Nothing is checked again until someone resumes, so nobody waits for a deadline to hear of it."""
    wire.checks = lambda _, __: NotSentFailure("certificate verify failed", permanent=True)
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        with pytest.raises(OperationError, match="certificate") as raised:
            await job
        assert raised.value.billed == "unknown"
        assert job.state is State.RUNNING
        await asyncio.sleep(HOUR_S)
        assert len(wire.checked) == 1
        wire.checks = lambda _, request: done(operation_of(request))
        await veo.resume()
        assert isinstance(await job.outcome(), Succeeded)


async def test_no_connection_for_checks_is_waited_out(session: Make, wire: ScriptedTransport) -> None:
    """It passes by itself, and the job's fate is untouched."""
    wire.checks = lambda number, request: (
        NotSentFailure("connection refused") if number < 20 else done(operation_of(request))
    )
    async with session() as veo:
        assert isinstance(await (await veo.submit(BOAT)).outcome(), Succeeded)
        assert veo.statistics().retry_tokens == 500


async def test_a_server_error_is_sent_again_three_times_on_explicit_word(
    session: Make, wire: ScriptedTransport
) -> None:
    """With waits in between; each may be one more job to pay for."""
    body = {"error": {"code": 500, "message": "Internal error.", "status": "INTERNAL"}}
    sent_at: list[float] = []

    def answer(_: int, __: object) -> object:
        sent_at.append(asyncio.get_running_loop().time())
        return ok(body, 500)

    wire.submits = answer  # type: ignore[assignment]
    async with session(retry=RetryPolicy(resubmit_server_errors=True)) as veo:
        with pytest.raises(RejectedError) as raised:
            await veo.submit(BOAT)
        assert raised.value.billed == "unknown"
        await asyncio.sleep(HOUR_S)
    assert len(sent_at) == 4
    assert all(later - at >= 0.1 for at, later in pairwise(sent_at))
