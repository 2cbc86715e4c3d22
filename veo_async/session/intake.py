"""From a request to a durable row: checked as a whole, its media read and kept."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import anyio.to_thread
from attrs import evolve

from veo_async.codec import request_digest
from veo_async.engine.lifecycle import State
from veo_async.errors import InvalidRequestError
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId, Media, VideoRequest
from veo_async.providers import Provider
from veo_async.sniffing import HEAD_BYTES, mime_type_of

__all__ = ["MAX_MEDIA_BYTES", "check", "take_in"]

MAX_MEDIA_BYTES = 64 << 20
"""No surface takes more in one request; checked before the file is read."""


def check(request: VideoRequest, provider: Provider) -> str:
    """Return the provider's model name for a request that can be sent.

    Raises:
        InvalidRequestError: It cannot; names every field that is at fault, and the remedy.
    """
    model = provider.model_name(request.model)
    problems = provider.dialect.problems(request, model)
    if problems:
        text = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        raise InvalidRequestError(f"{provider.name} cannot be sent this: {text}", field=problems[0].field)
    return model


async def take_in(request: VideoRequest, provider: Provider, ledger: Ledger) -> JobRecord:
    """Return the row of a new job: the request as it will be sent, media by digest in the ledger.

    Raises:
        InvalidRequestError: It cannot be sent as it is, or a medium cannot be read.
        LedgerError: Its media could not be kept.
    """
    model = check(request, provider)
    kept = await _keep_media(request, ledger)
    return JobRecord(
        id=JobId(str(uuid.uuid4())),
        state=State.QUEUED,
        request=kept,
        digest=request_digest(kept),
        idempotency_key=request.idempotency_key,
        provider=provider.name,
        origin=provider.origin,
        model=model,
        cost_estimate=provider.estimate(request, model),
        created_at=time.time(),
    )


async def _keep_media(request: VideoRequest, ledger: Ledger) -> VideoRequest:
    async def kept(field: str, media: Media | None) -> Media | None:
        return None if media is None else await _keep(field, media, ledger)

    references: list[Media] = []
    for position, media in enumerate(request.reference_images):
        references.append(await _keep(f"reference_images[{position}]", media, ledger))
    return evolve(
        request,
        image=await kept("image", request.image),
        last_frame=await kept("last_frame", request.last_frame),
        video=await kept("video", request.video),
        reference_images=tuple(references),
    )


async def _keep(field: str, media: Media, ledger: Ledger) -> Media:
    if media.uri is not None or media.sha256 is not None:
        return media
    data = media.data
    if media.path is not None:
        data = await anyio.to_thread.run_sync(_read, field, media.path)
    if not data:
        raise InvalidRequestError(f"{field} is empty: give a picture or video with content", field=field)
    mime_type = _mime_type(field, media, data)
    return Media(sha256=await ledger.keep(data), size=len(data), mime_type=mime_type)


def _read(field: str, path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_MEDIA_BYTES:
            raise InvalidRequestError(
                f"{field}: {path} is larger than {MAX_MEDIA_BYTES >> 20} MiB, give a smaller file",
                field=field,
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
    raise InvalidRequestError(f"{field}: {path} cannot be read: {reason}", field=field)


def _mime_type(field: str, media: Media, data: bytes) -> str:
    found = mime_type_of(data[:HEAD_BYTES])
    wanted = "video" if field == "video" else "image"
    if found is None or not found.startswith(wanted):
        name = media.path or "its content"
        raise InvalidRequestError(
            f"{field}: {name} is no {wanted} ({found or 'of no known type'}); "
            f"give a {'PNG, JPEG or WebP' if wanted == 'image' else 'MP4'} file",
            field=field,
        )
    return media.mime_type or found
