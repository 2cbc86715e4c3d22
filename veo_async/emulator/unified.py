"""The surface that speaks the unified video format of many gateways (seed 002, protocol §4).

A task goes through many status words, some of which look like the end and are not; its video lies at a
public URL, sometimes later than the word that promises it.
"""

import string
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final, Literal, TypeAlias

from aiohttp import web
from attrs import field, frozen, validators

from veo_async.emulator.documents import (
    Check,
    Object,
    check_values,
    flag,
    one_of,
    parse_object,
    text,
    web_urls,
)
from veo_async.emulator.fates import Ending
from veo_async.emulator.gateway_request import Wishes, gateway_order, model_in
from veo_async.emulator.jobs import Job, SurfaceName, Ticket
from veo_async.emulator.openai_errors import openai_error
from veo_async.emulator.orders import Order
from veo_async.emulator.refusals import RefusedError, invalid
from veo_async.emulator.surfaces import Premises, Route, bearer_token

_SURFACE: Final[SurfaceName] = "unified"
_MOST_IMAGES: Final = 3
_ID_LETTERS: Final = string.ascii_letters + string.digits
_JSON: Final = "application/json"
_FIELDS: Mapping[str, Check] = {
    "model": text,
    "prompt": text,
    "images": web_urls(_MOST_IMAGES),
    "enhance_prompt": flag,
    "enable_upsample": flag,
    "aspect_ratio": one_of("16:9", "9:16"),
}

ErrorPlace: TypeAlias = Literal["detail", "error", "error_object", "fail_reason", "message"]


@frozen(kw_only=True)
class UnifiedShape:
    """In which of the seen shapes the unified surface reads and answers."""

    ids: Literal["model", "uuid"] = "model"
    """``veo3.1-fast:1760545785-euexscdeL8`` as in seed 002's query, or a UUID as in its answer."""
    running: tuple[str, ...] | None = field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    """Status words of a running task, each for an equal part of its waiting time; None: the full story,
    with ``image_downloading`` if it has images and the upsampling words if that was asked for."""
    succeeded: str = "completed"
    """Status word of a finished task: also seen are succeed, succeeded, success and finished."""
    failed: str = "failed"
    """Status word of a failed task: also seen are error, cancelled and video_generation_failed."""
    url_in_detail: bool = False
    """The URL is at ``detail.video_url``, and ``video_url`` stays null."""
    checks_without_url: int = field(default=0, validator=validators.ge(0))
    """How many checks of a finished task are answered without its URL before it is there."""
    error_place: ErrorPlace = "detail"
    """Where a failed task says why: ``detail.error``, ``error`` (text or object), ``fail_reason`` or
    ``message``."""
    errors_in_200: bool = False
    """Refused requests are answered 200, the error inside."""
    seconds: bool = False
    """``status_update_time`` is in seconds; else in milliseconds, as in seed 002."""
    wants_json_headers: bool = False
    """Checks need ``Content-Type`` and ``Accept: application/json``, which seed 002 calls required."""


class UnifiedSurface:
    """Reads requests of the unified video format and gives its answers."""

    def __init__(self, premises: Premises, shape: UnifiedShape) -> None:
        self._premises = premises
        self._shape = shape
        self._answers_without_url: Counter[str] = Counter()

    @property
    def routes(self) -> Sequence[Route]:
        """Submit and check; videos are at public URLs."""
        return (
            Route("POST", "/v1/video/create", "submit", self.submit),
            Route("GET", "/v1/video/query", "check", self.check),
        )

    def credential(self, request: web.Request) -> str:
        """The key behind ``Bearer``."""
        return bearer_token(request)

    def refuse(self, refused: RefusedError) -> web.Response:
        """The answer to a refused request."""
        return openai_error(refused, 200 if self._shape.errors_in_200 else None)

    async def submit(self, request: web.Request, key: str) -> web.Response:
        """``POST /v1/video/create``."""
        order = _read(await request.read())
        job = self._premises.service.accept(order, (), key, self._ticket)
        answer = self._common(job, self._story(job)[0], job.accepted_at)
        del answer["video_url"]
        return web.json_response(answer)

    def _ticket(self, order: Order, job_id: str, now: float) -> Ticket:
        random = Random(job_id)  # noqa: S311 - as unique as the job's id, and no secret
        handle = str(uuid.UUID(int=random.getrandbits(128), version=4))
        if self._shape.ids == "model":
            tail = "".join(random.choices(_ID_LETTERS, k=10))
            handle = f"{order.model}:{int(now)}-{tail}"
        return Ticket(surface=_SURFACE, handle=handle, operation=handle)

    async def check(self, request: web.Request, _: str) -> web.Response:
        """``GET /v1/video/query?id=…``."""
        accepted = (request.headers.get("Content-Type", ""), request.headers.get("Accept", ""))
        if self._shape.wants_json_headers and any(_JSON not in header for header in accepted):
            raise invalid(f"`Content-Type` and `Accept` must be {_JSON}.")
        handle = request.query.get("id", "")
        if not handle:
            raise invalid("`id` must be the id of a task.")
        return web.json_response(self._answer(self._premises.service.find(_SURFACE, handle)))

    def _answer(self, job: Job) -> Object:
        now = self._premises.service.now()
        if not job.done(now):
            story = self._story(job)
            return self._common(job, story[int(job.progress(now) * len(story))], now)
        if job.fate.ending in {Ending.FAILED, Ending.FILTERED}:
            answer = self._common(job, self._shape.failed, job.ready_at)
            return answer | _ERRORS[self._shape.error_place](job.fate.message)
        half_done = job.order.upsampling and not job.fate.upsampled
        word = "video_upsampling_failed" if half_done else self._shape.succeeded
        return self._common(job, word, job.ready_at) | self._place_of_video(job)

    def _common(self, job: Job, word: str, changed_at: float) -> Object:
        return {
            "id": job.ticket.handle,
            "status": word,
            "video_url": None,
            "enhanced_prompt": _enhanced(job.order),
            "status_update_time": int(changed_at if self._shape.seconds else changed_at * 1000),
        }

    def _story(self, job: Job) -> Sequence[str]:
        if self._shape.running is not None:
            return self._shape.running
        pictures = ("image_downloading",) if job.order.request.get("images") else ()
        generating = ("pending", *pictures, "video_generating", "video_generation_completed")
        return (*generating, *_UPSAMPLING) if job.order.upsampling else generating

    def _place_of_video(self, job: Job) -> Object:
        if not job.files:
            return {}
        if self._answers_without_url[job.id] < self._shape.checks_without_url:
            self._answers_without_url[job.id] += 1
            return {}
        url = self._premises.public_url(job.files[0])
        return {"detail": {"video_url": url}} if self._shape.url_in_detail else {"video_url": url}


_UPSAMPLING = ("video_upsampling", "video_upsampling_completed")
_ERRORS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "detail": lambda reason: {"detail": {"error": reason}},
    "error": lambda reason: {"error": reason},
    "error_object": lambda reason: {"error": {"message": reason, "code": "generation_failed"}},
    "fail_reason": lambda reason: {"fail_reason": reason},
    "message": lambda reason: {"message": reason},
}


def _enhanced(order: Order) -> str:
    """The prompt, within a Markdown fence if it was to be enhanced, as seed 002 shows it."""
    return f"```\n\n{order.prompt}\n\n```" if order.request.get("enhance_prompt") else order.prompt


def _read(body: bytes) -> Order:
    fields = parse_object(body)
    check_values(fields, _FIELDS)
    upsampling = fields.get("enable_upsample", False)
    wishes = Wishes(
        resolution="1080p" if upsampling else "720p",
        aspect_ratio=fields.get("aspect_ratio", "16:9"),
        upsampling=upsampling,
    )
    return gateway_order(_SURFACE, model_in(fields), fields, wishes)
