"""The machine room of a session: its parts, put together, started and brought to their end."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio

from veo_async.answers import Accepted, Finished, NotSent, Refused
from veo_async.endings import pause_error
from veo_async.engine.events import (
    CHECKS,
    SUBMITS,
    Announce,
    Check,
    CheckList,
    Event,
    Lift,
    OperationDropped,
    OperationNotified,
    OperationOpened,
    Resolve,
    Resumed,
    Stall,
    Submit,
    SubmitQueued,
    SubmitWithdrawn,
    Tell,
    Unhindered,
)
from veo_async.engine.lanes import CREDENTIAL
from veo_async.engine.lifecycle import IllegalTransitionError, Move, State
from veo_async.engine.scheduler import PollScheduler
from veo_async.errors import (
    BudgetExceededError,
    LedgerError,
    OperationError,
    RejectedError,
    SessionClosedError,
    VeoError,
)
from veo_async.job import Cancelled, Job
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.money import Caps
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import Eta, JobId, Media, Result, Unknown, Withdrawn
from veo_async.options import PollPolicy, RetryPolicy, Timeouts
from veo_async.poller import Poller
from veo_async.providers import Provider
from veo_async.session.book import Book, key_of
from veo_async.session.checking import CONNECTIONS, Checker
from veo_async.session.delivery import Delivery
from veo_async.session.events import JobMoved
from veo_async.session.feed import EventStream, Feed
from veo_async.session.gauges import Gauges
from veo_async.session.home import Home
from veo_async.session.key_watch import KeyWatch
from veo_async.session.observing import Observer
from veo_async.session.reconciling import Reconciler
from veo_async.session.recording import Recorder
from veo_async.session.reports import SessionReport, Statistics
from veo_async.session.resolving import Resolver
from veo_async.session.status_line import log_status
from veo_async.session.submitting import MediaLostError, Submitter, priority_of, profile_of
from veo_async.session.supervisor import ExitMode, Supervisor
from veo_async.session.waiting_times import WaitingTimes
from veo_async.transport import TraceEvent, Transport

__all__ = ["Runtime"]

TAKEN_UP_AT_ONCE = 250
"""Jobs that are taken up between two turns of the event loop: some milliseconds."""

_LOG = logging.getLogger("veo_async")
_T = TypeVar("_T")


class Runtime:
    """Scheduler, poller, submitter, checker, resolver and delivery of one open session."""

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        *,
        poll: PollPolicy,
        retry: RetryPolicy,
        timeouts: Timeouts,
        trace: Callable[[TraceEvent], None] | None,
        fair_by: str | None,
        report_every: float | None,
        caps: Caps,
        home: Home,
        job_ended: Callable[[JobRecord], None],
    ) -> None:
        self._provider = provider
        self._ledger = ledger
        self._home = home
        self._job_ended = job_ended
        self._report_every = report_every
        self._fair_by = fair_by
        self._timeouts = timeouts
        self._mode: ExitMode = "detach"
        self._promises: dict[asyncio.Future[Any], None] = {}  # in their order: who asked first is told first
        self.book: Book = Book()
        self.failure: BaseException | None = None
        """The bug that the session broke off by."""
        self.report: SessionReport | None = None
        """Set at the end."""
        self._supervisor = Supervisor(self._wind_down, self._ended)
        self._scheduler = PollScheduler(
            limits=provider.limits,
            policy=poll,
            retry=retry,
            seed=uuid.uuid4().int,
            parent_of=provider.dialect.model_of if poll.use_list and provider.capabilities.can_list else None,
        )
        self._transport = Transport(
            authorization=provider.authorization,
            credential_origins=provider.credential_origins,
            timeouts=timeouts,
            open_media=self._open_media,
            check_connections=CONNECTIONS,
            proxy=provider.proxy,
            ssl=provider.ssl,
            trust_env=provider.trust_env,
            trace=trace,
            part_store=ledger,
        )
        spawn = self._supervisor.spawn
        self._waiting_times = WaitingTimes(self._scheduler, ledger, provider.name, spawn)
        self._recorder = recorder = Recorder(ledger, self._money_freed)
        self._resolver = Resolver(ledger, recorder, self.book, self.post, spawn)
        self.checker: Checker = Checker(
            provider, self._transport, self.post, self._post_soon, spawn, self.book, ledger
        )
        self.reconciler: Reconciler = Reconciler(
            provider, self._transport, ledger, self.book, recorder, self.take_up, self._watch, spawn
        )
        self._submitter = Submitter(
            provider,
            self._transport,
            ledger,
            recorder,
            caps,
            self.book,
            retry,
            self.post,
            spawn,
            self._resolve_at_once,
            self.reconciler.begin,
        )
        self._keys = KeyWatch(provider, self._is_key_refused, self.post, spawn)
        self._feed = feed = Feed()
        self._gauges = gauges = Gauges(self._scheduler, lambda: self._submitter.hindrance)
        self._observer = Observer(self._scheduler, gauges, feed)
        self.delivery: Delivery = Delivery(
            provider, self._transport, ledger, self.run, self.checker.status, feed
        )
        self._poller = Poller(
            self._scheduler,
            {
                Submit: self._on_submit,
                Check: self.checker.check,
                CheckList: self.checker.list,
                Resolve: self._on_resolve,
                Stall: self._resolver.stall,
                Tell: self._resolver.tell,
                Announce: self._on_announce,
                Lift: self._on_lift,
            },
            self._observer.turned,
        )

    async def start(self) -> None:
        """Start the connections and the poller."""
        await self._transport.start()
        await self._waiting_times.load()
        await self._supervisor.start(self._poller.run)
        if self._report_every is not None:
            self.spawn(log_status, self.statistics, self._report_every)

    def post(self, *events: Event) -> None:
        """Tell the scheduler what happened."""
        self._poller.post(*events)

    def _post_soon(self, event: Event) -> None:
        self._poller.post_soon(event)

    def spawn(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Run something in a task that the session owns."""
        self._supervisor.spawn(function, *args)

    async def run(self, function: Callable[..., Coroutine[Any, Any, _T]], *args: object) -> _T:
        """Run something in a task that the session owns, and return its result: cancelling stops it not."""
        return await asyncio.shield(self.begin(function, *args))

    def begin(self, function: Callable[..., Coroutine[Any, Any, _T]], *args: object) -> asyncio.Future[_T]:
        """Begin to run something in a task that the session owns, and return its promise."""
        if self.book.closed is not None:
            raise self.book.closed.fresh()
        promise = self.promise()
        self.spawn(_keep, function, args, promise)
        return promise

    def promise(self) -> asyncio.Future[Any]:
        """Return a future for a caller to wait on; the session's end fails it if nothing else did."""
        promise: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._promises[promise] = None
        promise.add_done_callback(self._kept_promise)
        return promise

    def take_up(self, records: Sequence[JobRecord], following: int = 0) -> list[Job]:
        """Return the jobs of the ledger's rows; running ones that are new to the session are checked.

        `following` says how many more running ones come at once, none of them older: their first checks are
        spread out together.
        """
        taken = [self.book.take_up(record, self) for record in records]
        for job, is_new in taken:
            if is_new:
                self.moved(job, None, job.record.accepted_at or job.record.created_at)
        self._watch([job for job, is_new in taken if is_new and job.state is State.RUNNING], following)
        return [job for job, _ in taken]

    async def take_up_many(self, records: Sequence[JobRecord]) -> list[Job]:
        """Return the jobs of many rows, in their order; others have their turns in between."""
        jobs: dict[JobId, Job] = {}
        in_turn = sorted(records, key=_oldest_running_first)
        following = sum(record.state is State.RUNNING for record in records)
        for start in range(0, len(in_turn), TAKEN_UP_AT_ONCE):
            batch = in_turn[start : start + TAKEN_UP_AT_ONCE]
            following = max(0, following - len(batch))
            jobs |= {job.id: job for job in self.take_up(batch, following)}
            await asyncio.sleep(0)
        return [jobs[record.id] for record in records]

    def check_home(self) -> None:
        """Refuse use from another process, thread or event loop."""
        self._home.check()

    async def mend(self) -> None:
        """Look at a ledger that failed, and record what it could not take then.

        Raises:
            LedgerError: It still fails.
        """
        await self._ledger.reopen()
        await self._recorder.catch_up()

    async def distrust(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Call jobs of a restored ledger unknown, and return their rows."""
        return await asyncio.gather(*(self._ledger.apply(_restored(record)) for record in records))

    def resume(self) -> None:
        """End every pause; what is refused again is announced again."""
        for quota in (SUBMITS, CHECKS):
            self.book.go_on(quota)
        self.post(Resumed())

    def notify(self, operation: str) -> bool:
        """Let an operation be checked at once; return whether anybody waits for it."""
        keys = self.book.named(operation)
        self.post(*map(OperationNotified, keys))
        return bool(keys)

    def queue(self, job: Job) -> None:
        """Let a job that is queued be sent when its turn comes; does nothing for another."""
        if job.state is State.QUEUED:
            self.post(SubmitQueued(job.id, priority_of(job.record), self._group_of(job)))

    def _group_of(self, job: Job) -> str | None:
        """Return which of those that share the rate evenly a job belongs to."""
        if self._fair_by is None or job.request is None:
            return None
        return job.request.labels.get(self._fair_by)

    def give_up(self, job: Job) -> None:
        """Withdraw a job that nobody holds any more, unless it was sent meanwhile."""
        if not job.handles and job.state is State.QUEUED:
            self.spawn(self._withdraw_queued, job)

    async def _withdraw_queued(self, job: Job) -> None:
        try:
            await self._withdraw(job)
        except LedgerError as error:  # it stays queued, and goes on: nobody is left to be told
            _LOG.error("job %s could not be withdrawn: %s", job.id, error.message)

    def _watch(self, jobs: Sequence[Job], following: int = 0) -> None:
        now = time.time()
        for job in jobs:
            age = max(0.0, now - (job.record.accepted_at or now))
            key = self.book.open(job)
            profile, priority = profile_of(job.record), priority_of(job.record)
            opened = OperationOpened(
                key, profile, age=age, restored=True, following=following, priority=priority
            )
            self.post(opened)

    def standstill(self, job: Job) -> VeoError | None:
        """Return why waiting for `job` is of no use now; None when it goes on."""
        return self.book.standstill(job)

    def moved(self, job: Job, before: State | None, at: float) -> None:
        """Tell whoever reads the events that a job passed into another state."""
        if self._feed.wanted:
            self._feed.tell(
                JobMoved(job_id=job.id, before=before, state=job.state, operation=job.operation, at=at)
            )

    def ended(self, job: Job) -> None:
        """Let go of a job that is final, and of the money set aside for it."""
        self.book.ended(job)
        self._job_ended(job.record)

    async def save(
        self, source: Result, target: str | os.PathLike[str], *, overwrite: bool = False
    ) -> list[Path]:
        """Store the videos of a job."""
        if self.report is not None:
            raise self._closed_error()
        return await self.delivery.save_result(source, target, overwrite=overwrite)

    def eta(self, job: Job) -> Eta | None:
        """Return when the provider is likely to have finished a job."""
        if job.state is State.RUNNING:
            key = key_of(job.record)
            if job not in self.book.waiting_for(key):
                return None
            eta = self._scheduler.eta(key, asyncio.get_running_loop().time())
            if eta is not None:
                return eta
        elif job.state not in (State.QUEUED, State.ARMED):
            return None
        # Not accepted yet, or so lately that the scheduler will hear of it in its next turn.
        return self._scheduler.eta_unsent(profile_of(job.record))

    async def cancel(self, job: Job) -> Cancelled:
        """Withdraw a queued job, or stop waiting for a running one."""
        if job.state is State.QUEUED and await self.run(self._withdraw, job):
            return "withdrawn"
        if job.state is State.ARMED:
            await job.accepted()
        if job.state is not State.RUNNING:
            return "final"
        job.trouble = OperationError(
            "waiting for this job was cancelled; the provider goes on and bills it. Attach to its token, or "
            "resume, to take it up again",
            billed="unknown",
        )
        key = key_of(job.record)
        if self.book.leave(job):
            self.post(OperationDropped(key))
        job.wake()
        return "detached"

    async def close(self, mode: ExitMode) -> None:
        """Bring everything to its end; idempotent, and a shorter mode shortens one under way."""
        self._mode = mode
        await self._supervisor.close(mode)
        await self._transport.close()  # again, for a supervisor that was cancelled before its first step

    def statistics(self) -> Statistics:
        """Return what was done and is being done."""
        scheduler = self._scheduler
        return Statistics(
            jobs=self.book.states(),
            submits=self._submitter.sent,
            checks=self.checker.sent,
            checks_saved=self.checker.saved,
            late_answers=scheduler.late_answers,
            queued_submits=scheduler.queued_submits,
            open_operations=scheduler.open_operations,
            submits_per_minute=scheduler.submits_per_minute,
            checks_per_minute=scheduler.checks_per_minute,
            standstills=self._gauges.standstills(),
            lag=self._gauges.lag(),
            waiting_times=self._gauges.waiting_times(),
            retry_tokens=scheduler.retry_tokens,
        )

    def events(self, buffer: int) -> EventStream:
        """Return what happens from now on."""
        return self._observer.stream(buffer)

    def _kept_promise(self, promise: asyncio.Future[Any]) -> None:
        self._promises.pop(promise, None)
        if not promise.cancelled():
            promise.exception()  # its caller may have been cancelled: then nobody is left to hear of it

    # ── what the scheduler says ─────────────────────────────────────────────────────────────────────────

    def _on_submit(self, action: Submit) -> None:
        self._submitter.submit(action.job_ids)

    def _on_resolve(self, action: Resolve) -> None:
        self._gauges.found(action)
        self._waiting_times.note()
        self._resolver.resolve(action)

    def _on_announce(self, action: Announce) -> None:
        answer = action.pause.answer
        if action.quota == CHECKS and isinstance(answer, NotSent) and not answer.permanent:
            return  # a job's fate is untouched by the network; its deadline is what counts
        error = pause_error(action.quota, action.pause)
        if action.quota == SUBMITS and self._submitter.hindrance is not None:
            error = self._submitter.hindrance
        _LOG.warning("%s stand still: %s", action.quota.kind, error.message)
        self.book.stand_still(action.quota, error)
        if isinstance(answer, Refused) and answer.kind in CREDENTIAL:
            self._keys.begin()

    def _on_lift(self, action: Lift) -> None:
        if action.quota == SUBMITS:
            self._submitter.hindrance = None
        self.book.go_on(action.quota)

    def _is_key_refused(self) -> bool:
        stills = (self.book.stands_still(quota) for quota in (SUBMITS, CHECKS))
        return any(isinstance(still, RejectedError) for still in stills)

    def _money_freed(self) -> None:
        if isinstance(self._submitter.hindrance, BudgetExceededError):
            self.post(Unhindered())

    def _resolve_at_once(self, job: Job, answer: Accepted) -> None:
        if isinstance(answer.finished, Finished):
            self._resolver.resolve(Resolve(key_of(job.record), answer.finished.outcome))

    async def _open_media(self, media: Media) -> bytes | Path:
        if media.data is not None:
            return media.data
        assert media.sha256 is not None
        try:
            return await self._ledger.content(media.sha256)
        except LedgerError:
            raise MediaLostError(media.sha256) from None

    async def _withdraw(self, job: Job) -> bool:
        change = Change(job_id=job.id, move=Move.TAKEN_BACK, at=time.time(), outcome=Withdrawn())
        try:
            await self._recorder.apply(job, change)
        except IllegalTransitionError:
            return False  # it was armed meanwhile
        self.post(SubmitWithdrawn(job.id))
        return True

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    async def _wind_down(self, mode: ExitMode) -> None:
        self._mode = mode
        if mode == "drain":
            for job in self.book:
                await job.settled()
        if mode != "abort":
            with anyio.move_on_after(self._timeouts.shutdown):
                await self._submitter.close()
                await self._resolver.close()

    async def _ended(self, error: BaseException | None) -> None:
        """Leave the ledger in order, tell whoever still waits, and give everything back."""
        if isinstance(error, Exception):
            self.failure = error
            _LOG.critical("the session broke off by a bug: %r", error)
        try:
            await self._record_the_rest()
            self._tell_of_the_end()
            await self._transport.close()
            await self._waiting_times.keep()
        finally:  # a loop that dies cancels in here
            await self._ledger.close()
            self.report = self._report()

    async def _record_the_rest(self) -> None:
        try:
            await self._submitter.settle_rest()
            await self._leave_in_order()
            await self._recorder.catch_up()
        except VeoError as failure:
            _LOG.critical("closing could not be recorded: %s", failure.message)

    def _tell_of_the_end(self) -> None:
        closed = self._closed_error()
        self.book.close(closed)
        for promise in tuple(self._promises):
            promise.set_exception(closed.fresh())
        self._feed.close()

    async def _leave_in_order(self) -> None:
        for job in self.book:
            if job.state is State.ARMED:
                unknown = Unknown(reason="lost", message="the session was closed before the answer came")
                await self._apply(
                    job, Change(job_id=job.id, move=Move.SILENCED, at=time.time(), outcome=unknown)
                )
            elif self._ledger.durable:
                continue
            elif job.state is State.QUEUED:
                await self._withdraw(job)
            elif job.state is State.RUNNING:
                _LOG.warning("job %s goes on at the provider; attach to it with %s", job.id, job.token)

    def _closed_error(self) -> VeoError:
        if self.failure is not None:
            return SessionClosedError(f"the session broke off by a bug: {self.failure!r}", billed="unknown")
        return SessionClosedError(
            "the session is closed; a job that runs goes on at the provider: resume from the ledger, or "
            "attach to its token",
            billed="unknown",
        )

    def _report(self) -> SessionReport:
        return SessionReport(
            mode=self._mode,
            jobs=self.book.states(),
            running=tuple(job.token for job in self.book if job.state is State.RUNNING and job.token),
            unknown=tuple(job.id for job in self.book if job.state is State.UNKNOWN),
        )

    async def _apply(self, job: Job, change: Change) -> None:
        try:
            await self._recorder.apply(job, change)
        except (LedgerError, IllegalTransitionError) as failure:
            _LOG.critical("job %s: %s", job.id, failure)


async def _keep(
    function: Callable[..., Coroutine[Any, Any, Any]], args: tuple[object, ...], promise: asyncio.Future[Any]
) -> None:
    try:
        result = await function(*args)
    except Exception as error:  # noqa: BLE001 - raised where it was asked for
        promise.set_exception(error)
    else:
        promise.set_result(result)


def _oldest_running_first(record: JobRecord) -> tuple[bool, float]:
    return record.state is not State.RUNNING, record.accepted_at or math.inf


def _restored(record: JobRecord) -> Change:
    outcome = Unknown(
        reason="restored",
        message="the ledger was restored from a backup, which does not know what was sent after it was made",
    )
    return Change(job_id=record.id, move=Move.SILENCED, at=time.time(), outcome=outcome)
