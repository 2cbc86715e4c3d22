"""Jobs that wait to be sent, and which of them may go now."""

from __future__ import annotations

import itertools
import math

from attrs import evolve

from veo_async.engine.fair_queue import FairQueue, Ticket
from veo_async.engine.lanes import Lane
from veo_async.models import JobId, Priority

__all__ = ["SubmitLine"]


class SubmitLine:
    """A fair queue, within the rate of submits and the number of operations in flight.

    Every place that gets free, in a window or in flight, is one turn.
    """

    def __init__(self, lane: Lane, in_flight: int) -> None:
        self._lane = lane
        self._in_flight = in_flight
        self._numbers = itertools.count()
        self._queue = FairQueue()
        self._sending: dict[JobId, Ticket] = {}
        self._withdrawn: set[JobId] = set()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, job_id: JobId, priority: Priority, group: str | None) -> None:
        """Queue a job; one that is queued or being sent stays where it is."""
        if job_id not in self._sending and job_id not in self._queue:
            self._queue.add(Ticket(job_id, next(self._numbers), priority, group))

    def withdraw(self, job_id: JobId) -> None:
        """Take a queued job out; one that is being sent does not come back."""
        self._queue.remove(job_id)
        if job_id in self._sending:
            self._withdrawn.add(job_id)

    def ended(self, job_id: JobId, *, again: bool) -> bool:
        """End an attempt; `again` puts the job before all of its group that are new.

        Return False for a job that is not being sent.
        """
        ticket = self._sending.pop(job_id, None)
        if ticket is None:
            return False
        if again and job_id not in self._withdrawn:
            self._queue.add(evolve(ticket, returns=ticket.returns + 1))
        self._withdrawn.discard(job_id)
        return True

    def take(self, running: int, now: float) -> tuple[JobId, ...]:
        """Take the jobs that are to be sent now, `running` operations being in flight already."""
        if not len(self):
            return ()
        count = min(self._room(running), self._lane.room(now), len(self))
        tickets = [self._queue.pop() for _ in range(count)]
        self._sending |= {ticket.job_id: ticket for ticket in tickets}
        self._lane.take(len(tickets), now)
        return tuple(ticket.job_id for ticket in tickets)

    def next_wakeup(self, running: int, now: float) -> float:
        """Return when a job may go; infinite while none waits or there is no room."""
        if not len(self) or self._room(running) <= 0:
            return math.inf
        return self._lane.free_at(now)

    def _room(self, running: int) -> int:
        return self._in_flight - running - len(self._sending)
