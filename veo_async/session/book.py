"""The jobs of a session, and why some of them stand still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from veo_async.engine.events import CHECKS, SUBMITS, OperationKey, Quota
from veo_async.engine.lifecycle import State
from veo_async.errors import VeoError
from veo_async.job import Job, JobHost
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId, VideoRequest

__all__ = ["Book"]

_QUOTA_OF_STATE = {State.QUEUED: SUBMITS, State.RUNNING: CHECKS}


class Book:
    """Jobs by id and by operation. Two jobs of one operation are resolved by the same checks."""

    def __init__(self) -> None:
        self._jobs: dict[JobId, Job] = {}
        self._by_operation: dict[OperationKey, list[Job]] = {}
        self._standstills: dict[Quota, VeoError] = {}
        self._closed: VeoError | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def get(self, job_id: JobId) -> Job | None:
        """Return a job of this session."""
        return self._jobs.get(job_id)

    def take_up(self, record: JobRecord, host: JobHost) -> tuple[Job, bool]:
        """Return the job of a ledger's row, and whether it is new to this session."""
        known = self._jobs.get(record.id)
        if known is not None:
            return known, False
        job = self._jobs[record.id] = Job(record, host)
        if record.state is State.RUNNING:
            self.open(job)
        return job, True

    def open(self, job: Job) -> OperationKey:
        """Note that a job waits for its operation."""
        key = key_of(job.record)
        jobs = self._by_operation.setdefault(key, [])
        if job not in jobs:
            jobs.append(job)
        return key

    def leave(self, job: Job) -> bool:
        """Note that a job waits no longer; return whether nobody waits for its operation now."""
        key = key_of(job.record)
        jobs = self._by_operation.get(key, [])
        if job in jobs:
            jobs.remove(job)
        if jobs:
            return False
        self._by_operation.pop(key, None)
        return True

    def waiting_for(self, key: OperationKey) -> tuple[Job, ...]:
        """Return the jobs that wait for an operation."""
        return tuple(self._by_operation.get(key, ()))

    def request_of(self, key: OperationKey) -> VideoRequest | None:
        """Return what an operation was submitted with; None where this session does not know it."""
        return next((job.request for job in self.waiting_for(key) if job.request is not None), None)

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

    def close(self, error: VeoError) -> None:
        """Tell all who wait, now and for ever."""
        self._closed = error
        for job in self:
            job.wake()

    def standstill(self, job: Job) -> VeoError | None:
        """Return why waiting for `job` is of no use now."""
        if self._closed is not None:
            return self._closed
        quota = _QUOTA_OF_STATE.get(job.state)
        return None if quota is None else self._standstills.get(quota)

    def states(self) -> Counter[State]:
        """Count the jobs by state."""
        return Counter(job.state for job in self._jobs.values())

    def _wake(self, quota: Quota) -> None:
        for job in self:
            if _QUOTA_OF_STATE.get(job.state) == quota:
                job.wake()


def key_of(record: JobRecord) -> OperationKey:
    """Return the operation that a job has."""
    assert record.operation is not None
    return OperationKey(record.provider, record.operation)
