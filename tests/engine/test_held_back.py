"""What is granted and not begun waits with the rest when a server asks for a pause."""

from __future__ import annotations

from veo_async.answers import Running
from veo_async.engine.events import (
    CHECKS,
    SUBMITS,
    Check,
    CheckEnded,
    CheckReturned,
    Hinted,
    OperationKey,
    OperationOpened,
    Profile,
    Submit,
    SubmitQueued,
)
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import JobId
from veo_async.options import Limits, Rate

FIRST, SECOND = OperationKey("gemini", "first"), OperationKey("gemini", "second")


def opened(*keys: OperationKey) -> PollScheduler:
    scheduler = PollScheduler(limits=Limits(checks=Rate(2, per=100)))
    scheduler.handle(
        *(OperationOpened(key, Profile("veo"), age=3600.0, restored=True) for key in keys), now=0.0
    )
    return scheduler


def granted(scheduler: PollScheduler, *, now: float) -> list[OperationKey]:
    return [key for action in scheduler.handle(now=now) if isinstance(action, Check) for key in action.keys]


def test_a_hint_holds_a_quota_from_the_moment_it_is_told() -> None:
    """The other quota goes on."""
    scheduler = PollScheduler()
    job = JobId("job")
    assert scheduler.handle(Hinted(SUBMITS, 30.0), SubmitQueued(job), now=0.0) == []
    assert scheduler.next_wakeup() == 30.0
    assert scheduler.handle(now=29.0) == []
    assert scheduler.handle(Hinted(CHECKS, 30.0), now=30.0) == [Submit((job,))]


def test_a_check_that_is_returned_is_due_again_and_used_nothing_up() -> None:
    """Its slot of the rate is free at once, and the operation is checked when the hint has passed."""
    scheduler = opened(FIRST, SECOND)
    assert set(granted(scheduler, now=60.0)) == {FIRST, SECOND}
    scheduler.handle(
        CheckEnded(FIRST, Running(), sent_at=60.0), Hinted(CHECKS, 20.0), CheckReturned(SECOND), now=61.0
    )
    assert granted(scheduler, now=70.0) == []
    assert granted(scheduler, now=81.25) == [SECOND]


def test_a_returned_check_that_nobody_waits_for_is_no_news() -> None:
    """It may have been dropped meanwhile, or be returned twice."""
    scheduler = opened(FIRST)
    granted(scheduler, now=60.0)
    twice = (CheckReturned(FIRST), CheckReturned(FIRST), CheckReturned(SECOND))
    assert scheduler.handle(*twice, now=60.5) == [Check((FIRST,))]
    assert granted(scheduler, now=61.0) == []
