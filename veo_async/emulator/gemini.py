"""The surface that speaks the Gemini format, as Google, GPTProto and compatible gateways do."""

import base64
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

from aiohttp import web
from attrs import frozen

from veo_async.emulator.fates import Ending
from veo_async.emulator.gemini_errors import ErrorStyle, refusal_response
from veo_async.emulator.gemini_request import read_submission
from veo_async.emulator.jobs import Job, SurfaceName, Ticket
from veo_async.emulator.orders import Order
from veo_async.emulator.refusals import Refusal, RefusedError, invalid, not_found
from veo_async.emulator.surfaces import Premises, Route
from veo_async.emulator.times import iso_time

KEY_HEADER: Final = "x-goog-api-key"
_SURFACE: Final[SurfaceName] = "gemini"
_GOOGLE_ORIGIN: Final = "https://generativelanguage.googleapis.com"
_METADATA_TYPE: Final = "type.googleapis.com/google.cloud.aiplatform.v1beta1.GenerateVideoMetadata"
_RESPONSE_TYPE: Final = "type.googleapis.com/google.cloud.aiplatform.v1beta1.GenerateVideoResponse"
_PAGE_SIZE: Final = 50
_LARGEST_PAGE: Final = 1000


class SampleShape(StrEnum):
    """Where a done operation carries its videos."""

    GENERATE_VIDEO_RESPONSE = "generateVideoResponse"
    """``response.generateVideoResponse.generatedSamples[].video.uri``, as Google documents it."""
    INLINE = "inline"
    """The same place with ``encodedVideo`` and ``encoding``: the bytes in the answer."""
    GENERATED_SAMPLES = "generatedSamples"
    """``response.generatedSamples[].video.uri``, as GPTProto shows it."""
    GENERATED_VIDEOS = "generatedVideos"
    """``response.generatedVideos[].video.uri``, as some gateways have it."""
    GENERATED_VIDEOS_SNAKE = "generated_videos"
    """``response.generated_videos[].video.uri``, the same from others."""
    VIDEOS_INLINE = "videos"
    """``response.videos[].{bytesBase64Encoded, mimeType}``, Vertex AI's."""


@frozen(kw_only=True)
class Dress:
    """In which of the seen shapes this surface answers; `Emulator` says what each option does."""

    error_style: ErrorStyle = "google"
    sample_shape: SampleShape = SampleShape.GENERATE_VIDEO_RESPONSE
    short_names: bool = False
    explicit_done: bool = False
    can_list: bool = False
    list_omits_response: bool = False
    list_oldest_first: bool = False
    list_page_size: int = _LARGEST_PAGE
    google_uris: bool = False
    download_prefix: str = ""


class GeminiSurface:
    """Reads requests of the Gemini format and gives its answers."""

    def __init__(self, premises: Premises, dress: Dress) -> None:
        self._premises = premises
        self._service = premises.service
        self._dress = dress

    @property
    def routes(self) -> Sequence[Route]:
        """Submit, check, list and download."""
        model = "/{version}/models/{model}"
        files = self._dress.download_prefix + "/{version}/files/{file}:download"
        return (
            Route("GET", model + "/operations/{operation}", "check", self.check),
            Route("POST", model + ":predictLongRunning", "submit", self.submit),
            Route("GET", model + "/operations", "list", self.list),
            Route("GET", files, "download", self.download),
        )

    def credential(self, request: web.Request) -> str:
        """The key in ``x-goog-api-key``; one in the URL doesn't count, since URLs land in logs."""
        return request.headers.get(KEY_HEADER, "")

    async def submit(self, request: web.Request, key: str) -> web.Response:
        """``POST models/{model}:predictLongRunning``."""
        match = request.match_info
        body = await request.read()
        submission = read_submission(body, match["model"], match["version"], self._premises.segments)
        webhooks = self._premises.webhooks
        if webhooks is not None:
            webhooks.check(submission.order.request)
        await self._premises.look_at(submission.images)
        job = self._service.accept(submission.order, submission.images, key, self._ticket)
        if webhooks is not None:
            webhooks.watch(job)
        return web.json_response({"name": job.ticket.operation})

    def _ticket(self, order: Order, job_id: str, _: float) -> Ticket:
        short = f"operations/{job_id}"
        operation = short if self._dress.short_names else f"models/{order.model}/{short}"
        return Ticket(surface=_SURFACE, handle=job_id, operation=operation)

    async def check(self, request: web.Request, _: str) -> web.Response:
        """``GET models/{model}/operations/{id}``."""
        model, operation = request.match_info["model"], request.match_info["operation"]
        job = self._service.find(_SURFACE, operation)
        if job.order.model != model:
            raise not_found(f"Operation {operation} was not found.")
        return web.json_response(await self._operation(job, listed=False))

    async def list(self, request: web.Request, _: str) -> web.Response:
        """``GET models/{model}/operations``, newest first, where the emulator was told to have it."""
        if not self._dress.can_list:
            text = "Operation is not implemented, or supported, or enabled."
            raise RefusedError(Refusal.UNIMPLEMENTED, text)
        query = request.query
        if query.get("filter"):
            raise invalid("`filter` is not supported.")
        size = _page_size(query.get("pageSize", "0"))
        model, asked_token = request.match_info["model"], query.get("pageToken", "")
        size = min(size, self._dress.list_page_size)
        oldest_first = self._dress.list_oldest_first
        jobs, token = self._service.page(_SURFACE, model, size, asked_token, oldest_first=oldest_first)
        answer: dict[str, Any] = {"operations": [await self._operation(job, listed=True) for job in jobs]}
        return web.json_response(answer | ({"nextPageToken": token} if token else {}))

    async def download(self, request: web.Request, _: str) -> web.Response:
        """``GET files/{id}:download?alt=media``: the MP4, or a redirect to where it lies."""
        return await self._premises.deliver(request, request.match_info["file"])

    def refuse(self, refused: RefusedError) -> web.Response:
        """The answer to a refused request."""
        return refusal_response(refused, self._dress.error_style)

    async def _operation(self, job: Job, *, listed: bool) -> dict[str, Any]:
        now = self._service.now()
        done = job.done(now)
        metadata = {
            "@type": _METADATA_TYPE,
            "createTime": iso_time(job.accepted_at),
            "updateTime": iso_time(job.ready_at if done else now),
        }
        answer: dict[str, Any] = {"name": job.ticket.operation, "metadata": metadata}
        if not done:
            return answer | ({"done": False} if self._dress.explicit_done else {})
        omitted = listed and self._dress.list_omits_response
        return answer | {"done": True} | ({} if omitted else await self._end(job))

    async def _end(self, job: Job) -> dict[str, Any]:
        fate = job.fate
        if fate.ending is Ending.EMPTY:
            return {}
        if fate.ending is Ending.FAILED:
            return {"error": {"code": fate.code, "message": fate.message}}
        samples = [await self._sample(file) for file in job.files]
        place = _PLACES[self._dress.sample_shape]
        return {"response": {"@type": _RESPONSE_TYPE} | place(samples, filtered_fields(job))}

    async def _sample(self, file: str) -> dict[str, Any]:
        shape = self._dress.sample_shape
        if shape not in {SampleShape.INLINE, SampleShape.VIDEOS_INLINE}:
            return {"video": {"uri": self._uri(file)}}
        encoded = base64.b64encode(await self._premises.shelf.content(file)).decode()
        if shape is SampleShape.VIDEOS_INLINE:
            return {"bytesBase64Encoded": encoded, "mimeType": "video/mp4"}
        return {"video": {"encodedVideo": encoded, "encoding": "video/mp4"}}

    def _uri(self, file: str) -> str:
        origin = (
            _GOOGLE_ORIGIN if self._dress.google_uris else self._premises.origin + self._dress.download_prefix
        )
        return f"{origin}/v1beta/files/{file}:download?alt=media"


_Samples: TypeAlias = list[dict[str, Any]]
_Place: TypeAlias = Callable[[_Samples, dict[str, Any]], dict[str, Any]]


def _flat(name: str) -> _Place:
    return lambda samples, filtered: ({name: samples} if samples else {}) | filtered


def _nested(samples: _Samples, filtered: dict[str, Any]) -> dict[str, Any]:
    return {"generateVideoResponse": _flat("generatedSamples")(samples, filtered)}


_PLACES: Mapping[SampleShape, _Place] = {
    SampleShape.GENERATE_VIDEO_RESPONSE: _nested,
    SampleShape.INLINE: _nested,
    SampleShape.GENERATED_SAMPLES: _flat("generatedSamples"),
    SampleShape.GENERATED_VIDEOS: _flat("generatedVideos"),
    SampleShape.GENERATED_VIDEOS_SNAKE: _flat("generated_videos"),
    SampleShape.VIDEOS_INLINE: _flat("videos"),
}


def filtered_fields(job: Job) -> dict[str, Any]:
    """How many samples the filter took, and why; nothing if it took none."""
    missing = job.order.samples - len(job.files)
    if not missing:
        return {}
    return {"raiMediaFilteredCount": missing, "raiMediaFilteredReasons": [job.fate.message] * missing}


def _page_size(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise invalid("`pageSize` must be a whole number that is not negative.")
    return min(int(text), _LARGEST_PAGE) or _PAGE_SIZE
