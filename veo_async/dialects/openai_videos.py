"""OpenAI-style videos, the most common other shape of gateways (protocol §5).

Submit `POST /v1/videos`, status `GET /v1/videos/{id}`, bytes `GET /v1/videos/{id}/content` with the key, list
`GET /v1/videos`. Some gateways wrap answers: `{code: "success", data: {status: "SUCCEEDED"}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

from attrs import evolve, field, frozen

from veo_async.answers import Empty, Finished, Listed, Refused, Running, Unreadable
from veo_async.dialects import fields, gateway_errors, refusals
from veo_async.dialects.dialect import Capabilities
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.flat_requests import FlatRequest
from veo_async.dialects.instances import mark
from veo_async.dialects.refusals import ErrorBody
from veo_async.dialects.shape import Shape
from veo_async.dialects.tasks import READ_HEADERS, Stage, Task, TaskDialect, fraction, word_of
from veo_async.errors import ProtocolError
from veo_async.models import Media, VideoRequest
from veo_async.wire import Request, Response

__all__ = ["SHAPE", "OpenAIVideosDialect"]

PATHS: Final[Mapping[str, str]] = {
    "submit": "/v1/videos",
    "check": "/v1/videos/{id}",
    "content": "/v1/videos/{id}/content",
    "list": "/v1/videos",
}
FIELDS: Final[Mapping[str, str]] = {}
WORDS: Final[Mapping[str, Stage]] = {
    **dict.fromkeys(
        ("queued", "in_progress", "pending", "processing", "running", "submitted", "not_start"), Stage.RUNNING
    ),
    **dict.fromkeys(("completed", "succeeded", "success"), Stage.DONE),
    **dict.fromkeys(("failed", "failure", "error", "cancelled"), Stage.FAILED),
}

PAGE_SIZE: Final = 100
_SIZES: Final[Mapping[tuple[str, str], str]] = {
    ("720p", "16:9"): "1280x720",
    ("720p", "9:16"): "720x1280",
    ("1080p", "16:9"): "1920x1080",
    ("1080p", "9:16"): "1080x1920",
    ("4k", "16:9"): "3840x2160",
    ("4k", "9:16"): "2160x3840",
}
"""`size` by resolution and aspect ratio."""


@frozen(kw_only=True)
class OpenAIVideosDialect(TaskDialect):
    """OpenAI-style videos at one service."""

    paths: Mapping[str, str] = PATHS
    fields: Mapping[str, str] = FIELDS
    words: Mapping[str, Stage] = WORDS
    seconds_as_number: bool = False
    """Write `seconds` as a number; OpenAI documents a string."""
    reference_as_object: bool = False
    """Write `input_reference` as `{"image_url": …}` and not as the URL itself."""
    capabilities: Capabilities = field(default=Capabilities())

    CONTENT_IS_PUBLIC: ClassVar[bool] = False

    def flat(self, request: VideoRequest, model: str) -> FlatRequest:
        """Return the body; a picture's bytes go as a data URL."""
        size, seconds = _size(request), request.duration_seconds
        members: dict[str, Any] = {"model": model}
        if seconds is not None:
            members["seconds"] = seconds if self.seconds_as_number else str(seconds)
        if size is not None:
            members["size"] = size
        media: tuple[Media, ...] = ()
        if request.image is not None:
            media = () if request.image.uri else (request.image,)
            members["input_reference"] = self._reference(request.image)
        return FlatRequest(
            request=request,
            model=model,
            fields=self.fields,
            members=members,
            media=media,
            takes=frozenset({"image"}),
            covered=frozenset({"duration_seconds", *(("resolution", "aspect_ratio") if size else ())}),
        )

    def _reference(self, image: Media) -> str | dict[str, str]:
        url = image.uri or f"data:{image.mime_type or 'image/png'};base64,{mark(0)}"
        return {"image_url": url} if self.reference_as_object else url

    def read(self, body: JsonObject) -> Task | ErrorBody:
        """Return the video's task, wrapped or not, or the error of the request."""
        holder, path = _unwrapped(body)
        word = fields.text(holder, "status", path)
        failure = _request_error(body)
        if failure is not None and not (word and self.words.get(word_of(word)) is Stage.FAILED):
            return failure
        name = fields.text(holder, "id", path) or fields.text(holder, "task_id", path)
        error = gateway_errors.read(holder)
        if word is None and name is None:
            if error is not None:
                return error
            raise ProtocolError("the answer is no video: it has neither id nor status")
        return Task(id=name, word=word, progress=fraction(holder.get("progress")), error=error)

    def settled(self, task: Task, request: VideoRequest | None = None) -> Running | Finished | Empty:
        """Return what a task comes to: a finished one's bytes are under its id, whatever the answer holds."""
        if task.id is not None:
            task = evolve(task, urls=(self.url(self.status_base_url, "content", id=task.id),))
        return super().settled(task, request)

    def list_page(self, model: str, page_token: str | None) -> Request:  # noqa: ARG002  it lists all models
        """Encode a request for a page of the videos, newest first."""
        after = "" if page_token is None else f"&after={quote(page_token, safe='')}"
        url = f"{self.url(self.status_base_url, 'list')}?limit={PAGE_SIZE}{after}"
        return Request(method="GET", url=url, headers=READ_HEADERS)

    def read_list(self, response: Response, model: str) -> Listed | Refused | Unreadable:  # noqa: ARG002
        """Decode a page of videos; one that cannot be read is left out, so it is asked for alone."""
        body = self.body_of(response)
        if isinstance(body, Refused | Unreadable):
            return body
        try:
            error = _request_error(body)
            return self.refused(error, response, body) if error else self._listed(body)
        except ProtocolError as error:
            return refusals.unreadable(response, error.message, error.path)

    def _listed(self, body: JsonObject) -> Listed:
        page, path = _unwrapped(body)
        entries = fields.objects(page, "data", path)
        answers: dict[str, Running | Finished | Empty | Refused] = {}
        for entry in entries:
            try:
                task = self.read(entry)
            except ProtocolError:
                continue
            if isinstance(task, Task) and task.id is not None:
                answers[task.id] = self.settled(evolve(task, raw=entry))
        last = fields.text(page, "last_id", path) or (
            fields.text(entries[-1], "id", path) if entries else None
        )
        return Listed(answers=answers, next_page_token=last if page.get("has_more") is True else None)


def _size(request: VideoRequest) -> str | None:
    """Return the size that is asked for; None where nothing is, or no size is known for it."""
    if request.resolution is None and request.aspect_ratio is None:
        return None
    return _SIZES.get((request.resolution or "720p", request.aspect_ratio or "16:9"))


def _unwrapped(body: JsonObject) -> tuple[JsonObject, str]:
    inner = body.get("data")
    return (inner, "$.data") if fields.is_object(inner) else (body, "$")


def _request_error(body: JsonObject) -> ErrorBody | None:
    """Return what a wrapped answer refuses by its `code`, or an answer without a video by its `error`."""
    has_video = body.get("id") is not None or body.get("data") is not None
    return gateway_errors.read_envelope(body) or (None if has_video else gateway_errors.read(body))


def _made(*, can_list: bool = False, **parts: Any) -> OpenAIVideosDialect:
    return OpenAIVideosDialect(capabilities=Capabilities(can_list=can_list), **parts)


SHAPE: Final = Shape(
    name="openai-videos",
    dialect=_made,
    paths=PATHS,
    fields=FIELDS,
    words=WORDS,
    options={"seconds_as_number": bool, "reference_as_object": bool, "can_list": bool},
)
