"""Google's long-running operations: from a decoded answer to running, finished or empty.

The samples of a finished operation stand in one of several places, by who answers; all of them are taken:

===================================================================  =====================
`response.generateVideoResponse.generatedSamples[].video`            Google, GPTProto's docs
`response.generatedSamples[].video`                                  seed 001
`response.generatedVideos[].video`, `generated_videos`               gateways
`response.videos[]`                                                  Vertex AI
===================================================================  =====================
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from veo_async.answers import Empty, Finished, Running
from veo_async.dialects import fields, support_codes
from veo_async.dialects.excerpts import excerpt, without_base64
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.refusals import ErrorBody, read_error
from veo_async.errors import ProtocolError
from veo_async.models import Failed, Filtered, Result, Succeeded, Video
from veo_async.wire import NO_PARTS, Part

__all__ = ["created_at", "failed", "is_operation", "read_operation"]

_LISTS: Final = ("generatedSamples", "generatedVideos", "generated_videos", "videos")
_URIS: Final = ("uri", "gcsUri")
_INLINE: Final = ("encodedVideo", "bytesBase64Encoded")
_TYPES: Final = ("mimeType", "encoding")
_RUNNING: Final = Running()
_CHUNK: Final = 4 * 64 * 1024
"""Characters decoded at once: decoding holds the interpreter's lock, in a thread just the same."""

_Parts = Mapping[str, Part]


def is_operation(body: JsonObject) -> bool:
    """Return whether an answer is an operation at all, rather than an error under status 200."""
    name = body.get("name")
    return (isinstance(name, str) and name != "") or body.get("done") is not None


def read_operation(
    body: JsonObject, path: str = "$", *, parts: _Parts = NO_PARTS
) -> Running | Finished | Empty:
    """Return what an operation says of itself.

    Args:
        body: The operation.
        path: Where it stands in the answer.
        parts: What was cut out of the answer.

    Raises:
        ProtocolError: a member is of another type than documented; `path` names it.
    """
    if "done" not in body and "error" not in body and "response" not in body:
        return _RUNNING  # what most are told
    done = fields.boolean(body, "done", path)
    response = fields.sub_object(body, "response", path)
    error = _error(body, path)
    if not done and error is None and response is None:
        return _RUNNING
    if done or (done is None and error is not None):  # an error code is final, also where `done` was left out
        return _ended(error, response, body, path, parts)
    beside = [key for key, value in (("error", error), ("response", response)) if value is not None]
    return Running(flags=tuple(f"{key} beside an operation that is not done" for key in beside))


def created_at(body: JsonObject) -> float | None:
    """Return when an operation was created, in seconds since 1970, where its metadata says so."""
    metadata = body.get("metadata")
    text = metadata.get("createTime") if fields.is_object(metadata) else None
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    # RFC 3339 has a zone always; without one nobody can tell whose clock it is.
    return None if instant is None or instant.tzinfo is None else instant.timestamp()


def _error(body: JsonObject, path: str) -> ErrorBody | None:
    """Return the operation's error; an empty object and gRPC's code 0 without a word are none."""
    if not fields.sub_object(body, "error", path):
        return None
    error = read_error(body, path)
    return None if error is None or (error.code == 0 and not error.message) else error


def _ended(
    error: ErrorBody | None, response: JsonObject | None, body: JsonObject, path: str, parts: _Parts
) -> Finished | Empty:
    if error is not None:  # with a response beside it, too: the error wins, `raw` keeps both
        return Finished(outcome=failed(error, body))
    holders = tuple(_holders(response, f"{path}.response")) if response else ()
    videos = _videos(holders, parts)
    count, reasons = _filtered(holders)
    if videos:
        result = Result(videos=videos, filtered=count, filtered_reasons=reasons)
        return Finished(outcome=Succeeded(result=result, raw=without_base64(body)))
    if count:
        return Finished(outcome=_all_filtered(count, reasons, body))
    return Empty(outcome=_empty(body))


def failed(error: ErrorBody, body: JsonObject) -> Failed:
    """Return the outcome of a job that ended with an error, `body` being the answer that said so."""
    # Code 3 is a bad request or a safety block, and gateways put other codes there: the words tell.
    about_content = support_codes.speaks_of_policy(error.text)
    return Failed(
        reason="content" if about_content else "error",
        code=error.code,
        message=excerpt(error.message),
        categories=support_codes.categories(error.message),
        billed="no" if about_content else support_codes.billed_by(error.message),
        raw=without_base64(body),
    )


def _all_filtered(count: int, reasons: tuple[str, ...], body: JsonObject) -> Filtered:
    words = " ".join(reasons)
    return Filtered(
        reasons=reasons,
        count=count,
        categories=support_codes.categories(words),
        billed=support_codes.billed_by(words),
        raw=without_base64(body),
    )


def _empty(body: JsonObject) -> Failed:
    # python-genai#1560: done, with neither response nor error.
    message = "the operation is done and has neither a video nor an error"
    return Failed(reason="empty", message=message, raw=without_base64(body))


_Holder = tuple[JsonObject, str]
"""An object that samples and filter counts may stand in, and its path."""


def _holders(response: JsonObject, path: str) -> Iterator[_Holder]:
    yield response, path
    nested = fields.sub_object(response, "generateVideoResponse", path)
    if nested is not None:
        yield nested, f"{path}.generateVideoResponse"


def _filtered(holders: tuple[_Holder, ...]) -> tuple[int, tuple[str, ...]]:
    """Return how many videos were held back, and why; both stand nested or flat."""
    reasons = tuple(
        dict.fromkeys(
            excerpt(text)
            for at, path in holders
            for text in fields.texts(at, "raiMediaFilteredReasons", path)
        )
    )
    counts = [fields.count(at, "raiMediaFilteredCount", path) for at, path in holders]
    return max(counts, default=0) or len(reasons), reasons


def _videos(holders: tuple[_Holder, ...], parts: _Parts) -> tuple[Video, ...]:
    found: list[Video] = []
    for sample, path in _samples(holders):
        video = _video(sample, path, len(found), parts)
        if video is not None and not any(video.uri and video.uri == other.uri for other in found):
            found.append(video)
    return tuple(found)


def _samples(holders: tuple[_Holder, ...]) -> Iterator[_Holder]:
    for holder, path in holders:
        for key in _LISTS:
            for index, item in enumerate(fields.objects(holder, key, path)):
                at = f"{path}.{key}[{index}]"
                nested = fields.sub_object(item, "video", at)
                yield (item, at) if nested is None else (nested, f"{at}.video")


def _first(sample: JsonObject, keys: tuple[str, ...], path: str) -> tuple[str, str] | None:
    for key in keys:
        value = fields.text(sample, key, path)
        if value:
            return value, f"{path}.{key}"
    return None


def _video(sample: JsonObject, path: str, index: int, parts: _Parts) -> Video | None:
    uri, inline = _first(sample, _URIS, path), _first(sample, _INLINE, path)
    if uri is None and inline is None:
        return None
    mime_type = _first(sample, _TYPES, path)
    part = parts.get(inline[0]) if inline else None
    if part is not None and inline and not part.sha256:
        raise ProtocolError(f"{inline[1]} is not base64", path=inline[1])
    return Video(
        uri=uri[0] if uri else None,
        data=_decoded(*inline) if inline and part is None else None,
        sha256=part.sha256 if part else None,
        mime_type=mime_type[0] if mime_type else None,
        index=index,
    )


def _decoded(text: str, path: str) -> bytes:
    try:
        if "=" in text[:-2]:
            raise ProtocolError(f"{path} is not base64: it goes on after its padding", path=path)
        return b"".join(
            a2b_base64(text[start : start + _CHUNK], strict_mode=True)
            for start in range(0, len(text), _CHUNK)
        )
    except (Base64Error, ValueError):
        raise ProtocolError(f"{path} is not base64", path=path) from None
