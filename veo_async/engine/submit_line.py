"""Jobs that wait to be sent, and which of them may go now."""

from __future__ import annotations

import math
from itertools import chain, islice

from veo_async.engine.lanes import Lane
from veo_async.models import JobId

__all__ = ["SubmitLine"]


class SubmitLine:
    """First in, first out, within the rate of submits and the number of operations in flight."""

    def __init__(self, lane: Lane, in_flight: int) -> None:
        self._lane = lane
        self._in_flight = in_flight
        # Dicts keep the order and remove from the middle.
        self._returned: dict[JobId, None] = {}
        self._queued: dict[JobId, None] = {}
        self._sending: set[JobId] = set()
        self._withdrawn: set[JobId] = set()

    def __len__(self) -> int:
        return len(self._returned) + len(self._queued)

    def add(self, job_id: JobId) -> None:
        """Queue a job; one that is queued or being sent stays where it is."""
        if job_id not in self._sending and job_id not in self._returned:
            self._queued[job_id] = None

    def withdraw(self, job_id: JobId) -> None:
        """Take a queued job out; one that is being sent does not come back."""
        self._returned.pop(job_id, None)
        self._queued.pop(job_id, None)
        if job_id in self._sending:
            self._withdrawn.add(job_id)

    def ended(self, job_id: JobId, *, again: bool) -> bool:
        """End an attempt; `again` puts the job before all new ones. Return False for a job not being sent."""
        if job_id not in self._sending:
            return False
        self._sending.discard(job_id)
        if again and job_id not in self._withdrawn:
            self._returned[job_id] = None
        self._withdrawn.discard(job_id)
        return True

    def take(self, running: int, now: float) -> tuple[JobId, ...]:
        """Take the jobs that are to be sent now, `running` operations being in flight already."""
        if not len(self):
            return ()
        count = min(self._room(running), self._lane.room(now))
        taken = tuple(islice(chain(self._returned, self._queued), max(0, count)))
        for job_id in taken:
            line = self._returned if job_id in self._returned else self._queued
            del line[job_id]
        self._sending.update(taken)
        self._lane.take(len(taken), now)
        return taken

    def next_wakeup(self, running: int, now: float) -> float:
        """Return when a job may go; infinite while none waits or there is no room."""
        if not len(self) or self._room(running) <= 0:
            return math.inf
        return self._lane.free_at(now)

    def _room(self, running: int) -> int:
        return self._in_flight - running - len(self._sending)
