"""The safe submit: durable before the first byte, sent once, recorded before anyone is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from attrs import evolve, field, frozen

from veo_async.answers import Accepted, Lost, NotSent, RefusalKind, Refused, SubmitAnswer, Unreadable
from veo_async.dialects.edges import read_edge
from veo_async.engine.events import (
    SUBMITS,
    Event,
    Hinted,
    OperationOpened,
    Profile,
    SubmitEnded,
)
from veo_async.engine.lifecycle import IllegalTransitionError, Move, State
from veo_async.engine.resets import seconds_to_reset
from veo_async.engine.retries import rejection, submit_move, unknown
from veo_async.errors import BudgetExceededError, ConfigurationError, LedgerError
from veo_async.job import Job
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.money import Caps
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import JobId, Outcome, Priority
from veo_async.options import RetryPolicy
from veo_async.providers import Provider
from veo_async.session.book import Book
from veo_async.session.ongoing import Ongoing
from veo_async.session.recording import Recorder
from veo_async.session.zones import quota_zones
from veo_async.transport import LostFailure, NotSentFailure, Transport
from veo_async.wire import Request

__all__ = ["MediaLostError", "Submitter", "priority_of", "profile_of"]

RECORD_AGAIN_S: Final = (0.1, 0.5, 1.0)
"""A ledger that is locked is asked again after these waits; then the answer goes into its spill."""

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
    duration_as_string: bool = False
    """How it was written this time: another job may have taught the session otherwise meanwhile."""


class Submitter:
    """Carries out `Submit` actions, each job in a task that the session owns."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        ledger: Ledger,
        recorder: Recorder,
        caps: Caps,
        book: Book,
        retry: RetryPolicy,
        post: Callable[..., None],
        spawn: Callable[..., object],
        finish: Callable[[Job, Accepted], None],
        became_unknown: Callable[[], None],
    ) -> None:
        self._provider = provider
        self._transport = transport
        self._ledger = ledger
        self._recorder = recorder
        self._caps = caps
        self._book = book
        self._retry = retry
        self._post = post
        self._spawn = spawn
        self._finish = finish
        self._became_unknown = became_unknown
        self._ongoing = Ongoing()
        self._is_closing = False
        self._duration_as_string = False
        self._renewed_for: set[JobId] = set()
        self._unsettled: dict[JobId, tuple[Job, _Attempt | None]] = {}
        """Answers that were read and are not recorded; None: an ARM that may have been recorded, unsent."""
        self.hindrance: LedgerError | BudgetExceededError | None = None
        """Why nothing is sent: the ledger could not record a submit before its first byte, or refused it."""
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

    async def settle_rest(self) -> None:
        """Record what tasks that were stopped half-way through had found out; called when none runs."""
        for job, attempt in list(self._unsettled.values()):
            if attempt is None:
                await self._disarm(job)
            elif not isinstance(attempt.answer, NotSent):
                await self._record(job, self._move(job, attempt, attempt.answer), attempt.answer)
        self._unsettled.clear()

    async def _run(self, job: Job) -> None:
        with self._ongoing.ending():
            attempt = await self._attempt(job)
            self._unsettled[job.id] = job, attempt
            self._pass_on_hint(attempt.answer)
            events = await self._settle(job, attempt)
            del self._unsettled[job.id]
            stale = await self._stale_key(job, attempt)
            if stale is not None:
                events = [SubmitEnded(job.id, stale, attempt.sent_at, again=True)]
            self._post(*events)

    async def _attempt(self, job: Job) -> _Attempt:
        """Send a job once and read the answer; whether it was sent is told by the ARM mark alone."""

        async def arm() -> None:
            await self._arm(job)

        as_string = self._duration_as_string
        try:
            response = await self._transport.submit(self._encode(job), arm)
        except _TakenBackError:
            return _Attempt(answer=NotSent(reason="withdrawn"), taken_back=True)
        except (LedgerError, BudgetExceededError) as error:
            self.hindrance = error
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
        answer = read_edge(
            self._provider.dialect.read_submit(response, job.record.model), self._provider.edge
        )
        return _Attempt(answer=answer, sent_at=response.sent_at, duration_as_string=as_string)

    def _pass_on_hint(self, answer: SubmitAnswer | NotSent | Lost) -> None:
        """Hold the other jobs back now: until the answer is on record many more could leave."""
        if not isinstance(answer, Refused | Unreadable) or answer.retry_after is None:
            return
        if not isinstance(answer, Refused) or answer.kind is not RefusalKind.QUOTA:
            self._post(Hinted(SUBMITS, answer.retry_after))

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
            change = Change(job_id=job.id, move=Move.ARMED, at=time.time())
            await self._recorder.apply(job, change, self._caps)
        except IllegalTransitionError:
            raise _TakenBackError from None
        except asyncio.CancelledError:  # the ledger may still record it, and nothing is sent
            self._unsettled[job.id] = job, None
            raise
        self.hindrance = None
        self.sent += 1

    async def _disarm(self, job: Job) -> None:
        """Take back an ARM that nothing followed."""
        await self._recorder.take_ledgers_word(job)
        if job.state is State.ARMED:
            change = Change(job_id=job.id, move=Move.NOT_STARTED, at=time.time())
            await self._recorder.apply(job, change)

    async def _settle(self, job: Job, attempt: _Attempt) -> list[Event]:
        """Record what the attempt came to, and return what the scheduler is to know."""
        answer = attempt.answer
        if isinstance(answer, NotSent):
            again = not attempt.taken_back
            return [SubmitEnded(job.id, answer, attempt.sent_at, again=again)]
        change = await self._record(job, self._move(job, attempt, answer), answer)
        if change.move is Move.SILENCED:
            self._became_unknown()
        is_quota = isinstance(answer, Refused) and answer.kind is RefusalKind.QUOTA
        events: list[Event] = [
            SubmitEnded(
                job.id,
                _unreached(answer) or answer,
                attempt.sent_at,
                again=job.state is State.QUEUED,
                reset_in=seconds_to_reset(time.time(), quota_zones()) if is_quota else None,
            )
        ]
        if job.state is State.RUNNING and isinstance(answer, Accepted):
            key, priority = self._book.open(job), priority_of(job.record)
            events.append(OperationOpened(key, profile_of(job.record), priority=priority))
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

    def _move(self, job: Job, attempt: _Attempt, answer: SubmitAnswer | Lost) -> Move:
        move = submit_move(answer, self._retry, job.record.attempts)
        if isinstance(answer, Refused) and answer.kind is RefusalKind.DURATION_TYPE:
            # The refusal proves that nothing was started; learn the type for all jobs, once.
            if attempt.duration_as_string:
                return Move.DECLINED
            self._duration_as_string = True
        return move

    async def _record(self, job: Job, move: Move, answer: SubmitAnswer | Lost) -> Change:
        """Record an answer and return the change: in the ledger, else where the recorder can keep it."""
        change = _change(job, move, answer)
        for wait in (*RECORD_AGAIN_S, None):
            try:
                change = await self._recorder.unless_taken(change, job.record.provider)
                await self._recorder.apply(job, change)
            except IllegalTransitionError:  # recorded before, by a task that was stopped on its way
                await self._recorder.take_ledgers_word(job)
            except LedgerError as error:
                if wait is None:
                    await self._recorder.keep(job, change, error)
                else:
                    await asyncio.sleep(wait)
                    continue
            break
        return change


def _change(job: Job, move: Move, answer: SubmitAnswer | Lost) -> Change:
    outcome: Outcome | None = None
    if move is Move.DECLINED and isinstance(answer, Refused):
        outcome = rejection(answer)
    elif move is Move.SILENCED and isinstance(answer, Unreadable | Lost):
        outcome = unknown(answer)
    operation = answer.operation if isinstance(answer, Accepted) else None
    return Change(job_id=job.id, move=move, at=time.time(), operation=operation, outcome=outcome)


def _unreached(answer: SubmitAnswer | Lost) -> NotSent | None:
    """Return what the scheduler is told of an answer by which the request never came to the service."""
    if not isinstance(answer, Unreadable) or not answer.unreached:
        return None
    return NotSent(reason=f"its edge could not reach the service (HTTP {answer.status})")


def priority_of(record: JobRecord) -> Priority:
    """Return whether a job goes before others; one that was attached to has no say."""
    return "normal" if record.request is None else record.request.priority


def profile_of(record: JobRecord) -> Profile:
    """Return what the waiting time of a job depends on."""
    request = record.request
    if request is None:
        return Profile(record.model)
    return Profile(record.model, request.resolution, request.duration_seconds, request.image is not None)
