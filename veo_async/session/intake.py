"""From what is asked for to durable rows: requests checked as a whole, their media read and kept."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Final, get_args

import anyio.to_thread
from attrs import evolve

from veo_async.codec import request_digest
from veo_async.engine.lifecycle import State
from veo_async.errors import ConfigurationError, InvalidRequestError
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.money import Caps
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId, Priority, Problem, VideoRequest
from veo_async.providers import Provider
from veo_async.session import media
from veo_async.session.budget import Budget
from veo_async.tokens import PREFIX, Token

__all__ = ["Intake", "check"]

_LOG: Final = logging.getLogger("veo_async")


class Intake:
    """Makes the rows of a session's jobs: of requests, of jobs to be sent again, of anybody's operations.

    Args:
        provider: Whom jobs are sent to.
        ledger: Where rows are kept.
        check_open: Raises where the session takes no more jobs.
        max_cost: USD that all jobs may cost together.
        max_unknown_cost: USD that unknown ones may have cost.

    Raises:
        ConfigurationError: A sum of money is less than nothing.
    """

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        check_open: Callable[[], object],
        max_cost: float | None,
        max_unknown_cost: float | None,
    ) -> None:
        self._provider = provider
        self._ledger = ledger
        self._check_open = check_open
        self.caps: Caps = Caps(max_cost=max_cost, max_unknown_cost=max_unknown_cost)
        self.budget: Budget = Budget(max_cost)
        self._advised: set[str] = set()

    async def open(self) -> None:
        """Count what the ledger's jobs cost, where that matters."""
        if self.budget.limit is not None:
            self.budget.update(await self._ledger.select())

    async def take_in(self, request: VideoRequest) -> JobRecord:
        """Keep a new job, or find the one that stands under its idempotency key.

        Raises:
            InvalidRequestError: It cannot be sent as it is, a medium cannot be read, or its key stands for
                another request.
            NotSentError: The provider's `upload=` failed.
            BudgetExceededError: It would pass the limit.
            LedgerError: It or its media could not be kept.
        """
        record = await _row(request, self._provider, self._ledger)
        self._advise(request, record.model)
        is_new = record.idempotency_key is None or await self._ledger.keyed(record.idempotency_key) is None
        return await self._add(record, is_new=is_new)

    async def replace(self, record: JobRecord) -> JobRecord:
        """Keep a new job in place of one that is unknown; raises as `take_in` does."""
        new = evolve(
            record,
            id=JobId(str(uuid.uuid4())),
            state=State.QUEUED,
            replaces=record.id,
            outcome=None,
            attempts=0,
            created_at=time.time(),
            armed_at=None,
        )
        return await self._add(new, is_new=True)

    def foreign(self, operations: Iterable[str], model: str | None) -> list[JobRecord]:
        """Return the rows, not kept yet, of operations that anybody submitted, by their tokens or names.

        Raises:
            ConfigurationError: The token is of another provider or origin, or not whole.
            InvalidRequestError: It is no operation name here, or the model is missing.
        """
        now = time.time()
        return [self._foreign(operation, model, now) for operation in operations]

    def _foreign(self, token_or_operation: str, model: str | None, now: float) -> JobRecord:
        provider = self._provider
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

    async def _add(self, record: JobRecord, *, is_new: bool) -> JobRecord:
        """Keep a job, or find the one that stands for it already; only what is new may cost something."""
        self._check_open()
        if is_new:
            self.budget.reserve(record)
        kept_id = None
        try:
            kept = await self._ledger.add(record)
            kept_id = kept.id
        finally:
            if kept_id != record.id:
                self.budget.release(record.id)
        self._check_mine(kept)
        return kept

    def _check_mine(self, record: JobRecord) -> None:
        if not self._provider.serves(record.provider, record.origin):
            raise InvalidRequestError(
                f"idempotency key {record.idempotency_key!r} stands for a job at {record.provider} "
                f"({record.origin}): use a new key, or a session with that provider",
                field="idempotency_key",
                reason="key_reuse",
                job_id=record.id,
            )

    def _advise(self, request: VideoRequest, model: str) -> None:
        """Log what the catalogue doubts, once a session; gateways differ, so nothing is refused."""
        for problem in self._provider.warnings(request, model):
            text = f"{problem.field}: {problem.message}"
            if text not in self._advised:
                self._advised.add(text)
                _LOG.warning("%s may not take this: %s", self._provider.name, text)


def check(request: VideoRequest, provider: Provider) -> str:
    """Return the provider's model name for a request that can be sent.

    Raises:
        InvalidRequestError: It cannot; names every field that is at fault, and the remedy.
    """
    model = provider.model_name(request.model)
    problems = [
        *provider.dialect.problems(request, model),
        *media.homeless(request, provider),
        *_odd(request),
    ]
    if problems:
        text = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        raise InvalidRequestError(f"{provider.name} cannot be sent this: {text}", field=problems[0].field)
    return model


def _odd(request: VideoRequest) -> list[Problem]:
    """Return what is wrong with what no provider sees."""
    found: list[Problem] = []
    if request.priority not in get_args(Priority):
        choices = ", ".join(get_args(Priority))
        found.append(Problem(field="priority", message=f"must be one of {choices}, not {request.priority!r}"))
    texts: list[object] = [*request.labels, *request.labels.values()]
    if not all(isinstance(text, str) for text in texts):
        found.append(Problem(field="labels", message="must map strings to strings"))
    return found


async def _row(request: VideoRequest, provider: Provider, ledger: Ledger) -> JobRecord:
    """Return a new job's row, its request as it will be sent."""
    model = check(request, provider)
    loaded = await media.loaded(request)
    if provider.dialect.capabilities.url_only_media and provider.upload is not None:
        # Here and not at the submit: between a quota's grant and its use nothing may take its time.
        ready = await media.hosted(loaded, provider.upload, ledger)
        # By content: the same picture may get another URL each time. Hashing it would hold up the loop.
        digest = await anyio.to_thread.run_sync(request_digest, loaded)
    else:
        # By a digest a key knows its request again, and a later process the picture. Where neither may ask,
        # the caller's bytes stay where they are: hashing a large picture takes as long as all of its submit.
        asked_for = ledger.durable or request.idempotency_key is not None
        held = frozenset[str]() if asked_for else media.given_as_bytes(request)
        ready = await media.kept(loaded, ledger, held)
        digest = "" if held else request_digest(ready)  # the ledger has just hashed what is large
    return JobRecord(
        id=JobId(str(uuid.uuid4())),
        state=State.QUEUED,
        request=ready,
        digest=digest,
        idempotency_key=request.idempotency_key,
        provider=provider.name,
        origin=provider.origin,
        model=model,
        cost_estimate=provider.estimate(request, model),
        created_at=time.time(),
    )
