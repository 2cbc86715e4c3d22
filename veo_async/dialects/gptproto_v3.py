"""GPTProto's v3 format (seed 000, protocol §3); WaveSpeed's is the same.

Submit `POST /api/v3/google/{model}/{scene}`, status `GET /api/v3/predictions/{task_id}/result`. The trap:
the "success" on top is about the request; what becomes of the job stands in `data.status` or `result.status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from veo_async.dialects import fields, gateway_errors
from veo_async.dialects.dialect import Capabilities
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.flat_requests import FlatRequest, url_of
from veo_async.dialects.refusals import ErrorBody
from veo_async.dialects.shape import Shape
from veo_async.dialects.tasks import JSON_HEADERS, Stage, Task, TaskDialect, fraction, word_of
from veo_async.errors import ProtocolError
from veo_async.models import VideoRequest

__all__ = ["SHAPE", "GPTProtoV3Dialect"]

PATHS: Final[Mapping[str, str]] = {
    "submit": "/api/v3/google/{model}/{scene}",
    "check": "/api/v3/predictions/{id}/result",
}
FIELDS: Final[Mapping[str, str]] = {
    "aspect_ratio": "aspect_ratio",
    "resolution": "resolution",
    "enhance_prompt": "enhance_prompt",
}
WORDS: Final[Mapping[str, Stage]] = {
    **dict.fromkeys(("created", "processing", "running"), Stage.RUNNING),
    **dict.fromkeys(("completed", "succeeded"), Stage.DONE),
    **dict.fromkeys(("failed", "error"), Stage.FAILED),
}

_HOLDERS: Final = ("data", "result")
_REQUEST_IS_FINE: Final = "success"
_PICTURES: Final = frozenset({"image", "last_frame", "reference_images"})


@frozen(kw_only=True)
class GPTProtoV3Dialect(TaskDialect):
    """The v3 format at one service."""

    paths: Mapping[str, str] = PATHS
    fields: Mapping[str, str] = FIELDS
    words: Mapping[str, Stage] = WORDS
    capabilities: Capabilities = field(default=Capabilities(url_only_media=True))

    CHECK_HEADERS: ClassVar[Mapping[str, str]] = JSON_HEADERS  # seed 000 sends Content-Type on the GET

    def flat(self, request: VideoRequest, model: str) -> FlatRequest:
        """Return the body and the scene, which follows from the pictures."""
        return FlatRequest(
            request=request,
            model=model,
            fields=self.fields,
            places={"scene": _scene(request)},
            members=_pictures(request),
            takes=_PICTURES,
        )

    def read(self, body: JsonObject) -> Task | ErrorBody:
        """Return the task of an envelope, or the error of the request."""
        holder = _holder(body)
        task = None if holder is None else self._task_in(*holder, body)
        # A task that failed is the job's own end, whatever number the envelope has.
        if task is not None and task.word and self.words.get(word_of(task.word)) is Stage.FAILED:
            return task
        return _request_error(body) or task or _nothing(body)

    def _task_in(self, holder: JsonObject, path: str, body: JsonObject) -> Task:
        word = fields.text(holder, "status", path)
        is_fine = word_of(fields.text(body, "status", "$") or "") == _REQUEST_IS_FINE
        return Task(
            id=fields.text(holder, "id", path) or fields.text(holder, "task_id", path),
            word=word,
            # Only where no status of the job is there does the request's "success" speak for it.
            stage=Stage.DONE if word is None and is_fine else None,
            urls=_urls(holder, path),
            progress=fraction(holder.get("progress")),
            error=gateway_errors.read(holder),
        )


def _scene(request: VideoRequest) -> str:
    if request.reference_images:
        return "reference-to-video"
    return "text-to-video" if request.image is None else "image-to-video"


def _pictures(request: VideoRequest) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if request.image is not None:
        members["image"] = url_of(request.image)
    if request.last_frame is not None:
        members["last_image"] = url_of(request.last_frame)
    if request.reference_images:
        members["images"] = [url_of(media) for media in request.reference_images]
    return members


def _holder(body: JsonObject) -> tuple[JsonObject, str] | None:
    """Return the object that the job's own status stands in."""
    found = [
        (holder, f"$.{key}") for key in _HOLDERS if (holder := fields.sub_object(body, key, "$")) is not None
    ]
    return next((pair for pair in found if pair[0].get("status")), found[0] if found else None)


def _request_error(body: JsonObject) -> ErrorBody | None:
    """Return what the envelope refuses: by its `code`, else by an `error` on top."""
    error = gateway_errors.read_envelope(body)
    return gateway_errors.read({"error": body["error"]}) if error is None and body.get("error") else error


def _nothing(body: JsonObject) -> ErrorBody:
    word = fields.text(body, "status", "$")
    if word is not None and word_of(word) != _REQUEST_IS_FINE:
        return gateway_errors.read(body) or ErrorBody(message=word)
    raise ProtocolError("the answer holds neither a task nor an error")


def _urls(holder: JsonObject, path: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url for url in fields.texts(holder, "outputs", path) if url))


SHAPE: Final = Shape(
    name="gptproto-v3", dialect=GPTProtoV3Dialect, paths=PATHS, fields=FIELDS, words=WORDS, key_prefix=""
)
