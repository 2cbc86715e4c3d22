"""Submits and checks: what their answers do to paces, slots, hints and the retry budget."""

from __future__ import annotations

import math

import pytest

from veo_async.answers import Accepted, Finished, Lost, Missing, RefusalKind, Refused, Running, Unreadable
from veo_async.engine.events import (
    CHECKS,
    SUBMITS,
    Announce,
    Check,
    CheckEnded,
    Hinted,
    OperationOpened,
    Pause,
    Profile,
    SubmitEnded,
    SubmitWithdrawn,
)
from veo_async.engine.retry_budget import THROTTLED, TOKENS, TRANSIENT
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import Failed, JobId, Succeeded
from veo_async.options import Limits, PollPolicy, Rate

from .test_scheduler import (
    DOWN,
    EMPTY,
    TEN_SECONDS,
    answer,
    opened,
    queued,
    submit,
    submit_ended,
    wake,
    watching,
)
from .world import DONE, VEO, key, keys, refused, scheduler

SLOW = refused(RefusalKind.RATE_LIMIT)
SLOW_PAGE = Unreadable(message="HTML", status=429, throttled=True)
FIFTY = Limits(checks=Rate(50, per=60), submits=Rate(50, per=60), in_flight=1000)


def answered(reply: object, *, again: bool = False, limits: Limits = FIFTY) -> PollScheduler:
    """Return a scheduler whose first job was answered so at 1, half a second after it was sent."""
    line = scheduler(limits)
    line.handle(*queued("j"), now=0)
    line.handle(submit_ended("j", reply, 0.5, again=again), now=1)
    return line


# ── paces ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("slow", [SLOW, SLOW_PAGE], ids=["refused", "a gateway's page"])
def test_a_submit_that_was_too_fast_slows_submits_down_and_checks_not(slow: Refused | Unreadable) -> None:
    line = answered(slow, again=True)
    assert (line.submits_per_minute, line.checks_per_minute) == (44, 50)
    assert wake(line) == pytest.approx(1 + 1.25 * 60 / 44)
    assert line.retry_tokens == TOKENS - THROTTLED


@pytest.mark.parametrize("slow", [SLOW, SLOW_PAGE, refused(RefusalKind.QUOTA)], ids=["minute", "page", "day"])
def test_a_check_that_was_too_fast_slows_checks_down_and_submits_not(slow: Refused | Unreadable) -> None:
    watched = scheduler(FIFTY, TEN_SECONDS)
    watched.handle(opened("a"), now=0)
    assert answer(watched, slow) == []
    assert (watched.submits_per_minute, watched.checks_per_minute) == (50, 44)
    assert watched.retry_tokens == TOKENS - THROTTLED


def test_what_works_gains_pace_back() -> None:
    """An accepted job for submits, an answered check for checks."""
    line = answered(SLOW, again=True)
    at = wake(line)
    assert line.handle(now=at) == [submit("j")]
    line.handle(submit_ended("j", Accepted(operation="o"), at), now=at)
    assert line.submits_per_minute == pytest.approx(44.075)
    assert line.checks_per_minute == 50
    watched = scheduler(FIFTY, TEN_SECONDS)
    watched.handle(opened("a"), now=0)
    for reply in (SLOW, Running(), Missing(), EMPTY, Finished(outcome=DONE)):
        answer(watched, reply)
    assert watched.checks_per_minute == pytest.approx(44.3)
    assert watched.submits_per_minute == 50


@pytest.mark.parametrize(
    "reply",
    [
        Lost(reason="reset"),
        Unreadable(message="HTML", status=502),
        refused(RefusalKind.SERVER),
        refused(RefusalKind.INVALID),
    ],
    ids=str,
)
def test_an_answer_that_says_nothing_of_the_pace_leaves_it(reply: Lost | Unreadable | Refused) -> None:
    """Neither slower nor, where it had fallen, faster again."""
    line = answered(reply)
    assert line.submits_per_minute == 50
    assert line.handle(*queued("k"), now=1) == [submit("k")]
    watched = scheduler(FIFTY, TEN_SECONDS)
    watched.handle(opened("a"), now=0)
    answer(watched, SLOW)
    answer(watched, reply)
    assert watched.checks_per_minute == 44


# ── hints ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "reply",
    [
        refused(RefusalKind.OVERLOADED, retry_after=30),
        refused(RefusalKind.INVALID, retry_after=30),
        refused(RefusalKind.RATE_LIMIT, retry_after=30),
        Unreadable(message="HTML", status=429, throttled=True, retry_after=30),
    ],
    ids=str,
)
def test_a_hint_on_a_submit_holds_submits_alone(reply: Refused | Unreadable) -> None:
    """Whatever the answer says besides."""
    line = answered(reply)
    assert line.handle(*queued("k"), now=2) == []
    assert wake(line) == 31
    submits, checks = line.standings()
    assert (submits.hinted_until, checks.hinted_until) == (31, -math.inf)


def test_hints_are_told_for_each_quota_by_itself() -> None:
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(Hinted(CHECKS, 30.0), Hinted(SUBMITS, 20.0), now=5)
    submits, checks = watched.standings()
    assert (submits.quota, submits.hinted_until) == (SUBMITS, 25)
    assert (checks.quota, checks.hinted_until) == (CHECKS, 35)


@pytest.mark.parametrize(("hint", "until"), [(None, 901.0), (40.0, 41.0)])
def test_a_days_quota_holds_until_the_hint_or_else_until_it_is_likely_given_anew(
    hint: float | None, until: float
) -> None:
    line = scheduler(FIFTY)
    line.handle(*queued("j"), now=0)
    spent = refused(RefusalKind.QUOTA, retry_after=hint)
    ended = SubmitEnded(JobId("j"), spent, 0.0, again=True, reset_in=900.0)
    assert line.handle(ended, now=1) == [Announce(SUBMITS, Pause(RefusalKind.QUOTA, spent))]
    assert wake(line) == until


# ── tried again ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [RefusalKind.DURATION_TYPE, RefusalKind.STALE_KEY])
def test_what_was_put_right_is_sent_again_at_once_and_costs_no_retry(kind: RefusalKind) -> None:
    """The request is another one, or its key is."""
    line = scheduler(FIFTY)
    line.handle(*queued("j"), now=0)
    assert line.handle(submit_ended("j", refused(kind), 0.5, again=True), now=1) == [submit("j")]
    assert line.retry_tokens == TOKENS


@pytest.mark.parametrize("kind", [RefusalKind.SERVER, RefusalKind.OVERLOADED])
def test_a_server_error_waits_only_where_the_job_is_sent_again(kind: RefusalKind) -> None:
    once, again = answered(refused(kind)), answered(refused(kind), again=True)
    assert once.handle(*queued("k"), now=1) == [submit("k")]
    assert once.retry_tokens == TOKENS
    assert again.handle(*queued("k"), now=1) == []
    assert 1 + 0.1 <= wake(again) <= 1 + 1
    assert again.retry_tokens == TOKENS - TRANSIENT


def test_a_job_that_goes_in_the_end_brings_back_what_its_retries_cost() -> None:
    line = answered(SLOW, again=True)
    at = wake(line)
    line.handle(now=at)
    line.handle(submit_ended("j", SLOW, at, again=True), now=at)
    assert line.retry_tokens == TOKENS - 2 * THROTTLED
    at = wake(line)
    line.handle(now=at)
    line.handle(submit_ended("j", Accepted(operation="o"), at), now=at)
    assert line.retry_tokens == TOKENS


@pytest.mark.parametrize("ended", ["declined", "withdrawn", "lost"])
def test_a_job_that_goes_never_brings_nothing_back(ended: str) -> None:
    """What comes later under its name is at its first try."""
    line = answered(SLOW, again=True)
    at = wake(line)
    if ended == "withdrawn":
        line.handle(SubmitWithdrawn(JobId("j")), now=1.5)
    else:
        reply = Lost(reason="reset") if ended == "lost" else refused(RefusalKind.INVALID)
        line.handle(now=at)
        line.handle(submit_ended("j", reply, at), now=at)
    assert line.retry_tokens == TOKENS - THROTTLED
    line.handle(*queued("j"), now=100)
    line.handle(submit_ended("j", Accepted(operation="o"), 100.0), now=100)
    assert line.retry_tokens == TOKENS - THROTTLED + 1


@pytest.mark.parametrize("reply", [Running(), Missing(), EMPTY, Finished(outcome=DONE)], ids=str)
def test_a_check_that_works_brings_back_what_its_retries_cost(reply: object) -> None:
    """Whatever it found."""
    watched = watching("a")
    answer(watched, Lost(reason="reset"))
    answer(watched, refused(RefusalKind.SERVER))
    assert watched.retry_tokens == TOKENS - 2 * TRANSIENT
    answer(watched, reply)
    assert watched.retry_tokens == TOKENS


@pytest.mark.parametrize(
    ("reply", "cost"),
    [
        (Lost(reason="reset"), TRANSIENT),
        (refused(RefusalKind.SERVER), TRANSIENT),
        (refused(RefusalKind.INVALID), TRANSIENT),
        (Unreadable(message="HTML", status=200), TRANSIENT),
        (SLOW, THROTTLED),
        (refused(RefusalKind.AUTHENTICATION), 0),
    ],
    ids=str,
)
def test_what_a_check_costs_that_is_made_again(reply: object, cost: int) -> None:
    watched = watching("a")
    answer(watched, reply)
    assert watched.retry_tokens == TOKENS - cost


def test_a_failure_to_connect_costs_one_retry_for_all_who_are_checked() -> None:
    """The lane's, whose next request is a probe."""
    watched = watching("a", "b", "c")
    assert watched.handle(now=10) == [Check(keys("a", "b", "c"))]
    ended = [CheckEnded(name, DOWN, None) for name in keys("a", "b", "c")]
    assert watched.handle(*ended, now=10) == []
    assert watched.retry_tokens == TOKENS - TRANSIENT


# ── slots ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answered_submit_that_does_not_say_when_it_was_sent_was_sent_late() -> None:
    """As late as can be, so that no window is too full; what never left takes no slot."""
    line = scheduler(Limits(submits=Rate(1, per=10), in_flight=100))
    line.handle(*queued("a", "b"), now=0)
    line.handle(submit_ended("a", Accepted(operation="a"), None), now=4)
    assert wake(line) == 14.05
    assert line.handle(now=14.05) == [submit("b")]


def test_an_answered_check_that_does_not_say_when_it_was_sent_was_sent_late() -> None:
    watched = scheduler(Limits(checks=Rate(1, per=20)), TEN_SECONDS)
    watched.handle(opened("a"), now=0)
    watched.handle(now=10)
    watched.handle(CheckEnded(key("a"), Running(), None), now=12)
    assert wake(watched) == 32.25


def test_a_lost_answer_takes_its_slot_and_says_nothing_of_the_connection() -> None:
    """A pause for the connection is not lifted by it."""
    line = scheduler(Limits(submits=Rate(1, per=10), in_flight=100))
    line.handle(*queued("a", "b"), now=0)
    line.handle(submit_ended("a", Lost(reason="reset"), 2.0), now=4)
    assert wake(line) == 12.05


@pytest.mark.parametrize(
    ("rates", "tick"),
    [((Rate(20, per=1),), 0.25), ((Rate(1, per=0.1),), 0.025), ((Rate(5, per=60), Rate(1, per=0.4)), 0.1)],
)
def test_answers_that_change_nothing_are_told_within_a_quarter_of_the_shortest_window(
    rates: tuple[Rate, ...], tick: float
) -> None:
    """And within a quarter of a second."""
    assert PollScheduler(limits=Limits(checks=rates)).tick == pytest.approx(tick)


# ── what is known of waiting times ──────────────────────────────────────────────────────────────────────


def test_how_long_an_operation_is_likely_to_take_goes_by_its_age() -> None:
    """None is told of one that nobody waits for."""
    watched = scheduler()
    watched.handle(opened("a"), now=100)
    new, later = watched.eta(key("a"), 100), watched.eta(key("a"), 130)
    assert new == watched.eta_unsent(VEO)
    assert new is not None
    assert later is not None
    assert new.p50 == pytest.approx(60, rel=0.02)
    assert later.p50 == pytest.approx(new.p50 - 30)
    assert watched.eta(key("b"), 100) is None


def test_an_operation_that_was_seen_running_takes_that_into_account() -> None:
    """Those that end before are out of the picture."""
    watched = watching("a")
    before = watched.eta(key("a"), 10)
    for _ in range(5):
        answer(watched, Running())
    after = watched.eta(key("a"), 50)
    assert before is not None
    assert after is not None
    assert after.p50 > before.p50 - 40 + 1


def test_what_was_learned_is_handed_to_another_scheduler() -> None:
    first, second = scheduler(policy=TEN_SECONDS), scheduler(policy=TEN_SECONDS)
    assert (first.learned(), dict(first.courses)) == ((), {})
    for number in range(8):
        first.handle(OperationOpened(key(number), Profile("veo", "4k")), now=100 * number)
        for reply in (Running(), Running(), Finished(outcome=DONE)):
            answer(first, reply, number)
    assert set(first.courses) == {Profile("veo", "4k")}
    assert first.courses[Profile("veo", "4k")].ends == pytest.approx(8, rel=0.15)
    second.restore(first.learned())
    known, taken_over = first.eta_unsent(Profile("veo", "4k")), second.eta_unsent(Profile("veo", "4k"))
    assert (taken_over.p50, taken_over.p90) == pytest.approx((known.p50, known.p90), rel=0.05)
    assert taken_over.p50 < 40


@pytest.mark.parametrize(
    ("outcome", "restored", "learned"),
    [(DONE, False, 1), (Failed(reason="bad"), False, 0), (DONE, True, 0)],
    ids=["done", "failed", "taken up late"],
)
def test_what_teaches_how_long_operations_take(
    outcome: Succeeded | Failed, restored: bool, learned: int
) -> None:
    """Failures come at any time, and of what was taken up late the beginning was not seen."""
    watched = scheduler(policy=PollPolicy(min_interval=10, max_interval=10))
    watched.handle(opened("a", restored=restored), now=0)
    answer(watched, Running())
    answer(watched, Finished(outcome=outcome))
    assert watched.courses[VEO].ends == learned
    assert watched.handle(opened("b"), now=60) == []
    assert watched.handle(now=70) == [Check(keys("b"))]
