"""Passes over lists: when they begin and end, what they cost, and what is left to single checks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from veo_async.answers import Finished, Listed, Lost, NotSent, RefusalKind, Refused, Running, Unreadable
from veo_async.engine.events import (
    CHECKS,
    Action,
    Announce,
    Check,
    CheckEnded,
    CheckList,
    Event,
    Lift,
    ListEnded,
    ListReturned,
    OperationDropped,
    OperationKey,
    OperationOpened,
    OperationParent,
    Pause,
    Profile,
    Resolve,
    Stall,
)
from veo_async.engine.listing import is_never
from veo_async.engine.scheduler import PollScheduler
from veo_async.options import Limits, PollPolicy, Rate, RetryPolicy

from .test_listing import (
    EMPTY,
    FINISHED,
    MODEL,
    PARENT,
    Instead,
    Provider,
    key,
    listing,
    many,
    model_of,
    page,
)
from .test_scheduler import wake
from .world import DONE, made, refused

FIVE = PollPolicy(min_interval=5, max_interval=5, deadline=100_000)
FREELY = Limits(checks=Rate(1000))
DOWN = NotSent(reason="connection refused")


def opened(*keys: OperationKey) -> list[OperationOpened]:
    return [OperationOpened(one, Profile(model_of(one.name))) for one in keys]


def turn(scheduler: PollScheduler, now: float, *events: Event) -> list[Action]:
    """Tell what happened, and wake the scheduler as often as it wants to be at this instant."""
    actions = list(scheduler.handle(*events, now=now))
    for _ in range(2):
        if (scheduler.next_wakeup() or now + 1) <= now:
            actions += scheduler.handle(now=now)
    return actions


def told(scheduler: PollScheduler, answer: object, now: float, sent_at: float | None = -1.0) -> list[Action]:
    """Return what follows from a page, or from what came in its place."""
    assert isinstance(answer, Listed | Refused | Unreadable | NotSent | Lost)
    sent_at = now if sent_at == -1 else sent_at
    return turn(scheduler, now, ListEnded(PARENT, answer, sent_at))


def checked(actions: list[Action]) -> set[OperationKey]:
    return {one for check in made(actions, Check) for one in check.keys}


def own_gap(scheduler: PollScheduler, age: float) -> float:
    return scheduler.courses[Profile(MODEL)].next_gap(age)


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("count", "lists"), [(7, False), (8, True)])
def test_a_list_is_tried_from_eight_operations_on(count: int, lists: bool) -> None:
    scheduler = PollScheduler(limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(count)), now=0)
    actions = turn(scheduler, wake(scheduler))
    assert actions == ([CheckList(PARENT)] if lists else [Check(tuple(sorted(many(count))))])


def test_the_next_pass_is_when_its_operations_together_deserve_it() -> None:
    """Twenty with gaps of ten seconds each deserve one in ten over the root of twenty."""
    scheduler, now = listing()
    assert told(scheduler, page(*many(20)), now) == []
    gap = own_gap(scheduler, now)
    assert wake(scheduler) - now == pytest.approx(gap / 20**0.5, rel=0.05)


def test_a_pass_of_more_pages_is_worth_its_requests_more_seldom() -> None:
    """By the root of their number; it begins with the first page again."""
    scheduler, now = listing()
    assert told(scheduler, page(*many(10), token="more"), now) == [CheckList(PARENT, "more")]
    assert told(scheduler, page(*many(20)[10:]), now) == []
    gap = own_gap(scheduler, now)
    then = wake(scheduler)
    assert then - now == pytest.approx(gap * (2 / 20) ** 0.5, rel=0.05)
    assert turn(scheduler, then) == [CheckList(PARENT)]


def test_passes_wait_for_the_shortest_gap() -> None:
    policy = PollPolicy(min_interval=7, max_interval=7)
    scheduler = PollScheduler(policy=policy, parent_of=model_of)
    scheduler.handle(*opened(*many(50)), now=0)
    assert turn(scheduler, 7) == [CheckList(PARENT)]
    assert told(scheduler, page(*many(50)), 8) == []
    assert wake(scheduler) == 15


def test_lists_of_many_models_come_in_one_turn_whenever_their_answers_came() -> None:
    policy = PollPolicy(min_interval=1, max_interval=3)
    scheduler = PollScheduler(policy=policy, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(50, "a"), *many(50, "b")), now=0)
    a, b = OperationParent("p", "a"), OperationParent("p", "b")
    asked_at = wake(scheduler)
    assert turn(scheduler, asked_at) == [CheckList(a), CheckList(b)]
    scheduler.handle(ListEnded(a, page(*many(50, "a")), asked_at), now=asked_at + 0.01)
    scheduler.handle(ListEnded(b, page(*many(50, "b")), asked_at), now=asked_at + 0.1)
    assert wake(scheduler) == asked_at + 1
    assert turn(scheduler, asked_at + 1) == [CheckList(a), CheckList(b)]


def test_what_falls_due_shortly_before_a_pass_waits_for_it() -> None:
    """A second; what falls due earlier draws the pass near."""
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(20)), now=0)
    assert turn(scheduler, 5) == [CheckList(PARENT)]
    assert told(scheduler, page(*many(20)), 5) == []
    scheduler.handle(*opened(key(20)), now=4.25)
    assert turn(scheduler, 9.25) == []
    assert wake(scheduler) == 10
    assert turn(scheduler, 10) == [CheckList(PARENT)]
    assert told(scheduler, page(*many(21)), 10) == []
    scheduler.handle(*opened(key(21)), now=8.5)
    assert wake(scheduler) == 15


def test_lists_are_asked_for_within_the_rate_of_checks() -> None:
    """One of two models now, the other when there is a slot."""
    scheduler = PollScheduler(policy=FIVE, limits=Limits(checks=Rate(1, per=20)), parent_of=model_of)
    scheduler.handle(*opened(*many(10, "a"), *many(10, "b")), now=0)
    a, b = OperationParent("p", "a"), OperationParent("p", "b")
    assert turn(scheduler, 5) == [CheckList(a)]
    assert turn(scheduler, 6) == []
    scheduler.handle(ListEnded(a, page(*many(10, "a")), 5.0), now=6)
    assert wake(scheduler) == pytest.approx(25.25)
    assert turn(scheduler, 25.25) == [CheckList(b)]


@pytest.mark.parametrize("rate", [Rate(1, per=20), Rate(1, per=2), Rate(3, per=10)], ids=str)
def test_where_the_rate_is_short_all_lists_have_their_turns(rate: Rate) -> None:
    """The one that is due for longest goes first."""
    policy = PollPolicy(min_interval=1, max_interval=5, deadline=100_000)
    scheduler = PollScheduler(policy=policy, limits=Limits(checks=rate), parent_of=model_of)
    provider = Provider(scheduler)
    provider.open(*many(20, "a"), *many(20, "b"))
    provider.run(until=100)
    provider.ends_at |= dict.fromkeys(provider.ends_at, 100.0)
    provider.run(until=100 + 2 * rate.per + 45)
    assert len(provider.ended) == 40


def test_where_the_rate_is_short_single_checks_have_their_turns_beside_lists() -> None:
    """Else the few operations of a model that no list is worth would never be looked at."""
    policy = PollPolicy(min_interval=1, max_interval=5, deadline=100_000)
    scheduler = PollScheduler(policy=policy, limits=Limits(checks=Rate(1, per=1)), parent_of=model_of)
    provider = Provider(scheduler)
    provider.open(*many(200, "a"), *many(3, "c"))
    provider.run(until=100)
    provider.ends_at |= dict.fromkeys(many(3, "c"), 100.0)
    provider.run(until=115)
    assert {one for one in provider.ended if model_of(one.name) == "c"} == set(many(3, "c"))


def test_a_page_that_was_not_asked_for_gives_its_slot_back() -> None:
    """Once; one that nobody waits for is no news."""
    scheduler = PollScheduler(policy=FIVE, limits=Limits(checks=Rate(1, per=20)), parent_of=model_of)
    scheduler.handle(ListReturned(PARENT), *opened(*many(10)), now=0)
    assert turn(scheduler, 5) == [CheckList(PARENT)]
    twice = (ListReturned(PARENT), ListReturned(PARENT), ListReturned(OperationParent("p", "other")))
    assert turn(scheduler, 6, *twice) == [CheckList(PARENT)]
    assert turn(scheduler, 7) == []


def test_a_page_that_is_returned_twice_gives_one_slot_back() -> None:
    """Else the lists of both models were asked for."""
    scheduler = PollScheduler(policy=FIVE, limits=Limits(checks=Rate(1, per=20)), parent_of=model_of)
    scheduler.handle(*opened(*many(10, "a"), *many(10, "b")), now=0)
    a = OperationParent("p", "a")
    assert turn(scheduler, 5) == [CheckList(a)]
    twice = (ListReturned(a), ListReturned(a), ListReturned(PARENT))
    assert len(turn(scheduler, 6, *twice)) == 1


def test_where_all_have_ended_there_is_no_further_pass() -> None:
    scheduler, now = listing()
    told(scheduler, page(*many(20)), now)
    scheduler.handle(*map(OperationDropped, many(20)), now=now)
    assert turn(scheduler, now + 10) == []
    assert scheduler.next_wakeup() is None


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("later", "more"), [(4, False), (5, True)])
def test_a_few_that_are_not_due_yet_are_left_for_another_pass(later: int, more: bool) -> None:
    """Fewer than a quarter of what a page answers; they wait until one of them falls due."""
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(20)), now=0)
    scheduler.handle(*opened(*many(20 + later)[20:]), now=3)
    assert turn(scheduler, 5) == [CheckList(PARENT)]
    actions = told(scheduler, page(*many(20), token="more"), 5)
    assert actions == ([CheckList(PARENT, "more")] if more else [])


def test_one_that_is_due_is_looked_for_on_the_next_page() -> None:
    """And asked for alone where the last page misses it; from then on, always."""
    scheduler, now = listing()
    assert told(scheduler, page(*many(19), token="more"), now) == [CheckList(PARENT, "more")]
    actions = told(scheduler, page(*many(2)), now)
    assert checked(actions) == {key(19)}
    assert not made(actions, CheckList)
    scheduler.handle(CheckEnded(key(19), Running(), now), now=now)
    seen: list[Action] = []
    for _ in range(60):
        at = wake(scheduler)
        actions = turn(scheduler, at)
        for _ in made(actions, CheckList):
            assert told(scheduler, page(*many(20)), at) == [], "it waited for a list"
        scheduler.handle(*(CheckEnded(one, Running(), at) for one in checked(actions)), now=at)
        seen += actions
    assert checked(seen) == {key(19)}
    assert len(made(seen, CheckList)) > 10


@pytest.mark.parametrize(
    ("first", "second", "works"), [(2, 0, False), (2, 1, False), (2, 2, True), (1, None, False)]
)
def test_a_pass_is_worth_it_where_a_page_answers_two(first: int, second: int | None, works: bool) -> None:
    """Else lists rest, and what falls due is asked for alone."""
    scheduler, now = listing()
    actions = told(scheduler, page(*many(first), token="more"), now)
    if second is not None:
        assert actions == [CheckList(PARENT, "more")]
        actions = told(scheduler, page(*many(20)[first : first + second], token="still more"), now)
        if works:
            assert actions == [CheckList(PARENT, "still more")]
            actions = told(scheduler, page(*many(20)[4:6]), now)
    answered = 6 if works else first + (second or 0)
    assert checked(actions) == set(many(20)[answered:])
    scheduler.handle(*(CheckEnded(one, Running(), now) for one in checked(actions)), now=now)
    later = turn(scheduler, wake(scheduler))
    assert bool(made(later, CheckList)) is works


def test_a_page_tells_ends_as_checks_do() -> None:
    """With the lag that is likely; the others run on."""
    scheduler, now = listing()
    running = page(*many(20)).answers
    [resolved] = told(scheduler, Listed(answers={**running, key(3).name: FINISHED}), now)
    assert resolved == Resolve(key(3), DONE)
    assert isinstance(resolved, Resolve)
    assert resolved.lag == now / 2
    assert scheduler.open_operations == 19


def test_what_is_nobodys_news_on_a_page_does_not_end_it() -> None:
    """Neither somebody else's operation nor one whose own check is under way: those after it are read."""
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(7)), now=0)
    assert checked(turn(scheduler, 5)) == set(many(7))
    scheduler.handle(*opened(*many(10)[7:]), now=5)
    assert turn(scheduler, 10) == [CheckList(PARENT)]
    foreign = {key(99).name: FINISHED}
    everyone = {one.name: FINISHED for one in many(10)}
    ended = told(scheduler, Listed(answers={**foreign, **everyone}), 10)
    assert [action.key for action in made(ended, Resolve)] == many(10)[7:]


def test_all_on_a_page_that_are_past_their_deadlines_are_told_of() -> None:
    """Those that were taken up wait until they are seen to run; an end on the same page is told too."""
    policy = PollPolicy(min_interval=5, max_interval=5, deadline=100)
    scheduler = PollScheduler(policy=policy, limits=FREELY, parent_of=model_of)
    late = [OperationOpened(one, Profile(MODEL), age=200, restored=True) for one in many(10)]
    scheduler.handle(*late, now=0)
    now = wake(scheduler)
    while not made(turn(scheduler, now), CheckList):
        now = wake(scheduler)
    answers = {**page(*many(10)).answers, key(9).name: FINISHED}
    actions = told(scheduler, Listed(answers=answers), now)
    assert set(made(actions, Stall)) == {Stall(one) for one in many(9)}
    assert [action.key for action in made(actions, Resolve)] == [key(9)]


def test_what_is_asked_alone_meanwhile_goes_by_its_own_answer() -> None:
    """A list's word on it may be older."""
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(7)), now=0)
    assert turn(scheduler, 5) == [Check(tuple(many(7)))]
    scheduler.handle(*opened(*many(10)[7:]), now=5)
    assert turn(scheduler, 10) == [CheckList(PARENT)]
    everyone = Listed(answers={one.name: FINISHED for one in many(10)})
    ended = told(scheduler, everyone, 10)
    assert [action.key for action in made(ended, Resolve)] == many(10)[7:]
    own = [CheckEnded(one, FINISHED, 5.0) for one in many(7)]
    assert len(made(scheduler.handle(*own, now=11), Resolve)) == 7


@pytest.mark.parametrize("half", [EMPTY, refused(RefusalKind.SERVER)], ids=["empty", "error"])
def test_half_an_answer_about_one_that_is_not_due_has_it_asked_for_at_once(half: object) -> None:
    """It alone: what follows it on the page is read."""
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(20)), now=0)
    scheduler.handle(*opened(key(20)), now=3)
    turn(scheduler, 5)
    answers = {key(20).name: half} | {one.name: Running() for one in many(20)}
    assert checked(told(scheduler, Listed(answers=answers), 5)) == {key(20)}  # type: ignore[arg-type]
    assert scheduler.handle(CheckEnded(key(20), Finished(outcome=DONE), 5.0), now=6) == [
        Resolve(key(20), DONE)
    ]


# ── what comes in place of a page ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "never"),
    [
        (Refused(kind=RefusalKind.UNSUPPORTED), True),
        (Refused(kind=RefusalKind.AUTHENTICATION, status=403), True),
        (Refused(kind=RefusalKind.BALANCE, status=403), True),
        (Refused(kind=RefusalKind.AUTHENTICATION, status=401), False),
        (Refused(kind=RefusalKind.SERVER, status=500), False),
        (Refused(kind=RefusalKind.RATE_LIMIT, status=429), False),
        (Unreadable(message="", status=403), True),
        (Unreadable(message="", status=404), True),
        (Unreadable(message="", status=200), True),
        (Unreadable(message="", status=399), True),
        (Unreadable(message="", status=429, throttled=True), False),
        (Unreadable(message="", status=500), False),
        (Unreadable(message="", status=599), False),
        (Lost(reason="reset"), False),
        (DOWN, False),
        (Listed(answers={}), False),
    ],
    ids=str,
)
def test_what_says_that_there_are_no_lists_to_be_had(answer: Listed | Instead, never: bool) -> None:
    """None at all, none for this key, or none that can be read."""
    assert is_never(answer) is never


@pytest.mark.parametrize(
    "answer",
    [
        Lost(reason="reset"),
        Unreadable(message="HTML", status=500),
        Unreadable(message="HTML", status=599),
        Refused(kind=RefusalKind.SERVER, status=500),
        Refused(kind=RefusalKind.OVERLOADED, status=503),
    ],
    ids=str,
)
def test_lists_that_fail_rest_for_longer_each_time(answer: Instead) -> None:
    """Fifteen seconds, then twice as long, up to ten minutes."""
    provider = Provider(PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of), instead=answer)
    provider.open(*many(20))
    provider.run(until=2400)
    rests = [later - earlier for earlier, later in pairwise(provider.lists)]
    assert rests == [pytest.approx(rest + 2.75, abs=2.75) for rest in (15, 30, 60, 120, 240, 480, 600, 600)]


def test_after_a_list_that_worked_the_next_failure_rests_shortly_again() -> None:
    provider = Provider(PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of))
    provider.open(*many(20))
    provider.instead = Lost(reason="reset")
    provider.run(until=100)
    assert len(provider.lists) == 3
    provider.instead = None
    provider.run(until=200)
    working = len(provider.lists)
    assert working > 10
    provider.instead = Lost(reason="reset")
    provider.run(until=250)
    failed_at, again_at = provider.lists[working : working + 2]
    assert 15 <= again_at - failed_at <= 20.5


def test_what_waited_for_a_list_that_failed_is_asked_for_alone_this_time() -> None:
    """At once; when lists are back, they answer it again."""
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(20)), now=0)
    turn(scheduler, 5)
    actions = told(scheduler, Lost(reason="reset"), 5)
    assert checked(actions) == set(many(20))
    for now in (5, 10, 15):
        scheduler.handle(*(CheckEnded(one, Running(), now) for one in many(20)), now=now)
        actions = turn(scheduler, now + 5)
        expected = [Check(tuple(many(20)))] if now < 15 else [CheckList(PARENT)]
        assert [type(action) for action in actions] == [type(action) for action in expected]


@pytest.mark.parametrize("first", [page(*many(20)), refused(RefusalKind.SERVER)], ids=["page", "error"])
def test_lists_that_cannot_connect_wait_with_the_lane_and_go_first_after_it(first: Listed | Refused) -> None:
    """Those who wait are told of the lane, and its first answer, whatever it says, lifts the pause."""
    retry = RetryPolicy(unsent_attempts=1)
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, retry=retry, parent_of=model_of)
    scheduler.handle(*opened(*many(20)), now=0)
    turn(scheduler, 5)
    assert told(scheduler, DOWN, 5, None) == [Announce(CHECKS, Pause(None, DOWN))]
    at = wake(scheduler)
    assert turn(scheduler, at) == [CheckList(PARENT)]
    assert made(told(scheduler, first, at), Lift) == [Lift(CHECKS)]


def test_a_page_gains_pace_back_like_any_answer() -> None:
    scheduler = PollScheduler(policy=FIVE, limits=Limits(checks=Rate(50, per=60)), parent_of=model_of)
    scheduler.handle(*opened(*many(20)), now=0)
    turn(scheduler, 5)
    assert told(scheduler, refused(RefusalKind.RATE_LIMIT), 5) == []
    assert scheduler.checks_per_minute == 44
    at = wake(scheduler)
    assert turn(scheduler, at) == [CheckList(PARENT)]
    told(scheduler, page(*many(20)), at)
    assert scheduler.checks_per_minute == pytest.approx(44.075)


def test_a_parent_without_lists_has_none_ever_and_the_others_have_theirs() -> None:
    """Operations that come later are checked alone as well."""
    scheduler = PollScheduler(policy=FIVE, limits=FREELY, parent_of=model_of)
    scheduler.handle(*opened(*many(10), *many(10, "b")), now=0)
    other = OperationParent("p", "b")
    assert turn(scheduler, 5) == [CheckList(PARENT), CheckList(other)]
    actions = told(scheduler, refused(RefusalKind.UNSUPPORTED), 5)
    assert checked(actions) == set(many(10))
    scheduler.handle(*opened(*many(20)[10:]), now=5)
    scheduler.handle(ListEnded(other, page(*many(10, "b")), 5.0), now=5)
    assert turn(scheduler, 10) == [CheckList(other), Check(tuple(many(20)[10:]))]


def test_a_list_that_is_told_of_when_none_is_under_way_is_late() -> None:
    with_lists, without = PollScheduler(parent_of=model_of), PollScheduler()
    for scheduler in (with_lists, without):
        scheduler.handle(*opened(*many(10)), now=0)
        assert told(scheduler, page(*many(10)), 1) == []
        assert list(scheduler.handle(ListReturned(PARENT), now=1)) == []
        assert scheduler.late_answers == 1
