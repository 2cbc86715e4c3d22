"""The surface that speaks the OpenAI style of videos (protocol §5), gateways' most common other shape."""

import re
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from typing import Any, Final, TypeAlias, cast

from aiohttp import web
from attrs import frozen

from veo_async.emulator.documents import (
    Check,
    Object,
    as_object,
    check_values,
    decode_base64,
    one_of,
    parse_object,
    sha256_hex,
    text,
    web_url,
)
from veo_async.emulator.fates import Ending
from veo_async.emulator.gateway_request import Wishes, gateway_order, model_in
from veo_async.emulator.jobs import Job, SurfaceName, Ticket
from veo_async.emulator.openai_errors import openai_error
from veo_async.emulator.orders import Order
from veo_async.emulator.refusals import Refusal, RefusedError, invalid, not_found
from veo_async.emulator.surfaces import Premises, Route, bearer_token

_SURFACE: Final[SurfaceName] = "openai_videos"
_SIZES: Mapping[str, tuple[str, str]] = {
    "1280x720": ("720p", "16:9"),
    "720x1280": ("720p", "9:16"),
    "1920x1080": ("1080p", "16:9"),
    "1080x1920": ("1080p", "9:16"),
    "3840x2160": ("4k", "16:9"),
    "2160x3840": ("4k", "9:16"),
}
_FIELDS: Mapping[str, Check] = {"prompt": text, "size": one_of(*_SIZES)}
_DATA_URL = re.compile(r"data:image/[a-z+.-]+;base64,(.+)", re.DOTALL)
_QUEUED_SHARE: Final = 0.1
_PAGE_SIZE: Final = 20
_LARGEST_PAGE: Final = 100
_WRAPPED_WORDS: Mapping[str, str] = {
    "queued": "QUEUED",
    "in_progress": "IN_PROGRESS",
    "completed": "SUCCEEDED",
    "failed": "FAILED",
}
_Picture: TypeAlias = bytes | None


@frozen(kw_only=True)
class OpenAIShape:
    """In which of the seen shapes the OpenAI-style surface answers."""

    wrapped: bool = False
    """Answers stand in ``{"code": "success", "data": {…}}``, their status words in capitals."""
    can_list: bool = True
    """Whether ``GET /v1/videos`` is served; else 404."""
    list_oldest_first: bool = False
    """A list begins with the oldest video instead of the newest."""
    list_page_size: int = _LARGEST_PAGE
    """Most videos in one page of a list, whatever is asked for."""


class OpenAIVideosSurface:
    """Reads requests of the OpenAI style and gives its answers."""

    def __init__(self, premises: Premises, shape: OpenAIShape) -> None:
        self._premises = premises
        self._shape = shape

    @property
    def routes(self) -> Sequence[Route]:
        """Submit, check, list and download."""
        return (
            Route("POST", "/v1/videos", "submit", self.submit),
            Route("GET", "/v1/videos", "list", self.list),
            Route("GET", "/v1/videos/{video}", "check", self.check),
            Route("GET", "/v1/videos/{video}/content", "download", self.download),
        )

    def credential(self, request: web.Request) -> str:
        """The key behind ``Bearer``."""
        return bearer_token(request)

    def refuse(self, refused: RefusedError) -> web.Response:
        """The answer to a refused request."""
        return openai_error(refused)

    async def submit(self, request: web.Request, key: str) -> web.Response:
        """``POST /v1/videos``, as JSON or as a form with the picture in it."""
        body = await request.read()
        form = request.content_type == "multipart/form-data"
        fields, picture = _read_form(request.headers["Content-Type"], body) if form else _read_json(body)
        images = () if picture is None else (picture,)
        await self._premises.look_at(images)
        job = self._premises.service.accept(_order(fields, picture), images, key, _ticket)
        return web.json_response(self._dressed(self._video(job, fresh=True)))

    async def check(self, request: web.Request, _: str) -> web.Response:
        """``GET /v1/videos/{id}``."""
        return web.json_response(self._dressed(self._video(self._find(request))))

    async def list(self, request: web.Request, _: str) -> web.Response:
        """``GET /v1/videos?limit&after``, newest first."""
        if not self._shape.can_list:
            raise RefusedError(Refusal.UNIMPLEMENTED, "Invalid URL (GET /v1/videos).")
        jobs = self._after(request.query.get("after", ""))
        size = min(_page_size(request.query.get("limit", str(_PAGE_SIZE))), self._shape.list_page_size)
        videos = [self._video(job) for job in jobs[:size]]
        ends = {"first_id": videos[0]["id"], "last_id": videos[-1]["id"]} if videos else {}
        return web.json_response({"object": "list", "data": videos, "has_more": len(jobs) > size} | ends)

    def _after(self, last: str) -> Sequence[Job]:
        jobs = self._premises.service.listed(_SURFACE)
        if self._shape.list_oldest_first:
            jobs = jobs[::-1]
        if not last:
            return jobs
        places = [place for place, job in enumerate(jobs) if job.ticket.handle == last]
        if not places:
            raise invalid("`after` must be the id of a video.")
        return jobs[places[0] + 1 :]

    async def download(self, request: web.Request, _: str) -> web.Response:
        """``GET /v1/videos/{id}/content``: the MP4, or a redirect to where it lies."""
        job = self._find(request)
        if request.query.get("variant", "video") != "video":
            raise not_found("This video has no such variant.")
        if not job.files or not job.done(self._premises.service.now()):
            raise not_found("This video has no content, or not yet.")
        return await self._premises.deliver(request, job.files[0])

    def _find(self, request: web.Request) -> Job:
        return self._premises.service.find(_SURFACE, request.match_info["video"])

    def _dressed(self, video: Object) -> Object:
        if not self._shape.wrapped:
            return video
        return {"code": "success", "message": "", "data": video | {"status": _WRAPPED_WORDS[video["status"]]}}

    def _video(self, job: Job, *, fresh: bool = False) -> Object:
        now = self._premises.service.now()
        progress = 0.0 if fresh else job.progress(now)
        word = _word(job, progress)
        retention = self._premises.service.retention
        return {
            "id": job.ticket.handle,
            "object": "video",
            "model": job.order.model,
            "status": word,
            "progress": int(progress * 100),
            "created_at": int(job.accepted_at),
            "completed_at": int(job.ready_at) if word == "completed" else None,
            "expires_at": int(job.ready_at + retention) if word == "completed" else None,
            "seconds": str(job.order.billed_seconds),
            "size": f"{job.order.width}x{job.order.height}",
            "error": _error(job) if word == "failed" else None,
        }


def _ticket(_: Order, job_id: str, __: float) -> Ticket:
    return Ticket(surface=_SURFACE, handle=f"video_{job_id}", operation=f"video_{job_id}")


def _word(job: Job, progress: float) -> str:
    if progress < 1.0:
        return "queued" if progress < _QUEUED_SHARE else "in_progress"
    return "failed" if job.fate.ending in {Ending.FAILED, Ending.FILTERED} else "completed"


def _error(job: Job) -> Object:
    filtered = job.fate.ending is Ending.FILTERED
    code = "content_policy_violation" if filtered else "video_generation_failed"
    return {"code": code, "message": job.fate.message}


def _page_size(limit: str) -> int:
    if not limit.isascii() or not limit.isdigit() or not 0 < int(limit) <= _LARGEST_PAGE:
        raise invalid(f"`limit` must be 1 to {_LARGEST_PAGE}.")
    return int(limit)


def _read_json(body: bytes) -> tuple[Object, _Picture]:
    fields = parse_object(body)
    reference: Any = fields.get("input_reference")
    if isinstance(reference, dict):
        reference = as_object(reference, "input_reference").get("image_url")
    if reference is None:
        return fields, None
    found = _DATA_URL.fullmatch(reference) if isinstance(reference, str) else None
    if found is None:
        check_values({"input_reference": reference}, {"input_reference": web_url})
        return fields, None
    picture = decode_base64(found[1], "input_reference")
    return fields | {"input_reference": f"sha256:{sha256_hex(picture)}"}, picture


def _read_form(content_type: str, body: bytes) -> tuple[Object, _Picture]:
    # aiohttp's own reader wants the stream, which a fault that spoils the answer has read by now.
    form: Message = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    if not form.is_multipart():
        raise invalid("The form could not be read.")
    fields: Object = {}
    picture: _Picture = None
    for part in cast("list[Message]", form.get_payload()):
        name = str(part.get_param("name", header="content-disposition"))
        content = cast("bytes", part.get_payload(decode=True))
        if name == "input_reference" and part.get_filename():
            picture = content
            fields[name] = f"sha256:{sha256_hex(content)}"
        else:
            fields[name] = content.decode(errors="replace")
    return fields, picture


def _order(fields: Object, picture: _Picture) -> Order:
    check_values(fields, _FIELDS)
    resolution, aspect_ratio = _SIZES[fields.get("size", "1280x720")]
    wishes = Wishes(
        resolution=resolution,
        aspect_ratio=aspect_ratio,
        seconds=_seconds(fields.get("seconds", "8")),
        image=picture,
    )
    return gateway_order(_SURFACE, model_in(fields), fields, wishes)


def _seconds(value: Any) -> int:
    """A string of digits as OpenAI documents it, or the number that some gateways take."""
    written = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch("[0-9]{1,3}", written):
        raise invalid("`seconds` must be a whole number, as a string.")
    return int(written)
