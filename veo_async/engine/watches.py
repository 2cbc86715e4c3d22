"""Operations that somebody waits for: when each is due, and what an answer about it means."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from random import Random
from typing import ClassVar, Final

from attrs import define, field

from veo_async.answers import (
    CheckAnswer,
    Empty,
    Finished,
    Lost,
    Missing,
    NotSent,
    Refused,
    Running,
    Unreadable,
)
from veo_async.engine.agenda import Agenda
from veo_async.engine.cadence import Cadence, Course
from veo_async.engine.due_line import DueLine
from veo_async.engine.events import (
    Action,
    Decision,
    OperationKey,
    OperationOpened,
    Resolve,
    Stall,
    Tell,
)
from veo_async.engine.retries import CheckStep, ceilings, rejection, rule_for
from veo_async.engine.retry_budget import THROTTLED, TRANSIENT, RetryBudget
from veo_async.models import Eta, Expired, Filtered, Priority, Succeeded
from veo_async.options import PollPolicy, RetryPolicy

__all__ = ["TICK_S", "Watch", "WatchList"]

TICK_S = 0.25
"""Due times are rounded up to this grid, so that many share one turn (measured: 227 against 733 µs)."""
NEW_S = 120.0
"""A 404 this soon after acceptance only means that the provider is not consistent yet."""
MISSING_TIMES, MISSING_GAP_S = 3, 30.0
"""Later, so many 404s in a row, with such gaps, mean that the operation is gone."""
EMPTY_GAPS_S = (15.0, 20.0, 25.0)
"""Done with nothing in it is asked again after these gaps before it counts as failed."""
TELL_AFTER: Final = {CheckStep.TELL: 3, CheckStep.TELL_LATE: 10}
STALLED_GAP_S = 300.0
SLEPT_S = 30.0
"""A deadline that is looked at so late fell into a time in which the machine or the loop stood still."""
TELLING_GAPS = 1.5
"""An end that nobody looked for during more than so many longest gaps (a pause, a backlog) tells nothing of
the waiting time."""


@define(eq=False, weakref_slot=False)
class Trouble:
    """What goes wrong with the checks of one operation, since the last one that went well."""

    kind: object
    waits: Iterator[float] = field(repr=False)
    times: int = 0
    """How often in a row answers were of this kind."""


@define(eq=False, weakref_slot=False)
class Watch:
    """One operation under watch."""

    key: OperationKey
    course: Course
    opened_at: float
    learns: bool
    seen_running_at: float
    """When it ran for certain: when it was accepted, or at the last check that found it so."""
    waits_from: float
    """Since when a wait for its end could be ours: as above, or since it was taken up."""
    stall_at: float = math.inf
    priority: Priority = "normal"
    due_at: float = math.inf
    gap_ticks: int = 0
    """Ticks from a look to `due_at`, where the cadence said when that is; 0 where something else did."""
    stalled: bool = False
    trouble: Trouble | None = None
    told: bool = False
    """Somebody said that it may have ended, and no check was made since."""
    is_over: bool = False
    """Nobody waits for it any more."""

    @property
    def worth(self) -> float:
        """What a look at it is worth: 1/gap²."""
        return _worth(self.gap_ticks)

    def worth_beyond(self, instant: float) -> float:
        """Return what a look is worth, if the next check is the cadence's and after `instant`; else 0."""
        return _worth(self.gap_ticks) if instant < self.due_at < math.inf else 0.0


@define(eq=False, weakref_slot=False)
class Spread:
    """Instants for the first checks of many: evenly over a stretch, each anywhere within its share."""

    starts_at: float
    width: float
    count: int
    given: int = 0

    def has_room(self, count: int, now: float) -> bool:
        """Return whether so many more are among those it was made for: the rest of those may never come."""
        return self.given + count <= self.count and now <= self.starts_at + self.width

    def next(self, within: float) -> float:
        """Return the next one, `within` (0 to 1) saying where in its share."""
        share = min(1.0, (self.given + within) / self.count)
        self.given += 1
        return self.starts_at + self.width * share


class WatchList:
    """Watches by operation, the due ones first."""

    def __init__(self, policy: PollPolicy, retry: RetryPolicy, budget: RetryBudget, random: Random) -> None:
        self.cadence: Cadence = Cadence(policy)
        self._budget = budget
        self._policy = policy
        self._retry = retry
        self._random = random
        self._watches: dict[OperationKey, Watch] = {}
        self._due: Agenda[Watch] = Agenda(_due_at)
        self._line = DueLine(self._undetected)
        self._lined_up_at = -math.inf
        self._deadlines: Agenda[Watch] = Agenda(_stall_at)
        self._spread: Spread | None = None
        """Of restored operations, where more of them follow."""
        self.checking: set[OperationKey] = set()
        """Those whose check is under way; for others to be read only."""
        self._hastened: set[OperationKey] = set()
        """Those that may have ended during the check that is under way, whose answer may be from before."""
        self._stalled = 0

    def __len__(self) -> int:
        return len(self._watches)

    def __contains__(self, key: OperationKey) -> bool:
        return key in self._watches

    def find(self, key: OperationKey) -> Watch | None:
        """Return an operation's watch; None when nobody waits for it."""
        return self._watches.get(key)

    @property
    def running(self) -> int:
        """Operations that count as in flight: stalled ones no longer do."""
        return len(self._watches) - self._stalled

    def open(self, event: OperationOpened, now: float) -> None:
        """Watch an operation; one that is watched already stays as it is."""
        if event.key not in self._watches:
            watch = self._add(event, now)
            self._schedule_regular(watch, now)

    def open_restored(self, events: Sequence[OperationOpened], rate: float, now: float) -> None:
        """Watch operations of an earlier process or of somebody else: oldest first, spread out, no herd."""
        news = {event.key: event for event in events if event.key not in self._watches}
        following = min(event.following for event in events)
        count = len(news) + following
        if self._spread is None or not self._spread.has_room(count, now):
            self._spread = Spread(now, min(self._policy.max_interval, 2 * count / rate), count)
        for event in sorted(news.values(), key=lambda event: -event.age):
            self._schedule(self._add(event, now), self._spread.next(self._random.random()))
        if not following:
            self._spread = None

    def drop(self, key: OperationKey) -> None:
        """Watch an operation no longer; what the agendas say of it is passed over when it comes up."""
        self._budget.forget(key)
        self._line.discard(key)
        watch = self._watches.pop(key, None)
        if watch is not None:
            self._hastened.discard(key)
            self._stalled -= watch.stalled
            watch.is_over, watch.gap_ticks = True, 0
            watch.due_at = watch.stall_at = math.inf

    def due_at(self) -> float:
        """Return when the next check is due; infinite when none is."""
        return self._lined_up_at if self._line else self._due.first()

    def take(self, count: int, now: float) -> tuple[OperationKey, ...]:
        """Take up to `count` due operations to be checked now, the longest expected undetected wait first."""
        while (due_at := self._due.first()) <= now:
            watch = self._due.pop()
            if watch.key in self.checking:  # opened anew during a check, whose answer serves as well
                watch.due_at = math.inf
            else:
                self._line.add(watch.key, watch.priority, due_at, min(due_at, watch.waits_from))
        self._lined_up_at = now
        taken = self._line.take(count, now)
        for key in taken:
            self._watches[key].due_at = math.inf
        self.checking.update(taken)
        return taken

    def eta(self, key: OperationKey, now: float, shown_at: float = -math.inf) -> Eta | None:
        """Return when an operation is likely to end, in seconds from now; None when nobody waits for it.

        Args:
            key: Which one.
            now: The instant.
            shown_at: When a list showed it to run.
        """
        watch = self._watches.get(key)
        if watch is None:
            return None
        ran_at = shown_at if watch.waits_from < shown_at else watch.seen_running_at
        return watch.course.eta(ran_at - watch.opened_at, now - watch.opened_at)

    def next_deadline(self) -> float:
        """Return when the next operation is past its deadline."""
        return self._deadlines.first()

    def stall(self, now: float) -> list[Action]:
        """Return what to tell of operations past their deadline; they are told again a deadline later.

        After a time in which the machine slept nobody is told before a check could show what is done by now.
        """
        actions: list[Action] = []
        while (stall_at := self._deadlines.first()) <= now:
            watch = self._deadlines.pop()
            if now - stall_at > SLEPT_S:
                self._set_deadline(watch, now + TELLING_GAPS * self._policy.max_interval)
            else:
                actions += self._stall(watch, now)
        return actions

    def answered(self, key: OperationKey) -> bool:
        """End a check; False for a doubled or foreign answer, which is no news."""
        if key not in self.checking:
            return False
        self.checking.discard(key)
        return True

    def check_again(self, key: OperationKey, now: float) -> None:
        """Let an operation be checked as soon as there is room."""
        watch = self._watches.get(key)
        if watch is not None:
            self._schedule(watch, now)

    def hasten(self, key: OperationKey, now: float) -> bool:
        """Let an operation be checked at once, since it may have ended; False when nobody waits for it.

        One whose last answers were odd waits its time all the same: they are counted, and hints from outside
        must not make them count faster.
        """
        watch = self._watches.get(key)
        if watch is None:
            return False
        if key in self.checking:
            self._hastened.add(key)
        elif watch.trouble is None and not watch.told:
            self._see_running(watch, now)  # as far as is known: an end that is told is about now
            watch.told = True
            self._schedule(watch, min(watch.due_at, now))
        return True

    def judge(self, watch: Watch, answer: CheckAnswer | NotSent | Lost, now: float) -> Sequence[Action]:
        """Act on what is said of an operation."""
        if isinstance(answer, _HEARD):
            self._budget.succeeded(watch.key)
        return self._ON[type(answer)](self, watch, answer, now)

    def seen_running(self, watches: Iterable[Watch], now: float) -> list[Action]:
        """Act on answers, one or a list's, that show operations to run, as most do at most times."""
        actions: list[Action] = []
        longest_wait = self._policy.deadline + TICK_S
        is_repaid = self._budget.is_full
        hastened = self._hastened
        for watch in watches:
            if not is_repaid:
                self._budget.succeeded(watch.key)
            watch.trouble = None
            watch.told = False
            self._see_running(watch, now)
            if watch.stall_at > watch.opened_at + longest_wait and not watch.stalled:
                actions += self._own_deadline(watch, now)
            if hastened and watch.key in hastened:
                hastened.discard(watch.key)
                self._schedule(watch, now)
            else:
                self._schedule_regular(watch, now)
        return actions

    @property
    def has_all_tokens(self) -> bool:
        """No good answer could bring a token for retries back."""
        return self._budget.is_full

    def ran(self, watch: Watch, at: float) -> None:
        """Take into account that an operation ran at an instant that may be past."""
        if watch.waits_from < at:
            self._see_running(watch, at)

    # ── what an answer means ────────────────────────────────────────────────────────────────────────────

    def _on_running(self, watch: Watch, _: CheckAnswer, now: float) -> Sequence[Action]:
        return self.seen_running((watch,), now)

    def _own_deadline(self, watch: Watch, now: float) -> Sequence[Action]:
        """Let a deadline that waited for the operation to be seen count from the acceptance on."""
        stall_at = watch.opened_at + self._policy.deadline
        if now >= stall_at:
            return self._stall(watch, now)
        self._set_deadline(watch, stall_at)
        return ()

    def _on_finished(self, watch: Watch, answer: Finished, now: float) -> Sequence[Action]:
        unseen = now - watch.seen_running_at
        if (
            watch.learns
            and isinstance(answer.outcome, Succeeded | Filtered)
            and unseen <= TELLING_GAPS * self._policy.max_interval
        ):
            watch.course.ended(watch.seen_running_at - watch.opened_at, now - watch.opened_at)
        was_watched = watch.learns or watch.seen_running_at > watch.opened_at
        return self._resolve(watch, answer.outcome, unseen / 2 if was_watched else None)

    def _on_empty(self, watch: Watch, answer: Empty, now: float) -> Sequence[Action]:
        times = self._count(watch, Empty).times
        if times > len(EMPTY_GAPS_S):
            return self._resolve(watch, answer.outcome)
        self._schedule(watch, now + EMPTY_GAPS_S[times - 1])
        return ()

    def _on_missing(self, watch: Watch, answer: Missing, now: float) -> Sequence[Action]:
        if now - watch.opened_at < NEW_S:
            return self._retry_later(watch, now, cost=0)
        if self._count(watch, Missing).times >= MISSING_TIMES:
            return self._resolve(watch, Expired(message=answer.message))
        self._schedule(watch, now + MISSING_GAP_S)
        return ()

    def _on_trouble(self, watch: Watch, answer: Lost | NotSent, now: float) -> Sequence[Action]:
        # For what never left the lane has paid, once for all: its next request is one probe.
        return self._retry_later(watch, now, cost=TRANSIENT if isinstance(answer, Lost) else 0)

    def _on_odd(self, watch: Watch, answer: Refused | Unreadable, now: float) -> Sequence[Action]:
        step = rule_for(answer).check
        if step is CheckStep.REJECT:
            assert isinstance(answer, Refused)
            return self._resolve(watch, rejection(answer))
        if step is CheckStep.PAUSE:
            self._schedule(watch, now)  # the lane says when
            return ()
        if step is CheckStep.SLOW:
            self._schedule(watch, now + self._covered_gap(watch, 0.0, THROTTLED))
            return ()
        trouble = self._count(watch, step)
        self._retry_later(watch, now, cost=TRANSIENT)
        if trouble.times < TELL_AFTER.get(step, math.inf):
            return ()
        trouble.times = 0
        return (Tell(watch.key, answer),)

    _ON: ClassVar[dict[type, Callable[..., Sequence[Action]]]] = {
        Running: _on_running,
        Finished: _on_finished,
        Empty: _on_empty,
        Missing: _on_missing,
        Lost: _on_trouble,
        NotSent: _on_trouble,
        Refused: _on_odd,
        Unreadable: _on_odd,
    }

    def _count(self, watch: Watch, kind: object) -> Trouble:
        """Count an answer of this kind; one of another kind in between begins the row anew."""
        trouble = self._trouble(watch, kind)
        if trouble.kind is not kind:
            trouble.kind, trouble.times = kind, 0
        trouble.times += 1
        return trouble

    def _trouble(self, watch: Watch, kind: object) -> Trouble:
        if watch.trouble is None:
            watch.trouble = Trouble(kind, ceilings(self._retry))
        return watch.trouble

    def _retry_later(self, watch: Watch, now: float, *, cost: int) -> Sequence[Action]:
        ceiling = next(self._trouble(watch, None).waits)
        gap = self._policy.min_interval + self._random.uniform(0, ceiling)
        self._schedule(watch, now + self._gap(watch, self._covered_gap(watch, gap, cost)))
        return ()

    def _covered_gap(self, watch: Watch, gap: float, cost: int) -> float:
        """Return the gap before a retry: at least the longest of regular checks where it is not covered."""
        if not cost or self._budget.covers(watch.key, cost):
            return gap
        return max(gap, self._policy.max_interval)

    # ── bookkeeping ─────────────────────────────────────────────────────────────────────────────────────

    def _add(self, event: OperationOpened, now: float) -> Watch:
        opened_at = now - event.age if event.age else now
        # What was done in the meantime is not known before a check: only then, or after a whole deadline in
        # which there was none, is it said to be stalled.
        unseen = event.restored or event.age >= self._policy.deadline
        stall_at = (now if unseen else opened_at) + self._policy.deadline
        course = self.cadence.course(event.profile)
        watch = Watch(
            key=event.key,
            course=course,
            opened_at=opened_at,
            learns=not event.restored,
            seen_running_at=opened_at,
            waits_from=now,
            priority=event.priority,
        )
        self._watches[event.key] = watch
        self._set_deadline(watch, stall_at)
        return watch

    def _see_running(self, watch: Watch, now: float) -> None:
        if watch.learns:
            watch.course.running(watch.seen_running_at - watch.opened_at, now - watch.opened_at)
        watch.seen_running_at = watch.waits_from = now

    def _undetected(self, key: OperationKey, due_at: float, now: float) -> float:
        """Return for how long an operation has been over unseen, by expectation, at `now`.

        Nobody starves: once its longest gap is over, the time since counts in full.
        """
        watch = self._watches[key]
        late = now - max(due_at, watch.waits_from + self._policy.max_interval)
        if watch.told:
            return now - watch.waits_from
        ages = (instant - watch.opened_at for instant in (watch.seen_running_at, watch.waits_from, now))
        return max(late, watch.course.undetected(*ages))

    def _stall(self, watch: Watch, now: float) -> list[Action]:
        self._stalled += not watch.stalled
        watch.stalled = True
        self._set_deadline(watch, now + self._policy.deadline)
        return [Stall(watch.key)]

    def _set_deadline(self, watch: Watch, stall_at: float) -> None:
        watch.stall_at = self._deadlines.add(_on_grid(stall_at), watch)

    def _resolve(self, watch: Watch, outcome: Decision, lag: float | None = None) -> Sequence[Action]:
        self.drop(watch.key)
        return (Resolve(watch.key, outcome, lag),)

    def _schedule_regular(self, watch: Watch, now: float) -> None:
        """Schedule the next check by the cadence; the grid makes no gap longer than the longest."""
        gap = watch.course.next_gap(now - watch.opened_at)
        due_at = _on_grid(now + self._gap(watch, gap))
        if not watch.stalled and due_at > now + max(TICK_S, self._policy.max_interval):
            due_at -= TICK_S
        watch.gap_ticks = max(1, round((due_at - now) / TICK_S))
        watch.due_at = self._due.add(due_at, watch)

    def _schedule(self, watch: Watch, due_at: float) -> None:
        watch.gap_ticks = 0
        watch.due_at = self._due.add(_on_grid(due_at), watch)

    def _gap(self, watch: Watch, gap: float) -> float:
        return max(gap, STALLED_GAP_S) if watch.stalled else gap


_HEARD = (Finished, Empty, Missing)
"""What is said of an operation itself, as `Running` is: the check that brought it went well."""
_due_at = attrgetter("due_at")
_stall_at = attrgetter("stall_at")


@cache
def _worth(gap_ticks: int) -> float:
    return 1 / (TICK_S * gap_ticks) ** 2 if gap_ticks else 0.0


def _on_grid(instant: float) -> float:
    return math.ceil(instant / TICK_S) * TICK_S if instant < math.inf else instant
