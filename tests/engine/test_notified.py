"""Told that an operation may have ended, the scheduler has it checked at once; the check decides."""

from __future__ import annotations

import pytest

from veo_async.answers import Empty, Finished, Lost, Missing, Running
from veo_async.engine.events import (
    Check,
    CheckEnded,
    Event,
    OperationKey,
    OperationNotified,
    OperationOpened,
    Resolve,
)
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import Failed
from veo_async.options import Limits, PollPolicy, Rate

from .world import DONE, VEO, Reply, World, crowded, key, keys, made

SLOW = PollPolicy(min_interval=600, max_interval=600, deadline=3600)
START = 1000.0


def watching(*names: str, limits: Limits | None = None, age: float = 0.0) -> PollScheduler:
    """Return a scheduler that watches operations whose first checks are at least 9 s away."""
    scheduler = PollScheduler(policy=SLOW, limits=limits)
    opened = [OperationOpened(key(name), VEO, age=age) for name in names]
    assert made(scheduler.handle(*opened, now=START), Check) == []
    assert (scheduler.next_wakeup() or 0) > START + 9
    return scheduler


def checked(scheduler: PollScheduler, *events: Event, now: float) -> list[tuple[OperationKey, ...]]:
    """Return what is checked at once upon these events."""
    return [check.keys for check in made(scheduler.handle(*events, now=now), Check)]


def test_a_notified_operation_is_checked_at_once_and_only_that() -> None:
    """Within a tick; the others wait their time."""
    scheduler = watching("a", "b")
    assert checked(scheduler, OperationNotified(key("a")), now=START + 1) == [keys("a")]


def test_what_the_check_finds_decides() -> None:
    """A hint that was wrong leaves the operation running, checked in its own time."""
    scheduler = watching("a")
    checked(scheduler, OperationNotified(key("a")), now=START + 1)
    assert scheduler.handle(CheckEnded(key("a"), Running(), START + 1), now=START + 2) == []
    assert (scheduler.next_wakeup() or 0) > START + 11
    checked(scheduler, OperationNotified(key("a")), now=START + 3)
    actions = scheduler.handle(CheckEnded(key("a"), Finished(outcome=DONE), START + 3), now=START + 4)
    assert [(action.key, action.outcome) for action in made(actions, Resolve)] == [(key("a"), DONE)]


def test_many_notices_cost_one_check() -> None:
    """In one turn, in several, and while the check is under way: then one more, at most."""
    scheduler = watching("a")
    notices = [OperationNotified(key("a"))] * 5
    assert checked(scheduler, *notices, now=START + 1) == [keys("a")]
    for instant in range(2, 6):
        assert checked(scheduler, *notices, now=START + instant) == []
    assert checked(scheduler, CheckEnded(key("a"), Running(), START + 1), now=START + 6) == [keys("a")]
    assert checked(scheduler, CheckEnded(key("a"), Running(), START + 6), now=START + 7) == []
    assert checked(scheduler, now=START + 8) == []


def test_a_notice_during_a_check_is_not_lost() -> None:
    """The answer under way may be from before the end: it is asked again."""
    scheduler = watching("a")
    checked(scheduler, OperationNotified(key("a")), now=START + 1)
    assert checked(scheduler, OperationNotified(key("a")), now=START + 1.5) == []
    assert checked(scheduler, CheckEnded(key("a"), Running(), START + 1), now=START + 2) == [keys("a")]


def test_the_rate_of_checks_holds_for_notified_operations() -> None:
    """Hints are many, requests are not: no second sees more than the stated number."""
    names = [f"op{number}" for number in range(30)]
    scheduler = watching(*names, limits=Limits(checks=Rate(5, per=1)))
    world = World(scheduler=scheduler, on_check=lambda _, __: Reply(Running()))
    world.at(START + 1, *(OperationNotified(key(name)) for name in names))
    world.run(START + 8)
    assert len(world.checks) == len(names)
    assert world.checks[-1] >= START + 6
    assert crowded(world.checks, Rate(5, per=1)) == []


def test_a_notice_about_what_nobody_waits_for_is_no_news() -> None:
    """Another process's, or one that has ended: nothing is sent, and it is counted."""
    scheduler = watching("a")
    assert scheduler.handle(OperationNotified(key("z")), now=START + 1) == []
    assert scheduler.late_answers == 1


ODD = [Missing(message="gone"), Empty(outcome=Failed(reason="empty")), Lost(reason="reset")]


@pytest.mark.parametrize("odd", ODD)
def test_notices_do_not_make_odd_answers_count_faster(odd: Missing | Empty | Lost) -> None:
    """Three 404s in a row mean that an operation is gone, when they are half a minute apart."""
    scheduler = watching("a", age=300)
    now = scheduler.next_wakeup()
    assert now is not None
    assert checked(scheduler, now=now) == [keys("a")]
    scheduler.handle(CheckEnded(key("a"), odd, now), now=now)
    for tick in range(1, 40):
        assert checked(scheduler, OperationNotified(key("a")), now=now + tick / 4) == []
    assert scheduler.open_operations == 1


def test_a_notified_end_is_not_taken_for_a_long_lag() -> None:
    """It ended when that was said, not somewhere in the long time since the last check."""
    scheduler = watching("a")
    checked(scheduler, OperationNotified(key("a")), now=START + 9)
    actions = scheduler.handle(CheckEnded(key("a"), Finished(outcome=DONE), START + 9), now=START + 9.5)
    (resolved,) = made(actions, Resolve)
    assert resolved.lag is not None
    assert resolved.lag <= 0.5
