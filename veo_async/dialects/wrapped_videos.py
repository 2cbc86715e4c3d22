"""OpenAI-style videos whose answers come in an envelope (protocol §5), as gateways of the new-api kind do.

Submit `POST /v1/videos`, status `GET /v1/videos/{id}`; an answer is `{code: "success", message, data:
{task_id, status: "SUCCESS", progress: "100%", result_url, fail_reason}}`. The trap: `code` is about the
*request*; what becomes of the job stands in `data.status`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from attrs import frozen

from veo_async.dialects import fields, gateway_errors
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.openai_style import FIELDS, OPTIONS, OpenAIStyleDialect
from veo_async.dialects.refusals import ErrorBody
from veo_async.dialects.shape import Shape
from veo_async.dialects.tasks import Stage, Task, fraction, word_of
from veo_async.errors import ProtocolError

__all__ = ["SHAPE", "WrappedVideosDialect"]

PATHS: Final[Mapping[str, str]] = {"submit": "/v1/videos", "check": "/v1/videos/{id}"}
WORDS: Final[Mapping[str, Stage]] = {
    **dict.fromkeys(("not_start", "submitted", "queued", "in_progress"), Stage.RUNNING),
    **dict.fromkeys(("success", "succeeded"), Stage.DONE),
    **dict.fromkeys(("failure", "failed"), Stage.FAILED),
}

_URLS: Final = ("video_url", "result_url", "url")
_WEB: Final = re.compile(r"https?://\S+", re.IGNORECASE)


@frozen(kw_only=True)
class WrappedVideosDialect(OpenAIStyleDialect):
    """OpenAI-style videos, wrapped, at one service."""

    paths: Mapping[str, str] = PATHS
    words: Mapping[str, Stage] = WORDS

    # A video may be at the service itself, which wants the key; it goes to no other origin anyway.
    CONTENT_IS_PUBLIC: ClassVar[bool] = False

    def read(self, body: JsonObject) -> Task | ErrorBody:
        """Return the task in the envelope, or the error that the envelope's `code` speaks of."""
        refused = gateway_errors.read_envelope(body)
        if refused is not None and not self._has_failed(body.get("data")):
            return refused
        if _is_bare(body):
            return _task(body, "$")
        holder = fields.sub_object(body, "data", "$")
        return _bare_error(body) if holder is None else _task(holder, "$.data")

    def _has_failed(self, data: object) -> bool:
        """Return whether a job names itself and has failed: its own end, whatever the request's `code` is."""
        if not fields.is_object(data) or not _names_itself(data):
            return False
        return self.words.get(word_of(str(data.get("status")))) is Stage.FAILED


def _names_itself(holder: JsonObject) -> bool:
    return bool(holder.get("task_id") or holder.get("id"))


def _is_bare(body: JsonObject) -> bool:
    """Return whether an answer is the task itself: some gateways wrap checks, and submits not."""
    return body.get("code") is None and _names_itself(body)


def _bare_error(body: JsonObject) -> ErrorBody:
    """Return the error of an answer without an envelope; a "success" with nothing in it is no error."""
    error = gateway_errors.read(body) if body.get("code") is None else None
    if error is None:
        raise ProtocolError("the answer holds neither a task nor an error", path="$.data")
    return error


def _task(holder: JsonObject, path: str) -> Task:
    # Beside a `task_id`, `id` is the number of a row in the gateway's own table.
    name = fields.text(holder, "task_id", path) or fields.text(holder, "id", path)
    word = fields.text(holder, "status", path)
    if name is None and word is None:
        raise ProtocolError("the answer is no task: it has neither id nor status", path=path)
    return Task(
        id=name,
        word=word,
        urls=_urls(holder, path),
        progress=fraction(holder.get("progress")),
        error=gateway_errors.read(holder),
    )


def _urls(holder: JsonObject, path: str) -> tuple[str, ...]:
    """Return the video's URL; older gateways put that of a video that is done into `fail_reason`."""
    named = next((url for key in _URLS if (url := fields.text(holder, key, path))), None)
    reason = fields.text(holder, "fail_reason", path) or ""
    url = named or (reason if _WEB.fullmatch(reason) else None)
    return (url,) if url else ()


SHAPE: Final = Shape(
    name="wrapped-videos",
    dialect=WrappedVideosDialect,
    paths=PATHS,
    fields=FIELDS,
    words=WORDS,
    options=OPTIONS,
)
