"""One list in place of many checks: when it is asked for, what its pages mean, and when it is given up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from attrs import define, field

from veo_async.answers import (
    Empty,
    Finished,
    Listed,
    Lost,
    NotSent,
    RefusalKind,
    Refused,
    Running,
    Unreadable,
)
from veo_async.engine.events import (
    CHECKS,
    Action,
    Announce,
    Check,
    CheckEnded,
    CheckList,
    ListEnded,
    ListReturned,
    OperationDropped,
    OperationKey,
    OperationOpened,
    OperationParent,
    Profile,
    Resolve,
)
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import Failed
from veo_async.options import Limits, PollPolicy, Rate

from .world import DONE, refused

MODEL = "veo"
PARENT = OperationParent("p", MODEL)
FINISHED = Finished(outcome=DONE)
EMPTY = Empty(outcome=Failed(reason="empty"))
Instead = Refused | Unreadable | NotSent | Lost


def key(number: int, model: str = MODEL) -> OperationKey:
    return OperationKey("p", f"{model}/{number}")


def model_of(name: str) -> str:
    return name.partition("/")[0]


@define
class Provider:
    """A scheduler in virtual time, and a provider that answers at once, its lists newest first."""

    scheduler: PollScheduler = field(factory=lambda: PollScheduler(parent_of=model_of))
    page_size: int = 100
    ends_at: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    partial: set[OperationKey] = field(factory=set[OperationKey])
    unlisted: set[OperationKey] = field(factory=set[OperationKey])
    oldest_first: bool = False
    instead: Instead | None = None
    now: float = 0.0
    checks: list[tuple[float, OperationKey]] = field(factory=list[tuple[float, OperationKey]])
    lists: list[float] = field(factory=list[float])
    ended: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    lags: dict[OperationKey, float | None] = field(factory=dict[OperationKey, float | None])
    announced: list[Announce] = field(factory=list[Announce])

    def open(self, *keys: OperationKey, ends_at: float = 1e6) -> None:
        self.ends_at |= dict.fromkeys(keys, ends_at)
        opened = [OperationOpened(key, Profile(model_of(key.name))) for key in keys]
        self.act(self.scheduler.handle(*opened, now=self.now))

    def run(self, until: float) -> None:
        while (wake_at := self.scheduler.next_wakeup()) is not None and wake_at <= until:
            self.now = max(self.now, wake_at)
            self.act(self.scheduler.handle(now=self.now))
        self.now = until

    def act(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Check():
                    self.checks += ((self.now, key) for key in action.keys)
                    answers = [CheckEnded(key, self.status(key), self.now) for key in action.keys]
                    self.act(self.scheduler.handle(*answers, now=self.now))
                case CheckList():
                    self.lists.append(self.now)
                    sent_at = None if isinstance(self.instead, NotSent) else self.now
                    ended = ListEnded(action.parent, self.instead or self.page(action), sent_at)
                    self.act(self.scheduler.handle(ended, now=self.now))
                case Resolve():
                    assert action.key not in self.ended
                    self.ended[action.key] = self.now
                    self.lags[action.key] = action.lag
                case Announce():
                    self.announced.append(action)
                case _:
                    pass

    def status(self, key: OperationKey) -> Running | Finished:
        return FINISHED if self.ends_at[key] <= self.now else Running()

    def page(self, action: CheckList) -> Listed:
        listed = [key for key in self.ends_at if model_of(key.name) == action.parent.name]
        listed = [key for key in listed if key not in self.unlisted]
        if not self.oldest_first:
            listed.reverse()
        start = int(action.page_token or 0)
        end = start + self.page_size
        page = listed[start:end]
        answers: dict[str, Running | Finished | Empty | Refused] = {}
        for key in page:
            is_half = key in self.partial and self.ends_at[key] <= self.now
            answers[key.name] = EMPTY if is_half else self.status(key)
        return Listed(answers=answers, next_page_token=str(end) if end < len(listed) else None)


def many(count: int, model: str = MODEL) -> list[OperationKey]:
    return [key(number, model) for number in range(count)]


def test_one_list_serves_a_hundred_operations_and_no_single_check_is_needed() -> None:
    provider = Provider()
    provider.open(*many(100))
    provider.run(until=60)
    assert provider.checks == []
    assert 20 <= len(provider.lists) <= 60  # a loop of 10 s for each would have sent 600


def test_ends_are_seen_at_the_next_list() -> None:
    provider = Provider()
    keys = many(100)
    provider.open(*keys)
    for number, one in enumerate(keys):
        provider.ends_at[one] = 30 + number / 2
    provider.run(until=200)
    assert set(provider.ended) == set(keys)
    lags = [provider.ended[one] - provider.ends_at[one] for one in keys]
    assert min(lags) >= 0
    assert sum(lags) / len(lags) < 1.0
    assert provider.checks == [] or len(provider.checks) < 10  # the last few


def test_few_operations_are_checked_alone() -> None:
    provider = Provider()
    provider.open(*many(7))
    provider.run(until=100)
    assert provider.lists == []
    assert provider.checks


def test_without_lists_there_are_none() -> None:
    provider = Provider(PollScheduler())
    provider.open(*many(100))
    provider.run(until=30)
    assert (provider.lists, bool(provider.checks)) == ([], True)


def test_a_list_has_its_pages_one_after_the_other_and_each_costs_one_check() -> None:
    limits = Limits(checks=Rate(2, per=1))
    provider = Provider(PollScheduler(limits=limits, parent_of=model_of), page_size=10)
    provider.open(*many(100))
    provider.run(until=60)
    assert provider.checks == []
    for start in provider.lists:
        assert sum(start <= at < start + 1 for at in provider.lists) <= 2


def test_finished_ones_behind_the_open_ones_are_not_paged_through() -> None:
    provider = Provider(page_size=20)
    provider.ends_at |= dict.fromkeys(many(1000, MODEL), 0.0)  # somebody's, over for long
    provider.open(*(key(number) for number in range(2000, 2020)))
    provider.run(until=60)
    assert provider.checks == []
    assert len(provider.lists) == len(set(provider.lists))  # one page a pass


def test_a_foreign_operation_is_nobodys_news() -> None:
    provider = Provider()
    provider.ends_at |= dict.fromkeys(many(5), 0.0)
    provider.open(*(key(number) for number in range(100, 120)), ends_at=30.0)
    provider.run(until=90)
    assert set(provider.ended) == {key(number) for number in range(100, 120)}
    assert provider.scheduler.late_answers == 0


def test_an_operation_that_lists_miss_is_checked_alone_from_then_on() -> None:
    provider = Provider(unlisted={key(3)})
    provider.open(*many(50), ends_at=70.0)
    provider.run(until=200)
    assert {one for _, one in provider.checks} == {key(3)}
    assert set(provider.ended) == set(many(50))


def test_an_entry_that_tells_half_is_asked_for_alone() -> None:
    """Done without `response` in a list decides nothing: the single check does, and at once."""
    provider = Provider(partial={key(3)})
    provider.open(*many(50), ends_at=70.0)
    provider.run(until=200)
    assert [one for _, one in provider.checks] == [key(3)]
    assert set(provider.ended) == set(many(50))
    assert provider.ended[key(3)] - provider.ended[key(4)] <= 0.25


NEVER: list[Instead] = [
    refused(RefusalKind.UNSUPPORTED),
    refused(RefusalKind.NOT_FOUND),
    refused(RefusalKind.INVALID),
    Refused(kind=RefusalKind.AUTHENTICATION, status=403),
    Unreadable(message="not JSON", status=200),
    Unreadable(message="HTML", status=404),
    Unreadable(message="HTML", status=405),
    Unreadable(message="HTML", status=501),
]


@pytest.mark.parametrize("answer", NEVER, ids=lambda answer: f"{type(answer).__name__} {answer.status}")
def test_a_list_that_will_never_be_had_is_asked_for_once(answer: Instead) -> None:
    """Also one that only this key may not have: single checks go on, and no pause is announced."""
    provider = Provider(instead=answer)
    provider.open(*many(50), ends_at=70.0)
    provider.run(until=2000)
    assert len(provider.lists) == 1
    assert provider.announced == []
    assert set(provider.ended) == set(many(50))


@pytest.mark.parametrize(
    "answer",
    [refused(RefusalKind.SERVER), Lost(reason="closed"), Unreadable(message="HTML", status=502)],
    ids=["server error", "lost", "gateway's page"],
)
def test_after_a_failure_lists_rest_and_single_checks_go_on(answer: Instead) -> None:
    provider = Provider(instead=answer)
    provider.open(*many(50))
    provider.run(until=600)
    assert 2 <= len(provider.lists) <= 8
    assert {one for _, one in provider.checks} == set(many(50))
    provider.instead = None
    provider.run(until=2000)
    provider.checks.clear()
    provider.run(until=2300)
    assert provider.checks == []


def test_a_list_that_answers_little_rests() -> None:
    """Oldest first, behind pages of finished ones: that order brings nothing."""
    provider = Provider(page_size=20, oldest_first=True)
    provider.ends_at |= dict.fromkeys(many(1000), 0.0)
    provider.open(*(key(number) for number in range(2000, 2050)), ends_at=300.0)
    provider.run(until=11)
    later = [key(number) for number in range(3000, 3020)]
    provider.open(*later, ends_at=300.0)
    provider.run(until=24.5)
    assert len(provider.lists) == 1
    assert set(later) <= {one for _, one in provider.checks}
    provider.run(until=400)
    assert len(provider.ended) == 70


def test_429_on_a_list_holds_the_lane_and_no_check_goes_in_its_place() -> None:
    provider = Provider(instead=refused(RefusalKind.RATE_LIMIT, retry_after=5.0))
    provider.open(*many(50))
    provider.run(until=11)
    (at,) = provider.lists
    provider.instead = None
    provider.run(until=at + 4)
    assert (len(provider.lists), provider.checks) == (1, [])
    provider.run(until=at + 6)
    assert (len(provider.lists), provider.checks) == (2, [])


def test_a_refused_key_pauses_the_lane() -> None:
    provider = Provider(instead=Refused(kind=RefusalKind.AUTHENTICATION, status=401))
    provider.open(*many(50))
    provider.run(until=12)
    assert CHECKS in {announce.quota for announce in provider.announced}
    assert provider.checks == []


def listing(count: int = 20) -> tuple[PollScheduler, float]:
    """Return a scheduler that has just asked for a list, and the instant."""
    scheduler = PollScheduler(parent_of=model_of)
    scheduler.handle(*(OperationOpened(one, Profile(MODEL)) for one in many(count)), now=0.0)
    for _ in range(10):
        now = scheduler.next_wakeup()
        assert now is not None
        actions = list(scheduler.handle(now=now))
        if actions:
            assert actions == [CheckList(PARENT)]
            return scheduler, now
    raise AssertionError("no list in 10 wake-ups")


def page(*keys: OperationKey, token: str | None = None) -> Listed:
    return Listed(answers={one.name: Running() for one in keys}, next_page_token=token)


def test_there_is_one_page_at_a_time_and_what_falls_due_meanwhile_waits_for_it() -> None:
    scheduler, now = listing()
    assert list(scheduler.handle(now=now + 30)) == []


def test_a_page_that_comes_twice_or_from_nowhere_is_late() -> None:
    scheduler, now = listing()
    ended = ListEnded(PARENT, page(*many(20)), now)
    scheduler.handle(ended, now=now)
    scheduler.handle(ended, now=now)
    scheduler.handle(ListEnded(OperationParent("p", "other"), page(), now), now=now)
    assert scheduler.late_answers == 2


def test_a_page_that_was_not_asked_for_is_asked_for_again() -> None:
    scheduler, now = listing()
    assert list(scheduler.handle(ListReturned(PARENT), now=now)) == [CheckList(PARENT)]


def test_the_next_page_is_asked_for_while_one_is_missing() -> None:
    scheduler, now = listing()
    ended = ListEnded(PARENT, page(*many(10), token="more"), now)
    assert list(scheduler.handle(ended, now=now)) == [CheckList(PARENT, "more")]


def test_no_further_page_once_all_were_seen() -> None:
    scheduler, now = listing()
    ended = ListEnded(PARENT, page(*many(20), token="more"), now)
    assert list(scheduler.handle(ended, now=now)) == []


def test_one_that_is_dropped_during_a_list_is_nobodys_news() -> None:
    scheduler, now = listing()
    everyone = many(20)
    scheduler.handle(*map(OperationDropped, everyone), now=now)
    done = Listed(answers={one.name: FINISHED for one in everyone})
    actions: list[Action] = list(scheduler.handle(ListEnded(PARENT, done, now), now=now))
    assert actions == []
    assert scheduler.next_wakeup() is None


def test_models_have_lists_of_their_own() -> None:
    provider = Provider()
    provider.open(*many(20, "a"), *many(20, "b"), *many(3, "c"))
    provider.run(until=30)
    assert {model_of(one.name) for _, one in provider.checks} == {"c"}


def test_lists_come_no_more_often_than_the_shortest_gap() -> None:
    policy = PollPolicy(min_interval=5.0)
    provider = Provider(PollScheduler(policy=policy, parent_of=model_of))
    provider.open(*many(100))
    provider.run(until=100)
    assert min(later - earlier for earlier, later in pairwise(provider.lists)) >= 5.0


def test_lists_that_come_often_leave_checks_due_in_time_for_when_they_stop() -> None:
    """Whoever was last seen by a list is asked alone before its longest gap is over."""
    provider = Provider(PollScheduler(policy=PollPolicy(max_interval=20), parent_of=model_of))
    provider.open(*many(40))
    provider.run(until=100)
    assert provider.checks == []
    stopped_at = provider.lists[-1]
    provider.instead = Unreadable(message="no page", status=502)
    provider.run(until=stopped_at + 21)
    checked = {key for at, key in provider.checks if at <= stopped_at + 20.25}
    assert checked == set(many(40))
    assert min(at for at, _ in provider.checks) - stopped_at >= 0.25


def test_a_pass_comes_as_often_as_the_gaps_of_its_operations_deserve() -> None:
    """Whether their gaps were worked out anew or hold still: a hundred gaps of g give passes each g/10."""
    policy = PollPolicy(min_interval=0.25, max_interval=20, expected=2000, spread=0.1)
    watched = PollScheduler(policy=policy, parent_of=model_of)
    provider = Provider(watched)
    provider.open(*many(100))
    provider.run(until=100)
    gaps = [later - at for at, later in pairwise(provider.lists) if at > 20]
    assert all(0.9 <= gap <= 1.3 for gap in gaps)  # no gap is longer than 10 s before an end was seen
