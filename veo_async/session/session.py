"""`VeoSession`: ask for many videos, wait for all of them cheaply, lose none."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from veo_async.engine.lifecycle import State
from veo_async.errors import ConfigurationError, InvalidRequestError, SessionClosedError
from veo_async.ledger import open_ledger
from veo_async.models import JobId, Result, Video, VideoRequest
from veo_async.options import PollPolicy, RetryPolicy, Timeouts
from veo_async.session.home import Home

if TYPE_CHECKING:
    # A class is named in many programs' imports before it is used, if it is: what only its annotations name
    # stands here, and what it works with is imported by its constructor and by `async with`.
    from veo_async.answers import CheckAnswer, Lost, NotSent
    from veo_async.job import Job
    from veo_async.ledger.records import FileRecord, JobRecord
    from veo_async.providers import Provider
    from veo_async.session.batching import Item
    from veo_async.session.feed import EventStream
    from veo_async.session.reports import SessionReport, Statistics
    from veo_async.session.runtime import Runtime
    from veo_async.session.supervisor import ExitMode
    from veo_async.transport import TraceEvent

__all__ = ["VeoSession"]

_Asked = TypeVar("_Asked")
_RESUMABLE = (State.QUEUED, State.RUNNING, State.UNKNOWN)


class VeoSession:
    """Submits jobs to one provider and waits for them with one shared poll scheduler.

    Use it as `async with VeoSession(provider, ledger="jobs.db") as session:`. Every job belongs to the
    session: cancelling whoever awaits one never stops it. A session is used from the event loop that opened
    it; from elsewhere every method raises `ConfigurationError`, and `SessionClosedError` once it is closed.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        ledger: str | os.PathLike[str] | None = None,
        max_cost: float | None = None,
        max_unknown_cost: float | None = None,
        on_exit: Literal["auto", "drain", "detach", "abort"] = "auto",
        poll: PollPolicy | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        trace: Callable[[TraceEvent], None] | None = None,
        fair_by: str | None = "tenant",
        report_every: float | None = None,
    ) -> None:
        """Make a session; nothing is opened before `async with`.

        Args:
            provider: Whose videos.
            ledger: Path of a SQLite file that outlives the process; None keeps the ledger in memory.
            max_cost: USD, by the catalogue's estimates, that all jobs of the ledger may cost together.
            max_unknown_cost: USD, by the same estimates, that its unknown jobs may have cost: past it nothing
                more is sent until it is known what became of them. None: no limit.
            on_exit: What leaving `async with` does: "drain" waits for all jobs, "detach" leaves running ones
                to the next `resume`, "abort" stops at once; "auto" detaches with a path, else drains.
            poll: When operations are checked.
            retry: What is tried again.
            timeouts: How long the network may take.
            trace: Called with every exchange on the wire, redacted.
            fair_by: The label whose values share the rate of submits and the places in flight evenly: of jobs
                that wait with the same priority, each value has one sent in turn. Jobs without that label
                count as one value; None: first come, first served.
            report_every: Seconds between two lines in the log ("veo_async", INFO) that say how the session
                stands; None: no lines.

        Raises:
            ConfigurationError: An argument is not one of these.
        """
        if on_exit not in ("auto", "drain", "detach", "abort"):
            raise ConfigurationError(f'on_exit is "auto", "drain", "detach" or "abort", not {on_exit!r}')
        if report_every is not None and not report_every > 0:
            raise ConfigurationError(f"report_every is seconds, more than 0, or None, not {report_every!r}")
        from veo_async.session.intake import Intake

        self.provider = provider
        self._ledger = open_ledger(ledger)
        self._intake = Intake(provider, self._ledger, self._open_runtime, max_cost, max_unknown_cost)
        self._on_exit: Literal["auto", "drain", "detach", "abort"] = on_exit
        self._poll = poll or PollPolicy()
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._trace = trace
        self._fair_by = fair_by
        self._report_every = report_every
        self._runtime: Runtime | None = None
        self._closing: asyncio.Task[None] | None = None
        self._home: Home | None = None
        self._is_open = False

    # ── opening and closing ─────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        """Open the ledger and start the scheduler.

        Raises:
            LedgerError: The ledger is held by another process (`owner_pid`), or cannot be read or written.
            ConfigurationError: The session was opened before.
        """
        if self._home is not None:
            raise ConfigurationError("a session is opened once: make a new VeoSession")
        from veo_async.session.runtime import Runtime  # brings aiohttp

        self._home = Home.here()
        await self._ledger.open()
        try:
            await self._intake.open()
            self._runtime = Runtime(
                self.provider,
                self._ledger,
                poll=self._poll,
                retry=self._retry,
                timeouts=self._timeouts,
                trace=self._trace,
                fair_by=self._fair_by,
                report_every=self._report_every,
                caps=self._intake.caps,
                home=self._home,
                job_ended=self._intake.budget.ended,
            )
            await self._runtime.start()
        except BaseException as error:
            closing = self._closing = asyncio.create_task(self._close_unopened())
            if not isinstance(error, GeneratorExit):  # then nothing can be waited for any more
                await asyncio.wait({closing})
            raise
        self._is_open = True
        return self

    async def _close_unopened(self) -> None:
        """Give back what a failed opening had taken; in a task, which no further cancel stops."""
        if self._runtime is not None:
            await self._runtime.close("abort")
        await self._ledger.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close as `on_exit` says. When the program is being stopped, "auto" does not wait for jobs."""
        mode: ExitMode = "drain"
        if self._on_exit != "auto":
            mode = self._on_exit
        elif self._ledger.durable or (error is not None and not isinstance(error, Exception)):
            mode = "detach"
        await self.aclose(mode)

    async def aclose(self, mode: ExitMode = "detach") -> SessionReport | None:
        """Close the session and return what became of its jobs; idempotent.

        "drain" waits until every job is decided, or stands still for a reason that only the caller can mend;
        "detach" finishes what was sent (30 s at most) and leaves the rest to the ledger; "abort" stops at
        once, and what was sent without an answer is unknown. Calling again with another mode shortens a
        drain. Cancelling turns a drain into a detach, waits for that, and goes on. Returns None for a session
        that was never opened.

        Raises:
            SessionClosedError: The session had broken off because of a bug; its cause says which.
        """
        self._check_home()
        self._is_open = False
        if self._runtime is None:
            return None
        await self._runtime.close(mode)
        failure, self._runtime.failure = self._runtime.failure, None
        if failure is not None:
            raise SessionClosedError(f"the session broke off by a bug: {failure!r}") from failure
        return self._runtime.report

    @property
    def report(self) -> SessionReport | None:
        """What became of the jobs; None until the session is closed."""
        return None if self._runtime is None else self._runtime.report

    # ── asking for videos ───────────────────────────────────────────────────────────────────────────────

    async def enqueue(self, request: VideoRequest) -> Job:
        """Take a request in and return its job once it is durable; nothing is sent yet.

        Cancelling is safe: either the job was not taken in, or it is withdrawn.

        Raises:
            InvalidRequestError: It cannot be sent; names the field and the remedy. Or its idempotency key
                stands for another request.
            BudgetExceededError: It would pass `max_cost`.
            LedgerError: It could not be made durable.
        """
        return await self._queued(self._take_in, request)

    async def submit(self, request: VideoRequest) -> Job:
        """Take a request in and return its job once the provider has it.

        Cancelling before the first byte withdraws the job; later it goes on, and `job(job_id)` finds it.

        Raises:
            SubmitError: The provider does not have it, as far as is known; `billed` says what that may cost.
            VeoError: As `enqueue` raises.
        """
        job = await self.enqueue(request)
        try:
            await job.accepted()
        except (asyncio.CancelledError, GeneratorExit):
            job.handles -= 1
            self._open_runtime().give_up(job)
            raise
        return job

    async def generate(self, request: VideoRequest, *, timeout: float | None = None) -> Result:
        """Submit a request and wait for its videos; `asyncio.gather` over these shares one scheduler.

        Cancelling is as safe as for `submit`.

        Args:
            request: What to make.
            timeout: Seconds to wait at most, from acceptance on; None waits without limit.

        Raises:
            VeoError: As `submit` and `Job.wait` raise.
        """
        return await (await self.submit(request)).wait(timeout)

    def as_completed(
        self,
        requests: Iterable[VideoRequest] | AsyncIterable[VideoRequest],
        *,
        max_in_flight: int = 200,
    ) -> AsyncIterator[Item]:
        """Take requests as there is room, and yield an item for each as it ends.

        One bad request raises nothing: its item says what is wrong. Leaving early stops taking requests; what
        was taken goes on. What the iterable itself raises is raised here.

        Args:
            requests: An iterable or an async one; taken from only while there is room.
            max_in_flight: How many are taken and not yet yielded, at most.
        """
        self._open_runtime()
        if max_in_flight < 1:
            raise ConfigurationError(f"max_in_flight must be at least 1, not {max_in_flight}")
        from veo_async.session.batching import as_completed

        return as_completed(self.enqueue, requests, max_in_flight)

    async def resubmit(self, job: Job, *, accept_duplicate_risk: bool = False) -> Job:
        """Send the request of an unknown job again, and return the new job, which `replaces` the old one.

        The old job may be running and be billed: then both are paid for. The new job takes over its
        idempotency key. Asked for again, also at the same time, the same new job is returned; should that one
        turn out unknown as well, it is the one to be resubmitted. Try `reconcile` first. Cancelling is as
        safe as for `enqueue`.

        Args:
            job: A job of this session that is unknown.
            accept_duplicate_risk: Your word that you may pay twice.

        Raises:
            InvalidRequestError: The job is not unknown, or you did not give your word; says what it may cost.
            ConfigurationError: It is no job of this session.
            BudgetExceededError: It would pass `max_cost`.
            LedgerError: It could not be made durable, or the job was settled meanwhile.
        """
        if self._open_runtime().book.get(job.id) is not job:
            raise ConfigurationError(f"job {job.id} is not of this session: resume() takes up the ledger's")
        if job.state is not State.UNKNOWN:
            raise InvalidRequestError(
                f"job {job.id} is {job.state}: only an unknown job is sent again; enqueue() makes a new one",
                job_id=job.id,
            )
        if not accept_duplicate_risk:
            cost = job.record.cost_estimate
            price = "an amount that is not known" if cost is None else f"about ${cost:.2f} by estimate"
            raise InvalidRequestError(
                f"job {job.id} may be running and be billed: sending it again may cost {price} a second "
                "time. reconcile() looks for it; pass accept_duplicate_risk=True to pay twice at worst",
                job_id=job.id,
            )
        return await self._queued(self._replace, job)

    # ── taking up what is there already ─────────────────────────────────────────────────────────────────

    async def attach(self, token_or_operation: str, model: str | None = None) -> Job:
        """Return the job of an operation that this or anybody else submitted.

        Args:
            token_or_operation: What `job.token` gave anywhere, or an operation's name.
            model: The model it was submitted to, where the name leaves it out.

        Raises:
            ConfigurationError: The token is of another provider or origin, or not whole.
            InvalidRequestError: It is no operation name here, or the model is missing.
            LedgerError: It could not be recorded.
            SessionClosedError: The session closed meanwhile.
        """
        return (await self.attach_many([token_or_operation], model=model))[0]

    async def attach_many(self, operations: Iterable[str], model: str | None = None) -> list[Job]:
        """Return the jobs of many operations, in their order; one commit for all.

        Their first checks are spread out. Cancelling is safe: they are attached all the same. Raises as
        `attach` does, and then attaches none.
        """
        runtime = self._open_runtime()
        return await runtime.run(self._attach, runtime, self._intake.foreign(operations, model))

    async def _attach(self, runtime: Runtime, records: Sequence[JobRecord]) -> list[Job]:
        return await runtime.take_up_many(await self._ledger.add_many(records))

    async def resume(self, *, after_restore: bool = False) -> list[Job]:
        """Take up the ledger's open jobs and return them: queued ones are sent, running ones checked.

        First checks are spread out; the operations that were accepted first, and so expire first, come first.
        Unknown ones are returned too, and never sent. Ends every pause: for key or money one request tries; a
        ledger that failed is looked at and written to again. Cancelling is safe: they are taken up all the
        same.

        Args:
            after_restore: The ledger was restored from a backup. It does not know what was sent after it was
                made, so its queued jobs become unknown (reason "restored") and are not sent; jobs that this
                session took in are not concerned. Call it so before any other `resume`.

        Raises:
            LedgerError: The ledger could not be read, or still cannot be written.
            SessionClosedError: The session closed meanwhile.
        """
        runtime = self._open_runtime()
        return await runtime.run(self._resume, runtime, after_restore)

    async def _resume(self, runtime: Runtime, after_restore: bool) -> list[Job]:
        await runtime.mend()
        records = await self._ledger.select(_RESUMABLE)
        mine = [record for record in records if self.provider.serves(record.provider, record.origin)]
        if after_restore:
            mine = await self._distrusted(mine)
        jobs = await runtime.take_up_many(mine)
        for job in jobs:
            runtime.queue(job)
        runtime.resume()
        if any(job.state is State.UNKNOWN for job in jobs):
            runtime.reconciler.begin()
        return jobs

    async def reconcile(self) -> list[Job]:
        """Look for unknown jobs' operations in the provider's list, and return the jobs that were found.

        A job is adopted (it is running then, `record.adopted` is "list") only where exactly one listed
        operation from around the time it was sent is nobody's, and exactly one job of that model is unknown;
        else the operations are logged. This starts by itself after a job turned unknown, some times within
        ten minutes. With a provider that does not list (`provider.capabilities.can_list`) nothing is found.

        Cancelling is safe: what is found is recorded all the same.

        Raises:
            LedgerError: The ledger could not be read, or what was found could not be recorded.
        """
        runtime = self._open_runtime()
        return await runtime.run(runtime.reconciler.run)

    @property
    def jobs(self) -> Sequence[Job]:
        """The jobs of this session, in the order in which it took them up; also once it is closed.

        All that are open, and of those that ended the last 1,000; older ones only as long as you hold them.
        `statistics` and `report` count all.
        """
        return () if self._runtime is None else tuple(self._runtime.book)

    def job(self, job_id: str) -> Job:
        """Return a job of this session: an open one, one of the last 1,000 that ended, or one that you hold.

        Raises:
            ConfigurationError: This session has no such job, or none any more; `resume` and `attach` bring in
                others.
        """
        job = self._open_runtime().book.get(JobId(job_id))
        if job is None:
            raise ConfigurationError(
                f"no job {job_id} in this session, or it ended long ago: resume() takes up the ledger's open "
                "ones, attach() that of an operation"
            )
        return job

    def notify(self, operation: str) -> bool:
        """Say that an operation may have ended, as a webhook does: it is checked at once.

        A hint and no more: that check decides, under the rates as any other, and regular checks go on. Said
        twice, or of an operation that still runs, it costs one check at most. Call it from the session's
        event loop; it does not wait.

        Args:
            operation: Its name, whole or without its model, or its id alone: the id is what counts.

        Returns:
            Whether a job of this session waits for such an operation; if not, nothing is done.

        Raises:
            SessionClosedError: The session is closed.
            ConfigurationError: It is not open yet, or lives in another event loop, thread or process.
        """
        return self._open_runtime().notify(operation)

    async def status(self, operation: str, model: str | None = None) -> CheckAnswer | NotSent | Lost:
        """Ask for the status of one operation now, once, outside all schedules, and return the answer."""
        runtime = self._open_runtime()
        (row,) = self._intake.foreign([operation], model)
        return await runtime.checker.status(row.operation or "")

    # ── videos ──────────────────────────────────────────────────────────────────────────────────────────

    async def save(
        self, source: Result | Video, target: str | os.PathLike[str], *, overwrite: bool = False
    ) -> list[Path]:
        """Store a result's videos, or one video, and return the paths: whole files or an error.

        A result's files are recorded with their job, by their SHA-256 (see `files`); whose job a single video
        is from is not known, so it is stored without. Cancelling is safe: nothing broken stays under a final
        name.

        Args:
            source: What `await job` gave, or one of its videos.
            target: A folder ("out/", or one that exists), or the path of the file.
            overwrite: Replace a file that is there.

        Raises:
            DownloadError: `reason` says which check it did not pass. Saving again is free.
            LedgerError: It is stored, and that could not be recorded.
        """
        delivery = self._open_runtime().delivery
        if isinstance(source, Result):
            return await delivery.save_result(source, target, overwrite=overwrite)
        return await delivery.save_one(source, target, overwrite=overwrite)

    def stream(self, video: Video) -> AsyncIterator[bytes]:
        """Yield the bytes of a video as they arrive, for a web response; leaving early is safe.

        Raises:
            DownloadError: It could not be fetched, or broke off: then what was yielded is not the whole.
        """
        return self._open_runtime().delivery.stream(video)

    async def files(self, job_id: str) -> Sequence[FileRecord]:
        """Return the stored videos of a job, as the ledger knows them."""
        self._check_home()
        return await self._ledger.files(JobId(job_id))

    def statistics(self) -> Statistics:
        """Return what the session has done and is doing."""
        return self._open_runtime().statistics()

    def events(self, *, buffer: int = 1000) -> EventStream:
        """Return what happens from now on, as an async iterator for dashboards and log pipelines.

        It yields `JobMoved`, `CheckAnswered`, `ListAnswered`, `Paused`, `Lifted`, `RateChanged` and
        `VideoStored` values, made for `match`, and ends when the session has closed. Any number of readers
        have one each. A reader that is too slow never holds the session up: it loses the oldest events, and a
        `Dropped` says how many. Cancelling and leaving the loop are safe.

        Args:
            buffer: How many events may wait to be read.

        Raises:
            ConfigurationError: `buffer` is less than 1.
            SessionClosedError: The session is closed.
        """
        runtime = self._open_runtime()
        if buffer < 1:
            raise ConfigurationError(f"buffer must be at least 1, not {buffer}")
        return runtime.events(buffer)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────

    async def _queued(self, take: Callable[[_Asked], Coroutine[Any, Any, Job]], asked: _Asked) -> Job:
        """Take a job in, in a task that the session owns, and queue it; whoever gives up loses no row."""
        runtime = self._open_runtime()
        taking = runtime.begin(take, asked)
        try:
            job = await asyncio.shield(taking)
        except (asyncio.CancelledError, GeneratorExit):
            taking.add_done_callback(lambda taken: _give_up_taken(runtime, taken))
            raise
        job.handles += 1
        runtime.queue(job)
        return job

    async def _take_in(self, request: VideoRequest) -> Job:
        runtime = self._open_runtime()
        return runtime.take_up([await self._intake.take_in(request)])[0]

    async def _replace(self, job: Job) -> Job:
        runtime = self._open_runtime()
        new = runtime.take_up([await self._intake.replace(job.record)])[0]
        job.advance(await self._ledger.get(job.id) or job.record, time.time())  # its key passed over
        return new

    async def _distrusted(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Call queued jobs of a restored ledger unknown, and return all rows as they are then."""
        known = self._open_runtime().book
        queued = [record for record in records if record.state is State.QUEUED and record.id not in known]
        unknown = {record.id: record for record in await self._open_runtime().distrust(queued)}
        return [unknown.get(record.id, record) for record in records]

    def _open_runtime(self) -> Runtime:
        self._check_home()
        if self._runtime is None:
            raise ConfigurationError("the session is not open: use it inside `async with VeoSession(...)`")
        if not self._is_open or self._runtime.failure is not None:
            raise SessionClosedError("the session is closed: make a new one; resume() takes up its jobs")
        return self._runtime

    def _check_home(self) -> None:
        if self._home is not None:
            self._home.check()


def _give_up_taken(runtime: Runtime, taken: asyncio.Future[Job]) -> None:
    if not taken.cancelled() and taken.exception() is None:
        runtime.give_up(taken.result())
