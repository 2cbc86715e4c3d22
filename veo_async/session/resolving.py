"""From a decided operation to told awaiters: recorded first, then told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from attrs import evolve

from veo_async.endings import tell_error
from veo_async.engine.events import Decision, Event, OperationKey, OperationOpened, Resolve, Stall, Tell
from veo_async.engine.lifecycle import IllegalTransitionError, State, move_for
from veo_async.errors import LedgerError, OperationStalledError
from veo_async.job import Job
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.records import Change
from veo_async.models import Succeeded, Video
from veo_async.session.book import Book, key_of
from veo_async.session.ongoing import Ongoing
from veo_async.session.recording import Recorder
from veo_async.session.submitting import profile_of

__all__ = ["Resolver"]

ASK_AGAIN_S = 30.0
"""A ledger that fails is not asked to record the same thing in a tight loop."""

_LOG = logging.getLogger("veo_async")


class Resolver:
    """Carries out `Resolve`, `Stall` and `Tell` actions for all jobs that wait for an operation."""

    def __init__(
        self,
        ledger: Ledger,
        recorder: Recorder,
        book: Book,
        post: Callable[[Event], None],
        spawn: Callable[..., object],
    ) -> None:
        self._ledger = ledger
        self._recorder = recorder
        self._book = book
        self._post = post
        self._spawn = spawn
        self._ongoing = Ongoing()

    def resolve(self, action: Resolve) -> None:
        """Begin to record how an operation ended."""
        self._ongoing.begin()
        self._spawn(self._run, action.key, action.outcome)

    def stall(self, action: Stall) -> None:
        """Tell all who wait that an operation is past its deadline."""
        for job in self._book.waiting_for(action.key):
            job.tell(
                OperationStalledError(
                    f"the operation {action.key.name} is not done by its deadline; slow checks go on: await "
                    "it again, or attach to its token later",
                    billed="unknown",
                )
            )

    def tell(self, action: Tell) -> None:
        """Tell all who wait that an operation's status cannot be read."""
        for job in self._book.waiting_for(action.key):
            job.tell(tell_error(action.answer, action.key.name))

    async def close(self) -> None:
        """Wait until everything decided is recorded."""
        await self._ongoing.idle()

    async def _run(self, key: OperationKey, outcome: Decision) -> None:
        with self._ongoing.ending():
            jobs = self._book.waiting_for(key)
            try:
                kept = await self._keep_videos(outcome)
                for job in jobs:
                    await self._record(job, kept)
            except LedgerError as error:
                self._ask_again(jobs, error)
            else:
                self._book.resolved(key)

    async def _record(self, job: Job, outcome: Decision) -> None:
        if job.state is not State.RUNNING:
            return
        if isinstance(outcome, Succeeded):
            result = evolve(outcome.result, job_id=job.id, operation=job.operation)
            outcome = evolve(outcome, result=result)
        change = Change(
            job_id=job.id,
            move=move_for(outcome),
            at=time.time(),
            operation=job.operation,
            outcome=outcome,
        )
        try:
            await self._recorder.apply(job, change)
        except IllegalTransitionError:  # the first durable end stands
            await self._recorder.take_ledgers_word(job)

    async def _keep_videos(self, outcome: Decision) -> Decision:
        """Give videos that came inside the answer to the ledger, before the answer is let go."""
        if not isinstance(outcome, Succeeded):
            return outcome
        videos = [await self._keep_video(video) for video in outcome.result.videos]
        return evolve(outcome, result=evolve(outcome.result, videos=tuple(videos)))

    async def _keep_video(self, video: Video) -> Video:
        if video.data is None:
            return video
        return evolve(video, sha256=await self._ledger.keep(video.data), data=None)

    def _ask_again(self, jobs: tuple[Job, ...], error: LedgerError) -> None:
        """What is not durable is not decided: tell who waits, and find it out again later."""
        _LOG.error("the end of operation %s could not be recorded: %s", jobs[0].operation, error.message)
        for job in jobs:
            if job.state is State.RUNNING:
                told = error.fresh()
                told.billed = "unknown"
                job.tell(told)
                again = OperationOpened(key_of(job.record), profile_of(job.record), restored=True)
                asyncio.get_running_loop().call_later(ASK_AGAIN_S, self._post, again)
