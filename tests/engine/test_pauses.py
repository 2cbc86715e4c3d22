"""What ends which pause: a new key, a hindrance out of the way, a check that works."""

from __future__ import annotations

import pytest

from veo_async.answers import NotSent, RefusalKind, Refused
from veo_async.engine.events import (
    CHECKS,
    SUBMITS,
    Announce,
    Check,
    CheckEnded,
    Event,
    KeyRenewed,
    Lift,
    Pause,
    Resumed,
    Unhindered,
)
from veo_async.engine.scheduler import PollScheduler
from veo_async.options import RetryPolicy

from .test_scheduler import (
    BAD_KEY,
    DOWN,
    RUNNING,
    TEN_SECONDS,
    answer,
    check_at,
    opened,
    queued,
    submit,
    submit_ended,
)
from .world import key, keys, refused, scheduler

NO_MONEY = refused(RefusalKind.BALANCE)
SPENT = refused(RefusalKind.QUOTA, retry_after=500.0)
LIMIT = NotSent(reason="money limit", permanent=True)
TOLD_AT_ONCE = RetryPolicy(unsent_attempts=1)


def stopped_by_a_submit(reply: Refused | NotSent) -> PollScheduler:
    """Return a scheduler whose one job was answered so; an operation is checked each ten seconds."""
    watched = scheduler(policy=TEN_SECONDS, retry=TOLD_AT_ONCE)
    watched.handle(*queued("j"), opened("a"), now=0)
    sent_at = None if isinstance(reply, NotSent) else 0.0
    kind = None if isinstance(reply, NotSent) else reply.kind
    told = watched.handle(submit_ended("j", reply, sent_at, again=True), now=1)
    assert told == [Announce(SUBMITS, Pause(kind, reply))]
    return watched


def stopped_by_a_check() -> PollScheduler:
    """Return a scheduler whose check was refused for the key after ten seconds."""
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(opened("a"), now=0)
    assert len(answer(watched, BAD_KEY)) == 2
    return watched


@pytest.mark.parametrize("reply", [BAD_KEY, NO_MONEY], ids=["key", "money"])
def test_a_new_key_lets_submits_go_on_that_the_old_one_could_not_make(reply: Refused) -> None:
    """At once; and there is nothing left to lift."""
    watched = stopped_by_a_submit(reply)
    assert watched.handle(KeyRenewed(), now=2) == [Lift(SUBMITS), submit("j")]
    assert watched.handle(KeyRenewed(), now=3) == []


def test_a_new_key_lets_checks_go_on_too() -> None:
    """Both quotas stood still for the key that a check was refused with."""
    watched = stopped_by_a_check()
    watched.handle(*queued("j"), now=11)
    assert watched.handle(KeyRenewed(), now=12) == [
        Lift(SUBMITS),
        Lift(CHECKS),
        submit("j"),
        Check(keys("a")),
    ]


@pytest.mark.parametrize("reply", [DOWN, LIMIT, SPENT], ids=["connection", "hindrance", "quota"])
def test_a_new_key_ends_no_other_pause(reply: Refused | NotSent) -> None:
    watched = stopped_by_a_submit(reply)
    assert watched.handle(KeyRenewed(), now=1.01) == []
    assert [standing.pause is None for standing in watched.standings()] == [False, True]


@pytest.mark.parametrize("reply", [DOWN, LIMIT], ids=["connection", "hindrance"])
def test_what_kept_submits_from_leaving_lets_them_go_when_it_is_out_of_the_way(reply: NotSent) -> None:
    """Whether it would have passed by itself or not."""
    watched = stopped_by_a_submit(reply)
    assert watched.handle(Unhindered(), now=1.01) == [Lift(SUBMITS), submit("j")]
    assert watched.handle(Unhindered(), now=2) == []


@pytest.mark.parametrize("reply", [BAD_KEY, NO_MONEY, SPENT], ids=["key", "money", "quota"])
def test_what_the_provider_refused_is_not_ended_by_what_kept_submits_from_leaving(reply: Refused) -> None:
    watched = stopped_by_a_submit(reply)
    assert watched.handle(Unhindered(), now=2) == []
    assert watched.handle(Resumed(), now=3)[0] == Lift(SUBMITS)


def test_checks_that_cannot_connect_are_not_submits_that_are_hindered() -> None:
    """A money limit says nothing of the network."""
    watched = scheduler(policy=TEN_SECONDS, retry=TOLD_AT_ONCE)
    watched.handle(opened("a"), now=0)
    assert answer(watched, DOWN) == [Announce(CHECKS, Pause(None, DOWN))]
    assert watched.handle(Unhindered(), now=10.01) == []


def works(watched: PollScheduler) -> list[object]:
    """Let the next check find its operation running, and return what follows."""
    return list(answer(watched, RUNNING))


def test_a_check_that_works_lifts_what_a_check_stopped_and_once() -> None:
    watched = stopped_by_a_check()
    assert works(watched) == [Lift(CHECKS), Lift(SUBMITS)]
    assert works(watched) == []


@pytest.mark.parametrize("ended_by", [KeyRenewed(), Resumed()], ids=["new key", "resumed"])
def test_a_check_that_works_does_not_lift_what_a_submit_was_refused_for_since(ended_by: Event) -> None:
    """The pause is another one, though it is for the key again."""
    watched = stopped_by_a_check()
    watched.handle(*queued("j"), now=11)
    assert submit("j") in watched.handle(ended_by, now=12)
    watched.handle(CheckEnded(key("a"), RUNNING, 12.0), now=12.5)
    no = submit_ended("j", refused(RefusalKind.AUTHENTICATION, message="other"), 12.6, again=True)
    assert len(watched.handle(no, now=13)) == 1
    assert works(watched) == []
    assert [standing.pause is None for standing in watched.standings()] == [False, True]


def test_the_reason_a_check_gives_is_the_one_that_its_success_ends() -> None:
    """A submit's refusal after it is another reason, and stays."""
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(*queued("j"), opened("a"), now=0)
    check_at(watched)
    watched.handle(CheckEnded(key("a"), BAD_KEY, 10.0), now=10)
    assert watched.handle(submit_ended("j", NO_MONEY, 10.0, again=True), now=11) == [
        Announce(SUBMITS, Pause(RefusalKind.BALANCE, NO_MONEY))
    ]
    assert works(watched) == [Lift(CHECKS)]


def test_an_answer_from_before_the_refusal_lifts_nothing() -> None:
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(opened("a"), opened("b"), now=0)
    assert watched.handle(now=10) == [Check(keys("a", "b"))]
    watched.handle(CheckEnded(key("a"), BAD_KEY, 10.1), now=10.2)
    assert watched.handle(CheckEnded(key("b"), RUNNING, 10.1), now=10.3) == []
    assert all(standing.pause is not None for standing in watched.standings())
