"""What gateways' tasks have in common: a word for the status, URLs for the videos, ids without a model.

A surface says where in its answers things stand and what its words mean; what follows from a word is the one
table here. Anything a surface does not know is running: a paid job is never given up for a word.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote

from attrs import evolve, field, frozen

from veo_async.answers import (
    Accepted,
    CheckAnswer,
    Empty,
    Finished,
    Listed,
    Missing,
    RefusalKind,
    Refused,
    Running,
    SubmitAnswer,
    Unreadable,
)
from veo_async.dialects import gateway_errors, operations, refusals
from veo_async.dialects.checks import is_id
from veo_async.dialects.dialect import Capabilities
from veo_async.dialects.excerpts import excerpt, without_base64
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.flat_requests import FlatRequest
from veo_async.dialects.refusals import ErrorBody, Rule
from veo_async.errors import InvalidRequestError, ProtocolError
from veo_async.models import Failed, Problem, Result, Succeeded, Video, VideoRequest
from veo_async.wire import Request, Response

__all__ = ["JSON_HEADERS", "READ_HEADERS", "Stage", "Task", "TaskDialect", "fraction", "word_of"]

JSON_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json"}
READ_HEADERS: Final = {"Accept": "application/json"}
_DOWNLOAD_HEADERS: Final = {"Accept": "*/*"}
_NOT_FOUND: Final = 404
_GONE: Final = 410


class Stage(enum.StrEnum):
    """What a status word means."""

    RUNNING = "running"
    """Not done."""
    DONE = "done"
    """Done: with a URL, else empty."""
    FAILED = "failed"
    """Ended without a video."""
    GENERATED = "generated"
    """Done if there is a URL and nothing was asked that comes after, else running."""
    UPSAMPLED = "upsampled"
    """Done if there is a URL, else running."""
    LESSER = "lesser"
    """The enlarging failed: a URL is of the smaller video, which is handed out marked so."""


@frozen(kw_only=True)
class Task:
    """What an answer says of a task, wherever its surface says it."""

    id: str | None
    word: str | None = None
    """Status word as it came; None: `stage` alone counts."""
    stage: Stage | None = None
    """Set where the surface tells it without a word."""
    urls: tuple[str, ...] = ()
    thumbnails: tuple[str, ...] = ()
    enhanced_prompt: str | None = None
    progress: float | None = None
    updated_at: float | None = None
    error: ErrorBody | None = None
    """Why it failed, where it says so."""
    raw: JsonObject = field(factory=dict[str, object], repr=False)


def word_of(text: str) -> str:
    """Return a status word as tables have it: "SUCCESS " and "success" are one."""
    return text.strip().lower()


def fraction(value: object) -> float | None:
    """Return a progress of 45, 0.45 or "45%" as a fraction; None for what is none of these."""
    percent = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    text = value.strip().removesuffix("%") if isinstance(value, str) else value
    try:
        number = float(text) if isinstance(text, str | float) or percent else None  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
    if number is None or number != number:  # noqa: PLR0124  NaN, which float() reads
        return None
    share = number / 100 if percent or number > 1 else number
    return min(max(share, 0.0), 1.0)


# ── from a task to an answer ────────────────────────────────────────────────────────────────────────────────

_End = Callable[[Task], Running | Finished | Empty]


def _running(task: Task) -> Running:
    return Running(progress=task.progress, updated_at=task.updated_at)


def _succeeded(task: Task, *, degraded: bool = False) -> Finished:
    videos = tuple(Video(uri=url, index=index, degraded=degraded) for index, url in enumerate(task.urls))
    result = Result(videos=videos, enhanced_prompt=task.enhanced_prompt, thumbnails=task.thumbnails)
    return Finished(outcome=Succeeded(result=result, raw=without_base64(task.raw)))


def _degraded(task: Task) -> Finished:
    return _succeeded(task, degraded=True)


def _failed(task: Task) -> Finished:
    return Finished(outcome=operations.failed(task.error or ErrorBody(), task.raw))


def _empty(task: Task) -> Empty:
    message = "the task is done and has neither a video nor an error"
    return Empty(outcome=Failed(reason="empty", message=message, raw=without_base64(task.raw)))


_WITH_URL: Final[Mapping[Stage, _End]] = {
    Stage.RUNNING: _running,
    Stage.DONE: _succeeded,
    Stage.FAILED: _failed,
    Stage.GENERATED: _succeeded,
    Stage.UPSAMPLED: _succeeded,
    Stage.LESSER: _degraded,
}
_WITHOUT_URL: Final[Mapping[Stage, _End]] = {
    Stage.RUNNING: _running,
    Stage.DONE: _empty,
    Stage.FAILED: _failed,
    Stage.GENERATED: _running,
    Stage.UPSAMPLED: _running,
    Stage.LESSER: _failed,
}


def _settled(task: Task, stage: Stage, *, asked_for_more: bool) -> Running | Finished | Empty:
    if stage is Stage.GENERATED and asked_for_more:
        return _running(task)
    return (_WITH_URL if task.urls else _WITHOUT_URL)[stage](task)


# ── the dialect ─────────────────────────────────────────────────────────────────────────────────────────────


@frozen(kw_only=True)
class TaskDialect(ABC):
    """A surface of tasks at one service; a subclass says what is particular to its surface."""

    base_url: str
    """Where submits go: origin and path prefix, without a slash at the end."""
    status_base_url: str
    """Where checks go."""
    paths: Mapping[str, str]
    """Path by purpose, with places such as `{id}`."""
    fields: Mapping[str, str]
    """The surface's field by the request's."""
    words: Mapping[str, Stage]
    """What the status words mean, in lower case."""
    rules: Sequence[Rule] = ()
    """The service's own rules on errors, read first."""
    rewrite_uri: Callable[[str], str] | None = None
    """Turns a video's URL into the one that its bytes are asked from; pure."""
    capabilities: Capabilities

    CHECK_HEADERS: ClassVar[Mapping[str, str]] = READ_HEADERS
    CONTENT_IS_PUBLIC: ClassVar[bool] = True
    """Videos are fetched without the key."""

    @abstractmethod
    def flat(self, request: VideoRequest, model: str) -> FlatRequest:
        """Return what this surface makes of a request."""

    @abstractmethod
    def read(self, body: JsonObject) -> Task | ErrorBody:
        """Return the task that a 2xx answer speaks of, or its refusal of what was asked.

        Raises:
            ProtocolError: it is neither.
        """

    def asks_for_more(self, request: VideoRequest | None) -> bool:
        """Return whether enlarging may follow the making; where nothing is known it may."""
        return request is None or bool(request.extra.get("enable_upsample"))

    def problems(self, request: VideoRequest, model: str) -> Sequence[Problem]:
        """Return all that forbids sending `request` to `model`; empty when it can be sent."""
        return list(self.flat(request, model).problems())

    def submit(self, request: VideoRequest, model: str, *, duration_as_string: bool = False) -> Request:
        """Encode a submit."""
        flat = self.flat(request, model)
        return Request(
            method="POST",
            url=self.url(self.base_url, "submit", model=model, **flat.places),
            headers=JSON_HEADERS,
            body=flat.encoded(duration_as_string=duration_as_string),
        )

    def read_submit(self, response: Response, _: str, /) -> SubmitAnswer:
        """Decode the answer to a submit."""
        found = self._task(response)
        match found:
            case Task(id=str(name)) if is_id(name):
                return Accepted(operation=name, finished=_final(self.settled(found)), raw=found.raw)
            case Task():
                return refusals.unreadable(response, "the answer has no task id", "$.id")
            case Refused():
                return refusals.of_submit(found)
            case _:
                return found

    def check(self, operation: str) -> Request:
        """Encode a status check of one task."""
        url = self.url(self.status_base_url, "check", id=self.operation_name(operation, None))
        return Request(method="GET", url=url, headers=self.CHECK_HEADERS)

    def read_check(
        self, response: Response, operation: str, request: VideoRequest | None = None, /
    ) -> CheckAnswer:
        """Decode the answer to a check of `operation`."""
        found = self._task(response)
        if response.status in (_NOT_FOUND, _GONE):
            message = found.message if isinstance(found, Refused) else ""
            return Missing(message=message, gone=response.status == _GONE)
        match found:
            case Task(id=str(name)) if name != operation:
                return refusals.unreadable(
                    response, f"the answer is about {excerpt(name, 120)!r}, not {operation!r}", "$.id"
                )
            case Task():
                return self.settled(evolve(found, id=operation), request)
            case Refused(kind=RefusalKind.NOT_FOUND):
                return Missing(message=found.message)
            case _:
                return found

    def settled(self, task: Task, request: VideoRequest | None = None) -> Running | Finished | Empty:
        """Return what a task comes to."""
        word = word_of(task.word or "")
        stage = task.stage or self.words.get(word)
        if stage is None:
            flag = f"unknown status word {excerpt(task.word or '', 80)!r}"
            return evolve(_running(task), flags=(flag,))
        return _settled(task, stage, asked_for_more=self.asks_for_more(request))

    def list_page(self, model: str, page_token: str | None) -> Request:  # noqa: ARG002
        """Refuse: this surface has no lists.

        Raises:
            InvalidRequestError: always.
        """
        raise InvalidRequestError("this surface has no list of operations: check them one by one")

    def read_list(
        self,
        response: Response,
        model: str,  # noqa: ARG002
        wanted: Callable[[str], bool] | None = None,  # noqa: ARG002
    ) -> Listed | Refused | Unreadable:
        """Return that a list is nothing known here."""
        return refusals.unreadable(response, "this surface has no list of operations")

    def operation_name(self, given: str, model: str | None) -> str:  # noqa: ARG002
        """Return the id of a task, which is its whole name.

        Raises:
            InvalidRequestError: `given` is none.
        """
        if not is_id(given):
            raise InvalidRequestError(
                f"{excerpt(given, 120)!r} is no task id: give the id that the service answered to the submit",
                field="operation",
            )
        return given

    def model_of(self, operation: str) -> str | None:  # noqa: ARG002
        """Return None: ids of tasks say no model."""
        return None

    def download(self, uri: str) -> Sequence[Request]:
        """Encode the request for a video's bytes."""
        url = self.rewrite_uri(uri) if self.rewrite_uri else uri
        return [Request(method="GET", url=url, headers=_DOWNLOAD_HEADERS, keyless=self.CONTENT_IS_PUBLIC)]

    def url(self, base_url: str, purpose: str, **places: str) -> str:
        """Return the URL for a purpose, each place filled with a percent-encoded text."""
        filled = {name: quote(text, safe="") for name, text in places.items()}
        return base_url + self.paths[purpose].format_map(filled)

    def body_of(self, response: Response) -> JsonObject | Refused | Unreadable:
        """Return the decoded object of a 2xx answer, else what the answer says instead."""
        return refusals.read_body(response, gateway_errors.read, self._rules)

    def refused(self, error: ErrorBody, response: Response, body: JsonObject) -> Refused | Unreadable:
        """Return what an error inside a 2xx answer refuses; what no rule knows says nothing."""
        refused = refusals.refusal(error, response, body, self._rules)
        if refused is not None:
            return refused
        shown = excerpt(error.message, 120)
        return refusals.unreadable(
            response, f"an error under status {response.status} that says nothing known: {shown}", "$.error"
        )

    @property
    def _rules(self) -> Sequence[Rule]:
        return (*self.rules, *gateway_errors.RULES)

    def _task(self, response: Response) -> Task | Refused | Unreadable:
        body = self.body_of(response)
        if isinstance(body, Refused | Unreadable):
            return body
        try:
            found = self.read(body)
        except ProtocolError as error:
            return refusals.unreadable(response, error.message, error.path)
        if isinstance(found, ErrorBody):
            return self.refused(found, response, body)
        return evolve(found, raw=without_base64(body))


def _final(answer: Any) -> Finished | Empty | None:
    """Return what a task that is done at once brought."""
    return answer if isinstance(answer, Finished | Empty) else None
