"""The surface that speaks GPTProto's v3 format (seed 000, protocol §3); WaveSpeed's is the same.

The key stands in ``Authorization``, the outcome in ``data.status``: "success" and 200 around it are about
the request alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from aiohttp import web
from attrs import frozen

from veo_async.emulator.documents import (
    Check,
    Object,
    check_values,
    flag,
    one_of,
    parse_object,
    text,
    web_url,
    web_urls,
    whole,
)
from veo_async.emulator.fates import Ending
from veo_async.emulator.gateway_request import Wishes, gateway_order
from veo_async.emulator.gemini_errors import error_status, refusal_response
from veo_async.emulator.jobs import Job, SurfaceName, Ticket
from veo_async.emulator.orders import Order
from veo_async.emulator.refusals import RefusedError, invalid, not_found
from veo_async.emulator.surfaces import Premises, Route, bearer_token
from veo_async.emulator.times import iso_time

_SURFACE: Final[SurfaceName] = "gptproto_v3"
_MOST_IMAGES: Final = 3
_FIELDS: Mapping[str, Check] = {
    "prompt": text,
    "image": web_url,
    "images": web_urls(_MOST_IMAGES),
    "last_image": web_url,
    "aspect_ratio": one_of("16:9", "9:16"),
    "resolution": one_of("720p", "1080p", "4k"),
    "duration": whole,
    "negative_prompt": text,
    "seed": whole,
    "generate_audio": flag,
    "enhance_prompt": flag,
    "enable_upsample": flag,
}
_SCENES: Mapping[str, tuple[str, ...]] = {
    "text-to-video": (),
    "image-to-video": ("image", "images"),
    "reference-to-video": ("images",),
}
"""Scenes, and the fields of which each needs one."""


@frozen(kw_only=True)
class V3Shape:
    """In which of the seen shapes the v3 surface reads and answers."""

    authorization: Literal["either", "raw", "bearer"] = "either"
    """How the key has to stand in its header: ``sk-…`` as in seed 000, ``Bearer sk-…`` as on other pages."""
    answers: Literal["data", "result", "bare"] = "data"
    """A query's answer: "data" is the documented envelope; "result" puts the same object into seed 000's
    ``{"status": "success", "result": {…}}``; "bare" leaves ``result`` empty while the task runs, and has
    only ``outputs`` (or ``status`` and ``error``) in it afterwards."""
    errors: Literal["http", "envelope"] = "http"
    """How requests are refused: by HTTP status, or by the ``code`` of an envelope under HTTP 200."""
    accepted: str = "created"
    """Status word of a submission's answer."""
    running: str = "processing"
    """Status word of a running task: also seen are "created" and "running"."""
    succeeded: str = "completed"
    """Status word of a finished task: also seen is "succeeded"."""
    failed: str = "failed"
    """Status word of a failed or filtered task: also seen is "error"."""


class GPTProtoV3Surface:
    """Reads requests of the v3 format and gives its answers."""

    def __init__(self, premises: Premises, shape: V3Shape) -> None:
        self._premises = premises
        self._shape = shape

    @property
    def routes(self) -> Sequence[Route]:
        """Submit and check; videos are at public URLs."""
        return (
            Route("POST", "/api/v3/google/{model}/{scene}", "submit", self.submit),
            Route("GET", "/api/v3/predictions/{task}/result", "check", self.check),
        )

    def credential(self, request: web.Request) -> str:
        """The key in ``Authorization``, written as the shape wants it."""
        header, token = request.headers.get("Authorization", ""), bearer_token(request)
        if self._shape.authorization == "bearer":
            return token
        return header if self._shape.authorization == "raw" else token or header

    async def submit(self, request: web.Request, key: str) -> web.Response:
        """``POST /api/v3/google/{model}/{scene}``."""
        model, scene = request.match_info["model"], request.match_info["scene"]
        order = _read(await request.read(), model, scene)
        job = self._premises.service.accept(order, (), key, _ticket)
        return web.json_response(_envelope(self._task(job, self._shape.accepted, done=False)))

    async def check(self, request: web.Request, _: str) -> web.Response:
        """``GET /api/v3/predictions/{task}/result``."""
        job = self._premises.service.find(_SURFACE, request.match_info["task"])
        done = job.done(self._premises.service.now())
        task = self._task(job, self._word(job, done=done), done=done)
        return web.json_response(_ANSWERS[self._shape.answers](task))

    def refuse(self, refused: RefusedError) -> web.Response:
        """The answer to a refused request, in the seed's words."""
        answer = refusal_response(refused, "gptproto")
        if self._shape.errors == "http":
            return answer
        body = {"code": error_status(refused), "message": refused.message, "data": None}
        return web.json_response(body)

    def _word(self, job: Job, *, done: bool) -> str:
        if not done:
            return self._shape.running
        ended_well = job.fate.ending in {Ending.SUCCEEDED, Ending.EMPTY}
        return self._shape.succeeded if ended_well else self._shape.failed

    def _task(self, job: Job, word: str, *, done: bool) -> Object:
        files = job.files if done else ()
        handle = job.ticket.handle
        return {
            "id": handle,
            "model": job.order.model,
            "status": word,
            "outputs": [self._premises.public_url(file) for file in files],
            "urls": {"get": f"{self._premises.origin}/api/v3/predictions/{handle}/result"},
            "error": job.fate.message if done and not files else "",
            "timings": {"inference": round((job.ready_at - job.accepted_at) * 1000) if done else 0},
            "created_at": iso_time(job.accepted_at),
        }


def _ticket(_: Order, job_id: str, __: float) -> Ticket:
    return Ticket(surface=_SURFACE, handle=job_id, operation=job_id)


def _read(body: bytes, model: str, scene: str) -> Order:
    if scene not in _SCENES:
        raise not_found(f"Invalid URL: {model} has no scene `{scene}`.")
    fields = parse_object(body)
    check_values(fields, _FIELDS)
    if _SCENES[scene] and not any(fields.get(name) for name in _SCENES[scene]):
        raise invalid(f"`{scene}` needs {' or '.join(f'`{name}`' for name in _SCENES[scene])}.")
    upsampling = fields.get("enable_upsample", False)
    wishes = Wishes(
        resolution=fields.get("resolution", "1080p" if upsampling else "720p"),
        aspect_ratio=fields.get("aspect_ratio", "16:9"),
        seconds=int(fields.get("duration", Wishes().seconds)),
        seed=int(fields.get("seed", 0)),
        upsampling=upsampling,
    )
    return gateway_order(f"{_SURFACE}/{scene}", model, fields, wishes)


def _envelope(task: Object) -> Object:
    return {"code": 200, "message": "success", "data": task}


def _bare(task: Object) -> Object:
    """Seed 000 to the letter: success and an empty result, until there is something to say."""
    result: dict[str, Any] = {"outputs": task["outputs"]} if task["outputs"] else {}
    if task["error"]:
        result = {"status": task["status"], "error": task["error"]}
    return {"status": "success", "result": result}


_ANSWERS: Mapping[str, Callable[[Object], Object]] = {
    "data": _envelope,
    "result": lambda task: {"status": "success", "result": task},
    "bare": _bare,
}
