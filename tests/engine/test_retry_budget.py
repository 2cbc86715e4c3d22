"""What retries cost, and what brings it back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from veo_async.answers import Accepted, Lost, NotSent, RefusalKind, Running
from veo_async.engine.events import (
    CheckEnded,
    OperationDropped,
    SubmitEnded,
    SubmitQueued,
    SubmitWithdrawn,
)
from veo_async.engine.retry_budget import THROTTLED, TOKENS, TRANSIENT, UNCOVERED_WAIT_S, RetryBudget
from veo_async.models import JobId
from veo_async.options import PollPolicy, Rate, RetryPolicy

from .test_scheduler import opened
from .world import FAST, Reply, World, key, refused, scheduler

DOWN = Reply(Lost(reason="reset"))


def test_retries_cost_and_what_is_too_little_covers_nothing() -> None:
    """35 transient retries, and then not one more."""
    budget = RetryBudget()
    assert [budget.covers(number, TRANSIENT) for number in range(36)] == [True] * 35 + [False]
    assert budget.tokens == TOKENS - 35 * TRANSIENT
    assert budget.covers("throttled", THROTTLED)


def test_what_others_have_brought_back_is_not_brought_back_again() -> None:
    """Where all tokens are there already, what the retries of one have cost is over with its success."""
    budget = RetryBudget()
    budget.covers("a", TRANSIENT)
    for number in range(TRANSIENT):
        budget.succeeded(number)
    budget.succeeded("a")
    assert budget.tokens == TOKENS
    budget.covers("b", TRANSIENT)
    budget.succeeded("a")
    assert budget.tokens == TOKENS - TRANSIENT + 1


def test_a_success_brings_back_what_its_retries_cost_and_never_more_than_all() -> None:
    """One token where it went well at once."""
    budget = RetryBudget()
    budget.succeeded("other")
    assert budget.tokens == TOKENS
    budget.covers("a", TRANSIENT)
    budget.covers("a", THROTTLED)
    budget.succeeded("b")
    assert budget.tokens == TOKENS - TRANSIENT - THROTTLED + 1
    budget.succeeded("a")
    assert budget.tokens == TOKENS
    budget.covers("c", TRANSIENT)
    budget.forget("c")
    budget.succeeded("c")
    assert budget.tokens == TOKENS - TRANSIENT + 1


def test_all_that_is_left_may_be_taken() -> None:
    """Fourteen tokens cover one retry, thirteen none and stay."""
    budget = RetryBudget()
    budget.tokens = TRANSIENT
    assert budget.covers("a", TRANSIENT)
    assert budget.tokens == 0
    budget.tokens = TRANSIENT - 1
    assert not budget.covers("a", TRANSIENT)
    assert budget.tokens == TRANSIENT - 1
    budget.succeeded("a")
    assert budget.tokens == 2 * TRANSIENT - 1


def test_each_retry_of_one_is_given_back_once() -> None:
    """After that, its successes are like any other's."""
    budget = RetryBudget()
    budget.covers("a", TRANSIENT)
    budget.covers("b", TRANSIENT)
    budget.succeeded("a")
    budget.succeeded("a")
    assert budget.tokens == TOKENS - TRANSIENT + 1
    budget.forget("nobody")
    assert budget.tokens == TOKENS - TRANSIENT + 1


def test_what_is_over_leaves_nothing_behind() -> None:
    """Ended, withdrawn while it waits for its retry, or dropped: no account of it stays open."""
    line = scheduler(FAST)
    names = [JobId(name) for name in ("sent", "withdrawn", "declined")]
    slow = refused(RefusalKind.RATE_LIMIT)
    line.handle(*(SubmitQueued(name) for name in names), opened("dropped"), now=0)
    line.handle(*(SubmitEnded(name, slow, 0.0, again=True) for name in names), now=0)
    line.handle(SubmitWithdrawn(names[1]), now=1)
    line.handle(now=100)
    line.handle(
        SubmitEnded(names[0], Accepted(operation="o"), 100.0),
        SubmitEnded(names[2], refused(RefusalKind.INVALID), 100.0),
        CheckEnded(key("dropped"), Lost(reason="reset"), 100.0),
        now=101,
    )
    assert set(line._budget._paid) == {key("dropped")}
    line.handle(OperationDropped(key("dropped")), now=102)
    assert line._budget._paid == {}


def test_a_provider_that_is_down_is_asked_no_more_often_than_regular_checks_would() -> None:
    """100 operations, all checks lost: after the budget's 35 retries each waits a longest gap; none stops."""
    world = World(scheduler=scheduler(policy=PollPolicy(deadline=10_000)), on_check=lambda _, __: DOWN)
    world.at(0, *(opened(name) for name in range(100)))
    world.run(1000)
    late = [at for at in world.checks if at >= 200]
    assert len(late) <= 100 * 800 / 60 + 100
    assert world.scheduler.retry_tokens < TRANSIENT
    assert {asked.name for asked in (key(n) for n in range(100))} == {
        asked.name for at, action in world.said if at >= 900 for asked in getattr(action, "keys", ())
    }


def test_what_works_again_is_checked_as_often_as_before() -> None:
    """The first successes bring tokens back; all operations are found within a longest gap."""
    down_until = 500.0

    def reply(_: object, now: float) -> Reply:
        return DOWN if now < down_until else Reply(Running())

    world = World(scheduler=scheduler(policy=PollPolicy(deadline=10_000)), on_check=reply)
    world.at(0, *(opened(name) for name in range(100)))
    world.run(down_until + 120)
    assert world.scheduler.retry_tokens == TOKENS


def test_without_tokens_an_unsent_submit_is_tried_once_a_minute_and_goes_in_the_end() -> None:
    """The probe goes on, no job is lost, and the success brings back what the probes cost."""
    up_at = 3600.0

    def reply(job_id: JobId, now: float) -> Reply:
        answer = NotSent(reason="connection refused") if now < up_at else Accepted(operation=f"o{job_id}")
        return Reply(answer)

    world = World(scheduler=scheduler(retry=RetryPolicy(base=0.001, cap=0.002)), on_submit=reply)
    world.at(0, SubmitQueued(JobId("a")))
    world.run(up_at)
    tries = [at for at, action in world.said if type(action).__name__ == "Submit"]
    spent = [later - at for at, later in pairwise(tries)][36:]
    assert len(spent) >= 50
    assert all(gap >= UNCOVERED_WAIT_S for gap in spent)
    world.run(up_at + 120)
    assert len(world.submits) == 1
    assert world.scheduler.retry_tokens == TOKENS


@pytest.mark.parametrize("kind", [RefusalKind.RATE_LIMIT])
def test_without_tokens_what_was_throttled_waits_a_minute(kind: RefusalKind) -> None:
    """A crowd of 429s is not sent again at once."""
    line = scheduler(FAST)
    jobs = [JobId(str(number)) for number in range(101)]
    line.handle(*map(SubmitQueued, jobs), now=0)
    line.handle(*(SubmitEnded(job_id, refused(kind), 0, again=True) for job_id in jobs), now=1)
    assert line.retry_tokens == 0
    wake_at = line.next_wakeup()
    assert wake_at is not None
    assert wake_at >= 1 + UNCOVERED_WAIT_S


def test_a_server_error_that_may_be_sent_again_waits_and_costs() -> None:
    """Nothing paid is sent again at once."""
    line = scheduler()
    line.handle(SubmitQueued(JobId("a")), now=0)
    line.handle(SubmitEnded(JobId("a"), refused(RefusalKind.SERVER), 0, again=True), now=1)
    wake_at = line.next_wakeup()
    assert wake_at is not None
    assert wake_at > 1
    assert line.retry_tokens == TOKENS - TRANSIENT


def test_rates_hold_with_and_without_tokens() -> None:
    """The budget only ever makes things slower."""
    limits = type(FAST)(checks=Rate(5), submits=Rate(5), in_flight=1000)
    world = World(scheduler=scheduler(limits), on_check=lambda _, __: DOWN)
    world.at(0, *(opened(name) for name in range(50)))
    world.run(300)
    ordered = sorted(world.checks)
    assert all(later - at >= 1 - 1e-9 for at, later in zip(ordered, ordered[5:], strict=False))
