"""`Job`: a handle on one request, from the queue to the file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from attrs import frozen

from veo_async.endings import error_of
from veo_async.engine.lifecycle import FINAL, State
from veo_async.errors import VeoError, WaitTimeoutError
from veo_async.ledger.records import JobRecord
from veo_async.models import Eta, JobId, Outcome, Result, Succeeded, VideoRequest
from veo_async.tokens import Token

__all__ = ["Cancelled", "Job", "JobEvent", "JobHost"]

_T = TypeVar("_T")

Cancelled = Literal["withdrawn", "detached", "final"]
"""What `Job.cancel` could do."""


@frozen(weakref_slot=False)
class JobEvent:
    """One state that a job passed into."""

    state: State
    at: float
    """Wall-clock seconds since the epoch."""


class JobHost(Protocol):
    """What a job needs of its session."""

    def check_home(self) -> None:
        """Raise `ConfigurationError` unless called from where the session lives."""
        ...

    def standstill(self, job: Job) -> VeoError | None:
        """Return why waiting for `job` is of no use now, or None."""
        ...

    def eta(self, job: Job) -> Eta | None:
        """Return when the provider is likely to have finished `job`."""
        ...

    async def cancel(self, job: Job) -> Cancelled:
        """Withdraw `job`, or stop waiting for it."""
        ...

    def moved(self, job: Job, before: State | None, at: float) -> None:
        """Take note that `job` has passed into its state, at wall-clock seconds; None: it is new."""
        ...

    def ended(self, job: Job) -> None:
        """Take note that `job` has become final."""
        ...

    async def save(
        self, source: Result, target: str | os.PathLike[str], *, overwrite: bool = False
    ) -> list[Path]:
        """Store the videos of a result."""
        ...


class Job:
    """One request on its way; the session owns it, so cancelling an awaiter never stops it.

    `await job` gives its `Result` or raises; it may be awaited any number of times, by any number of tasks of
    its session's event loop. From another loop, thread or process every method raises `ConfigurationError`.
    """

    __slots__ = ("__weakref__", "_host", "_passed", "_record", "_waiters", "handles", "trouble")

    def __init__(self, record: JobRecord, host: JobHost) -> None:
        self._host = host
        self._record = record
        self._passed: tuple[JobEvent, ...] = ()
        """As in `_history`, once there were several states."""
        self._waiters: asyncio.Future[None] | list[asyncio.Future[None]] | None = None
        """Nearly every job has one at most: a list for each of 100,000 would be 10 MB."""
        self.handles: int = 0
        """How many callers hold the job: one that gives up withdraws it only when no other does."""
        self.trouble: VeoError | None = None
        """What keeps this one job from going on, until it is final."""

    def __repr__(self) -> str:
        where = f" {self.operation}" if self.operation else ""
        return f"<Job {self.id} {self.state}{where}>"

    @property
    def id(self) -> JobId:
        """The job's UUID4 in its session and ledger."""
        return self._record.id

    @property
    def record(self) -> JobRecord:
        """All that the ledger knows of the job."""
        return self._record

    @property
    def request(self) -> VideoRequest | None:
        """What was asked; None for an operation that somebody else submitted."""
        return self._record.request

    @property
    def state(self) -> State:
        """Where the job stands."""
        return self._record.state

    @property
    def operation(self) -> str | None:
        """The provider's operation name, once it has the job."""
        return self._record.operation

    @property
    def token(self) -> str | None:
        """A short string that any process can attach with; None until the provider has the job."""
        record = self._record
        if record.operation is None:
            return None
        return Token(
            provider=record.provider, origin=record.origin, model=record.model, operation=record.operation
        ).encode()

    def __await__(self) -> Generator[None, None, Result]:
        """Wait without a time limit, as `wait()` does."""
        return self.wait().__await__()

    async def accepted(self) -> None:
        """Wait until the provider has the job, so that `operation` is known.

        Cancelling is safe: the job goes on.

        Raises:
            SubmitError: It was not accepted, or not as far as is known.
            BudgetExceededError: Sending it would pass a money limit of the session; the job stays queued.
            LedgerError: It cannot be recorded, so it is not sent; `resume` tries again.
            SessionClosedError: The session was closed first.
        """
        await self._until(self._acceptance, None)

    async def wait(self, timeout: float | None = None) -> Result:
        """Wait for the videos. Save them with `save`.

        Cancelling is safe and repeatable: the job and other awaiters go on.

        Args:
            timeout: Seconds to wait at most; None waits without limit.

        Raises:
            SubmitError: The provider does not have the job; `billed` says what that may cost.
            OperationError: The operation ended without a video, expired, or is past its deadline.
            WaitTimeoutError: The time passed first; the job goes on.
            SessionClosedError: The session was closed first.
        """
        self._host.check_home()
        if timeout is not None:
            await self._until(self._fate, timeout)
        while self._fate() is None:  # as in `_until`, whose frame would be 300 bytes more for each who waits
            waiter = self._new_waiter()
            try:
                await waiter
            except BaseException:
                self._forget(waiter)
                raise
        return self._result()

    async def outcome(self, timeout: float | None = None) -> Outcome:
        """Wait for the job's fate and return it, whatever it is; cancelling is safe.

        Args:
            timeout: Seconds to wait at most; None waits without limit.

        Raises:
            WaitTimeoutError: The time passed first; the job goes on.
            AuthenticationError: The key was refused; the job stays queued or open.
            InsufficientBalanceError: There is no money; the job stays queued or open.
            NotSentError: The provider cannot be reached; the job stays queued.
            BudgetExceededError: Sending it would pass a money limit of the session; the job stays queued.
            LedgerError: It cannot be recorded, so it is not sent; `resume` tries again. Or (`billed`
                "unknown") its answer could not be recorded: what is not durable is not reported as done.
            OperationStalledError: Past the deadline; slow checks go on.
            SessionClosedError: The session was closed first.
        """
        return await self._until(self._fate, timeout)

    async def events(self) -> AsyncIterator[JobEvent]:
        """Yield every state the job passes through, from the first on, and end after the last.

        Leaving early is safe. An unknown job ends the events too, although it may be adopted later.

        Raises:
            VeoError: The job stands still, or is stalled, as `outcome` raises.
        """
        position = 0
        self._host.check_home()
        while True:
            for event in self._history()[position:]:
                position += 1
                yield event
            if self._is_settled:
                return
            await self._until(self._has_passed(position), None)

    async def save(self, target: str | os.PathLike[str], *, overwrite: bool = False) -> list[Path]:
        """Wait for the videos and store them; return their paths.

        Cancelling is safe: no broken file stays under a final name.

        Args:
            target: A folder ("out/", or one that exists), or the path of the file.
            overwrite: Replace a file that is there.

        Raises:
            DownloadError: A video could not be stored; `reason` says why. Saving again is free.
            VeoError: As `wait` raises.
        """
        return await self._host.save(await self.wait(), target, overwrite=overwrite)

    def eta(self) -> Eta | None:
        """Return when the provider is likely to have finished, by what was learned of jobs of this kind.

        For a job that runs that is seconds from now, given that it was not done at the last check. For one
        that is not accepted yet it is the time from acceptance on, as if that were now: how long it will be
        queued is not known and not in it. For an operation attached to without a known age it counts from
        when it was attached. None when nothing is waited for: the job is final or unknown, or waiting for it
        was cancelled.

        Raises:
            ConfigurationError: Called from another process, thread or event loop than the session's.
        """
        self._host.check_home()
        return self._host.eta(self)

    async def cancel(self) -> Cancelled:
        """Withdraw the job if nothing was sent yet, else stop waiting for it; say which.

        Returns "withdrawn" (nothing is billed), "detached" (the provider goes on and bills; the ledger keeps
        the operation and `session.resume()` takes it up), or "final" (it had ended before).
        """
        self._host.check_home()
        return await self._host.cancel(self)

    # ── for the session ─────────────────────────────────────────────────────────────────────────────────

    def advance(self, record: JobRecord, at: float) -> None:
        """Take over the ledger's new row and wake all who wait."""
        before = self._record.state
        if record.state is not before:
            self._passed = (*self._history(), JobEvent(record.state, at))
        self._record = record
        if record.state is not before:
            self._host.moved(self, before, at)
            if record.state in FINAL:
                self._host.ended(self)
        self.wake()

    def wake(self) -> None:
        """Let everyone who waits look again."""
        for waiter in self._take_waiters():
            if not waiter.done():
                waiter.set_result(None)

    def tell(self, error: VeoError) -> None:
        """Raise `error` to everyone who waits now, an instance each; later waiters are not concerned."""
        error.job_id = self.id
        error.operation = self.operation
        for waiter in self._take_waiters():
            if not waiter.done():
                waiter.set_exception(error.fresh())

    async def answered(self) -> None:
        """Wait while the job is being sent; returns at once for any other, and when the session ends."""
        with suppress(VeoError):
            await self._until(lambda: None if self.state is State.ARMED and self._goes_on() else True, None)

    async def settled(self) -> None:
        """Wait until the job is decided, or stands still for a reason that only the caller can mend."""
        try:
            await self._until(self._fate, None)
        except VeoError:
            return

    @property
    def _is_settled(self) -> bool:
        return self.state in FINAL or self.state is State.UNKNOWN

    def _history(self) -> tuple[JobEvent, ...]:
        """Return every state so far; the first and only one of a job that waits is told by its row."""
        record = self._record
        return self._passed or (JobEvent(record.state, record.accepted_at or record.created_at),)

    def _has_passed(self, states: int) -> Callable[[], Literal[True] | None]:
        def decide() -> Literal[True] | None:
            if len(self._history()) > states:
                return True
            self._raise_standstill()
            return None

        return decide

    def _fate(self) -> Outcome | None:
        if self._is_settled:
            return self._record.outcome
        self._raise_standstill()
        return None

    def _result(self) -> Result:
        outcome = self._record.outcome
        assert outcome is not None
        if isinstance(outcome, Succeeded):
            return outcome.result
        error = error_of(outcome, self.id, self.operation)
        assert error is not None
        raise error

    def _acceptance(self) -> Literal[True] | None:
        if self.operation is not None and (self.trouble is None or self._is_settled):
            return True
        outcome = self._fate()
        error = None if outcome is None else error_of(outcome, self.id, None)
        if error is not None:
            raise error
        return None

    def _goes_on(self) -> bool:
        self._raise_standstill()
        return True

    def _raise_standstill(self) -> None:
        error = self.trouble or self._host.standstill(self)
        if error is not None:
            mine = error.fresh()
            mine.job_id, mine.operation = self.id, self.operation
            raise mine

    async def _until(self, decide: Callable[[], _T | None], timeout: float | None) -> _T:
        """Return what `decide` finds, asked now and each time something changes."""
        self._host.check_home()
        if timeout is None:
            while (found := decide()) is None:
                waiter = self._new_waiter()
                try:
                    await waiter
                except BaseException:
                    self._forget(waiter)
                    raise
            return found
        found = decide()
        if found is not None:
            return found
        try:
            async with asyncio.timeout(timeout):
                return await self._until(decide, None)
        except WaitTimeoutError:
            raise
        except TimeoutError:
            pass
        raise WaitTimeoutError(
            f"{timeout:g} s passed and the job is still {self.state}; it goes on, await it again",
            billed="unknown" if self.operation else "no",
            job_id=self.id,
            operation=self.operation,
        )

    def _new_waiter(self) -> asyncio.Future[None]:
        """Return a future for the next change, each caller's own: cancelling one waiter touches no other."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._take_waiters()
        waiters.append(waiter)
        self._waiters = waiters if len(waiters) > 1 else waiter
        return waiter

    def _forget(self, waiter: asyncio.Future[None]) -> None:
        if self._waiters is waiter:
            self._waiters = None
        elif isinstance(self._waiters, list) and waiter in self._waiters:
            self._waiters.remove(waiter)

    def _take_waiters(self) -> list[asyncio.Future[None]]:
        waiters, self._waiters = self._waiters, None
        if isinstance(waiters, asyncio.Future):
            return [waiters]
        return waiters or []
