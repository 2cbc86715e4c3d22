"""Turns are shared: by priority, and within one by group."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from veo_async.answers import Accepted, RefusalKind
from veo_async.engine.events import Submit, SubmitEnded, SubmitQueued, SubmitWithdrawn
from veo_async.engine.fair_queue import MOST_PASSES, FairQueue, Ticket
from veo_async.engine.priorities import ORDER
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import JobId, Priority
from veo_async.options import Limits, Rate

from .world import FAST, made, refused

Turn = tuple[Priority, str | None]


def queue_of(*turns: Turn) -> FairQueue:
    """Return a queue of jobs with these priorities and groups, in this order."""
    queue = FairQueue()
    for number, (priority, group) in enumerate(turns):
        queue.add(Ticket(JobId(f"{group}{number}"), number, priority, group))
    return queue


def turn_of(ticket: Ticket) -> Turn:
    return ticket.priority, ticket.group


def popped(queue: FairQueue, count: int | None = None) -> list[str]:
    return [queue.pop().job_id for _ in range(len(queue) if count is None else count)]


def normal(*groups: str) -> list[Turn]:
    return [("normal", group) for group in groups]


# ── groups ──────────────────────────────────────────────────────────────────────────────────────────────


def test_groups_have_their_turns_one_after_the_other_and_keep_their_own_order() -> None:
    """One of each in the order in which the groups came."""
    assert popped(queue_of(*normal(*"aaabbc"))) == ["a0", "b3", "c5", "a1", "b4", "a2"]


def test_a_single_request_waits_for_one_turn_of_each_group_and_not_for_a_batch() -> None:
    """10,000 jobs of one tenant before it make no difference."""
    queue = queue_of(*normal(*"a" * 10_000, "b"))
    assert popped(queue, 2) == ["a0", "b10000"]


def test_a_group_gains_nothing_by_coming_one_job_at_a_time() -> None:
    """Each time it begins to wait, all others are before it."""
    queue = queue_of(*normal(*"abbb"))
    assert queue.pop().group == "a"
    queue.add(Ticket(JobId("a9"), 9, "normal", "a"))
    assert popped(queue) == ["b1", "a9", "b2", "b3"]


def test_what_comes_back_is_before_the_newer_ones_of_its_group_and_its_turn_is_given_back_once() -> None:
    """A group that is refused again and again does not hold up the others."""
    queue = queue_of(*normal(*"aaabbb"))
    first = queue.pop()
    again = Ticket(first.job_id, first.number, group="a", returns=1)
    queue.add(again)
    assert queue.pop() == again  # the turn that came to nothing
    queue.add(Ticket(first.job_id, first.number, group="a", returns=2))
    assert popped(queue) == ["b3", "a0", "b4", "a1", "b5", "a2"]


def test_a_crowd_that_comes_back_keeps_its_order() -> None:
    """In whatever order the answers came."""
    queue = queue_of(*normal(*"aaaa"))
    for ticket in reversed([queue.pop() for _ in range(3)]):
        queue.add(Ticket(ticket.job_id, ticket.number, group="a", returns=1))
    assert popped(queue) == ["a0", "a1", "a2", "a3"]


# ── priorities ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_most_pressing_go_first() -> None:
    """Whatever came first."""
    queue = queue_of(("bulk", "a"), ("normal", "a"), ("urgent", "b"), ("normal", "c"))
    assert popped(queue) == ["b2", "a1", "c3", "a0"]


@pytest.mark.parametrize("waiting", [("urgent", "bulk"), ORDER])
def test_a_priority_that_waits_has_one_turn_in_ten(waiting: Sequence[Priority]) -> None:
    """However many more pressing jobs there are."""
    backlog: list[Turn] = [(priority, None) for priority in waiting for _ in range(600)]
    queue = queue_of(*backlog)
    turns = [queue.pop().priority for _ in range(500)]
    count = Counter(turns)
    assert all(count[priority] in (49, 50) for priority in waiting[1:]), count
    assert turns.index("bulk") <= MOST_PASSES + 1


def test_who_is_passed_over_nine_times_has_the_tenth_turn() -> None:
    """From the first turn on; where two are due at once, the more pressing one is before the other."""
    backlog: list[Turn] = [(priority, None) for priority in ORDER for _ in range(40)]
    queue = queue_of(*backlog)
    turns = [queue.pop().priority for _ in range(22)]
    assert turns == [*["urgent"] * 9, "normal", "bulk", *["urgent"] * 8, "normal", "bulk", "urgent"]


# ── whatever happens ────────────────────────────────────────────────────────────────────────────────────


class Turns(RuleBasedStateMachine):
    """Jobs queue, have their turns, come back and are withdrawn as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue()
        self.numbers = itertools.count()
        self.waiting: dict[JobId, Ticket] = {}
        self.taken: list[Ticket] = []
        self.passed: Counter[Priority] = Counter()
        self.turns_before: dict[Turn, list[str | None]] = defaultdict(list)
        """Of each group that waits, the groups that had a turn since it waits or had its own."""

    def add(self, ticket: Ticket) -> None:
        self.queue.add(ticket)
        self.waiting[ticket.job_id] = ticket

    @rule(priority=st.sampled_from(ORDER), group=st.sampled_from("abcd"), count=st.integers(1, 5))
    def come(self, priority: Priority, group: str, count: int) -> None:
        for _ in range(count):
            number = next(self.numbers)
            self.add(Ticket(JobId(str(number)), number, priority, group))

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        ticket = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        back = Ticket(ticket.job_id, ticket.number, ticket.priority, ticket.group, ticket.returns + 1)
        self.add(back)
        if back.returns == 1:  # takes a turn that it had already: it is not counted against it
            for (priority, _), before in self.turns_before.items():
                if priority == back.priority and back.group in before:
                    before.remove(back.group)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.waiting)))
        ticket = self.waiting.pop(job_id)
        self.queue.remove(job_id)
        self.queue.remove(job_id)  # twice is no news
        self.forget_idle(ticket)

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 15))
    def take(self, count: int) -> None:
        for _ in range(min(count, len(self.waiting))):
            self.take_one()

    def take_one(self) -> None:
        waiting: set[Priority] = {ticket.priority for ticket in self.waiting.values()}
        ticket = self.queue.pop()
        mine = turn_of(ticket)
        same = [one for one in self.waiting.values() if turn_of(one) == mine]
        assert ticket.number == min(one.number for one in same), "the order in a group is not kept"
        if ticket.priority != min(waiting, key=ORDER.index):
            assert self.passed[ticket.priority] >= MOST_PASSES, "went before what is more pressing"
        for priority in ORDER:
            passed_over = priority in waiting and priority != ticket.priority
            self.passed[priority] = self.passed[priority] + 1 if passed_over else 0
        assert max(self.passed.values()) <= MOST_PASSES + 1, "a priority starves"
        del self.waiting[ticket.job_id]
        self.taken.append(ticket)
        for other in set(map(turn_of, self.waiting.values())) - {mine}:
            if other[0] == ticket.priority:
                self.turns_before[other].append(ticket.group)
        self.turns_before.pop(mine, None)

    def forget_idle(self, ticket: Ticket) -> None:
        mine = turn_of(ticket)
        if mine not in map(turn_of, self.waiting.values()):
            self.turns_before.pop(mine, None)

    @invariant()
    def nobody_waits_for_more_than_one_turn_of_each_other_group(self) -> None:
        for mine, before in self.turns_before.items():
            assert max(Counter(before).values(), default=0) <= 1, f"{mine} waits behind {before}"

    @invariant()
    def books_agree(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert all(job_id in self.queue for job_id in self.waiting)

    def teardown(self) -> None:
        """In the end all have their turn, and nothing is kept."""
        assert sorted(popped(self.queue)) == sorted(self.waiting)
        assert not any(self.queue._queues.values())  # pyright: ignore[reportPrivateUsage]


Turns.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestTurns = Turns.TestCase


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_nobody_waits_more_than_one_turn_of_each_group(sizes: list[int]) -> None:
    """The n-th of each group has its turn within n times as many turns as there are groups."""
    groups = [chr(ord("a") + number) for number in range(len(sizes))]
    queue = queue_of(
        *normal(*(group for group, size in zip(groups, sizes, strict=True) for _ in range(size)))
    )
    had: Counter[str | None] = Counter()
    for turn in range(1, sum(sizes) + 1):
        had[queue.pop().group] += 1
        for group, size in zip(groups, sizes, strict=True):
            assert had[group] >= min(size, turn // len(groups))


# ── in the scheduler ────────────────────────────────────────────────────────────────────────────────────


def sent(actions: Sequence[object]) -> list[str]:
    return [job_id for action in actions if isinstance(action, Submit) for job_id in action.job_ids]


def queued(*names: str, priority: Priority = "normal") -> list[SubmitQueued]:
    return [SubmitQueued(JobId(name), priority, name[0]) for name in names]


def test_a_tenants_batch_does_not_hold_up_another_ones_request() -> None:
    """It is sent after one of the batch, at the second place of the rate's window."""
    scheduler = PollScheduler(limits=Limits(submits=Rate(2, per=10)))
    batch = queued(*(f"a{number}" for number in range(10_000)))
    assert sent(scheduler.handle(*batch, now=0)) == ["a0", "a1"]
    ended = [SubmitEnded(JobId(name), Accepted(operation=name), 0.0) for name in ("a0", "a1")]
    scheduler.handle(*ended, *queued("b0"), now=1)
    assert sent(scheduler.handle(now=10.05)) == ["a2", "b0"]


def test_a_place_in_flight_that_gets_free_is_a_turn_too() -> None:
    """Of another group than the one before."""
    scheduler = PollScheduler(limits=Limits(submits=Rate(1000), in_flight=1))
    assert sent(scheduler.handle(*queued("a0", "a1", "b0"), now=0)) == ["a0"]
    declined = SubmitEnded(JobId("a0"), refused(RefusalKind.INVALID), 0.0)
    assert sent(scheduler.handle(declined, now=1)) == ["b0"]


def test_urgent_jobs_are_sent_first_and_a_withdrawn_one_never() -> None:
    """In one turn, and before what waits for longer."""
    scheduler = PollScheduler(limits=FAST)
    actions = scheduler.handle(
        *queued("a0", priority="bulk"),
        *queued("a1", "a2"),
        *queued("c0", "c1", priority="urgent"),
        SubmitWithdrawn(JobId("c0")),
        now=0,
    )
    assert made(actions, Submit) == [Submit((JobId("c1"), JobId("a1"), JobId("a2"), JobId("a0")))]


def test_a_job_that_was_too_fast_goes_before_the_others_of_its_tenant() -> None:
    """And has its turn back, once."""
    scheduler = PollScheduler(limits=Limits(submits=Rate(1, per=10)))
    scheduler.handle(*queued("a0", "a1", "b0"), now=0)
    slow = refused(RefusalKind.RATE_LIMIT)
    order: list[str] = []
    now, last = 0.0, "a0"
    for answer in (slow, slow, Accepted(operation="x"), Accepted(operation="y"), Accepted(operation="z")):
        ended = SubmitEnded(JobId(last), answer, now, again=answer is slow)
        scheduler.handle(ended, now=now)
        wake_at = scheduler.next_wakeup()
        if wake_at is None:
            break
        now = wake_at
        [last] = sent(scheduler.handle(now=now))
        order.append(last)
    assert order == ["a0", "b0", "a0", "a1"]
