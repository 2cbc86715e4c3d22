"""A scheduler in virtual time, and a service that answers as it is told to."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import field, frozen

from veo_async.answers import Accepted, CheckAnswer, Lost, NotSent, RefusalKind, Refused, SubmitAnswer
from veo_async.engine.events import (
    Action,
    Check,
    CheckEnded,
    Event,
    OperationKey,
    Profile,
    Submit,
    SubmitEnded,
)
from veo_async.engine.lifecycle import Move
from veo_async.engine.retries import submit_move
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import JobId, Result, Succeeded, Video
from veo_async.options import Limits, PollPolicy, Rate, RetryPolicy

_Kind = TypeVar("_Kind", bound=Action)

VEO = Profile("veo-3.1")
DONE = Succeeded(result=Result(videos=(Video(uri="https://example.com/a.mp4"),)))
FAST = Limits(checks=Rate(100_000), submits=Rate(100_000), in_flight=100_000)
"""Limits that never bind."""


def key(name: str | int) -> OperationKey:
    return OperationKey("here", str(name))


def keys(*names: str | int) -> tuple[OperationKey, ...]:
    return tuple(key(name) for name in names)


def refused(kind: RefusalKind, retry_after: float | None = None, message: str = "") -> Refused:
    return Refused(kind=kind, retry_after=retry_after, message=message)


def made(actions: Sequence[Action], kind: type[_Kind]) -> list[_Kind]:
    """Return the actions of one kind."""
    return [action for action in actions if isinstance(action, kind)]


def crowded(sends: Sequence[float], rate: Rate) -> list[tuple[float, float]]:
    """Return the pairs of sends that show a half-open window of the rate's length with too many in it."""
    ordered = sorted(sends)
    pairs = zip(ordered, ordered[rate.count :], strict=False)
    return [(first, last) for first, last in pairs if last - first < rate.per - 1e-9]


@frozen
class Reply:
    """How the service answers, and how long that takes."""

    answer: CheckAnswer | SubmitAnswer | NotSent | Lost
    takes: float = 0.05
    """Seconds from the first byte to the answer."""
    sent_after: float = 0.0
    """Seconds from the scheduler's word to the first byte."""


def accept(job_id: JobId, now: float) -> Reply:
    return Reply(Accepted(operation=f"op-{job_id}"))


def no_checks(asked: OperationKey, now: float) -> Reply:
    raise AssertionError(f"{asked} was checked")


@frozen(kw_only=True)
class World:
    """Runs a scheduler: does what it says, tells it what comes of it, and wakes it when it wants."""

    scheduler: PollScheduler
    on_check: Callable[[OperationKey, float], Reply] = no_checks
    on_submit: Callable[[JobId, float], Reply] = accept
    said: list[tuple[float, Action]] = field(factory=list[tuple[float, Action]])
    """All actions, with their instants."""
    submits: list[float] = field(factory=list[float])
    """Instants of first bytes."""
    checks: list[float] = field(factory=list[float])
    """Instants of first bytes."""
    _agenda: list[tuple[float, int, Event]] = field(factory=list[tuple[float, int, Event]])
    _serial: itertools.count[int] = field(factory=itertools.count)

    def at(self, when: float, *events: Event) -> None:
        """Let something happen at `when`."""
        for event in events:
            heapq.heappush(self._agenda, (when, next(self._serial), event))

    def run(self, until: float, *, asleep_until: float = 0.0) -> None:
        """Let time pass; a wake-up that is due now and leads to nothing twice in a row is a busy loop."""
        idle_at = -1.0
        while True:
            wake_at = self.scheduler.next_wakeup()
            happens_at = self._agenda[0][0] if self._agenda else until
            now = max(asleep_until, min(happens_at, until if wake_at is None else wake_at))
            if now >= until:
                return
            events: list[Event] = []
            while self._agenda and self._agenda[0][0] <= now:
                events.append(heapq.heappop(self._agenda)[2])
            actions = self.scheduler.handle(*events, now=now)
            assert events or actions or now > idle_at, f"woken at {now} for nothing, again"
            idle_at = now
            for action in actions:
                self._do(action, now)

    def times(self, action: Action) -> list[float]:
        """Return when the scheduler said this."""
        return [at for at, said in self.said if said == action]

    def _do(self, action: Action, now: float) -> None:
        self.said.append((now, action))
        if isinstance(action, Check):
            for asked in action.keys:
                self._check(asked, now)
        elif isinstance(action, Submit):
            for job_id in action.job_ids:
                self._submit(job_id, now)

    def _check(self, asked: OperationKey, now: float) -> None:
        reply = self.on_check(asked, now)
        assert not isinstance(reply.answer, Accepted)
        sent_at = None if isinstance(reply.answer, NotSent) else now + reply.sent_after
        if sent_at is not None:
            self.checks.append(sent_at)
        self.at(now + reply.sent_after + reply.takes, CheckEnded(asked, reply.answer, sent_at))

    def _submit(self, job_id: JobId, now: float) -> None:
        reply = self.on_submit(job_id, now)
        answer = reply.answer
        assert isinstance(answer, SubmitAnswer | NotSent | Lost)
        again = isinstance(answer, NotSent) or submit_move(answer, RetryPolicy()) is Move.NOT_STARTED
        sent_at = None if isinstance(answer, NotSent) else now + reply.sent_after
        if sent_at is not None:
            self.submits.append(sent_at)
        self.at(now + reply.sent_after + reply.takes, SubmitEnded(job_id, answer, sent_at, again=again))


def scheduler(
    limits: Limits = FAST, policy: PollPolicy | None = None, retry: RetryPolicy | None = None, seed: int = 0
) -> PollScheduler:
    """Return a scheduler whose limits do not bind unless given."""
    return PollScheduler(limits=limits, policy=policy, retry=retry, seed=seed)
