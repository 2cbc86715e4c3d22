"""The unified video format of many gateways (seed 002: chainhub; protocol §4).

Submit `POST /v1/video/create`, status `GET /v1/video/query?id=…`. A task goes through many words, some of
which look like the end and are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from veo_async.dialects import fields, gateway_errors
from veo_async.dialects.checks import is_model_name
from veo_async.dialects.dialect import Capabilities
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.flat_requests import FlatRequest, url_of
from veo_async.dialects.refusals import ErrorBody
from veo_async.dialects.shape import Shape
from veo_async.dialects.tasks import JSON_HEADERS, Stage, Task, TaskDialect, fraction
from veo_async.errors import ProtocolError
from veo_async.models import VideoRequest

__all__ = ["SHAPE", "UnifiedDialect"]

PATHS: Final[Mapping[str, str]] = {"submit": "/v1/video/create", "check": "/v1/video/query?id={id}"}
FIELDS: Final[Mapping[str, str]] = {"aspect_ratio": "aspect_ratio", "enhance_prompt": "enhance_prompt"}
# Protocol §4's table; upsampling comes after the making, so the making's end is not the task's.
WORDS: Final[Mapping[str, Stage]] = {
    **dict.fromkeys(
        (
            "pending",
            "queued",
            "image_downloading",
            "video_generating",
            "processing",
            "in_progress",
            "video_upsampling",
        ),
        Stage.RUNNING,
    ),
    "video_generation_completed": Stage.GENERATED,
    "video_upsampling_completed": Stage.UPSAMPLED,
    **dict.fromkeys(("completed", "succeed", "succeeded", "success", "finished"), Stage.DONE),
    **dict.fromkeys(("failed", "error", "cancelled", "video_generation_failed"), Stage.FAILED),
    "video_upsampling_failed": Stage.LESSER,
}

_PICTURES: Final = frozenset({"image", "last_frame", "reference_images"})
_PLAIN_RESOLUTION: Final = "720p"
_UPSAMPLED_RESOLUTION: Final = "1080p"
_MILLISECONDS: Final = 1e11
"""From here on a time is in milliseconds: as seconds it would be thousands of years ahead."""


@frozen(kw_only=True)
class UnifiedDialect(TaskDialect):
    """The unified video format at one service."""

    paths: Mapping[str, str] = PATHS
    fields: Mapping[str, str] = FIELDS
    words: Mapping[str, Stage] = WORDS
    capabilities: Capabilities = field(default=Capabilities(url_only_media=True))

    CHECK_HEADERS: ClassVar[Mapping[str, str]] = JSON_HEADERS  # seed 002 marks both as required

    def flat(self, request: VideoRequest, model: str) -> FlatRequest:
        """Return the body: pictures in the order first frame, last frame, references."""
        pictures = [media for media in (request.image, request.last_frame) if media is not None]
        urls = [url_of(media) for media in (*pictures, *request.reference_images)]
        members: dict[str, Any] = {"model": model}
        if urls:
            members["images"] = urls
        if self._enlarges(request):
            members["enable_upsample"] = True
        return FlatRequest(
            request=request,
            model=model,
            fields=self.fields,
            members=members,
            takes=_PICTURES,
            usual={"resolution": _PLAIN_RESOLUTION},
            covered=frozenset({"resolution"} if self._enlarges(request) else ()),
        )

    def asks_for_more(self, request: VideoRequest | None) -> bool:
        """Return whether enlarging may follow; `extra` has the last word on what was sent."""
        if request is None or "enable_upsample" in request.extra:
            return super().asks_for_more(request)
        return self._enlarges(request)

    def _enlarges(self, request: VideoRequest) -> bool:
        # 720p is what is made; 1080p is what enable_upsample makes of it.
        return request.resolution == _UPSAMPLED_RESOLUTION and "resolution" not in self.fields

    def read(self, body: JsonObject) -> Task | ErrorBody:
        """Return the task, or the error of the request: HTTP 200 can hold one."""
        error = gateway_errors.read(body)
        word = fields.text(body, "status", "$")
        if error is not None and not (word and body.get("id")) and self._stage(word) is not Stage.FAILED:
            return error
        if word is None and body.get("id") is None:
            raise ProtocolError("the answer is no task: it has neither id nor status")
        return Task(
            id=fields.text(body, "id", "$"),
            word=word,
            urls=_urls(body),
            thumbnails=_texts(body, "thumbnail_url"),
            enhanced_prompt=fields.text(body, "enhanced_prompt", "$"),  # as it came, fences of Markdown too
            progress=fraction(body.get("progress")),
            updated_at=_seconds(body.get("status_update_time")),
            error=error,
        )

    def _stage(self, word: str | None) -> Stage | None:
        return self.words.get((word or "").strip().lower())

    def model_of(self, operation: str) -> str | None:
        """Return the model in front of an id's colon, as in seed 002; a UUID has none."""
        model, colon, _ = operation.partition(":")
        return model if colon and is_model_name(model) else None


def _texts(holder: JsonObject, key: str, path: str = "$") -> tuple[str, ...]:
    found = fields.text(holder, key, path)
    return (found,) if found else ()


def _urls(body: JsonObject) -> tuple[str, ...]:
    """Return the video's URL; where `video_url` is null it may stand in `detail`."""
    detail = body.get("detail")
    inner = _texts(detail, "video_url", "$.detail") if fields.is_object(detail) else ()
    return _texts(body, "video_url") or inner


def _seconds(value: object) -> float | None:
    """Return a time in seconds: milliseconds in seed 002, seconds elsewhere."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value / 1000 if value >= _MILLISECONDS else float(value)


SHAPE: Final = Shape(name="unified", dialect=UnifiedDialect, paths=PATHS, fields=FIELDS, words=WORDS)
