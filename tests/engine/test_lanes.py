"""A quota that stands still: for how long, who is told, and what lets it go on."""

from __future__ import annotations

import math
from random import Random

import pytest

from veo_async.answers import NotSent, RefusalKind, Refused
from veo_async.engine.events import SUBMITS, Announce, Lift, Pause
from veo_async.engine.lanes import CREDENTIAL, Lane
from veo_async.engine.retry_budget import TOKENS, TRANSIENT, UNCOVERED_WAIT_S, RetryBudget
from veo_async.options import Rate, RetryPolicy

from .world import refused

AT = 1000.0
DAY_S = 86_400.0
DOWN = NotSent(reason="connection refused")
UNTRUSTED = NotSent(reason="certificate", permanent=True)
BAD_KEY = refused(RefusalKind.AUTHENTICATION)
NO_MONEY = refused(RefusalKind.BALANCE)
SPENT = refused(RefusalKind.QUOTA)
TOLD_AT_ONCE = RetryPolicy(unsent_attempts=1)


def lane(policy: RetryPolicy | None = None, budget: RetryBudget | None = None, *, seed: int = 0) -> Lane:
    return Lane(SUBMITS, (Rate(1000),), policy or RetryPolicy(), budget or RetryBudget(), Random(seed))


def spent_budget() -> RetryBudget:
    """Return a budget that covers no retry any more."""
    budget = RetryBudget()
    while budget.covers("somebody", TRANSIENT):
        pass
    return budget


def told(pause: Pause) -> list[Announce]:
    return [Announce(SUBMITS, pause)]


def waits_for_a_connection(made: Lane, attempts: int) -> list[float]:
    """Fail to connect so many times, each as soon as may be; return how long it waited after each."""
    now, waits = AT, list[float]()
    for _ in range(attempts):
        made.unreachable(DOWN, now)
        waits.append(made.free_at(now) - now)
        now = made.free_at(now)
    return waits


# ── one probe at a time ─────────────────────────────────────────────────────────────────────────────────


def test_all_that_the_rate_allows_goes_while_nothing_is_wrong() -> None:
    quiet = lane()
    quiet.take(3, AT)
    assert (quiet.room(AT), quiet.free_at(AT)) == (997, AT)


def test_while_things_look_bad_one_request_goes_at_a_time() -> None:
    """Until its answer is there, nothing says when the next may go."""
    bad = lane()
    bad.unreachable(DOWN, AT)
    at = bad.free_at(AT)
    assert bad.room(at) == 1
    bad.take(1, at)
    assert (bad.room(at), bad.free_at(at)) == (0, math.inf)
    bad.ended(at)
    assert (bad.room(at), bad.free_at(at)) == (1, at)


def test_a_pause_that_nothing_failed_for_has_its_probe_too() -> None:
    """A day's quota is tried by one request when its time is over."""
    paused = lane()
    paused.take(3, AT)
    paused.take(2, AT)
    paused.exhausted(SPENT, AT, 100.0)
    for _ in range(5):
        assert paused.room(AT + 100) == 0
        paused.ended(AT)
    assert paused.room(AT + 100) == 1


def test_the_standing_tells_the_quota_its_pace_its_waits_and_its_pause() -> None:
    stands = lane()
    stands.pacer.throttled(7.0, AT)
    stands.exhausted(SPENT, AT, 100.0)
    standing = stands.standing()
    assert standing.quota == SUBMITS
    assert (standing.per_minute, standing.top_per_minute) == (52_800.0, 60_000.0)
    assert (standing.hinted_until, standing.held_until) == (AT + 7, AT + 100)
    assert standing.pause == Pause(RefusalKind.QUOTA, SPENT)


# ── no connection ───────────────────────────────────────────────────────────────────────────────────────


def test_waits_for_a_connection_grow_and_are_never_next_to_nothing() -> None:
    """Each is drawn between a tenth of its ceiling and the whole of it."""
    ceilings = (1, 2, 4, 8, 16, 20, 20)
    every = [waits_for_a_connection(lane(seed=seed), 7) for seed in range(60)]
    for place, ceiling in enumerate(ceilings):
        drawn = [waits[place] for waits in every]
        assert all(0.1 * ceiling <= wait <= ceiling for wait in drawn)
        assert min(drawn) < 0.2 * ceiling
        assert max(drawn) > 0.9 * ceiling


def test_a_connection_that_is_back_lets_the_waits_begin_anew() -> None:
    """And the budget has back what the retries took."""
    budget = RetryBudget()
    shaky = lane(budget=budget)
    waits_for_a_connection(shaky, 4)
    assert budget.tokens == TOKENS - 4 * TRANSIENT
    assert shaky.reached() == []
    assert budget.tokens == TOKENS
    assert shaky.room(AT + 100) == 1000
    shaky.unreachable(DOWN, AT + 100)
    assert shaky.free_at(AT + 100) <= AT + 101


def test_an_answer_without_trouble_before_brings_the_budget_nothing() -> None:
    """What went well for a job is counted as the job's."""
    budget = RetryBudget()
    budget.covers("somebody", TRANSIENT)
    lane(budget=budget).reached()
    assert budget.tokens == TOKENS - TRANSIENT


def test_failures_to_connect_are_told_of_from_the_stated_number_on() -> None:
    shaky = lane(RetryPolicy(unsent_attempts=3))
    now, said = AT, list[object]()
    for _ in range(5):
        said.append(shaky.unreachable(DOWN, now))
        now = shaky.free_at(now)
    assert said == [[], [], told(Pause(None, DOWN)), [], []]


def test_a_failure_that_began_before_the_first_was_seen_counts_with_it() -> None:
    """Up to the end of the wait, and no longer."""
    shaky = lane(RetryPolicy(unsent_attempts=2))
    shaky.unreachable(DOWN, AT)
    until = shaky.free_at(AT)
    assert shaky.unreachable(DOWN, until - 0.01) == []
    assert shaky.free_at(AT) == until
    assert shaky.unreachable(DOWN, until) == told(Pause(None, DOWN))


def test_a_certificate_that_does_not_hold_is_told_of_at_once_and_nothing_goes() -> None:
    certain = lane()
    assert certain.unreachable(UNTRUSTED, AT) == told(Pause(None, UNTRUSTED))
    assert certain.free_at(AT) == math.inf


def test_a_certificate_that_does_not_hold_costs_no_retry() -> None:
    """Nothing is tried again."""
    budget = RetryBudget()
    lane(budget=budget).unreachable(UNTRUSTED, AT)
    assert budget.tokens == TOKENS


def test_what_passed_by_itself_and_does_not_any_more_is_told_of_anew() -> None:
    """Those who wait were told that it is waited out."""
    made = lane(TOLD_AT_ONCE)
    assert made.unreachable(DOWN, AT) == told(Pause(None, DOWN))
    at = made.free_at(AT)
    assert made.unreachable(DOWN, at) == []
    at = made.free_at(at)
    assert made.unreachable(UNTRUSTED, at) == told(Pause(None, UNTRUSTED))


def test_answers_to_what_was_sent_before_the_trouble_say_nothing_of_it() -> None:
    """What was sent at that very instant does."""
    made = lane()
    assert made.is_news(0.0)
    made.unreachable(DOWN, AT)
    assert (made.is_news(AT - 0.1), made.is_news(AT)) == (False, True)
    made.refused(BAD_KEY, AT + 30, probe=False)
    assert (made.is_news(AT + 29.9), made.is_news(AT + 30)) == (False, True)


def test_an_answer_ends_a_pause_for_the_connection_and_no_other() -> None:
    """A refusal shows that there is a connection, and says nothing of the key."""
    down, unpaid = lane(TOLD_AT_ONCE), lane()
    down.unreachable(DOWN, AT)
    assert down.reached() == [Lift(SUBMITS)]
    assert down.reached() == []
    unpaid.refused(NO_MONEY, AT, probe=False)
    assert unpaid.reached() == []
    assert unpaid.pause == Pause(RefusalKind.BALANCE, NO_MONEY)


# ── key and money ───────────────────────────────────────────────────────────────────────────────────────


def test_without_a_probe_a_refused_key_holds_until_someone_resumes() -> None:
    made = lane()
    assert made.refused(BAD_KEY, AT, probe=False) == told(Pause(RefusalKind.AUTHENTICATION, BAD_KEY))
    assert made.free_at(AT) == math.inf
    assert made.lift() == [Lift(SUBMITS)]
    assert (made.pause, made.room(AT)) == (None, 1000)
    assert made.lift() == []


def probe_gaps(made: Lane, count: int, *, now: float = AT) -> list[float]:
    """Let the key be refused so many times, each as soon as it may be tried; return the gaps."""
    gaps: list[float] = []
    for _ in range(count):
        made.refused(BAD_KEY, now, probe=True)
        gaps.append(made.free_at(now) - now)
        now = made.free_at(now)
    return gaps


def test_a_refused_key_is_tried_after_a_minute_and_ever_more_seldom() -> None:
    """Up to five minutes."""
    assert probe_gaps(lane(), 5) == [60, 120, 240, 300, 300]


def test_a_crowd_of_refused_keys_counts_once() -> None:
    """Until the probe may go, whatever comes in belongs to the first refusal."""
    made = lane()
    assert made.refused(BAD_KEY, AT, probe=True) == told(Pause(RefusalKind.AUTHENTICATION, BAD_KEY))
    assert made.refused(BAD_KEY, AT + 59.9, probe=True) == []
    assert made.free_at(AT) == AT + 60


def test_a_key_that_worked_in_between_is_tried_after_a_minute_again() -> None:
    made = lane()
    probe_gaps(made, 3)
    assert made.works() == [Lift(SUBMITS)]
    assert probe_gaps(made, 2, now=AT + 500) == [60, 120]


def test_resuming_without_a_better_key_does_not_begin_the_probes_anew() -> None:
    """And its first refusal counts, however soon it comes."""
    made = lane()
    probe_gaps(made, 2)
    assert made.lift() == [Lift(SUBMITS)]
    assert probe_gaps(made, 1, now=AT + 61) == [240]


def test_another_reason_to_stand_still_is_told_of() -> None:
    """The same one again is not."""
    made = lane()
    assert made.refused(BAD_KEY, AT, probe=False) == told(Pause(RefusalKind.AUTHENTICATION, BAD_KEY))
    assert made.refused(BAD_KEY, AT + 1, probe=False) == []
    assert made.refused(NO_MONEY, AT + 2, probe=False) == told(Pause(RefusalKind.BALANCE, NO_MONEY))
    assert made.pause == Pause(RefusalKind.BALANCE, NO_MONEY)


@pytest.mark.parametrize(
    ("answer", "lifted"), [(BAD_KEY, [Lift(SUBMITS)]), (NO_MONEY, [Lift(SUBMITS)]), (SPENT, [])]
)
def test_a_new_key_ends_pauses_for_key_and_money_alone(answer: Refused, lifted: list[Lift]) -> None:
    made = lane()
    made.refused(answer, AT, probe=False)
    assert made.clear(CREDENTIAL) == lifted
    assert (made.pause is None) == bool(lifted)


def test_there_may_be_no_pause_to_end() -> None:
    """A new key while all is well, and a connection that is back while none was missed, are no news."""
    made = lane()
    assert made.clear(CREDENTIAL) == []
    assert made.clear({None}) == []
    made.unreachable(DOWN, AT)
    assert made.clear({None}) == []


def test_what_ends_a_pause_ends_its_waits_and_what_they_cost_stays_spent() -> None:
    """The operator's word is no success: tokens come back with what really works."""
    budget = RetryBudget()
    made = lane(TOLD_AT_ONCE, budget)
    waits_for_a_connection(made, 5)
    assert made.clear({None}) == [Lift(SUBMITS)]
    assert made.room(AT) == 1000
    made.reached()
    assert budget.tokens == TOKENS - 5 * TRANSIENT
    budget.succeeded(SUBMITS)
    assert budget.tokens == TOKENS - 5 * TRANSIENT + 1
    made.unreachable(DOWN, AT)
    assert made.free_at(AT) <= AT + 1


# ── a long window's quota ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("hint", "reset_in", "until"),
    [
        pytest.param(40.0, None, 40.0, id="hint"),
        pytest.param(40.0, 9000.0, 40.0, id="hint before what is likely"),
        pytest.param(0.0, 9000.0, 0.0, id="a hint of nothing is one"),
        pytest.param(None, 9000.0, 9000.0, id="what is likely"),
        pytest.param(None, None, math.inf, id="nothing known"),
        pytest.param(1e9, None, DAY_S, id="a day at most, by hint"),
        pytest.param(None, 1e9, DAY_S, id="a day at most, by what is likely"),
    ],
)
def test_a_quota_that_is_used_up_holds_until_it_is_likely_to_be_given_anew(
    hint: float | None, reset_in: float | None, until: float
) -> None:
    """The server's word first; where nobody knows, someone has to say."""
    made = lane()
    answer = refused(RefusalKind.QUOTA, retry_after=hint)
    assert made.exhausted(answer, AT, reset_in) == told(Pause(RefusalKind.QUOTA, answer))
    assert made.free_at(AT) == AT + until


def test_a_quota_that_is_still_used_up_is_told_of_once() -> None:
    made = lane()
    made.exhausted(SPENT, AT, 100.0)
    assert made.exhausted(SPENT, AT + 100, 100.0) == []
    assert made.free_at(AT) == AT + 200


def test_answers_from_before_a_quota_was_used_up_do_not_end_its_pause() -> None:
    made = lane()
    made.exhausted(SPENT, AT, 100.0)
    assert not made.is_news(AT - 1)


# ── server errors ───────────────────────────────────────────────────────────────────────────────────────


def test_after_server_errors_waits_grow_and_nobody_is_told() -> None:
    made, now = lane(), AT
    for ceiling in (1, 2, 4, 8, 16, 20, 20):
        made.stumbled("job", now)
        assert 0.1 * ceiling <= made.free_at(now) - now <= ceiling
        now = made.free_at(now)
    assert (made.pause, made.room(now)) == (None, 1000)


def test_what_a_server_error_costs_is_the_jobs() -> None:
    """Its own success brings it back."""
    budget = RetryBudget()
    made = lane(budget=budget)
    made.stumbled("job", AT)
    made.stumbled("other", AT)
    assert budget.tokens == TOKENS - 2 * TRANSIENT
    budget.succeeded("job")
    assert budget.tokens == TOKENS - TRANSIENT


def test_what_the_budget_does_not_cover_waits_a_minute() -> None:
    """Exactly that where the usual wait is shorter."""
    stumbled, down = lane(budget=spent_budget()), lane(budget=spent_budget())
    stumbled.stumbled("job", AT)
    assert stumbled.free_at(AT) == AT + UNCOVERED_WAIT_S
    down.unreachable(DOWN, AT)
    assert down.free_at(AT) == AT + UNCOVERED_WAIT_S


def test_what_the_budget_does_not_cover_waits_no_less_than_what_it_does() -> None:
    """A policy's own waits may be longer than a minute."""
    made = lane(RetryPolicy(base=5000.0, cap=5000.0), spent_budget())
    made.stumbled("job", AT)
    assert made.free_at(AT) >= AT + 500


def test_the_budgets_last_token_is_enough() -> None:
    """Fourteen cover one retry more."""
    budget = RetryBudget()
    budget.tokens = TRANSIENT
    made = lane(budget=budget)
    made.stumbled("job", AT)
    assert made.free_at(AT) <= AT + 1
    made.stumbled("job", AT)
    assert made.free_at(AT) == AT + UNCOVERED_WAIT_S
