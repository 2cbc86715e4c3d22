"""The body of a `predictLongRunning`: instances, parameters, and places for media.

The Gemini format and Vertex AI share it but for how media are written, which a surface passes as functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from veo_async.errors import InvalidRequestError
from veo_async.models import Media, Problem, VideoRequest
from veo_async.wire import Base64Media

__all__ = [
    "MediaWriter",
    "encoded",
    "instance",
    "mark",
    "parameters",
    "problems",
    "unknown_fields",
    "written_bytes",
]

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


def unknown_fields(request: VideoRequest, shown: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the fields of `request` that a surface has no parameter for.

    Args:
        request: What is asked for.
        shown: A value in JSON by the name of each such field, for the way out.
    """
    for name, value in shown.items():
        if getattr(request, name) is not None:
            yield Problem(
                field=name,
                message=f"the Gemini format has no {name}, Vertex AI has: leave it out, or give a gateway "
                f'that takes it extra={{"{_PARAMETERS[name]}": {value}}}',
            )


MediaWriter = Callable[[Media, list[Media]], dict[str, str]]
"""Returns what stands for a medium; one that is sent as bytes goes to the list, a mark in its place."""


def mark(index: int) -> str:
    """Return what stands in a body for the base64 text of the medium at `index`: the end of a string."""
    return f"\0{index}\0"


def written_bytes(medium: Media, media: list[Media]) -> dict[str, str]:
    """Return what stands for a medium that is sent as bytes."""
    media.append(medium)
    mime_type = {} if medium.mime_type is None else {"mimeType": medium.mime_type}
    return {"bytesBase64Encoded": mark(len(media) - 1), **mime_type}


def _written_uri(medium: Media, _: list[Media]) -> dict[str, str]:
    return {"uri": medium.uri or ""}  # the live API refused `encoding` beside it


def instance(
    request: VideoRequest,
    media: list[Media],
    *,
    picture: MediaWriter = written_bytes,
    video: MediaWriter = _written_uri,
) -> dict[str, Any]:
    """Return the instance.

    Args:
        request: What is asked for.
        media: Takes what is sent as bytes, in the order of the body.
        picture: How a picture is written.
        video: How a video is written.
    """
    members: dict[str, Any] = {"prompt": request.prompt}
    for key, medium in (("image", request.image), ("lastFrame", request.last_frame)):
        if medium is not None:
            members[key] = picture(medium, media)
    if request.video is not None:
        members["video"] = video(request.video, media)
    if request.reference_images:
        members["referenceImages"] = [
            {"image": picture(medium, media), "referenceType": medium.reference_type or "asset"}
            for medium in request.reference_images
        ]
    return members


_MARK: Final = re.compile(r'(?<=[",])\\u0000([0-9]{1,4})\\u0000(?=")')
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
