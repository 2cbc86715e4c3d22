"""The safe submit: durable before the first byte, sent once, recorded before anyone is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from attrs import evolve, field, frozen

from veo_async.answers import Accepted, Lost, NotSent, RefusalKind, Refused, SubmitAnswer, Unreadable
from veo_async.engine.events import (
    Event,
    OperationOpened,
    Profile,
    SubmitEnded,
)
from veo_async.engine.lifecycle import IllegalTransitionError, Move, State, advance
from veo_async.engine.retries import rejection, submit_move, unknown
from veo_async.errors import ConfigurationError, LedgerError
from veo_async.job import Job
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import JobId, Outcome, Unknown
from veo_async.options import RetryPolicy
from veo_async.providers import Provider
from veo_async.session.book import Book, key_of
from veo_async.session.ongoing import Ongoing
from veo_async.transport import LostFailure, NotSentFailure, Transport
from veo_async.wire import Request

__all__ = ["MediaLostError", "Submitter", "profile_of"]

_LOG = logging.getLogger("veo_async")


class MediaLostError(Exception):
    """A picture or video of the request is no longer where the ledger kept it."""


class _TakenBackError(Exception):
    """The job was withdrawn, or the session is closing: nothing may be sent."""


@frozen(kw_only=True)
class _Attempt:
    """What came of sending a job once."""

    answer: SubmitAnswer | NotSent | Lost
    sent_at: float | None = None
    taken_back: bool = field(default=False)


class Submitter:
    """Carries out `Submit` actions, each job in a task that the session owns."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        ledger: Ledger,
        book: Book,
        retry: RetryPolicy,
        post: Callable[..., None],
        spawn: Callable[..., object],
        finish: Callable[[Job, Accepted], None],
    ) -> None:
        self._provider = provider
        self._transport = transport
        self._ledger = ledger
        self._book = book
        self._retry = retry
        self._post = post
        self._spawn = spawn
        self._finish = finish
        self._ongoing = Ongoing()
        self._is_closing = False
        self._duration_as_string = False
        self._renewed_for: set[JobId] = set()
        self.ledger_error: LedgerError | None = None
        """Why nothing is sent: a submit could not be recorded before its first byte."""
        self.sent: int = 0
        """Submits whose first byte could leave, so far."""

    def submit(self, job_ids: tuple[JobId, ...]) -> None:
        """Begin to send these jobs."""
        for job_id in job_ids:
            job = self._book.get(job_id)
            if job is None or job.state is not State.QUEUED:
                self._post(SubmitEnded(job_id, NotSent(reason="it is not queued any more")))
                continue
            self._ongoing.begin()
            self._spawn(self._run, job)

    async def close(self) -> None:
        """Arm nothing more, and wait until what was sent has its answer."""
        self._is_closing = True
        await self._ongoing.idle()

    async def _run(self, job: Job) -> None:
        with self._ongoing.ending():
            attempt = await self._attempt(job)
            events = await self._settle(job, attempt)
            stale = await self._stale_key(job, attempt)
            if stale is not None:
                events = [SubmitEnded(job.id, stale, attempt.sent_at, again=True)]
            self._post(*events)

    async def _attempt(self, job: Job) -> _Attempt:
        """Send a job once and read the answer; whether it was sent is told by the ARM mark alone."""

        async def arm() -> None:
            await self._arm(job)

        try:
            response = await self._transport.submit(self._encode(job), arm)
        except _TakenBackError:
            return _Attempt(answer=NotSent(reason="withdrawn"), taken_back=True)
        except LedgerError as error:
            self.ledger_error = error
            return _Attempt(answer=NotSent(reason=error.message, permanent=True))
        except MediaLostError as error:
            message = f"the request's medium {error} is lost; make the request anew"
            return _Attempt(answer=Refused(kind=RefusalKind.INVALID, message=message))
        except ConfigurationError as error:  # the callable that gives the key
            return _Attempt(answer=NotSent(reason=error.message))
        except NotSentFailure as failure:
            return _Attempt(answer=NotSent(reason=failure.reason, permanent=failure.permanent))
        except LostFailure as failure:
            lost = Lost(reason=failure.reason, excerpt=failure.excerpt)
            return _Attempt(answer=lost, sent_at=asyncio.get_running_loop().time())
        answer = self._provider.dialect.read_submit(response, job.record.model)
        return _Attempt(answer=answer, sent_at=response.sent_at)

    def _encode(self, job: Job) -> Request:
        assert job.request is not None
        return self._provider.dialect.submit(
            job.request, job.record.model, duration_as_string=self._duration_as_string
        )

    async def _arm(self, job: Job) -> None:
        """Make it durable that the next byte may start a paid job; whatever this raises, nothing is sent."""
        if self._is_closing:
            raise _TakenBackError
        try:
            await self._apply(job, Change(job_id=job.id, move=Move.ARMED, at=time.time()))
        except IllegalTransitionError:
            raise _TakenBackError from None
        self.sent += 1

    async def _settle(self, job: Job, attempt: _Attempt) -> list[Event]:
        """Record what the attempt came to, and return what the scheduler is to know."""
        answer = attempt.answer
        if isinstance(answer, NotSent):
            again = not attempt.taken_back
            return [SubmitEnded(job.id, answer, attempt.sent_at, again=again)]
        move = self._move(job, answer)
        change = await self._change(job, move, answer)
        await self._record(job, change)
        events: list[Event] = [
            SubmitEnded(job.id, answer, attempt.sent_at, again=change.move is Move.NOT_STARTED)
        ]
        if change.move is Move.STARTED and isinstance(answer, Accepted):
            self._book.open(job)
            events.append(OperationOpened(key_of(job.record), profile_of(job.record)))
            if answer.finished is not None:
                self._finish(job, answer)
        return events

    async def _stale_key(self, job: Job, attempt: _Attempt) -> Refused | None:
        """Return the refusal of a key in place of which there is a new one now.

        It is asked for once a job, and after the refusal is on record: that proves that nothing was started
        (faults §2.2), so the job waits in the queue meanwhile.
        """
        answer = attempt.answer
        was_renewed = job.id in self._renewed_for
        self._renewed_for.discard(job.id)
        if not isinstance(answer, Refused) or answer.kind is not RefusalKind.AUTHENTICATION:
            return None
        if was_renewed or not self._provider.refreshable:
            return None
        try:
            await self._provider.authorization(refresh=True, sent_at=attempt.sent_at)
        except ConfigurationError:  # then the refusal stands
            return None
        self._renewed_for.add(job.id)
        return evolve(answer, kind=RefusalKind.STALE_KEY)

    def _move(self, job: Job, answer: SubmitAnswer | Lost) -> Move:
        move = submit_move(answer, self._retry)
        if isinstance(answer, Refused) and answer.kind is RefusalKind.DURATION_TYPE:
            # The refusal proves that nothing was started; learn the type for all jobs, once.
            if self._duration_as_string and job.record.attempts > 1:
                return Move.DECLINED
            self._duration_as_string = True
        return move

    async def _change(self, job: Job, move: Move, answer: SubmitAnswer | Lost) -> Change:
        outcome: Outcome | None = None
        operation: str | None = None
        if isinstance(answer, Accepted):
            operation = answer.operation
            known = await self._ledger.find(job.record.provider, operation)
            if known is not None and known.id != job.id:
                move, operation = Move.SILENCED, None
                outcome = _duplicate(answer.operation, known.id)
        elif move is Move.DECLINED and isinstance(answer, Refused):
            outcome = rejection(answer)
        elif move is Move.SILENCED and isinstance(answer, Unreadable | Lost):
            outcome = unknown(answer)
        return Change(job_id=job.id, move=move, at=time.time(), operation=operation, outcome=outcome)

    async def _record(self, job: Job, change: Change) -> None:
        """Record an answer; when that fails the job goes on in memory and whoever waits is told."""
        try:
            await self._apply(job, change)
        except LedgerError as error:
            _LOG.critical(
                "job %s: the ledger could not record %s of operation %s: %s",
                job.id,
                change.move,
                change.operation,
                error.message,
            )
            error.billed = "unknown"
            job.trouble = error
            job.advance(_moved(job.record, change), change.at)

    async def _apply(self, job: Job, change: Change) -> None:
        job.advance(await self._ledger.apply(change), change.at)


def profile_of(record: JobRecord) -> Profile:
    """Return what the waiting time of a job depends on."""
    request = record.request
    if request is None:
        return Profile(record.model)
    return Profile(record.model, request.resolution, request.duration_seconds, request.image is not None)


def _duplicate(operation: str, holder: JobId) -> Unknown:
    message = f"the provider named operation {operation}, which job {holder} already has"
    _LOG.error(message)
    return Unknown(reason="duplicate_name", message=message)


def _moved(record: JobRecord, change: Change) -> JobRecord:
    state = advance(record.state, change.move)
    return evolve(record, state=state, operation=change.operation or record.operation, outcome=change.outcome)
