"""Who goes first where there is no room for all: the longest expected undetected wait, and nobody starves."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from veo_async.answers import Finished, Running
from veo_async.engine.due_line import CLOSE_S, DueLine
from veo_async.engine.events import (
    Check,
    CheckEnded,
    OperationKey,
    OperationNotified,
    OperationOpened,
    Profile,
)
from veo_async.engine.priorities import CHECK_WEIGHT, ORDER
from veo_async.engine.waiting_times import Seen
from veo_async.models import Priority
from veo_async.options import Limits, PollPolicy, Rate

from .virtual_jobs import Draw, lognormal
from .world import DONE, VEO, Reply, World, key, keys, made, scheduler

SLOW = Profile("slow")


@frozen
class Waits:
    """Waits that grow each at a speed of its own, and how often they were asked for."""

    since: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    speed: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    asked: list[OperationKey] = field(factory=list[OperationKey])

    def __call__(self, asked: OperationKey, _: float, now: float) -> float:
        self.asked.append(asked)
        return self.at(asked, now)

    def at(self, asked: OperationKey, now: float) -> float:
        return self.speed[asked] * (now - self.since[asked])


def crowd(count: int, waits: Waits, *, seed: int = 1) -> DueLine:
    """Return a line in which so many wait since some time in the first minute."""
    line, random = DueLine(waits), Random(seed)
    for number in range(count):
        waits.since[key(number)] = since = random.uniform(0, 60)
        waits.speed[key(number)] = random.random()
        line.add(key(number), "normal", since, since)
    return line


# ── the line ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_longest_wait_is_taken_at_every_turn() -> None:
    """As if all were looked at each time, but for a tick."""
    waits = Waits()
    line = crowd(300, waits)
    left = set(waits.since)
    for turn in range(100):
        now = 60 + 0.25 * turn
        longest = max(waits.at(key, now) for key in left)
        [taken] = line.take(1, now)
        left.discard(taken)
        assert waits.at(taken, now) >= longest - CLOSE_S - 1e-9


def test_few_are_looked_at_for_each_that_is_taken() -> None:
    """Ten thousand are due and twenty a second are taken: the rest is let be."""
    waits = Waits()
    line = crowd(10_000, waits)
    taken = sum(len(line.take(5, 60 + 0.25 * turn)) for turn in range(400))
    assert taken == 2000
    assert len(waits.asked) <= 20 * taken


def test_where_all_go_at_once_nobody_is_weighed() -> None:
    waits = Waits()
    line = crowd(50, waits)
    assert set(line.take(50, 60)) == set(waits.since)
    assert (len(line), waits.asked) == (0, [])


def test_who_leaves_is_not_taken_and_may_come_back() -> None:
    waits = Waits()
    line = crowd(3, waits)
    line.discard(key(1))
    line.discard(key(9))
    assert len(line) == 2
    line.add(key(1), "normal", 60, 60)
    line.add(key(1), "normal", 60, 60)
    assert sorted(line.take(1, 61) + line.take(5, 61)) == [key(0), key(1), key(2)]
    assert line.take(5, 61) == ()


@given(
    those=st.lists(
        st.tuples(st.sampled_from(ORDER), st.floats(0, 100), st.floats(0, 1)), min_size=2, max_size=20
    )
)
def test_a_second_counts_as_much_as_the_priority_says(those: list[tuple[Priority, float, float]]) -> None:
    waits, weights = Waits(), dict[OperationKey, float]()
    line = DueLine(waits)
    for number, (priority, since, speed) in enumerate(those):
        waits.since[key(number)], waits.speed[key(number)] = since, speed
        weights[key(number)] = CHECK_WEIGHT[priority]
        line.add(key(number), priority, since, since)
    [taken] = line.take(1, 100)
    worths = {asked: weights[asked] * waits.at(asked, 100) for asked in waits.since}
    assert worths[taken] >= max(worths.values()) - CLOSE_S * max(CHECK_WEIGHT.values())


steps = st.lists(
    st.tuples(
        st.sampled_from(("add", "add", "add", "discard", "take", "take")),
        st.integers(0, 12),
        st.sampled_from(ORDER),
        st.floats(0, 1),
        st.floats(0, 20),
    ),
    max_size=60,
)


@given(steps=steps)
def test_whoever_comes_and_leaves_the_longest_wait_is_taken(
    steps: list[tuple[str, int, Priority, float, float]],
) -> None:
    """As by looking at all of them each time, but for a tick; nobody twice, nobody who left."""
    waits, now = Waits(), 100.0
    line = DueLine(waits)
    priorities: dict[OperationKey, Priority] = {}
    for what, number, priority, speed, passed in steps:
        now += passed
        name = key(number)
        if what == "discard":
            line.discard(name)
            priorities.pop(name, None)
        elif what == "add":
            if name not in priorities:
                waits.since[name], waits.speed[name] = now - 10 * speed, speed
                priorities[name] = priority
            line.add(name, priorities[name], now, waits.since[name])
        elif priorities:
            worths = {one: CHECK_WEIGHT[priorities[one]] * waits.at(one, now) for one in priorities}
            most = max(worths.values())
            near = {one for one, worth in worths.items() if worth >= most - 4 * CLOSE_S - 1e-9}
            [taken] = line.take(1, now)
            assert taken in near
            del priorities[taken]
        else:
            assert line.take(1, now) == ()
        assert len(line) == len(priorities)
    assert set(line.take(len(priorities), now)) == set(priorities)


def test_who_waits_already_stays_as_it_is() -> None:
    """Added again with another instant, it is the one that was."""
    waits = Waits({key(0): 0.0, key(1): 50.0, key(2): 60.0}, {key(number): 1.0 for number in range(3)})
    line = DueLine(waits)
    line.add(key(0), "normal", 0.0, 0.0)
    line.add(key(1), "normal", 50.0, 50.0)
    line.add(key(0), "normal", 90.0, 90.0)
    line.add(key(2), "normal", 60.0, 60.0)
    assert [line.take(1, 100) for _ in range(3)] == [keys(0), keys(1), keys(2)]


def test_who_comes_last_is_first_where_it_waited_longest() -> None:
    """Between two turns of one instant, too."""
    waits = Waits({key(0): 50.0, key(1): 40.0, key(2): 0.0}, {key(number): 1.0 for number in range(3)})
    line = DueLine(waits)
    line.add(key(0), "normal", 50.0, 50.0)
    line.add(key(1), "normal", 40.0, 40.0)
    assert line.take(1, 100) == keys(1)
    line.add(key(1), "normal", 40.0, 40.0)
    line.add(key(2), "normal", 0.0, 0.0)
    assert line.take(1, 100) == keys(2)
    line.discard(key(1))
    assert line.take(1, 100) == keys(0)
    assert line.take(1, 100) == ()


def test_who_was_not_worth_a_turn_is_weighed_anew_at_the_next() -> None:
    """Its wait has grown since, and a second of it counts for more."""
    waits = Waits({key(0): 0.0, key(1): 50.0, key(2): 90.0}, {key(number): 1.0 for number in range(3)})
    line = DueLine(waits)
    line.add(key(0), "normal", 0.0, 0.0)
    line.add(key(1), "normal", 50.0, 50.0)
    line.add(key(2), "urgent", 90.0, 90.0)
    assert line.take(1, 100) == keys(0)  # 100 s, against four times 10
    assert line.take(1, 110) == keys(2)  # four times 20, against 60
    assert line.take(1, 110) == keys(1)


def test_a_look_that_showed_a_shorter_wait_puts_it_behind() -> None:
    """A bound is no wait: it is looked at again when it comes up."""
    waits = Waits({key(0): 0.0, key(1): 10.0}, {key(0): 0.1, key(1): 0.9})
    line = DueLine(waits)
    for number in range(2):
        line.add(key(number), "normal", waits.since[key(number)], waits.since[key(number)])
    assert line.take(1, 20) == keys(1)
    line.add(key(1), "normal", 20.0, 20.0)
    waits.since[key(1)] = 20.0
    assert line.take(1, 21) == keys(0)


def overdue(_: object, __: object, due_at: float, now: float) -> float:
    """Stand in for the expected wait: first come, first served."""
    return now - due_at


# ── through the scheduler ───────────────────────────────────────────────────────────────────────────────


@frozen
class Rush:
    """Operations under a rate of checks that is too low for all."""

    draw: Draw
    ends: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    lags: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    asked: dict[OperationKey, list[float]] = field(factory=dict[OperationKey, list[float]])

    def run(self, count: int, every: float, checks: float, until: float, **facts: Priority) -> None:
        limits = Limits(checks=Rate(1, per=1 / checks), submits=Rate(1000), in_flight=100_000)
        world = World(scheduler=scheduler(limits), on_check=self.check)
        random = Random(7)
        for number in range(count):
            began = every * number
            self.ends[key(number)] = began + self.draw(random, number)
            self.asked[key(number)] = [began]
            world.at(
                began, OperationOpened(key(number), VEO, priority=facts.get(f"of_{number % 2}", "normal"))
            )
        world.run(until)

    def check(self, asked: OperationKey, now: float) -> Reply:
        self.asked[asked].append(now)
        if now < self.ends[asked]:
            return Reply(Running())
        self.lags[asked] = now - self.ends[asked]
        return Reply(Finished(outcome=DONE))

    def mean_lag(self, first: int, step: int = 1) -> float:
        lags = [self.lags[key(number)] for number in range(first, len(self.ends), step)]
        return sum(lags) / len(lags)


@pytest.mark.parametrize(("draw", "goal"), [(lognormal(60, 0.5), 0.97), (lognormal(60, 0.2), 0.95)])
def test_under_a_short_budget_the_mean_lag_is_less_than_first_come_first_served(
    draw: Draw, goal: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With half the checks that would be worth it."""
    by_wait, by_time = Rush(draw), Rush(draw)
    by_wait.run(1200, 0.6, 5.0, until=4000)
    monkeypatch.setattr("veo_async.engine.watches.WatchList._undetected", overdue)
    by_time.run(1200, 0.6, 5.0, until=4000)
    assert by_wait.mean_lag(200) <= goal * by_time.mean_lag(200)


def test_nobody_starves() -> None:
    """One that nothing is expected of for hours has its turn too, once its longest gap is over."""
    asked: dict[OperationKey, list[float]] = {}

    def check(named: OperationKey, now: float) -> Reply:
        asked.setdefault(named, []).append(now)
        return Reply(Running())

    seen = Seen()
    for _ in range(30):
        seen.running(0, 9000)
        seen.ended(9000, 9100, lambda _: 1.0)
    limits = Limits(checks=Rate(1), submits=Rate(1000), in_flight=1000)
    world = World(scheduler=scheduler(limits, PollPolicy(deadline=1e5)), on_check=check)
    world.scheduler.restore([seen.learned(SLOW)])
    slow = [key(f"slow {number}") for number in range(5)]
    world.at(0, *(OperationOpened(name, SLOW) for name in slow))
    world.at(0, *(OperationOpened(key(number), VEO) for number in range(60)))
    world.run(900)
    assert all(len(asked[name]) >= 4 for name in slow)
    gaps = [later - earlier for name in slow for earlier, later in pairwise([0.0, *asked[name]])]
    assert 60 < max(gaps) <= 60 + 65  # a round over all takes 65 s


def test_urgent_ones_are_found_sooner_under_a_short_budget() -> None:
    """A second of theirs counts for more, and the others are found all the same."""
    rush = Rush(lognormal(60, 0.5))
    rush.run(1200, 0.6, 5.0, until=4000, of_0="urgent")
    assert len(rush.lags) == 1200
    assert rush.mean_lag(200, 2) <= 0.8 * rush.mean_lag(201, 2)


def test_one_that_is_told_to_have_ended_goes_before_one_that_has_likely_not() -> None:
    watched = scheduler(
        Limits(checks=Rate(1, per=4.0), submits=Rate(1000)), policy=PollPolicy(max_interval=60)
    )
    watched.handle(*(OperationOpened(key(number), Profile("veo")) for number in range(20)), now=0)
    assert len(made(watched.handle(now=10), Check)) == 1
    assert watched.handle(OperationNotified(key(13)), now=10.5) == []
    watched.handle(CheckEnded(key(0), Running(), 10.0), now=10.5)
    [check] = watched.handle(now=14.25)
    assert check == Check(keys(13))
