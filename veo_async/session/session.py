"""`VeoSession`: ask for many videos, wait for all of them cheaply, lose none."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from veo_async import catalog
from veo_async.answers import CheckAnswer, Lost, NotSent
from veo_async.engine.lifecycle import State
from veo_async.errors import ConfigurationError, InvalidRequestError, SessionClosedError
from veo_async.job import Job
from veo_async.ledger import open_ledger
from veo_async.ledger.records import FileRecord, JobRecord
from veo_async.models import JobId, Result, Video, VideoRequest
from veo_async.options import PollPolicy, RetryPolicy, Timeouts
from veo_async.providers import Provider
from veo_async.session.batching import Item, as_completed
from veo_async.session.budget import Budget
from veo_async.session.intake import take_in
from veo_async.session.reports import SessionReport, Statistics
from veo_async.session.supervisor import ExitMode
from veo_async.tokens import PREFIX, Token

if TYPE_CHECKING:
    from veo_async.session.runtime import Runtime
    from veo_async.transport import TraceEvent

__all__ = ["VeoSession"]

_LOG = logging.getLogger("veo_async")
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
        on_exit: Literal["auto", "drain", "detach", "abort"] = "auto",
        poll: PollPolicy | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        trace: Callable[[TraceEvent], None] | None = None,
    ) -> None:
        """Make a session; nothing is opened before `async with`.

        Args:
            provider: Whose videos.
            ledger: Path of a SQLite file that outlives the process; None keeps the ledger in memory.
            max_cost: USD, by the catalogue's estimates, that all jobs of the ledger may cost together.
            on_exit: What leaving `async with` does: "drain" waits for all jobs, "detach" leaves running ones
                to the next `resume`, "abort" stops at once; "auto" detaches with a path, else drains.
            poll: When operations are checked.
            retry: What is tried again.
            timeouts: How long the network may take.
            trace: Called with every exchange on the wire, redacted.

        Raises:
            ConfigurationError: An argument is not one of these.
        """
        if on_exit not in ("auto", "drain", "detach", "abort"):
            raise ConfigurationError(f'on_exit is "auto", "drain", "detach" or "abort", not {on_exit!r}')
        self.provider = provider
        self._ledger = open_ledger(ledger)
        self._budget = Budget(max_cost)
        self._on_exit: Literal["auto", "drain", "detach", "abort"] = on_exit
        self._poll = poll or PollPolicy()
        self._retry = retry or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._trace = trace
        self._runtime: Runtime | None = None
        self._home: tuple[int, int, asyncio.AbstractEventLoop] | None = None
        self._is_open = False
        self._advised: set[str] = set()

    # ── opening and closing ─────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        """Open the ledger and start the scheduler.

        Raises:
            LedgerError: The ledger is held by another process (`owner_pid`), or cannot be read or written.
            ConfigurationError: The session was opened before.
        """
        if self._home is not None:
            raise ConfigurationError("a session is opened once: make a new VeoSession")
        from veo_async.session.runtime import Runtime  # brings aiohttp, which importing this must not

        self._home = (os.getpid(), threading.get_ident(), asyncio.get_running_loop())
        await self._ledger.open()
        try:
            if self._budget.limit is not None:
                self._budget.update(await self._ledger.select())
            self._runtime = Runtime(
                self.provider,
                self._ledger,
                poll=self._poll,
                retry=self._retry,
                timeouts=self._timeouts,
                trace=self._trace,
            )
            await self._runtime.start()
        except BaseException:
            await self._ledger.close()
            raise
        self._is_open = True
        return self

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
        self._is_open = False
        if self._runtime is None:
            return None
        self._check_home()
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
        runtime = self._open_runtime()
        taking: asyncio.Future[Job] = runtime.promise()
        runtime.spawn(self._take_in, request, taking)
        try:
            job = await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(lambda taken: _give_up_taken(runtime, taken))
            raise
        job.handles += 1
        runtime.queue(job)
        return job

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
        except asyncio.CancelledError:
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
        return as_completed(self.enqueue, requests, max_in_flight)

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
        """
        return (await self.attach_many([token_or_operation], model=model))[0]

    async def attach_many(self, operations: Iterable[str], model: str | None = None) -> list[Job]:
        """Return the jobs of many operations, in their order; one commit for all.

        Their first checks are spread out. Raises as `attach` does, and then attaches none.
        """
        runtime = self._open_runtime()
        records = [self._foreign_record(operation, model) for operation in operations]
        known = await self._ledger.add_many(records)
        return runtime.take_up(known)

    async def resume(self) -> list[Job]:
        """Take up the ledger's open jobs and return them: queued ones are sent, running ones checked.

        Unknown ones are returned too, and never sent. Ends a pause for key or money: one request tries.

        Raises:
            LedgerError: The ledger could not be read.
        """
        runtime = self._open_runtime()
        records = await self._ledger.select(_RESUMABLE)
        mine = [record for record in records if self.provider.serves(record.provider, record.origin)]
        jobs = runtime.take_up(mine)
        for job in jobs:
            runtime.queue(job)
        runtime.resume()
        return jobs

    @property
    def jobs(self) -> Sequence[Job]:
        """All jobs of this session, in the order in which it took them up; also once it is closed."""
        return () if self._runtime is None else tuple(self._runtime.book)

    def job(self, job_id: str) -> Job:
        """Return a job of this session.

        Raises:
            ConfigurationError: This session has no such job; `resume` and `attach` bring in others.
        """
        job = self._open_runtime().book.get(JobId(job_id))
        if job is None:
            raise ConfigurationError(f"no job {job_id} in this session: resume() takes up the ledger's")
        return job

    async def status(self, operation: str, model: str | None = None) -> CheckAnswer | NotSent | Lost:
        """Ask for the status of one operation now, once, outside all schedules, and return the answer."""
        runtime = self._open_runtime()
        return await runtime.checker.status(self._foreign_record(operation, model).operation or "")

    # ── videos ──────────────────────────────────────────────────────────────────────────────────────────

    async def save(
        self, source: Result | Video, target: str | os.PathLike[str], *, overwrite: bool = False
    ) -> list[Path]:
        """Store a result's videos, or one video, and return the paths: whole files or an error.

        Cancelling is safe: nothing broken stays under a final name.

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
        return await self._ledger.files(JobId(job_id))

    def statistics(self) -> Statistics:
        """Return what the session has done and is doing."""
        return self._open_runtime().statistics()

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────

    async def _take_in(self, request: VideoRequest, taking: asyncio.Future[Job]) -> None:
        """Take a request in, in a task that the session owns: a caller that gives up loses no row."""
        try:
            taking.set_result(await self._take_in_now(request))
        except Exception as error:  # noqa: BLE001 - raised where the request came from
            taking.set_exception(error)

    async def _take_in_now(self, request: VideoRequest) -> Job:
        record = await take_in(request, self.provider, self._ledger)
        self._advise(request, record.model)
        runtime = self._open_runtime()
        if record.idempotency_key is None or await self._ledger.keyed(record.idempotency_key) is None:
            self._budget.update(job.record for job in runtime.book)
            self._budget.reserve(record)
        kept_id = None
        try:
            kept = await self._ledger.add(record)
            kept_id = kept.id
        finally:
            if kept_id != record.id:
                self._budget.release(record.id)
        self._check_mine(kept)
        return runtime.take_up([kept])[0]

    def _check_mine(self, record: JobRecord) -> None:
        if not self.provider.serves(record.provider, record.origin):
            raise InvalidRequestError(
                f"idempotency key {record.idempotency_key!r} stands for a job at {record.provider} "
                f"({record.origin}): use a new key, or a session with that provider",
                field="idempotency_key",
                reason="key_reuse",
                job_id=record.id,
            )

    def _advise(self, request: VideoRequest, model: str) -> None:
        """Log what the catalogue doubts, once a session; gateways differ, so nothing is refused."""
        for problem in catalog.warnings(request, model, self.provider.family):
            text = f"{problem.field}: {problem.message}"
            if text not in self._advised:
                self._advised.add(text)
                _LOG.warning("%s may not take this: %s", self.provider.name, text)

    def _foreign_record(self, token_or_operation: str, model: str | None) -> JobRecord:
        provider = self.provider
        if token_or_operation.startswith(PREFIX):
            token = Token.decode(token_or_operation)
            if not provider.serves(token.provider, token.origin):
                raise ConfigurationError(
                    f"this token is of {token.provider} at {token.origin}, the session of {provider.name} at "
                    f"{provider.origin}: open a session with that provider"
                )
            operation, model = token.operation, token.model
        else:
            known_model = None if model is None else provider.model_name(model)
            operation = provider.dialect.operation_name(token_or_operation, known_model)
            model = provider.dialect.model_of(operation) or known_model or ""
        now = time.time()
        return JobRecord(
            id=JobId(str(uuid.uuid4())),
            state=State.RUNNING,
            request=None,
            digest="",
            provider=provider.name,
            origin=provider.origin,
            model=model,
            operation=operation,
            created_at=now,
            accepted_at=now,
        )

    def _open_runtime(self) -> Runtime:
        self._check_home()
        if self._runtime is None:
            raise ConfigurationError("the session is not open: use it inside `async with VeoSession(...)`")
        if not self._is_open or self._runtime.failure is not None:
            raise SessionClosedError("the session is closed: make a new one; resume() takes up its jobs")
        return self._runtime

    def _check_home(self) -> None:
        if self._home is None:
            return
        pid, thread, loop = self._home
        if pid != os.getpid():
            raise ConfigurationError("the session was opened before a fork: make one in each process")
        if thread != threading.get_ident() or loop is not asyncio.get_running_loop():
            raise ConfigurationError(
                "the session belongs to another event loop or thread: make one session for each loop"
            )


def _give_up_taken(runtime: Runtime, taken: asyncio.Future[Job]) -> None:
    if not taken.cancelled() and taken.exception() is None:
        runtime.give_up(taken.result())
