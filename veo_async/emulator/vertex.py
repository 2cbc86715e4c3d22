"""The surface that speaks Vertex AI (protocol §2): checks are POSTs, videos stand in the answer."""

import base64
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from veo_async.emulator.documents import parse_object, refuse_unknown
from veo_async.emulator.fates import Ending
from veo_async.emulator.gemini import filtered_fields
from veo_async.emulator.gemini_errors import STATUSES, google_error
from veo_async.emulator.jobs import Job, SurfaceName, Ticket
from veo_async.emulator.orders import Order
from veo_async.emulator.refusals import Refusal, RefusedError, invalid
from veo_async.emulator.surfaces import Premises, Route, bearer_token
from veo_async.emulator.vertex_request import read_vertex_submission

_SURFACE: Final[SurfaceName] = "vertex"
_MODEL_PATH = "projects/{project}/locations/{location}/publishers/google/models/{model}"
_RESPONSE_TYPE = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"
_SIGN_IN_TEXT = "Request had invalid authentication credentials: an OAuth 2 access token is expected."
_POLICY_TEXT = (
    "The prompt could not be submitted. It contains words that violate the Responsible AI practices. "
    "Support codes: 89371032"
)


class VertexSurface:
    """Reads requests to Vertex AI and gives its answers."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises

    @property
    def routes(self) -> Sequence[Route]:
        """Submit and check; there is no list, and no download but that of the answer itself."""
        model = "/{version}/" + _MODEL_PATH
        return (
            Route("POST", model + ":predictLongRunning", "submit", self.submit),
            Route("POST", model + ":fetchPredictOperation", "check", self.check),
        )

    def credential(self, request: web.Request) -> str:
        """The access token behind ``Bearer``."""
        return bearer_token(request)

    def refuse(self, refused: RefusedError) -> web.Response:
        """The answer to a refused request; 429 comes without details or any hint, as it often does."""
        match refused.refusal:
            case Refusal.POLICY:
                return google_error(400, "INVALID_ARGUMENT", _POLICY_TEXT)
            case Refusal.KEY:
                return google_error(*STATUSES[Refusal.KEY], _SIGN_IN_TEXT)
            case Refusal.RATE:
                text = "Quota exceeded for aiplatform.googleapis.com. Please submit a quota increase request."
                return google_error(*STATUSES[Refusal.RATE], text)
            case _:
                return google_error(*STATUSES[refused.refusal], refused.message)

    async def submit(self, request: web.Request, key: str) -> web.Response:
        """``POST …/models/{model}:predictLongRunning``."""
        path = _MODEL_PATH.format_map(request.match_info)
        body, model = await request.read(), request.match_info["model"]
        submission = read_vertex_submission(body, model, path, self._premises.segments)
        await self._premises.look_at(submission.images)

        def ticket(_: Order, __: str, ___: float) -> Ticket:
            name = f"{path}/operations/{uuid.uuid4()}"
            return Ticket(surface=_SURFACE, handle=name, operation=name)

        job = self._premises.service.accept(submission.order, submission.images, key, ticket)
        return web.json_response({"name": job.ticket.operation})

    async def check(self, request: web.Request, _: str) -> web.Response:
        """``POST …/models/{model}:fetchPredictOperation``."""
        path = _MODEL_PATH.format_map(request.match_info)
        document = parse_object(await request.read())
        refuse_unknown(document, {"operationName"})
        name = document.get("operationName")
        if not isinstance(name, str) or not name.startswith(f"{path}/operations/"):
            raise invalid(f"`operationName` must be the name of an operation of {path}.")
        job = self._premises.service.find(_SURFACE, name)
        return web.json_response(await self._operation(job))

    async def _operation(self, job: Job) -> dict[str, Any]:
        answer: dict[str, Any] = {"name": job.ticket.operation}
        if not job.done(self._premises.service.now()):
            return answer
        fate = job.fate
        match fate.ending:
            case Ending.EMPTY:
                return answer | {"done": True}
            case Ending.FAILED:
                return answer | {"done": True, "error": {"code": fate.code, "message": fate.message}}
            case _:
                return answer | {"done": True, "response": await self._response(job)}

    async def _response(self, job: Job) -> dict[str, Any]:
        videos = [await self._video(job, file) for file in job.files]
        answer: dict[str, Any] = {"@type": _RESPONSE_TYPE, "raiMediaFilteredCount": 0}
        return answer | filtered_fields(job) | ({"videos": videos} if videos else {})

    async def _video(self, job: Job, file: str) -> dict[str, str]:
        parameters: Mapping[str, Any] = job.order.request.get("parameters") or {}
        bucket: str | None = parameters.get("storageUri")
        if bucket:
            return {"gcsUri": f"{bucket.rstrip('/')}/{file}.mp4", "mimeType": "video/mp4"}
        encoded = base64.b64encode(await self._premises.shelf.content(file)).decode()
        return {"bytesBase64Encoded": encoded, "mimeType": "video/mp4"}
