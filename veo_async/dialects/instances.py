"""The body of a submit in the Gemini format: instances, parameters, and places for media."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from veo_async.errors import InvalidRequestError
from veo_async.models import Media, Problem, VideoRequest
from veo_async.wire import Base64Media

__all__ = ["encoded", "instance", "parameters", "problems"]

_PARAMETERS: Final = {
    "aspect_ratio": "aspectRatio",
    "resolution": "resolution",
    "duration_seconds": "durationSeconds",
    "negative_prompt": "negativePrompt",
    "person_generation": "personGeneration",
    "enhance_prompt": "enhancePrompt",
    "seed": "seed",
    "sample_count": "sampleCount",  # numberOfVideos is refused on the wire
    "generate_audio": "generateAudio",
    "storage_uri": "storageUri",
}


def problems(request: VideoRequest) -> Iterator[Problem]:
    """Yield the media of `request` that this format has no place for."""
    references = ((f"reference_images[{n}]", media) for n, media in enumerate(request.reference_images))
    for name, media in (("image", request.image), ("last_frame", request.last_frame), *references):
        if isinstance(media, Media) and media.uri is not None:
            message = f"{name} is a URL, and this service takes pictures as bytes only: download it and give "
            yield Problem(field=name, message=f"{message}its path or bytes")
    if isinstance(request.video, Media) and request.video.uri is None:
        yield Problem(
            field="video",
            message="this service takes a video by its URL only: give one that it made, or can fetch",
        )


def instance(request: VideoRequest, media: list[Media]) -> dict[str, Any]:
    """Return the instance; each picture goes to `media`, a mark in its place."""
    members: dict[str, Any] = {"prompt": request.prompt}
    for key, picture in (("image", request.image), ("lastFrame", request.last_frame)):
        if picture is not None:
            members[key] = _picture(picture, media)
    if request.video is not None:
        members["video"] = {"uri": request.video.uri}  # the live API refused `encoding` beside it
    if request.reference_images:
        members["referenceImages"] = [
            {"image": _picture(picture, media), "referenceType": "asset"}
            for picture in request.reference_images
        ]
    return members


def _picture(picture: Media, media: list[Media]) -> dict[str, str]:
    media.append(picture)
    mark = f"\0{len(media) - 1}\0"
    mime_type = {} if picture.mime_type is None else {"mimeType": picture.mime_type}
    return {"bytesBase64Encoded": mark, **mime_type}


_MARK: Final = re.compile(r'(?<=")\\u0000([0-9]{1,4})\\u0000(?=")')
"""A mark as JSON writes it. No other text can look so: NUL is refused in all of them."""


def encoded(body: Mapping[str, Any], media: Sequence[Media]) -> tuple[bytes | Base64Media, ...]:
    """Return the body's parts: base64 is never made here, pictures are encoded as they are sent."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    parts = _MARK.split(text)  # text, index, text, index, …, text
    if [int(index) for index in parts[1::2]] != list(range(len(media))):
        raise InvalidRequestError("a text of the request has NUL characters: take them out")
    return tuple(
        Base64Media(media[int(part)]) if place % 2 else part.encode() for place, part in enumerate(parts)
    )


def parameters(request: VideoRequest, *, as_string: bool) -> dict[str, Any]:
    """Return the parameters that are set; `as_string` writes the duration as seed 003's table does."""
    values = {key: getattr(request, name) for name, key in _PARAMETERS.items()}
    chosen = {key: value for key, value in values.items() if value is not None}
    if as_string and "durationSeconds" in chosen:
        chosen["durationSeconds"] = str(chosen["durationSeconds"])
    return {**chosen, **request.extra}
