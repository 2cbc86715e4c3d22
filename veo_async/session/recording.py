"""From a move to a durable row: in the ledger, else in its spill, else in memory and loudly."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

from attrs import evolve

from veo_async.engine.lifecycle import IllegalTransitionError, State, advance
from veo_async.errors import LedgerError
from veo_async.job import Job
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.money import Caps
from veo_async.ledger.records import Change, JobRecord
from veo_async.ledger.rules import unless_taken
from veo_async.models import JobId

__all__ = ["Recorder"]

_LOG = logging.getLogger("veo_async")


class Recorder:
    """Moves jobs, each move in the ledger first and in memory after that."""

    def __init__(self, ledger: Ledger, money_freed: Callable[[], None]) -> None:
        """Record in `ledger`; `money_freed` is told when a job turns out to cost less than it might have."""
        self._ledger = ledger
        self._money_freed = money_freed
        self._owed: dict[JobId, tuple[Job, Change]] = {}
        """Moves that no file has: recorded before anything further of their jobs."""

    async def apply(self, job: Job, change: Change, caps: Caps | None = None) -> None:
        """Move a job.

        Raises:
            IllegalTransitionError: The job cannot be moved so; nothing was changed.
            BudgetExceededError: Sending it would pass a cap; nothing was changed.
            LedgerError: It could not be recorded; nothing was changed.
        """
        await self._catch_up(job)
        before = job.state
        job.advance(await self._ledger.apply(change, caps), change.at)
        costs_nothing = job.record.outcome is not None and job.record.outcome.billed == "no"
        if before is State.UNKNOWN or costs_nothing:
            self._money_freed()

    async def keep(self, job: Job, change: Change, failure: LedgerError) -> None:
        """Keep an answer that the ledger could not record, and let the job go on.

        Where the ledger's spill takes it, it is durable. Else the job goes on in memory, whoever waits for it
        is told `failure`, and the move is tried again before any further one.
        """
        try:
            await self._ledger.spill(change)
        except LedgerError:
            self._owed[job.id] = job, change
            job.trouble = failure.fresh()
            job.trouble.billed = "unknown"
            _alarm(job, change, failure, "nothing but this line has it")
        else:
            _alarm(job, change, failure, "its spill file has it")
        job.advance(_moved(job.record, change), change.at)

    async def unless_taken(self, change: Change, provider: str) -> Change:
        """Return the change, or that its job is unknown where another job has its operation.

        Raises:
            LedgerError: The ledger could not be read.
        """
        if change.operation is None:
            return change
        holder = await self._ledger.find(provider, change.operation)
        change_now = unless_taken(change, holder)
        if change_now is not change:
            _LOG.error("operation %s is given to job %s as well", change.operation, change.job_id)
        return change_now

    async def take_ledgers_word(self, job: Job) -> None:
        """Take over the row of a job that the ledger knows better than memory does."""
        record = await self._ledger.get(job.id)
        if record is not None:
            job.advance(record, time.time())

    async def catch_up(self) -> None:
        """Record what no file has yet.

        Raises:
            LedgerError: The ledger still fails.
        """
        for job, _ in list(self._owed.values()):
            await self._catch_up(job)

    async def _catch_up(self, job: Job) -> None:
        owed = self._owed.get(job.id)
        if owed is None:
            return
        try:
            record = await self._ledger.apply(await self.unless_taken(owed[1], job.record.provider))
        except IllegalTransitionError:  # it got there after all
            await self.take_ledgers_word(job)
        else:
            if record.state is not job.state:  # its operation is another job's
                job.advance(record, time.time())
        del self._owed[job.id]
        if isinstance(job.trouble, LedgerError):
            job.trouble = None
            job.wake()


def _moved(record: JobRecord, change: Change) -> JobRecord:
    state = advance(record.state, change.move)
    return evolve(record, state=state, operation=change.operation or record.operation, outcome=change.outcome)


def _alarm(job: Job, change: Change, failure: LedgerError, where: str) -> None:
    """Say it in the log and, since an operation's name is money, where no logging is set up too."""
    what = change.move if change.operation is None else f"operation {change.operation}"
    _LOG.critical("job %s: the ledger could not record %s (%s): %s", job.id, what, where, failure.message)
    if change.operation is not None and sys.stderr is not None:
        sys.stderr.write(f"veo_async: job {job.id} is {what} of {job.record.provider}; {where}\n")
