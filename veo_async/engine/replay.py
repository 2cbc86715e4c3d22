"""What would have been: recorded jobs run through the scheduler once more, under other limits and cadences.

Pure, in virtual time: the jobs are asked for when they were, their submits and operations take as long as
they did, and answers to status checks take no time. The provider is taken to keep up with whatever is asked
of it: what is not in a record (429s that another pace would have met) is not in the replay.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from veo_async.answers import Accepted, Finished, Lost, Running
from veo_async.engine.events import (
    Action,
    Check,
    CheckEnded,
    Event,
    OperationKey,
    OperationOpened,
    Profile,
    Resolve,
    Submit,
    SubmitEnded,
    SubmitQueued,
)
from veo_async.engine.lifecycle import State
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import Failed, Filtered, JobId, Result, Succeeded
from veo_async.options import Limits, PollPolicy

__all__ = ["Figures", "PastJob", "replay"]

HAIR_S: Final = 1e-6
"""By so much time goes on after a turn that led to nothing, so that no rounding can stop it."""

_OUTCOMES: Final[Mapping[State, Succeeded | Filtered]] = {
    State.SUCCEEDED: Succeeded(result=Result(videos=())),
    State.FILTERED: Filtered(),
}
_FAILED: Final = Failed()
_UNANSWERED: Final = Lost(reason="")


@frozen(kw_only=True)
class PastJob:
    """What a ledger knows of one job; instants are seconds since an epoch that all jobs share."""

    asked_at: float
    state: State
    """How it stands: only what succeeded has a last video, and what failed teaches nothing."""
    profile: Profile
    submit_takes: float | None
    """Seconds from its submit to the answer; None for an operation that somebody else had submitted."""
    waits: float | None
    """Seconds from acceptance to the operation's end; None where it has no operation whose end is known."""


@frozen(kw_only=True)
class Figures:
    """What a replay came to."""

    submits: int
    checks: int
    operations: int
    """Operations whose end was found."""
    mean_lag: float
    """Seconds from an operation's end to the check that found it; 0 when there are none."""
    p90_lag: float
    max_lag: float
    last_video: float | None
    """Seconds from the first job being asked for to the last video being found; None when there is none."""

    @property
    def requests(self) -> int:
        """Submits and checks."""
        return self.submits + self.checks


def replay(
    jobs: Sequence[PastJob], *, limits: Limits | None = None, policy: PollPolicy | None = None, seed: int = 0
) -> Figures:
    """Return what would have come of past jobs under these limits and this cadence.

    Args:
        jobs: In any order.
        limits: None: the defaults.
        policy: None: the defaults.
        seed: Fixes what the scheduler draws by chance, so that the same question has the same answer.
    """
    return _Replay(jobs, PollScheduler(limits=limits, policy=policy, seed=seed)).run()


class _Replay:
    """One run. The jobs' places in their order are their ids and operations."""

    def __init__(self, jobs: Sequence[PastJob], scheduler: PollScheduler) -> None:
        self._jobs = sorted(jobs, key=lambda job: job.asked_at)
        self._scheduler = scheduler
        self._agenda: list[tuple[float, int, Event]] = []
        self._events = 0
        self._ends_at: dict[OperationKey, float] = {}
        self._submits = self._checks = 0
        self._lags: list[float] = []
        self._last_video: float | None = None

    def run(self) -> Figures:
        """Let all happen, in order, and return the figures."""
        now = 0.0
        self._ask()
        while True:
            events = self._take(now)
            actions = self._scheduler.handle(*events, now=now)
            for action in actions:
                self._do(action, now)
            if not self._agenda and not self._ends_at and not self._scheduler.queued_submits:
                return self._figures()
            now = max(self._next(), now if events or actions else now + HAIR_S)

    def _ask(self) -> None:
        """Put all that does not depend on the scheduler on the agenda; the first job is asked for at 0."""
        for place, job in enumerate(self._jobs):
            at = job.asked_at - self._jobs[0].asked_at
            if job.submit_takes is not None:
                self._tell(at, SubmitQueued(JobId(str(place))))
            elif job.waits is not None:
                self._open(place, job.waits, at, restored=True)

    def _next(self) -> float:
        """Return the next instant at which anything happens or is wanted."""
        wake_at = self._scheduler.next_wakeup()
        happens_at = self._agenda[0][0] if self._agenda else math.inf
        return min(happens_at, math.inf if wake_at is None else wake_at)

    def _take(self, now: float) -> list[Event]:
        events: list[Event] = []
        while self._agenda and self._agenda[0][0] <= now:
            events.append(heapq.heappop(self._agenda)[2])
        return events

    def _tell(self, at: float, event: Event) -> None:
        self._events += 1
        heapq.heappush(self._agenda, (at, self._events, event))

    def _do(self, action: Action, now: float) -> None:
        match action:
            case Submit(job_ids):
                for job_id in job_ids:
                    self._submit(job_id, now)
            case Check(keys):
                self._checks += len(keys)
                for key in keys:
                    self._tell(now, CheckEnded(key, self._answer(key, now), now))
            case Resolve(key):
                self._found(key, now)
            case _:
                pass

    def _submit(self, job_id: JobId, now: float) -> None:
        self._submits += 1
        place = int(job_id)
        job = self._jobs[place]
        assert job.submit_takes is not None
        answered_at = now + job.submit_takes
        if job.waits is None:
            self._tell(answered_at, SubmitEnded(job_id, _UNANSWERED, now))
            return
        self._tell(answered_at, SubmitEnded(job_id, Accepted(operation=job_id), now))
        self._open(place, job.waits, answered_at, restored=False)

    def _open(self, place: int, waits: float, at: float, *, restored: bool) -> None:
        key = OperationKey("", str(place))
        self._ends_at[key] = at + waits
        self._tell(at, OperationOpened(key, self._jobs[place].profile, restored=restored))

    def _answer(self, key: OperationKey, now: float) -> Running | Finished:
        if now < self._ends_at[key]:
            return Running()
        return Finished(outcome=_OUTCOMES.get(self._jobs[int(key.name)].state, _FAILED))

    def _found(self, key: OperationKey, now: float) -> None:
        self._lags.append(now - self._ends_at.pop(key))
        if self._jobs[int(key.name)].state is State.SUCCEEDED:
            self._last_video = now

    def _figures(self) -> Figures:
        lags = sorted(self._lags) or [0.0]
        return Figures(
            submits=self._submits,
            checks=self._checks,
            operations=len(self._lags),
            mean_lag=math.fsum(lags) / len(lags),
            p90_lag=lags[math.ceil(0.9 * len(lags)) - 1],
            max_lag=lags[-1],
            last_video=self._last_video,
        )
