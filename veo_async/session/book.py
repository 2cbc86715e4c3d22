"""The jobs of a session, and why some of them stand still."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Final, cast
from weakref import WeakMethod, ref

from veo_async.engine.events import CHECKS, SUBMITS, OperationKey, Quota
from veo_async.engine.lifecycle import FINAL, State
from veo_async.errors import VeoError
from veo_async.job import Job, JobHost
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId, VideoRequest

__all__ = ["Book"]

ENDED_KEPT: Final = 1000
"""Ended jobs that are still found by their ids: an open session does not grow with the jobs behind it."""

_QUOTA_OF_STATE = {State.QUEUED: SUBMITS, State.RUNNING: CHECKS}


class Book:
    """Jobs by id and by operation. Two jobs of one operation are resolved by the same checks.

    Open jobs are held, and the last that ended; older ones are here as long as somebody else holds them.
    """

    def __init__(self) -> None:
        self._since = time.time()
        self._jobs: dict[JobId, Job | ref[Job]] = {}
        """In the order in which they were taken up; those that ended by a weak reference."""
        self._last_ended: deque[Job] = deque(maxlen=ENDED_KEPT)
        self._ended: Counter[State] = Counter()
        self._by_operation: dict[OperationKey, Job | tuple[Job, ...]] = {}
        """Nearly every operation has one job, which needs no tuple."""
        self._places: set[OperationKey] = set()
        """Names of operations without their ids: a few for all jobs."""
        self._left: set[JobId] = set()
        """Jobs that somebody cancelled while they ran: they may be taken up again."""
        self._standstills: dict[Quota, VeoError] = {}
        self._closed: VeoError | None = None

    def __iter__(self) -> Iterator[Job]:
        held = [job if isinstance(job, Job) else job() for job in list(self._jobs.values())]
        return iter([job for job in held if job is not None])

    def __contains__(self, job_id: JobId) -> bool:
        return self.get(job_id) is not None

    def get(self, job_id: JobId) -> Job | None:
        """Return a job of this session."""
        job = self._jobs.get(job_id)
        return job() if isinstance(job, ref) else job

    def take_up(self, record: JobRecord, host: JobHost) -> tuple[Job, bool]:
        """Return the job of a ledger's row, and whether it is new to this session or waits anew."""
        known = self.get(record.id)
        if known is not None:
            return known, self._return(known)
        job = self._jobs[record.id] = Job(record, host)
        if record.state in FINAL:
            self._loosen(job)
            if record.finished_at is None or record.finished_at < self._since:  # else it was counted then
                self._ended[record.state] += 1
        return job, True

    def ended(self, job: Job) -> None:
        """Note that a job is final: it stays counted, and is held for a while."""
        self._left.discard(job.id)
        if self._jobs.get(job.id) is job:
            self._loosen(job)
            self._ended[job.state] += 1

    def open(self, job: Job) -> OperationKey:
        """Note that a job waits for its operation."""
        key = key_of(job.record)
        waiting = self.waiting_for(key)
        if job not in waiting:
            self._by_operation[key] = (*waiting, job) if waiting else job
        self._places.add(OperationKey(key.provider, _place(key.name)))
        return key

    def leave(self, job: Job) -> bool:
        """Note that a job waits no longer; return whether nobody waits for its operation now."""
        self._left.add(job.id)
        key = key_of(job.record)
        rest = tuple([other for other in self.waiting_for(key) if other is not job])
        if rest:
            self._by_operation[key] = rest
        else:
            self._by_operation.pop(key, None)
        return not rest

    def waiting_for(self, key: OperationKey) -> tuple[Job, ...]:
        """Return the jobs that wait for an operation."""
        waiting = self._by_operation.get(key, ())
        return (waiting,) if isinstance(waiting, Job) else waiting

    def count_waiting(self, provider: str, names: Iterable[str]) -> int:
        """Return how many jobs wait for these operations."""
        keys = cast("Iterable[OperationKey]", zip(repeat(provider), names))  # found as well, and made sooner
        waiting = [one for one in map(self._by_operation.get, keys) if one is not None]
        return len(waiting) + sum(len(one) - 1 for one in waiting if not isinstance(one, Job))

    def named(self, operation: str) -> list[OperationKey]:
        """Return the operations waited for that a name may mean: its id is what counts."""
        operation_id = operation.removeprefix(_place(operation))
        keys = (OperationKey(provider, place + operation_id) for provider, place in self._places)
        return [key for key in keys if key in self._by_operation]

    def request_of(self, key: OperationKey) -> VideoRequest | None:
        """Return what an operation was submitted with; None where this session does not know it."""
        for job in self.waiting_for(key):
            if job.request is not None:
                return job.request
        return None

    def resolved(self, key: OperationKey) -> None:
        """Note that an operation is decided."""
        self._by_operation.pop(key, None)

    def stand_still(self, quota: Quota, error: VeoError) -> None:
        """Tell all who wait on a quota, now and until it goes on."""
        self._standstills[quota] = error
        self._wake(quota)

    def go_on(self, quota: Quota) -> None:
        """End a standstill."""
        self._standstills.pop(quota, None)

    def stands_still(self, quota: Quota) -> VeoError | None:
        """Return why a quota stands still; None when it goes on."""
        return self._standstills.get(quota)

    def close(self, error: VeoError) -> None:
        """Tell all who wait, now and for ever."""
        self._closed = error
        for job in self:
            job.wake()

    @property
    def closed(self) -> VeoError | None:
        """Why nothing goes on any more; None while the session is open."""
        return self._closed

    def standstill(self, job: Job) -> VeoError | None:
        """Return why waiting for `job` is of no use now."""
        if self._closed is not None:
            return self._closed
        quota = _QUOTA_OF_STATE.get(job.state)
        return None if quota is None else self._standstills.get(quota)

    def states(self) -> Counter[State]:
        """Count the jobs by state, those too that are not held any more."""
        return Counter(job.state for job in list(self._jobs.values()) if isinstance(job, Job)) + self._ended

    def _loosen(self, job: Job) -> None:
        """Hold a job that ended for a while only; its place among the jobs is its as long as it lives."""
        forget, job_id = WeakMethod(self._forget), job.id

        def gone(_: ref[Job]) -> None:
            if (book_forgets := forget()) is not None:
                book_forgets(job_id)

        self._jobs[job_id] = ref(job, gone)
        self._last_ended.append(job)

    def _forget(self, job_id: JobId) -> None:
        """Clear the place of a job that is no more."""
        if self.get(job_id) is None:
            self._jobs.pop(job_id, None)

    def _return(self, job: Job) -> bool:
        """Let a job wait again that was cancelled while it ran; return whether it was."""
        was_left = job.id in self._left
        if was_left:
            self._left.discard(job.id)
            job.trouble = None
        return was_left

    def _wake(self, quota: Quota) -> None:
        for job in self:
            if _QUOTA_OF_STATE.get(job.state) == quota:
                job.wake()


def _place(name: str) -> str:
    """Return what stands before the id in an operation's name."""
    return name[: name.rfind("/") + 1]


def key_of(record: JobRecord) -> OperationKey:
    """Return the operation that a job has."""
    assert record.operation is not None
    return OperationKey(record.provider, record.operation)
