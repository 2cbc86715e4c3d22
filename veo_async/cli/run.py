"""Sends, awaits and fetches the requests of one run; who calls it prints and decides what is sent."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import anyio
import attrs

from veo_async.cli.entries import Entry
from veo_async.cli.files import Shelf
from veo_async.cli.identity import Todo, attempt_key
from veo_async.cli.reports import Report
from veo_async.endings import error_of
from veo_async.engine.lifecycle import State
from veo_async.engine.priorities import ORDER
from veo_async.errors import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    InsufficientBalanceError,
    InvalidRequestError,
    LedgerError,
    NotSentError,
    QuotaExhaustedError,
    SessionClosedError,
    VeoError,
)
from veo_async.job import Job
from veo_async.models import Outcome, Succeeded
from veo_async.session import VeoSession

__all__ = ["Run"]

_CONCERNS_ALL = (
    AuthenticationError,
    ConfigurationError,
    InsufficientBalanceError,
    LedgerError,
    NotSentError,
    QuotaExhaustedError,
    SessionClosedError,
)
"""Errors that the next request would meet, too."""

_STANDS_STILL = (*_CONCERNS_ALL, BudgetExceededError)
"""Errors of a request that was taken in: a cheaper one may still be, but none is sent."""

_DOING = {State.QUEUED: "queued", State.ARMED: "sending", State.RUNNING: "running"}


class Run:
    """One run over some requests of a session."""

    def __init__(
        self,
        session: VeoSession,
        entries: Sequence[Entry],
        report: Report,
        shelf: Shelf | None,
        saved: Callable[[], Awaitable[None]],
        known: Iterable[Job] = (),
    ) -> None:
        """Make ready.

        Args:
            session: Whose jobs.
            entries: What is asked, each with its `todo`.
            report: Is told what happens.
            shelf: Takes the videos; None: they are not fetched.
            saved: Awaited after each request that is done with; writes the manifest now and then.
            known: Jobs that the session has taken up already.
        """
        self._session = session
        self._entries = entries
        self._report = report
        self._shelf = shelf
        self._saved = saved
        self._known = {job.id: job for job in known}
        self._began = time.monotonic()
        # Requests beyond what runs at once stay in the file: their media need not be kept twice.
        self._slots = anyio.CapacityLimiter(session.provider.limits.in_flight)
        self.obstacle: VeoError | None = None
        """Why no more was sent, when it concerns all requests."""

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    async def go(self) -> None:
        """Return when nothing more can be done about any request; cancelling leaves jobs to the session."""
        open_entries = [entry for entry in self._entries if not entry.settled]
        async with anyio.create_task_group() as tasks:
            for entry in sorted(open_entries, key=_turn):
                if self.obstacle is not None:
                    break
                await self._begin(entry, tasks)

    async def _begin(self, entry: Entry, tasks: anyio.abc.TaskGroup) -> None:
        if entry.todo is Todo.KEEP:
            tasks.start_soon(self._keep, entry)
            return
        await self._slots.acquire_on_behalf_of(entry)
        if self.obstacle is not None:
            return  # met while this one waited for its slot
        job = await self._job_of(entry)
        if job is None:
            self._slots.release_on_behalf_of(entry)
            await self._settle(entry)
        else:
            tasks.start_soon(self._follow, entry, job)

    async def _job_of(self, entry: Entry) -> Job | None:
        """Return the request's job, a new one or the one it has; None when it cannot have one."""
        known = None if entry.record is None else self._known.get(entry.record.id)
        return known or await self._enqueued(entry)

    async def _enqueued(self, entry: Entry) -> Job | None:
        try:
            return await self._taken_in(entry)
        except InvalidRequestError as error:
            entry.trouble = error.message
        except VeoError as error:
            self._hinder(entry, error, _CONCERNS_ALL)
        return None

    async def _taken_in(self, entry: Entry) -> Job:
        assert entry.request is not None
        assert entry.key is not None
        request = attrs.evolve(entry.request, idempotency_key=attempt_key(entry.key, entry.attempt))
        job = await self._session.enqueue(request)
        if entry.replaces is None or entry.replaces.id != job.id:
            return job
        # It is the unknown one itself; what sending it again may cost was told before.
        return await self._session.resubmit(job, accept_duplicate_risk=True)

    async def _follow(self, entry: Entry, job: Job) -> None:
        entry.record = job.record
        try:
            outcome = await self._outcome(entry, job)
        finally:
            self._slots.release_on_behalf_of(entry)
            entry.record = job.record
        if outcome is not None:
            await self._conclude(entry, outcome)
        await self._settle(entry)

    async def _outcome(self, entry: Entry, job: Job) -> Outcome | None:
        """Return how a job ended, telling its moves meanwhile; None when that cannot be awaited."""
        outcome: Outcome | None = None
        async with anyio.create_task_group() as watch:
            watch.start_soon(self._tell_moves, entry, job)
            try:
                outcome = await job.outcome()
            except VeoError as error:
                self._hinder(entry, error, _STANDS_STILL)
            watch.cancel_scope.cancel()
        return outcome

    async def _tell_moves(self, entry: Entry, job: Job) -> None:
        try:
            async for event in job.events():
                entry.record = job.record
                if event.state in _DOING:
                    self._report.moved(entry, _DOING[event.state])
        except VeoError:
            return  # whoever awaits the job's end is told the same

    async def _keep(self, entry: Entry) -> None:
        assert entry.record is not None
        if entry.outcome is not None:
            await self._conclude(entry, entry.outcome)
        await self._settle(entry)

    async def _conclude(self, entry: Entry, outcome: Outcome) -> None:
        """Fetch what a job brought, or note why it brought nothing."""
        record = entry.record
        assert record is not None
        if not isinstance(outcome, Succeeded):
            entry.error = error_of(outcome, record.id, record.operation)
            return
        if self._shelf is None:
            return
        if entry.todo is not Todo.KEEP:
            self._report.moved(entry, "downloading")
        try:
            entry.files = await self._shelf.fetch(entry, record, outcome.result)
        except VeoError as error:
            entry.error = error

    def _hinder(self, entry: Entry, error: VeoError, concern_all: tuple[type[VeoError], ...]) -> None:
        entry.error = error
        if self.obstacle is None and isinstance(error, concern_all):
            self.obstacle = error

    async def _settle(self, entry: Entry) -> None:
        entry.settled = True
        self._report.settled(entry)
        await self._saved()


def _turn(entry: Entry) -> tuple[int, int]:
    """Return what decides on the order: what runs already goes first, since its videos may expire."""
    asked = "normal" if entry.request is None else entry.request.priority
    return (Todo.KEEP, Todo.RESUME, Todo.SEND).index(entry.todo), ORDER.index(asked)
