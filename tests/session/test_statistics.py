"""What a session knows of itself, and the line that says so."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from veo_async import ConfigurationError, Lag, PollPolicy, Standstill, Statistics, VeoSession, VideoRequest
from veo_async.engine.lifecycle import State
from veo_async.session.status_line import status_line

from .script import KEY, ScriptedTransport, accepted, done, ok, operation_of, running
from .test_interleavings import LIMITED

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle", model="veo-3.1-fast", resolution="720p")


def after(seconds: float, began: dict[str, float]) -> Callable[[int, object], object]:
    """Return a script for checks: an operation is done so long after its first check."""

    def check(_: int, request: object) -> object:
        name = operation_of(request)  # type: ignore[arg-type]
        now = asyncio.get_running_loop().time()
        return (running if now < began.setdefault(name, now) + seconds else done)(name)

    return check


async def test_lags_are_half_the_unseen_gaps(session: Make, wire: ScriptedTransport) -> None:
    """What is known of when it ended is only that it was in the gap."""
    wire.checks = after(20.0, {})  # type: ignore[assignment]
    async with session() as veo:
        assert veo.statistics().lag is None
        await veo.generate(BOAT)
        lag = veo.statistics().lag
        asked = [at for at, _ in wire.checked]
    assert lag is not None
    assert lag.seen == 1
    assert lag.max == pytest.approx((asked[-1] - asked[-2]) / 2, abs=0.3)
    assert lag.p50 == lag.p90 == lag.p99 == pytest.approx(lag.max, rel=0.1)


async def test_what_was_never_watched_has_no_lag(session: Make, wire: ScriptedTransport) -> None:
    """It ended before this session asked: no cadence of ours is to blame for that."""
    async with session() as veo:
        job = await veo.attach("models/veo-3.1/operations/foreign")
        await job
        assert veo.statistics().lag is None
        wire.checks = after(20.0, {})  # type: ignore[assignment]
        other = await veo.attach("models/veo-3.1/operations/other")
        await other
        lag = veo.statistics().lag
    assert lag is not None
    assert lag.seen == 1


async def test_jobs_that_share_an_operation_save_checks(
    session: Make, wire: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer serves them all: all but one would have been asked for by checks of their own."""
    wire.checks = after(30.0, {})  # type: ignore[assignment]
    async with session() as veo:
        job = await veo.submit(BOAT)
        runtime = veo._runtime
        assert runtime is not None
        twins = [type(job)(job.record, runtime) for _ in range(2)]
        for twin in twins:
            runtime.book.open(twin)
        await job
        statistics = veo.statistics()
    assert statistics.checks == len(wire.checked) > 2
    assert statistics.checks_saved == 2 * statistics.checks


async def test_single_jobs_save_nothing(session: Make, wire: ScriptedTransport) -> None:
    """Nor do answers that come when nobody waits any more."""
    async with session() as veo:
        await veo.generate(BOAT)
        assert veo.statistics().checks_saved == 0


async def test_hints_in_force_are_told_and_pass(session: Make, wire: ScriptedTransport) -> None:
    """By themselves."""
    wire.submits = lambda number, _: accepted(number) if number else ok(LIMITED, 429, {"retry-after": "30"})
    async with session() as veo:
        job = await veo.enqueue(BOAT)
        await asyncio.sleep(5)
        [still] = veo.statistics().standstills
        assert (still.quota, still.reason) == ("submits", "hint")
        await asyncio.sleep(26)
        assert veo.statistics().standstills == ()
        await job


async def test_waiting_times_are_told_by_profile(session: Make, wire: ScriptedTransport) -> None:
    """The prior before anything is known, and what was seen after."""
    wire.checks = after(180.0, {})  # type: ignore[assignment]
    async with session(poll=PollPolicy(expected=60, spread=0.5)) as veo:
        assert veo.statistics().waiting_times == ()
        job = await veo.submit(BOAT)
        await asyncio.sleep(1)
        [assumed] = veo.statistics().waiting_times
        assert (assumed.model, assumed.resolution, assumed.duration_seconds, assumed.has_image) == (
            job.record.model,
            "720p",
            None,
            False,
        )
        assert assumed.seen == 0
        assert assumed.p50 == pytest.approx(60, rel=0.1)
        assert assumed.p50 < assumed.p90
        for _ in range(10):
            await veo.generate(BOAT)
        [learned] = veo.statistics().waiting_times
        assert learned.seen == pytest.approx(11, rel=0.2)
        assert learned.p50 > 1.5 * assumed.p50


# ── the line ────────────────────────────────────────────────────────────────────────────────────────────────


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines that tell how a session stands."""
    return [record.getMessage() for record in caplog.records if hasattr(record, "statistics")]


async def test_a_line_a_minute(
    session: Make, wire: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """Jobs by state, what was sent in that minute, the lag; no prompt, no key."""
    caplog.set_level(logging.INFO, "veo_async")
    wire.checks = after(100.0, {})  # type: ignore[assignment]
    async with session(report_every=60.0, on_exit="detach") as veo:
        for number in range(3):
            await veo.submit(VideoRequest(f"A secret boat {number}"))
        await asyncio.sleep(59)
        assert lines(caplog) == []
        await asyncio.sleep(2)
        [first] = lines(caplog)
        assert re.fullmatch(r"3 running · 3 submits and \d+ checks a minute", first)
        await asyncio.sleep(180)
        told = lines(caplog)
        assert len(told) == 4
        assert re.fullmatch(r"3 succeeded · 0 submits and 0 checks a minute · lag p50 \d+\.\d s", told[-1])
        *_, record = (record for record in caplog.records if record.getMessage() == told[-1])
        assert (record.name, record.levelno) == ("veo_async", logging.INFO)
        assert record.__dict__["statistics"] == veo.statistics()
        assert "boat" not in caplog.text
        assert KEY not in caplog.text
    await asyncio.sleep(300)
    assert len(lines(caplog)) == 4, "it ends with the session"


async def test_no_line_unless_asked_for(session: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A library is silent."""
    caplog.set_level(logging.INFO, "veo_async")
    async with session() as veo:
        await veo.generate(BOAT)
        await asyncio.sleep(3600)
    assert lines(caplog) == []


@pytest.mark.parametrize("every", [0, -1.0, float("nan")])
def test_a_line_every_no_time_is_refused(session: Make, every: float) -> None:
    """It would be a busy loop."""
    with pytest.raises(ConfigurationError, match="report_every"):
        session(report_every=every)


def statistics(**facts: object) -> Statistics:
    none: dict[str, object] = dict.fromkeys(
        ("submits", "checks", "checks_saved", "late_answers", "queued_submits", "open_operations"), 0
    )
    none |= dict.fromkeys(("submits_per_minute", "checks_per_minute", "retry_tokens"), 0)
    none |= {"jobs": {}, "standstills": (), "lag": None, "waiting_times": ()}
    return Statistics(**(none | facts))  # type: ignore[arg-type]


def test_the_line_scales_to_a_minute_and_tells_of_pauses() -> None:
    """Whatever time it is of."""
    until = datetime(2026, 9, 1, 8, 0, tzinfo=UTC).timestamp()
    line = status_line(
        statistics(submits=10, checks=100),
        statistics(
            jobs={State.QUEUED: 1200, State.RUNNING: 0, State.SUCCEEDED: 7},
            submits=20,
            checks=400,
            lag=Lag(seen=7, p50=0.84, p90=2.0, p99=3.0, max=3.1),
            standstills=(
                Standstill(quota="submits", reason="quota", until=until),
                Standstill(quota="checks", reason="authentication", until=None),
            ),
        ),
        30.0,
    )
    assert line == (
        "1200 queued, 7 succeeded · 20 submits and 600 checks a minute · lag p50 0.8 s · "
        "submits stand still: quota until 08:00:00Z · checks stand still: authentication"
    )


def test_the_line_of_nothing() -> None:
    """Is a line all the same: it shows that the session lives."""
    assert status_line(statistics(), statistics(), 60.0) == "no jobs · 0 submits and 0 checks a minute"
