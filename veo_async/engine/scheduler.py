"""`PollScheduler`: every decision on when to send, check, wait and tell, behind one door."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from veo_async.answers import Accepted, Lost, NotSent, RefusalKind, Refused, Unreadable
from veo_async.engine.cadence import Course
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
    ListEnded,
    ListReturned,
    OperationDropped,
    OperationKey,
    OperationNotified,
    OperationOpened,
    Pause,
    Profile,
    Resumed,
    Submit,
    SubmitEnded,
    SubmitQueued,
    SubmitWithdrawn,
    Unhindered,
)
from veo_async.engine.lanes import CREDENTIAL, Lane
from veo_async.engine.listing import Listings, is_never
from veo_async.engine.retry_budget import THROTTLED, UNCOVERED_WAIT_S, RetryBudget
from veo_async.engine.standings import Standing
from veo_async.engine.submit_line import SubmitLine
from veo_async.engine.waiting_times import Learned
from veo_async.engine.watches import TICK_S, WatchList
from veo_async.models import Eta, JobId
from veo_async.options import Limits, PollPolicy, RetryPolicy

__all__ = ["PollScheduler"]

TICK_SHARE = 0.25
"""Of the shortest window: answers told so late give their slots back in time."""


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
        parent_of: Callable[[str], str | None] | None = None,
    ) -> None:
        """Start with nothing under watch.

        Args:
            limits: How much may be asked.
            policy: When operations are checked.
            retry: What may be tried again.
            seed: Fixes all jitter.
            parent_of: Says, by an operation's name, whose list it is in (None: one list holds all), where the
                provider lists operations: many due ones are then asked for by one `CheckList`.
        """
        limits, policy, retry = limits or Limits(), policy or PollPolicy(), retry or RetryPolicy()
        random = Random(seed)  # noqa: S311 - jitter, no secret
        self._budget = budget = RetryBudget()
        self._submits = Lane(SUBMITS, limits.submits, retry, budget, random)
        self._checks = Lane(CHECKS, limits.checks, retry, budget, random)
        self._line = SubmitLine(self._submits, limits.in_flight)
        self._watches = WatchList(policy, retry, budget, random)
        self._listings = (
            None if parent_of is None else Listings(parent_of, self._watches, policy.min_interval)
        )
        self._check_rate = min(rate.count / rate.per for rate in limits.checks)
        self.tick: float = min(TICK_S, TICK_SHARE * min(rate.per for rate in limits.checks))
        """Seconds within which answers that change nothing are to be told."""
        self._is_checks_turn = False
        """Lists have taken the room that checks wait for."""
        self._stopped_by_check: Pause | None = None
        self._now = -math.inf
        self.late_answers: int = 0
        """Answers and hints that were no news: doubled, foreign, or about a job that is gone."""

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
        return [*actions, *self._ask(now)]

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

    def standings(self) -> tuple[Standing, ...]:
        """Return how the quotas stand now: their paces, hints and pauses."""
        return self._submits.standing(), self._checks.standing()

    def eta(self, key: OperationKey, now: float) -> Eta | None:
        """Return when an operation is likely to end, in seconds from `now`; None for one not under watch."""
        shown_at = -math.inf if self._listings is None else self._listings.shown_at(key)
        return self._watches.eta(key, now, shown_at)

    def eta_unsent(self, profile: Profile) -> Eta:
        """Return how long an operation of a profile is likely to take from its acceptance on."""
        return self._watches.cadence.course(profile).eta(0.0, 0.0)

    def learned(self) -> Sequence[Learned]:
        """Return what was learned of waiting times, to be kept for the next process."""
        return self._watches.cadence.learned()

    def restore(self, learned: Iterable[Learned]) -> None:
        """Take over what an earlier process learned; for the start, before anything is under watch."""
        self._watches.cadence.restore(learned)

    @property
    def courses(self) -> Mapping[Profile, Course]:
        """What is known of the waiting times, by profile; to be read only."""
        return self._watches.cadence.courses

    @property
    def retry_tokens(self) -> int:
        """What is left of the provider's retry budget."""
        return self._budget.tokens

    def _next_check(self) -> float:
        """Return the next check's instant on a grid: due times are on one, finer where the rate is short."""
        due_at = self._watches.due_at()
        if self._listings is not None:
            due_at = min(due_at, self._listings.next_at())
        free_at = self._checks.free_at(self._now)
        if math.inf in {due_at, free_at}:
            return math.inf
        return due_at if due_at >= free_at else _round_up(free_at, min(TICK_S, self._checks.pacer.grain))

    def _ask(self, now: float) -> Sequence[Action]:
        """Return the lists and checks to ask for now: lists first, as they answer more, but by turns."""
        lists = () if self._is_checks_turn else self._list(now)
        checks = self._check(now)
        more_lists = self._list(now) if checks or self._is_checks_turn else ()
        had_no_turn = lists or (self._is_checks_turn and not checks)
        self._is_checks_turn = bool(had_no_turn) and self._watches.due_at() <= now
        return [*lists, *checks, *more_lists]

    def _check(self, now: float) -> Sequence[Action]:
        """Return the checks to ask for now."""
        keys = self._take_due(now)
        self._checks.take(len(keys), now)
        return (Check(keys),) if keys else ()

    def _list(self, now: float) -> Sequence[Action]:
        """Return the pages of lists to ask for now."""
        if self._listings is None or self._listings.next_at() > now:
            return ()
        pages = self._listings.take(self._checks.room(now), now)
        self._checks.take(len(pages), now)
        return pages

    def _take_due(self, now: float) -> tuple[OperationKey, ...]:
        """Take as many due operations as there is room for; what a list answers takes none."""
        if self._watches.due_at() > now:
            return ()
        room = self._checks.room(now)
        if self._listings is None:
            return self._watches.take(room, now)
        alone: list[OperationKey] = []
        while len(alone) < room and (keys := self._watches.take(room - len(alone), now)):
            alone += self._listings.alone(keys, now)
        return tuple(alone)

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────

    def _on_queued(self, event: SubmitQueued, _: float) -> Sequence[Action]:
        self._line.add(event.job_id, event.priority, event.group)
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
                self._submits.pacer.succeeded(now)
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
        if self._listings is not None:
            self._listings.opened(event.key)
        return ()

    def _on_dropped(self, event: OperationDropped, _: float) -> Sequence[Action]:
        self._watches.drop(event.key)
        return ()

    def _on_notified(self, event: OperationNotified, now: float) -> Sequence[Action]:
        if not self._watches.hasten(event.key, now):
            self.late_answers += 1
        return ()

    def _on_check_ended(self, event: CheckEnded, now: float) -> Sequence[Action]:
        if not self._watches.answered(event.key):
            self.late_answers += 1
            return ()
        is_news = _end(self._checks, event, now)
        lifted = self._checks.reached() if is_news else ()
        actions = [*lifted, *self._judge_check(event, now, is_news=is_news)]
        watch = self._watches.find(event.key)
        if watch is not None:  # else it is late, about what nobody waits for, and no news
            if self._listings is not None:
                self._watches.ran(watch, self._listings.shown_at(event.key))
            actions += self._watches.judge(watch, event.answer, now)
        return actions

    def _judge_check(self, event: CheckEnded | ListEnded, now: float, *, is_news: bool) -> Sequence[Action]:
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
                self._checks.pacer.succeeded(now)
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

    def _on_list_ended(self, event: ListEnded, now: float) -> Sequence[Action]:
        if self._listings is None or not self._listings.is_asked(event.parent):
            self.late_answers += 1
            return ()
        is_news = _end(self._checks, event, now)
        lifted = self._checks.reached() if is_news else ()
        # A refusal of lists as such says nothing of the key, so it must not pause the checks.
        judged = () if is_never(event.answer) else self._judge_check(event, now, is_news=is_news)
        return [*lifted, *judged, *self._listings.ended(event, now)]

    def _on_list_returned(self, event: ListReturned, now: float) -> Sequence[Action]:
        if self._listings is not None and self._listings.returned(event.parent, now):
            self._checks.ended(None)
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
        OperationNotified: _on_notified,
        CheckEnded: _on_check_ended,
        CheckReturned: _on_check_returned,
        ListEnded: _on_list_ended,
        ListReturned: _on_list_returned,
        Hinted: _on_hinted,
        Resumed: _on_resumed,
        KeyRenewed: _on_key_renewed,
        Unhindered: _on_unhindered,
    }


def _end(lane: Lane, event: SubmitEnded | CheckEnded | ListEnded, now: float) -> bool:
    """End one request; return whether it was answered and the answer tells of now."""
    if isinstance(event.answer, NotSent):
        lane.ended(None)
        return False
    sent_at = now if event.sent_at is None else event.sent_at  # not said when: as late as can be
    lane.ended(sent_at)
    return not isinstance(event.answer, Lost) and lane.is_news(sent_at)


def _round_up(instant: float, grain: float) -> float:
    return max(instant, math.ceil(instant / grain) * grain)
