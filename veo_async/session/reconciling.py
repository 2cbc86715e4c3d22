"""Unknown jobs and the provider's list of operations: adopted where exactly one answer is possible.

No surface takes an idempotency key, so an operation that nobody knows is the only trace of a lost answer. It
is taken for a job's only if it is the one such operation around the instant of the one unknown job.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from veo_async.answers import Listed
from veo_async.engine.adoption import candidates
from veo_async.engine.events import CHECKS
from veo_async.engine.lifecycle import IllegalTransitionError, Move, State
from veo_async.engine.retries import has_no_lists
from veo_async.errors import ConfigurationError, LedgerError
from veo_async.job import Job
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.records import Change, JobRecord
from veo_async.providers import Provider
from veo_async.session.book import Book
from veo_async.session.recording import Recorder
from veo_async.transport import LostFailure, NotSentFailure, Transport

__all__ = ["Reconciler"]

WAITS_S: Final = (5.0, 15.0, 45.0, 135.0, 400.0)
"""Between lists after a job turned unknown: ten minutes together; by then a provider has it or has it not."""
PAGE_GAP_S: Final = 1.0
PAGES: Final = 20
"""A list that is longer was not seen whole, so that "the only one" cannot be said of it."""

_LOG = logging.getLogger("veo_async")


class Reconciler:
    """Looks for the operations of unknown jobs, where the provider lists operations."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        ledger: Ledger,
        book: Book,
        recorder: Recorder,
        take_up: Callable[[Sequence[JobRecord]], list[Job]],
        watch: Callable[[Sequence[Job]], None],
        spawn: Callable[..., object],
    ) -> None:
        self._provider = provider
        self._transport = transport
        self._ledger = ledger
        self._book = book
        self._recorder = recorder
        self._take_up = take_up
        self._watch = watch
        self._spawn = spawn
        self._lists = provider.capabilities.can_list
        self._one_at_a_time = asyncio.Lock()
        self._waits: Iterator[float] = iter(())
        self._is_waiting = False

    def begin(self) -> None:
        """Look for unknown jobs' operations a moment from now, and a few times more with growing waits."""
        if self._lists:
            self._waits = iter(WAITS_S)
            if not self._is_waiting:
                self._is_waiting = True
                self._spawn(self._rounds)

    async def run(self) -> list[Job]:
        """Look now, and return the jobs whose operations were found.

        Raises:
            LedgerError: It could not be read, or what was found could not be recorded.
        """
        async with self._one_at_a_time:
            models = dict.fromkeys(record.model for record in await self._unknown())
            found = [await self._reconcile(model) for model in models if self._lists]
        return [job for job in found if job is not None]

    async def _rounds(self) -> None:
        for wait in iter(lambda: next(self._waits, None), None):
            await asyncio.sleep(wait)
            try:
                if not await self._unknown():
                    break
                if self._book.stands_still(CHECKS) is None:
                    await self.run()
            except LedgerError as error:
                _LOG.error("unknown jobs could not be looked into: %s", error.message)
        self._is_waiting = False

    async def _reconcile(self, model: str) -> Job | None:
        listed = await self._listed(model)
        if not listed:
            return None
        # What the list holds was started before it came: once these have their answers, the rest is nobody's.
        for job in self._book:
            await job.answered()
        strange = await self._strange(listed)
        mixed = any(self._provider.dialect.model_of(name) is None for name in strange)  # it lists all models
        unknown = [record for record in await self._unknown() if mixed or record.model == model]
        return await self._match(unknown, strange)

    async def _match(self, unknown: Sequence[JobRecord], strange: dict[str, float | None]) -> Job | None:
        names = {name for record in unknown for name in candidates(strange, record.armed_at)}
        if not names:
            return None
        if len(names) > 1 or len(unknown) > 1 or unknown[0].armed_at is None:
            _LOG.warning(
                "%s lists operations that no job has: %s. Which of them belongs to which of the unknown jobs "
                "%s cannot be told: attach to one if you know it",
                self._provider.name,
                ", ".join(sorted(names)),
                ", ".join(record.id for record in unknown),
            )
            return None
        return await self._adopt(unknown[0], names.pop())

    async def _adopt(self, record: JobRecord, name: str) -> Job | None:
        (job,) = self._take_up([record])
        change = Change(job_id=job.id, move=Move.STARTED, at=time.time(), operation=name, adopted="list")
        try:
            await self._recorder.apply(job, change)
        except IllegalTransitionError:
            return None  # settled meanwhile
        _LOG.warning("job %s was unknown; %s lists its operation %s", job.id, self._provider.name, name)
        self._watch([job])
        return job

    async def _unknown(self) -> list[JobRecord]:
        records = await self._ledger.select({State.UNKNOWN})
        return [record for record in records if self._provider.serves(record.provider, record.origin)]

    async def _strange(self, listed: dict[str, float | None]) -> dict[str, float | None]:
        """Return the operations that neither the ledger nor this session knows."""
        ours = {job.operation for job in self._book}
        provider = self._provider.name
        return {
            name: at
            for name, at in listed.items()
            if name not in ours and await self._ledger.find(provider, name) is None
        }

    async def _listed(self, model: str) -> dict[str, float | None] | None:
        """Return when each listed operation was created, by our clock; None when the list is not whole."""
        created_at: dict[str, float | None] = {}
        token: str | None = None
        for _ in range(PAGES):
            page = await self._page(model, token)
            if page is None:
                return None
            ahead = 0.0 if page.answered_at is None else page.answered_at - time.time()
            created_at |= dict.fromkeys(page.answers)
            created_at |= {name: at - ahead for name, at in page.created_at.items()}
            token = page.next_page_token
            if token is None:
                return created_at
            await asyncio.sleep(PAGE_GAP_S)
        _LOG.warning("%s lists too many operations of %s to look through", self._provider.name, model)
        return None

    async def _page(self, model: str, token: str | None) -> Listed | None:
        dialect = self._provider.dialect
        try:
            response = await self._transport.send(dialect.list_page(model, token))
        except (NotSentFailure, LostFailure, ConfigurationError):
            return None
        answer = dialect.read_list(response, model)
        if isinstance(answer, Listed):
            return answer
        if has_no_lists(answer):
            self._lists = False
            _LOG.info("%s has no lists of operations", self._provider.name)
        return None
