"""From a request to a durable row: checked as a whole, its media read and kept."""

from __future__ import annotations

import time
import uuid
from typing import get_args

import anyio.to_thread

from veo_async.codec import request_digest
from veo_async.engine.lifecycle import State
from veo_async.errors import InvalidRequestError
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId, Priority, Problem, VideoRequest
from veo_async.providers import Provider
from veo_async.session import media

__all__ = ["check", "take_in"]


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


async def take_in(request: VideoRequest, provider: Provider, ledger: Ledger) -> JobRecord:
    """Return the row of a new job: the request as it will be sent, media by digest in the ledger or by URL.

    Raises:
        InvalidRequestError: It cannot be sent as it is, or a medium cannot be read.
        NotSentError: The provider's `upload=` failed.
        LedgerError: Its media could not be kept.
    """
    model = check(request, provider)
    loaded = await media.loaded(request)
    if provider.capabilities.url_only_media and provider.upload is not None:
        # Here and not at the submit: between a quota's grant and its use nothing may take its time.
        ready = await media.hosted(loaded, provider.upload, ledger)
        # By content: the same picture may get another URL each time. Hashing it would hold up the loop.
        digest = await anyio.to_thread.run_sync(request_digest, loaded)
    else:
        ready = await media.kept(loaded, ledger)
        digest = request_digest(ready)  # the ledger has just hashed what is large
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
