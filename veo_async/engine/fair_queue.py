"""Whose turn it is: the most pressing first, within a priority one of each group in turn."""

from __future__ import annotations

import heapq
from collections import OrderedDict

from attrs import define, field, frozen

from veo_async.engine.priorities import ORDER
from veo_async.models import JobId, Priority

__all__ = ["MOST_PASSES", "FairQueue", "RoundRobin", "Ticket"]

MOST_PASSES = 9
"""A priority whose jobs wait is passed over so many times in a row, once more where another one is due at the
same time; then it has a turn. So one turn in ten is its own, however many wait that are more pressing."""


@frozen
class Ticket:
    """A job's place."""

    job_id: JobId
    number: int
    """Its place among all that ever queued; a job that comes back keeps it."""
    priority: Priority = "normal"
    group: str | None = None
    """Whose job it is: groups share the turns evenly."""
    returns: int = 0
    """How often it had a turn that came to nothing."""


@define(eq=False, weakref_slot=False)
class _Line:
    """The jobs of one group, in the order in which they first came."""

    new: OrderedDict[JobId, Ticket] = field(factory=OrderedDict[JobId, Ticket])
    returned: list[tuple[int, Ticket]] = field(factory=list[tuple[int, Ticket]])
    """A heap. Whoever had a turn came before all that are new."""

    def __bool__(self) -> bool:
        return bool(self.new or self.returned)

    def add(self, ticket: Ticket) -> None:
        if ticket.returns:
            heapq.heappush(self.returned, (ticket.number, ticket))
        else:
            self.new[ticket.job_id] = ticket

    def remove(self, ticket: Ticket) -> None:
        if not ticket.returns:
            del self.new[ticket.job_id]
            return
        self.returned.remove((ticket.number, ticket))  # few: no more than were being sent at once
        heapq.heapify(self.returned)

    def pop(self) -> Ticket:
        return heapq.heappop(self.returned)[1] if self.returned else self.new.popitem(last=False)[1]


class RoundRobin:
    """Groups in a ring: each turn takes the oldest job of the next one. O(log n) at most."""

    def __init__(self) -> None:
        self._ring: OrderedDict[str | None, _Line] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._ring)

    def add(self, ticket: Ticket) -> None:
        """Let a job wait behind the older ones of its group; a new group has its turn after all others.

        A turn that came to nothing is given back, but only once a job: a group whose jobs are refused again
        and again must not hold up the rest.
        """
        line = self._ring.setdefault(ticket.group, _Line())
        line.add(ticket)
        if ticket.returns == 1:
            self._ring.move_to_end(ticket.group, last=False)

    def remove(self, ticket: Ticket) -> None:
        """Take a job out that waits."""
        line = self._ring[ticket.group]
        line.remove(ticket)
        if not line:
            del self._ring[ticket.group]

    def pop(self) -> Ticket:
        """Take the job whose turn it is."""
        group, line = next(iter(self._ring.items()))
        ticket = line.pop()
        if line:
            self._ring.move_to_end(group)
        else:
            del self._ring[group]
        return ticket


class FairQueue:
    """All that wait. The most pressing priority has the turn, unless another was passed over too often."""

    def __init__(self) -> None:
        self._waiting: dict[JobId, Ticket] = {}
        self._queues: dict[Priority, RoundRobin] = {priority: RoundRobin() for priority in ORDER}
        self._passes: dict[Priority, int] = dict.fromkeys(ORDER, 0)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._waiting

    def add(self, ticket: Ticket) -> None:
        """Let a job wait that does not yet."""
        self._waiting[ticket.job_id] = ticket
        self._queues[ticket.priority].add(ticket)

    def remove(self, job_id: JobId) -> None:
        """Take a job out; one that does not wait is no news."""
        ticket = self._waiting.pop(job_id, None)
        if ticket is not None:
            self._queues[ticket.priority].remove(ticket)

    def pop(self) -> Ticket:
        """Take the job whose turn it is; there must be one."""
        ticket = self._queues[self._next()].pop()
        del self._waiting[ticket.job_id]
        return ticket

    def _next(self) -> Priority:
        """Return whose turn it is, and count who is passed over."""
        waiting: list[Priority] = [priority for priority in ORDER if self._queues[priority]]
        longest = max(waiting, key=self._passes.__getitem__)
        chosen = longest if self._passes[longest] >= MOST_PASSES else waiting[0]
        for priority in ORDER:
            passed_over = priority in waiting and priority != chosen
            self._passes[priority] = self._passes[priority] + 1 if passed_over else 0
        return chosen
