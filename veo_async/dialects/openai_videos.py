"""OpenAI-style videos, the most common other shape of gateways (protocol §5).

Submit `POST /v1/videos`, status `GET /v1/videos/{id}`, bytes `GET /v1/videos/{id}/content` with the key, list
`GET /v1/videos`. Some gateways wrap answers: `{code: "success", data: {status: "SUCCEEDED"}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

from attrs import evolve, frozen

from veo_async.answers import Empty, Finished, Listed, Refused, Running, Unreadable
from veo_async.dialects import fields, gateway_errors, hints, refusals
from veo_async.dialects.checks import is_id
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.openai_style import FIELDS, OPTIONS, OpenAIStyleDialect
from veo_async.dialects.refusals import ErrorBody
from veo_async.dialects.shape import Shape
from veo_async.dialects.tasks import READ_HEADERS, Stage, Task, fraction, word_of
from veo_async.errors import ProtocolError
from veo_async.models import VideoRequest
from veo_async.wire import Request, Response

__all__ = ["SHAPE", "OpenAIVideosDialect"]

PATHS: Final[Mapping[str, str]] = {
    "submit": "/v1/videos",
    "check": "/v1/videos/{id}",
    "content": "/v1/videos/{id}/content",
    "list": "/v1/videos",
}
WORDS: Final[Mapping[str, Stage]] = {
    **dict.fromkeys(
        ("queued", "in_progress", "pending", "processing", "running", "submitted", "not_start"), Stage.RUNNING
    ),
    **dict.fromkeys(("completed", "succeeded", "success"), Stage.DONE),
    **dict.fromkeys(("failed", "failure", "error", "cancelled"), Stage.FAILED),
}

PAGE_SIZE: Final = 100


@frozen(kw_only=True)
class OpenAIVideosDialect(OpenAIStyleDialect):
    """OpenAI-style videos at one service."""

    paths: Mapping[str, str] = PATHS
    words: Mapping[str, Stage] = WORDS

    CONTENT_IS_PUBLIC: ClassVar[bool] = False

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

    def read_list(
        self,
        response: Response,
        model: str,  # noqa: ARG002
        wanted: Callable[[str], bool] | None = None,  # noqa: ARG002
    ) -> Listed | Refused | Unreadable:
        """Decode a page of videos; one that cannot be read is left out, so it is asked for alone."""
        body = self.body_of(response)
        if isinstance(body, Refused | Unreadable):
            return body
        try:
            error = _request_error(body)
            return self.refused(error, response, body) if error else self._listed(body, response)
        except ProtocolError as error:
            return refusals.unreadable(response, error.message, error.path)

    def _listed(self, body: JsonObject, response: Response) -> Listed:
        page, path = _unwrapped(body)
        entries = fields.objects(page, "data", path)
        answers: dict[str, Running | Finished | Empty | Refused] = {}
        created_at: dict[str, float] = {}
        for entry in entries:
            try:
                task = self.read(entry)
            except ProtocolError:
                continue
            if isinstance(task, Task) and task.id is not None and is_id(task.id):
                answers[task.id] = self.settled(evolve(task, raw=entry))
                created = entry.get("created_at")
                if isinstance(created, int | float) and not isinstance(created, bool):
                    created_at[task.id] = created
        last = fields.text(page, "last_id", path) or (
            fields.text(entries[-1], "id", path) if entries else None
        )
        return Listed(
            answers=answers,
            created_at=created_at,
            answered_at=hints.answered_at(response.headers),
            next_page_token=last if page.get("has_more") is True else None,
        )


def _unwrapped(body: JsonObject) -> tuple[JsonObject, str]:
    inner = body.get("data")
    return (inner, "$.data") if fields.is_object(inner) else (body, "$")


def _request_error(body: JsonObject) -> ErrorBody | None:
    """Return what a wrapped answer refuses by its `code`, or an answer without a video by its `error`."""
    has_video = body.get("id") is not None or body.get("data") is not None
    return gateway_errors.read_envelope(body) or (None if has_video else gateway_errors.read(body))


def _made(*, can_list: bool = False, **parts: Any) -> OpenAIVideosDialect:
    dialect = OpenAIVideosDialect(**parts)
    return evolve(dialect, capabilities=evolve(dialect.capabilities, can_list=can_list))


SHAPE: Final = Shape(
    name="openai-videos",
    dialect=_made,
    paths=PATHS,
    fields=FIELDS,
    words=WORDS,
    options={**OPTIONS, "can_list": bool},
)
