"""A request's pictures and videos: looked at, then kept by the ledger or put where a provider finds them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import anyio.to_thread
from attrs import evolve

from veo_async.errors import ConfigurationError, InvalidRequestError, NotSentError
from veo_async.ledger.ledger import Ledger
from veo_async.models import Media, Problem, VideoRequest
from veo_async.providers import Provider, Upload
from veo_async.sniffing import HEAD_BYTES, mime_type_of

__all__ = ["MAX_MEDIA_BYTES", "given_as_bytes", "homeless", "hosted", "kept", "loaded"]

MAX_MEDIA_BYTES = 64 << 20
"""No surface takes more in one request; checked before the file is read."""

_WAY_OUT: Final = (
    "this service takes pictures by their URLs only. Give an https:// URL, or give the provider upload=, an "
    "async callable that puts a picture somewhere and returns its URL: "
    "async def upload(media): return await my_bucket.put(media.data, media.mime_type)"
)
_WEB: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)


def homeless(request: VideoRequest, provider: Provider) -> Iterator[Problem]:
    """Yield the media of this machine that a service of URLs cannot get at."""
    if provider.dialect.capabilities.url_only_media and provider.upload is None:
        fields = (field for field, media in _named(request) if media.uri is None)
        yield from (Problem(field=field, message=_WAY_OUT) for field in fields)


def _named(request: VideoRequest) -> Iterator[tuple[str, Media]]:
    references = ((f"reference_images[{n}]", media) for n, media in enumerate(request.reference_images))
    single = (("image", request.image), ("last_frame", request.last_frame), ("video", request.video))
    # What is no medium at all is among the request's other problems.
    yield from ((field, media) for field, media in single if isinstance(media, Media))
    yield from references


async def loaded(request: VideoRequest) -> VideoRequest:
    """Return the request with the content of its files, looked at; what the ledger holds stays there.

    Raises:
        InvalidRequestError: A medium cannot be read, or is none.
    """

    async def load(field: str, media: Media) -> Media:
        if media.uri is not None or media.sha256 is not None:
            return media
        data = media.data
        if media.path is not None:
            data = await anyio.to_thread.run_sync(_read, field, media.path)
        data = bytes(data or b"")  # what is bytes is not copied; anything else might still change
        if not data and media.size:
            raise InvalidRequestError(
                f"{field} was let go of when its job was accepted: give it again",
                field=field,
            )
        if not data:
            raise InvalidRequestError(f"{field} is empty: give a picture or video with content", field=field)
        mime_type = _mime_type(field, media, data)
        return evolve(media, path=None, data=data, size=len(data), mime_type=mime_type)

    return await _each(request, load)


def given_as_bytes(request: VideoRequest) -> frozenset[str]:
    """Return the fields whose media are the caller's own bytes."""
    return frozenset(field for field, media in _named(request) if media.data is not None)


async def kept(request: VideoRequest, ledger: Ledger, held: frozenset[str]) -> VideoRequest:
    """Return the request with its loaded media by digest, the ledger holding their content.

    Media of the fields that are `held` stay as they are.

    Raises:
        LedgerError: They could not be kept.
    """

    async def keep(field: str, media: Media) -> Media:
        if media.data is None or field in held:
            return media
        return evolve(media, data=None, sha256=await ledger.keep(media.data))

    return await _each(request, keep)


async def hosted(request: VideoRequest, upload: Upload, ledger: Ledger) -> VideoRequest:
    """Return the request with the URLs that its loaded media got from the provider's `upload=`.

    Raises:
        LedgerError: The ledger does not hold what it was said to hold.
        NotSentError: The callable failed.
        ConfigurationError: What it returned is no URL.
    """

    async def host(field: str, media: Media) -> Media:
        if media.sha256 is not None:
            media = evolve(media, sha256=None, data=await _content(media.sha256, ledger))
        return media if media.data is None else Media.from_uri(await _uploaded(field, media, upload))

    return await _each(request, host)


async def _uploaded(field: str, media: Media, upload: Upload) -> str:
    try:
        url = await upload(media)
    except Exception as error:
        message = f"{field}: upload= failed with {type(error).__name__}; nothing was sent, enqueue it again"
        raise NotSentError(message) from error
    return _checked_url(field, url)


def _checked_url(field: str, url: object) -> str:
    if not isinstance(url, str) or _WEB.fullmatch(url) is None:
        raise ConfigurationError(f"{field}: upload= must return the picture's URL, as in https://…")
    return url


async def _each(request: VideoRequest, change: Callable[[str, Media], Awaitable[Media]]) -> VideoRequest:
    given = dict(_named(request))
    changed = {field: await change(field, media) for field, media in given.items()}
    if all(changed[field] is media for field, media in given.items()):
        return request
    count = len(request.reference_images)
    return evolve(
        request,
        image=changed.get("image"),
        last_frame=changed.get("last_frame"),
        video=changed.get("video"),
        reference_images=tuple(changed[f"reference_images[{n}]"] for n in range(count)),
    )


async def _content(sha256: str, ledger: Ledger) -> bytes:
    content = await ledger.content(sha256)
    return await anyio.to_thread.run_sync(content.read_bytes) if isinstance(content, Path) else content


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
