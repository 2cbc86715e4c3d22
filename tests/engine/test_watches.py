"""What answers to checks lead to: when it is asked again, who is told, and how an operation ends."""

from __future__ import annotations

import math

import pytest

from veo_async.answers import Finished, Lost, Missing, NotSent, RefusalKind, Refused, Running, Unreadable
from veo_async.engine.events import (
    Action,
    Check,
    CheckEnded,
    OperationDropped,
    OperationNotified,
    Resolve,
    Stall,
    Submit,
    Tell,
)
from veo_async.engine.retry_budget import TOKENS, TRANSIENT
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import Expired, Failed
from veo_async.options import Limits, PollPolicy, Rate, RetryPolicy

from .test_scheduler import (
    DOWN,
    EMPTY,
    ONE_AT_A_TIME,
    RUNNING,
    answer,
    check_at,
    opened,
    queued,
    submit,
    wake,
)
from .world import DONE, VEO, key, keys, made, refused, scheduler

TEN = PollPolicy(min_interval=10, max_interval=10, deadline=10_000)
FOUND = Finished(outcome=DONE)
LOST = Lost(reason="reset")
INVALID = refused(RefusalKind.INVALID)
HTML = Unreadable(message="HTML", status=200)
SLOW = refused(RefusalKind.RATE_LIMIT)
FAILED = Failed(reason="empty")


def watched(*, policy: PollPolicy = TEN, age: float = 0.0, retry: RetryPolicy | None = None) -> PollScheduler:
    """Return a scheduler that watches one operation, of this age at 0."""
    made = scheduler(policy=policy, retry=retry)
    made.handle(opened("a", age=age), now=0)
    return made


def due_at(one: PollScheduler) -> float:
    """Return when the next check is due, whatever the rate and the pace say."""
    return one._watches.due_at()  # pyright: ignore[reportPrivateUsage]


def gap_after(one: PollScheduler, reply: object) -> float:
    """Return the seconds from an answer to the next check."""
    asked_at = check_at(one)
    assert isinstance(reply, Running | Missing | Refused | Unreadable | NotSent | Lost | type(EMPTY))
    sent_at = None if isinstance(reply, NotSent) else asked_at
    assert one.handle(CheckEnded(key("a"), reply, sent_at), now=asked_at) == []
    return due_at(one) - asked_at


def lag(actions: list[Action]) -> float | None:
    [resolved] = made(actions, Resolve)
    return resolved.lag


# ── how an operation ends ───────────────────────────────────────────────────────────────────────────────


def test_the_lag_of_an_end_is_half_the_time_since_it_was_seen_running() -> None:
    """Or since it was accepted, where no check had found it running."""
    assert lag(answer(watched(), FOUND)) == 5
    late = watched()
    answer(late, RUNNING)
    check_at(late)
    assert lag(list(late.handle(CheckEnded(key("a"), FOUND, 20.0), now=26))) == 8


def test_the_lag_of_what_was_not_watched_for_is_not_known() -> None:
    """Once it was seen running, it is."""
    taken_up = scheduler(policy=TEN)
    taken_up.handle(opened("a", age=100, restored=True), now=0)
    assert lag(answer(taken_up, FOUND)) is None
    taken_up.handle(opened("a", age=100, restored=True), now=20)
    seen_at = check_at(taken_up)
    taken_up.handle(CheckEnded(key("a"), RUNNING, seen_at), now=seen_at)
    assert lag(answer(taken_up, FOUND)) == pytest.approx(5, abs=0.25)


@pytest.mark.parametrize("reply", [EMPTY, refused(RefusalKind.CONTENT)], ids=["empty", "policy"])
def test_an_end_that_nobody_saw_come_has_no_lag(reply: object) -> None:
    one = watched()
    said = [answer(one, reply) for _ in range(1 if isinstance(reply, Refused) else 4)]
    assert lag(said[-1]) is None


def test_what_has_ended_is_watched_no_more() -> None:
    one = watched()
    answer(one, FOUND)
    assert (one.open_operations, one.next_wakeup(), one.eta(key("a"), 10)) == (0, None, None)


# ── done with nothing in it ─────────────────────────────────────────────────────────────────────────────


def test_what_is_done_and_empty_is_asked_again_after_these_gaps() -> None:
    one = watched()
    assert [gap_after(one, EMPTY) for _ in range(3)] == [15, 20, 25]
    assert answer(one, EMPTY) == [Resolve(key("a"), FAILED)]


def test_an_empty_answer_after_another_one_is_the_first_in_its_row() -> None:
    one = watched()
    gaps = [gap_after(one, reply) for reply in (EMPTY, EMPTY, INVALID, EMPTY, RUNNING, EMPTY)]
    assert [gaps[place] for place in (0, 1, 3, 4, 5)] == [15, 20, 15, 10, 15]


# ── not found ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("age", "gap"), [(109.75, None), (110.0, 30.0), (500.0, 30.0)])
def test_not_found_counts_from_two_minutes_on(age: float, gap: float | None) -> None:
    """Before, it is asked again as after any trouble: soon, and at no cost."""
    one = watched(age=age)
    found = gap_after(one, Missing())
    assert found == gap if gap else 10 <= found <= 11.25
    assert one.retry_tokens == TOKENS


def test_an_operation_is_gone_after_the_third_not_found_in_a_row() -> None:
    """What was not found while it was new does not count."""
    one = watched(age=105)
    assert gap_after(one, Missing()) <= 11.25
    assert [gap_after(one, Missing()) for _ in range(2)] == [30, 30]
    assert answer(one, Missing(message="no such")) == [Resolve(key("a"), Expired(message="no such"))]


def test_not_found_in_between_begins_the_row_of_what_is_empty_anew() -> None:
    one = watched(age=500)
    gaps = [gap_after(one, reply) for reply in (EMPTY, EMPTY, Missing(), EMPTY, Missing(), Missing())]
    assert gaps == [15, 20, 30, 15, 30, 30]
    assert answer(one, Missing()) == [Resolve(key("a"), Expired())]


# ── trouble ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reply", [LOST, INVALID, HTML, refused(RefusalKind.SERVER)], ids=str)
def test_trouble_is_waited_out_with_growing_waits(reply: object) -> None:
    """The shortest gap and a wait that is drawn below the ceilings; one good answer begins them anew."""
    one = watched(policy=PollPolicy(min_interval=2, max_interval=10, deadline=10_000))
    ceilings = (1, 2) if reply is INVALID else (1, 2, 4, 8, 16, 20)
    waits = [gap_after(one, reply) - 2 for _ in ceilings]
    assert all(0 <= wait <= ceiling + 0.25 for wait, ceiling in zip(waits, ceilings, strict=True))
    assert len(set(waits)) > 1
    answer(one, RUNNING)
    assert 2 <= gap_after(one, reply) <= 3.25


def test_waits_after_trouble_are_drawn_over_all_of_their_ceilings() -> None:
    """Twenty operations that all failed are not asked for all at once."""
    many = scheduler(policy=TEN)
    many.handle(*(opened(name) for name in range(20)), now=0)
    [check] = many.handle(now=10)
    assert isinstance(check, Check)
    many.handle(*(CheckEnded(name, LOST, 10.0) for name in check.keys), now=10)
    asked: dict[float, int] = {}
    while sum(asked.values()) < 20:
        now = wake(many)
        asked[now] = sum(len(check.keys) for check in made(many.handle(now=now), Check))
    assert len(asked) >= 3
    assert min(asked) >= 20
    assert max(asked) <= 21.25


@pytest.mark.parametrize(("reply", "times"), [(INVALID, 3), (refused(RefusalKind.NOT_FOUND), 3), (HTML, 10)])
def test_those_who_wait_are_told_of_checks_that_do_not_work(reply: object, times: int) -> None:
    """With the answer, after so many in a row; a good one in between begins the row anew."""
    one = watched()
    said = [answer(one, reply) for _ in range(times - 1)]
    said += [answer(one, RUNNING)]
    said += [answer(one, reply) for _ in range(times - 1)]
    assert not any(said)
    assert answer(one, reply) == [Tell(key("a"), reply)]  # type: ignore[arg-type]


def test_refusals_and_unreadable_answers_are_rows_of_their_own() -> None:
    one = watched()
    assert not any(answer(one, reply) for reply in (INVALID, INVALID, HTML, INVALID, INVALID))
    assert answer(one, INVALID) == [Tell(key("a"), INVALID)]


def test_lost_answers_in_between_do_not_end_a_row() -> None:
    """They say nothing of what is wrong."""
    one = watched()
    assert not any(answer(one, reply) for reply in (INVALID, LOST, INVALID, DOWN))
    assert answer(one, INVALID) == [Tell(key("a"), INVALID)]


@pytest.mark.parametrize(
    "reply", [refused(RefusalKind.SERVER), Unreadable(message="HTML", status=502)], ids=["own", "gateway's"]
)
def test_nobody_is_told_of_what_passes(reply: object) -> None:
    """However often it comes."""
    one = watched()
    assert not any(answer(one, reply) for _ in range(25))


@pytest.mark.parametrize(
    "reply", [SLOW, Unreadable(message="HTML", status=429, throttled=True)], ids=["refused", "page"]
)
def test_what_was_too_fast_is_due_again_at_once_while_the_budget_covers_it(reply: object) -> None:
    """When it goes is the pace's to say. Where it is not covered, a longest gap passes."""
    one = watched()
    assert gap_after(one, reply) == 0
    while one.retry_tokens >= 5:
        answer(one, reply)
    assert one.retry_tokens == 0
    assert gap_after(one, reply) == 10


def test_a_check_refused_for_the_key_is_due_again_at_once_and_waits_for_the_lane() -> None:
    one = watched()
    at = check_at(one)
    one.handle(CheckEnded(key("a"), refused(RefusalKind.AUTHENTICATION), at), now=at)
    assert due_at(one) == at
    assert wake(one) == at + 60


def test_what_the_budget_does_not_cover_waits_for_a_longest_gap() -> None:
    """Longer where its own wait is."""
    policy = PollPolicy(min_interval=1, max_interval=45, deadline=100_000)
    one = watched(policy=policy, retry=RetryPolicy(base=0.1, cap=0.1))
    while one.retry_tokens >= TRANSIENT:
        assert gap_after(one, LOST) <= 1.5
    assert [gap_after(one, LOST) for _ in range(3)] == [45, 45, 45]
    assert one.retry_tokens == TOKENS % TRANSIENT
    longer = watched(policy=policy, retry=RetryPolicy(base=4000, cap=4000))
    while longer.retry_tokens >= TRANSIENT:
        answer(longer, LOST)
    assert max(gap_after(longer, LOST) for _ in range(5)) > 400


# ── the cadence ─────────────────────────────────────────────────────────────────────────────────────────


def test_checks_fall_on_a_grid_that_makes_no_gap_longer_than_the_longest() -> None:
    """A quarter of a second, rounded up, but where that is past the longest gap."""
    one = scheduler(policy=PollPolicy(min_interval=2, max_interval=2))
    one.handle(opened("a"), now=0.1)
    assert check_at(one) == 2.0
    one.handle(CheckEnded(key("a"), RUNNING, 2.0), now=2.2)
    assert check_at(one) == 4.0
    shorter = scheduler(policy=PollPolicy(min_interval=1, max_interval=60, expected=1000))
    shorter.handle(opened("a"), now=0.1)
    assert check_at(shorter) == 10.25


def test_gaps_shorter_than_the_grid_are_one_step_of_it() -> None:
    one = scheduler(policy=PollPolicy(min_interval=0.01, max_interval=0.1))
    one.handle(opened("a"), now=0.1)
    assert check_at(one) == 0.25
    one.handle(CheckEnded(key("a"), RUNNING, 0.25), now=0.3)
    assert check_at(one) == 0.5


def test_the_gap_goes_by_the_age_of_the_operation() -> None:
    """One that is long past the usual time is asked more seldom than one at it."""
    policy = PollPolicy(expected=60, spread=0.1, min_interval=0.25, max_interval=60)
    known = scheduler(policy=policy)
    for number in range(8):
        known.handle(opened(number), now=1000 * number)
        for now, reply in ((57.0, RUNNING), (60.0, FOUND)):
            at = 1000.0 * number + now
            known.handle(OperationNotified(key(number)), now=at)
            known.handle(CheckEnded(key(number), reply, at), now=at)
    gaps = [known.courses[VEO].next_gap(age) for age in (0.0, 57.0)]
    known.handle(opened("new"), opened("old", age=57), now=10_000)
    now = wake(known)
    assert now - 10_000 == pytest.approx(gaps[1], abs=0.25)
    assert known.handle(now=now) == [Check(keys("old"))]
    assert gaps[1] < 3
    assert gaps[0] > 20


# ── notices ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_notice_of_what_is_due_already_does_not_put_it_off() -> None:
    slow = scheduler(Limits(checks=Rate(1, per=100)), TEN)
    slow.handle(opened("a"), opened("b"), now=0)
    assert slow.handle(now=10) == [Check(keys("a"))]
    slow.handle(CheckEnded(key("a"), FOUND, 10.0), now=10)
    slow.handle(OperationNotified(key("b")), now=50)
    slow.handle(OperationNotified(key("b")), now=60)
    assert slow.handle(now=wake(slow)) == [Check(keys("b"))]
    assert slow.next_wakeup() == 10_000


def test_after_a_notice_that_was_wrong_another_one_counts() -> None:
    one = watched()
    assert one.handle(OperationNotified(key("a")), now=1) == [Check(keys("a"))]
    assert one.handle(CheckEnded(key("a"), RUNNING, 1.0), now=1) == []
    assert one.handle(OperationNotified(key("a")), now=2) == [Check(keys("a"))]


def test_what_ended_by_a_notice_is_learned_from_as_ended_about_then() -> None:
    """Not as ended anywhere in the long gap before."""
    slow = scheduler(policy=PollPolicy(min_interval=600, max_interval=600, deadline=3600))
    for number in range(10):
        at = 100.0 * number
        slow.handle(opened(number), now=at)
        slow.handle(OperationNotified(key(number)), now=at + 30)
        slow.handle(CheckEnded(key(number), FOUND, at + 30), now=at + 30.5)
    assert slow.courses[VEO].ends > 8
    assert slow.courses[VEO].median == pytest.approx(30, rel=0.1)


def test_a_notice_about_what_is_watched_is_news() -> None:
    """And one about anything else is late."""
    one = watched()
    one.handle(OperationNotified(key("a")), now=1)
    assert one.late_answers == 0
    one.handle(OperationNotified(key("b")), now=1)
    assert one.late_answers == 1


def test_a_notice_during_a_check_hastens_that_operation_alone() -> None:
    """The others that are found running wait their time."""
    one = scheduler(policy=TEN)
    one.handle(opened("a"), opened("b"), now=0)
    assert one.handle(now=10) == [Check(keys("a", "b"))]
    one.handle(OperationNotified(key("a")), now=10)
    assert one.handle(CheckEnded(key("b"), RUNNING, 10.0), now=10.5) == []
    assert one.handle(CheckEnded(key("a"), RUNNING, 10.0), now=10.5) == [Check(keys("a"))]
    assert wake(one) > 20


def test_what_was_dropped_while_it_stood_in_line_is_not_asked_for() -> None:
    """Its place goes to the next one."""
    slow = scheduler(Limits(checks=Rate(1, per=100)), TEN)
    slow.handle(opened("a"), opened("b"), opened("c"), now=0)
    assert slow.handle(now=10) == [Check(keys("a"))]
    slow.handle(CheckEnded(key("a"), FOUND, 10.0), now=10)
    slow.handle(OperationDropped(key("b")), now=20)
    assert slow.handle(now=wake(slow)) == [Check(keys("c"))]


# ── what is learned ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("late", "learned"), [(0.0, 1), (5.0, 1), (5.25, 0)])
def test_an_end_that_nobody_looked_for_during_more_than_a_gap_and_a_half_teaches_nothing(
    late: float, learned: int
) -> None:
    one = watched()
    at = check_at(one)
    one.handle(CheckEnded(key("a"), FOUND, at), now=at + late)
    assert one.courses[VEO].ends == learned


def test_operations_that_run_are_learned_from_as_they_do() -> None:
    """And those of an earlier process are not: nobody saw them begin."""
    fresh, taken_up = scheduler(policy=TEN), scheduler(policy=TEN)
    for number in range(30):
        fresh.handle(opened(number), now=5000)
        taken_up.handle(opened(number, restored=True), now=5000)
    for one in (fresh, taken_up):
        while (now := wake(one)) < 5400:
            for check in made(one.handle(now=now), Check):
                one.handle(*(CheckEnded(name, RUNNING, now) for name in check.keys), now=now)
    assert fresh.courses[VEO].median > 300
    assert taken_up.courses[VEO].median == pytest.approx(60, rel=0.05)


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────

HUNDRED = PollPolicy(min_interval=10, max_interval=10, deadline=100)


def stalls(one: PollScheduler, until: float, reply: object = RUNNING) -> list[float]:
    """Answer every check so and return when it was said that the operation is stalled."""
    said: list[float] = []
    while (now := wake(one)) <= until:
        actions = list(one.handle(now=now))
        assert isinstance(reply, Running | Lost)
        for check in made(actions, Check):
            actions += one.handle(*(CheckEnded(name, reply, now) for name in check.keys), now=now)
        said += [now for _ in made(actions, Stall)]
    return said


def test_the_deadline_counts_from_the_acceptance() -> None:
    """And again a deadline later."""
    assert stalls(watched(policy=HUNDRED), 250) == [100, 200]
    assert stalls(watched(policy=HUNDRED, age=30), 250) == [70, 170]


@pytest.mark.parametrize("restored", [True, False])
def test_without_a_deadline_nobody_is_told_and_checks_go_on(restored: bool) -> None:
    one = scheduler(policy=PollPolicy(min_interval=10, max_interval=10, deadline=math.inf))
    one.handle(opened("a", age=100, restored=restored), now=0)
    assert stalls(one, 5000) == []
    assert one.open_operations == 1


@pytest.mark.parametrize("restored", [True, False])
def test_what_was_past_its_deadline_when_it_was_opened_is_told_of_once_it_is_seen_running(
    restored: bool,
) -> None:
    one = scheduler(policy=HUNDRED)
    one.handle(opened("a", age=100, restored=restored), now=0)
    assert made(one.handle(now=0), Stall) == []
    at = check_at(one)
    assert list(one.handle(CheckEnded(key("a"), RUNNING, at), now=at)) == [Stall(key("a"))]


@pytest.mark.parametrize("restored", [True, False])
def test_what_was_past_its_deadline_and_cannot_be_checked_is_told_of_a_deadline_later(restored: bool) -> None:
    one = scheduler(policy=HUNDRED)
    one.handle(opened("a", age=100, restored=restored), now=0)
    assert stalls(one, 150, LOST) == [100]


def test_what_was_taken_up_before_its_deadline_has_its_own_once_it_was_seen() -> None:
    """Before, a whole one."""
    seen, unseen = scheduler(policy=HUNDRED), scheduler(policy=HUNDRED)
    for one in (seen, unseen):
        one.handle(opened("a", age=60, restored=True), now=0)
    assert stalls(seen, 130) == [40]
    assert stalls(unseen, 130, LOST) == [100]


def test_all_whose_deadline_has_come_are_told_of_in_one_turn() -> None:
    one = scheduler(policy=HUNDRED)
    one.handle(*(opened(name) for name in "abc"), now=0)
    assert set(made(one.handle(now=100), Stall)) == {Stall(name) for name in keys(*"abc")}


def test_each_stalled_operation_gives_its_place_free() -> None:
    """They count as in flight no longer: two of them make room for two jobs."""
    one = scheduler(Limits(in_flight=2), HUNDRED)
    one.handle(opened("a"), opened("b"), now=0)
    assert made(one.handle(*queued("c"), *queued("d"), now=50), Submit) == []
    sent = one.handle(now=100)
    assert [job for action in made(sent, Submit) for job in action.job_ids] == ["c", "d"]


def test_a_stalled_operation_is_checked_each_five_minutes() -> None:
    """After trouble too; a longer gap of its own stays."""
    one = watched(policy=HUNDRED, age=150)
    at = check_at(one)
    one.handle(CheckEnded(key("a"), RUNNING, at), now=at)
    assert gap_after(one, RUNNING) == 300
    assert gap_after(one, LOST) == 300
    assert gap_after(one, DOWN) == 300


def test_a_stalled_operation_that_is_over_does_not_count_any_more() -> None:
    """Places in flight stay as many as they were."""
    line = scheduler(ONE_AT_A_TIME, HUNDRED)
    line.handle(opened("a"), now=0)
    line.handle(now=100)
    line.handle(OperationDropped(key("a")), opened("b"), *queued("j"), now=101)
    assert line.handle(now=102) == []
    assert line.handle(OperationDropped(key("b")), now=103) == [submit("j")]


def test_a_stalled_operation_makes_room_once() -> None:
    """Told of again, it does not make room for another one."""
    line = scheduler(ONE_AT_A_TIME, HUNDRED)
    line.handle(opened("a"), now=0)
    line.handle(now=100)
    assert made(line.handle(opened("b"), *queued("j"), now=101), Submit) == []
    assert line.handle(now=200)[:1] == [Stall(key("a"))]
    assert line.queued_submits == 1


@pytest.mark.parametrize(("slept", "told"), [(30.0, True), (30.25, False)])
def test_a_deadline_that_fell_into_a_sleep_is_told_after_a_check_could_be_made(
    slept: float, told: bool
) -> None:
    """Half a minute is no sleep."""
    one = scheduler(policy=HUNDRED)
    one.handle(opened("a"), now=0)
    assert (made(one.handle(now=100 + slept), Stall) != []) is told
    if not told:
        assert made(one.handle(now=100 + slept + 14.75), Stall) == []
        assert made(one.handle(now=100 + slept + 15), Stall) == [Stall(key("a"))]


# ── taken up ────────────────────────────────────────────────────────────────────────────────────────────


def first_checks(count: int, rate: Rate, seed: int = 0) -> list[float]:
    """Return when each of so many operations of an earlier process is due for the first time."""
    one = scheduler(Limits(checks=rate), PollPolicy(min_interval=10, max_interval=60), seed=seed)
    one.handle(*(opened(name, age=100 - name, restored=True) for name in range(count)), now=0)
    watches = one._watches._watches  # pyright: ignore[reportPrivateUsage]
    return [watches[key(name)].due_at for name in range(count)]


def test_first_checks_of_what_was_taken_up_are_spread_over_twice_the_time_that_the_rate_needs() -> None:
    """In the order of their ages, each in its share of the time."""
    due = first_checks(50, Rate(5))
    assert due == sorted(due)
    for place, at in enumerate(due):
        assert 20 * place / 50 <= at <= 20 * (place + 1) / 50 + 0.25
    assert due != first_checks(50, Rate(5), seed=1)


def test_first_checks_of_what_was_taken_up_are_no_later_than_a_longest_gap() -> None:
    due = first_checks(100, Rate(1, per=10))
    assert 55 < max(due) <= 60.25
