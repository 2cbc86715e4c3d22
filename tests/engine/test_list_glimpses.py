"""Lists show most operations in passing; when each ran last counts all the same, before it matters."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from attrs import evolve

from veo_async.answers import Listed, Lost, Running, Unreadable
from veo_async.engine.events import (
    Action,
    CheckEnded,
    CheckList,
    OperationOpened,
    Profile,
    Resolve,
)
from veo_async.engine.scheduler import PollScheduler
from veo_async.options import PollPolicy

from .test_list_passes import checked, told, turn
from .test_listing import EMPTY, FINISHED, MODEL, PARENT, Provider, key, listing, many, model_of, page
from .test_scheduler import wake

SELDOM = PollPolicy(max_interval=60, expected=300, spread=0.2, deadline=100_000)
"""Gaps of ten seconds until an end was seen; lists of a hundred come each second."""
LATE = 40.0


def watching(policy: PollPolicy = SELDOM) -> Provider:
    """Return a provider whose lists have shown a hundred operations to run for a while."""
    provider = Provider(PollScheduler(policy=policy, parent_of=model_of))
    provider.open(*many(100))
    provider.run(until=LATE)
    assert provider.checks == []
    return provider


def lag(actions: Iterable[object]) -> float | None:
    [resolved] = (action for action in actions if isinstance(action, Resolve))
    return resolved.lag


def test_an_end_came_after_the_pass_before() -> None:
    """Whether or not that was one at which its own check was put off."""
    provider = watching()
    provider.ends_at |= {one: LATE + number / 10 for number, one in enumerate(many(100))}
    provider.run(until=LATE + 15)
    in_lists = [one for one, ended_at in provider.ended.items() if ended_at in provider.lists]
    assert len(in_lists) > 90
    for one in in_lists:
        before = max(at for at in provider.lists if at < provider.ended[one])
        assert provider.lags[one] == (provider.ended[one] - before) / 2


def test_an_operation_that_came_after_a_pass_was_not_shown_by_it() -> None:
    provider = watching()
    provider.ends_at[key(200)] = LATE
    news = OperationOpened(key(200), Profile(MODEL), age=30)
    provider.act(provider.scheduler.handle(news, now=LATE))
    provider.run(until=LATE + 5)
    assert provider.lags[key(200)] == (provider.ended[key(200)] - (LATE - 30)) / 2


def test_an_operation_that_came_while_a_page_was_under_way_was_not_shown_by_it() -> None:
    scheduler, asked_at = listing()
    scheduler.handle(OperationOpened(key(20), Profile(MODEL), age=30), now=asked_at + 1)
    told(scheduler, page(*many(20)), asked_at + 2)
    then = wake(scheduler)
    turn(scheduler, then)
    done = Listed(answers={**page(*many(20)).answers, key(20).name: FINISHED})
    assert lag(told(scheduler, done, then)) == (then - (asked_at + 1 - 30)) / 2


def test_what_the_last_pass_missed_did_not_run_for_certain() -> None:
    provider = watching()
    shown_at = provider.lists[-1]
    provider.unlisted.add(key(7))
    provider.run(until=LATE + 2)
    provider.unlisted.clear()
    provider.ends_at[key(7)] = 0
    provider.run(until=LATE + 5)
    assert provider.checks == []
    assert provider.lags[key(7)] == (provider.ended[key(7)] - shown_at) / 2


def test_what_a_list_says_during_an_operations_own_check_is_no_proof_that_it_ran() -> None:
    """Here it says that it had ended, and the check's answer comes later."""
    provider = watching()
    scheduler, shown_at = provider.scheduler, provider.lists[-1]
    now = wake(scheduler)
    turn(scheduler, now)
    told(scheduler, Unreadable(message="no page", status=502), now)
    actions: list[Action] = []
    while CheckList(PARENT) not in actions:
        now = wake(scheduler)
        actions = turn(scheduler, now)
        others = checked(actions) - {key(3)}
        actions += turn(scheduler, now, *(CheckEnded(one, Running(), now) for one in others))
    told(scheduler, Listed(answers={**page(*many(100)).answers, key(3).name: FINISHED}), now)
    assert lag(scheduler.handle(CheckEnded(key(3), FINISHED, now), now=now)) == (now - shown_at) / 2


def asked_alone(provider: Provider) -> float:
    """Let a list tell half of one operation, so that it is checked alone; return the instant."""
    now = wake(provider.scheduler)
    turn(provider.scheduler, now)
    half = Listed(answers={**page(*many(100)).answers, key(3).name: EMPTY})
    assert checked(told(provider.scheduler, half, now)) == {key(3)}
    return now


def test_the_end_of_what_is_asked_for_alone_came_after_the_pass_before() -> None:
    provider = watching()
    now = asked_alone(provider)
    ended = provider.scheduler.handle(CheckEnded(key(3), FINISHED, now), now=now + 1)
    assert lag(ended) == (now + 1 - provider.lists[-1]) / 2


def test_what_a_list_shows_in_passing_brings_tokens_for_retries_back() -> None:
    provider = watching()
    provider.run(until=LATE + 2)  # no check is put off at the next pass
    scheduler = provider.scheduler
    tokens = scheduler.retry_tokens
    now = asked_alone(provider)
    scheduler.handle(CheckEnded(key(3), Lost(reason="reset"), now), now=now)
    assert scheduler.retry_tokens < tokens
    now = wake(scheduler)
    turn(scheduler, now)
    told(scheduler, page(*many(100)), now)
    assert scheduler.retry_tokens == tokens


@pytest.mark.parametrize("status", [404, 502], ids=["never", "not now"])
def test_lists_that_stop_leave_what_they_have_shown(status: int) -> None:
    """The ends that single checks find afterwards came after the last list."""
    provider = watching()
    shown_at = provider.lists[-1]
    provider.instead = Unreadable(message="no page", status=status)
    provider.ends_at |= dict.fromkeys(provider.ends_at, LATE)
    provider.run(until=LATE + 70)
    assert len(provider.ended) == 100
    assert all(provider.lags[one] == (at - shown_at) / 2 for one, at in provider.ended.items())


def test_when_an_operation_is_likely_to_end_is_told_by_the_last_pass() -> None:
    provider = watching(evolve(SELDOM, expected=50))
    course = provider.scheduler.courses[Profile(MODEL)]
    told_now = [provider.scheduler.eta(one, LATE) for one in many(100)]
    assert told_now == [course.eta(provider.lists[-1], LATE)] * 100
