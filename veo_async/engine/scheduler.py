"""`PollScheduler`: every decision on when to send, check, wait and tell, behind one door."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, ClassVar

from veo_async.answers import Accepted, Lost, NotSent, RefusalKind, Refused, Unreadable
from veo_async.engine.events import (
    CHECKS,
    SUBMITS,
    Action,
    Check,
    CheckEnded,
    CheckReturned,
    Event,
    Hinted,
    KeyRenewed,
    OperationDropped,
    OperationOpened,
    Pause,
    Resumed,
    Submit,
    SubmitEnded,
    SubmitQueued,
    SubmitWithdrawn,
    Unhindered,
)
from veo_async.engine.lanes import CREDENTIAL, Lane
from veo_async.engine.retry_budget import THROTTLED, UNCOVERED_WAIT_S, RetryBudget
from veo_async.engine.submit_line import SubmitLine
from veo_async.engine.watches import TICK_S, WatchList
from veo_async.models import JobId
from veo_async.options import Limits, PollPolicy, RetryPolicy

__all__ = ["PollScheduler"]


class PollScheduler:
    """Decides which jobs to send and which operations to check, for one provider and credential.

    Pure: it has no clock, no loop and no I/O. Tell it what happened, do what it returns, and call again no
    later than `next_wakeup` says::

        actions = scheduler.handle(SubmitQueued(job_id), now=clock())
        wake_at = scheduler.next_wakeup()

    `now` is monotonic seconds and never goes back. All events of a turn go into one call, so that what they
    make due is batched once. Events nobody waits for any more (late, doubled, foreign answers) are no news.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        policy: PollPolicy | None = None,
        retry: RetryPolicy | None = None,
        seed: int = 0,
    ) -> None:
        """Start with nothing under watch; `seed` fixes all jitter."""
        limits, policy, retry = limits or Limits(), policy or PollPolicy(), retry or RetryPolicy()
        random = Random(seed)  # noqa: S311 - jitter, no secret
        self._budget = budget = RetryBudget()
        self._submits = Lane(SUBMITS, limits.submits, retry, budget, random)
        self._checks = Lane(CHECKS, limits.checks, retry, budget, random)
        self._line = SubmitLine(self._submits, limits.in_flight)
        self._watches = WatchList(policy, retry, budget, random)
        self._check_rate = min(rate.count / rate.per for rate in limits.checks)
        self._stopped_by_check: Pause | None = None
        self._now = -math.inf
        self.late_answers: int = 0
        """Answers that were no news: doubled, foreign, or about a job that is gone."""

    def handle(self, *events: Event, now: float) -> Sequence[Action]:
        """Take note of all that happened and return all that is to be done, in order."""
        self._now = now = max(now, self._now)
        actions: list[Action] = []
        restored = [event for event in events if isinstance(event, OperationOpened) and event.restored]
        if restored:
            self._watches.open_restored(restored, self._check_rate, now)
        for event in events:
            actions += self._ON[type(event)](self, event, now)
        actions += self._watches.stall(now)
        if job_ids := self._line.take(self._watches.running, now):
            actions.append(Submit(job_ids))
        if self._watches.due_at() <= now and (keys := self._watches.take(self._checks.room(now), now)):
            self._checks.take(len(keys), now)
            actions.append(Check(keys))
        return actions

    def next_wakeup(self) -> float | None:
        """Return the instant by which `handle` wants to be called again, or None: only an event can help."""
        wake_at = min(
            self._line.next_wakeup(self._watches.running, self._now),
            self._next_check(),
            self._watches.next_deadline(),
        )
        return None if wake_at == math.inf else wake_at

    @property
    def open_operations(self) -> int:
        """Operations under watch."""
        return len(self._watches)

    @property
    def queued_submits(self) -> int:
        """Jobs that wait to be sent."""
        return len(self._line)

    @property
    def submits_per_minute(self) -> float:
        """The pace of submits now."""
        return self._submits.pacer.per_minute

    @property
    def checks_per_minute(self) -> float:
        """The pace of status checks now."""
        return self._checks.pacer.per_minute

    @property
    def retry_tokens(self) -> int:
        """What is left of the provider's retry budget."""
        return self._budget.tokens

    def _next_check(self) -> float:
        """Return the next check's instant on a grid: due times are on one, finer where the rate is short."""
        due_at = self._watches.due_at()
        free_at = self._checks.free_at(self._now)
        if math.inf in {due_at, free_at}:
            return math.inf
        return due_at if due_at >= free_at else _round_up(free_at, min(TICK_S, self._checks.pacer.grain))

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────

    def _on_queued(self, event: SubmitQueued, _: float) -> Sequence[Action]:
        self._line.add(event.job_id)
        return ()

    def _on_withdrawn(self, event: SubmitWithdrawn, _: float) -> Sequence[Action]:
        self._line.withdraw(event.job_id)
        self._budget.forget(event.job_id)
        return ()

    def _on_submit_ended(self, event: SubmitEnded, now: float) -> Sequence[Action]:
        if not self._line.ended(event.job_id, again=event.again):
            self.late_answers += 1
            return ()
        is_news = _end(self._submits, event, now)
        lifted = self._submits.reached() if is_news else ()
        return [*lifted, *self._judge_submit(event, now, is_news=is_news)]

    def _judge_submit(self, event: SubmitEnded, now: float, *, is_news: bool) -> Sequence[Action]:
        if not event.again and not isinstance(event.answer, Accepted):
            self._budget.forget(event.job_id)
        match event.answer:
            case Accepted():
                self._budget.succeeded(event.job_id)
                self._submits.pacer.succeeded()
                return self._submits.works() if is_news else ()
            case NotSent() if not event.again:
                return ()  # taken back by us, which says nothing of the provider
            case NotSent() as answer:
                return self._submits.unreachable(answer, now)
            case Refused() as answer:
                return self._judge_refused_submit(event, answer, now)
            case Unreadable(throttled=True) as answer:
                self._throttled(event.job_id, answer, now)
            case Unreadable() | Lost():
                pass
        return ()

    def _judge_refused_submit(self, event: SubmitEnded, answer: Refused, now: float) -> Sequence[Action]:
        lane = self._submits
        if answer.kind in CREDENTIAL:
            return lane.refused(answer, now, probe=False)
        if answer.kind is RefusalKind.QUOTA:
            return lane.exhausted(answer, now, event.reset_in)
        if answer.kind is RefusalKind.RATE_LIMIT:
            self._throttled(event.job_id, answer, now)
            return ()
        lane.pacer.hint(answer.retry_after, now)
        if event.again and answer.kind in {RefusalKind.SERVER, RefusalKind.OVERLOADED}:
            lane.stumbled(event.job_id, now)
        return ()

    def _throttled(self, job_id: JobId, answer: Refused | Unreadable, now: float) -> None:
        self._submits.pacer.throttled(answer.retry_after, now)
        if not self._budget.covers(job_id, THROTTLED):
            self._submits.pacer.hold(now + UNCOVERED_WAIT_S)

    def _on_opened(self, event: OperationOpened, now: float) -> Sequence[Action]:
        self._watches.open(event, now)
        return ()

    def _on_dropped(self, event: OperationDropped, _: float) -> Sequence[Action]:
        self._watches.drop(event.key)
        return ()

    def _on_check_ended(self, event: CheckEnded, now: float) -> Sequence[Action]:
        if not self._watches.answered(event.key):
            self.late_answers += 1
            return ()
        is_news = _end(self._checks, event, now)
        lifted = self._checks.reached() if is_news else ()
        return [
            *lifted,
            *self._judge_check(event, now, is_news=is_news),
            *self._watches.judge(event, now),
        ]

    def _judge_check(self, event: CheckEnded, now: float, *, is_news: bool) -> Sequence[Action]:
        match event.answer:
            case NotSent() as answer:
                return self._checks.unreachable(answer, now)
            case Refused(kind=kind) as answer if kind in CREDENTIAL:
                actions = [
                    *self._checks.refused(answer, now, probe=True),
                    *self._submits.refused(answer, now, probe=False),
                ]
                self._stopped_by_check = self._submits.pause
                return actions
            case (
                Refused(kind=RefusalKind.RATE_LIMIT | RefusalKind.QUOTA) | Unreadable(throttled=True) as slow
            ):
                self._checks.pacer.throttled(slow.retry_after, now)
            case Refused() as answer:
                self._checks.pacer.hint(answer.retry_after, now)
            case Unreadable() | Lost():
                pass
            case _:
                self._checks.pacer.succeeded()
                return self._check_works() if is_news else ()
        return ()

    def _check_works(self) -> Sequence[Action]:
        """A key that works on a check again may also submit, where a check had stopped that."""
        actions = self._checks.works()
        pause, self._stopped_by_check = self._stopped_by_check, None
        if pause is not None and self._submits.pause is pause:
            actions += self._submits.lift()
        return actions

    def _on_check_returned(self, event: CheckReturned, now: float) -> Sequence[Action]:
        if self._watches.answered(event.key):
            self._checks.ended(None)
            self._watches.check_again(event.key, now)
        return ()

    def _on_hinted(self, event: Hinted, now: float) -> Sequence[Action]:
        lane = self._submits if event.quota == SUBMITS else self._checks
        lane.pacer.hint(event.seconds, now)
        return ()

    def _on_resumed(self, _: Resumed, __: float) -> Sequence[Action]:
        return [*self._submits.lift(), *self._checks.lift()]

    def _on_key_renewed(self, _: KeyRenewed, __: float) -> Sequence[Action]:
        return [*self._submits.clear(CREDENTIAL), *self._checks.clear(CREDENTIAL)]

    def _on_unhindered(self, _: Unhindered, __: float) -> Sequence[Action]:
        return self._submits.clear({None})

    _ON: ClassVar[dict[type, Callable[[Any, Any, float], Sequence[Action]]]] = {
        SubmitQueued: _on_queued,
        SubmitWithdrawn: _on_withdrawn,
        SubmitEnded: _on_submit_ended,
        OperationOpened: _on_opened,
        OperationDropped: _on_dropped,
        CheckEnded: _on_check_ended,
        CheckReturned: _on_check_returned,
        Hinted: _on_hinted,
        Resumed: _on_resumed,
        KeyRenewed: _on_key_renewed,
        Unhindered: _on_unhindered,
    }


def _end(lane: Lane, event: SubmitEnded | CheckEnded, now: float) -> bool:
    """End one request; return whether it was answered and the answer tells of now."""
    if isinstance(event.answer, NotSent):
        lane.ended(None)
        return False
    sent_at = now if event.sent_at is None else event.sent_at  # not said when: as late as can be
    lane.ended(sent_at)
    return not isinstance(event.answer, Lost) and lane.is_news(sent_at)


def _round_up(instant: float, grain: float) -> float:
    return max(instant, math.ceil(instant / grain) * grain)
