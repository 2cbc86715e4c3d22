"""Every surface with answers as its services document them, and the small change of its tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from tests.seeds import BALANCE, INTERNAL, POLICY, SAMPLES, SIGNATURE
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.gemini import GeminiDialect
from veo_async.dialects.gptproto_v3 import GPTProtoV3Dialect
from veo_async.dialects.openai_videos import OpenAIVideosDialect
from veo_async.dialects.unified import UnifiedDialect
from veo_async.dialects.vertex import VertexDialect
from veo_async.dialects.vertex_names import Place
from veo_async.dialects.wrapped_videos import WrappedVideosDialect
from veo_async.wire import Request, Response

__all__ = ["SURFACES", "TASK", "URL", "Surface", "answer", "body_of"]

TASK: Final = "veo3.1-fast:1760545785-euexscdeL8"
URL: Final = "https://cdn.example/a.mp4"

_BASE: Final = "https://gateway.example"
_MODEL: Final = "veo-3.1-generate-preview"
_GEMINI_OPERATION: Final = f"models/{_MODEL}/operations/mg3pt9cbmvr1"
_RESOURCE: Final = "projects/films/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001"
_VERTEX_OPERATION: Final = f"{_RESOURCE}/operations/3f2a-77"

Body = Mapping[str, object]


@frozen(kw_only=True, eq=False)
class Surface:
    """One dialect, and what a service of it answers."""

    name: str
    dialect: Dialect = field(repr=False)
    operation: str = TASK
    """The operation that `answers` are about."""
    answers: tuple[Body, ...] = field(repr=False)
    """To submits, checks and lists, errors too."""


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer; bytes go as they are, all else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers=headers or {}, body=data)


def body_of(request: Request, fill: str = "QUJD") -> dict[str, object]:
    """Return the body as the server reads it, `fill` in the place of each picture."""
    parts = (part if isinstance(part, bytes) else fill.encode() for part in request.body)
    body: dict[str, object] = json.loads(b"".join(parts))
    return body


def _sample(name: str) -> Body:
    sample: Body = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    return sample


def _operation(name: str, **members: object) -> Body:
    return {"name": name, **members}


def _task(word: str, **members: object) -> Body:
    return {"id": TASK, "status": word, **members}


def _envelope(code: object, data: object, message: str = "") -> Body:
    return {"code": code, "message": message, "data": data}


_SEED_ERRORS: Final = tuple(_sample(name) for name, _, _ in (SIGNATURE, BALANCE, INTERNAL, POLICY))
_GOOGLE_ERROR: Final[Body] = {
    "error": {
        "code": 429,
        "message": "Quota exceeded. Please retry in 10.68s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"retryDelay": "10.68s"}, {"violations": [{"quotaId": "GenerateRequestsPerDay"}]}],
    }
}
_OPENAI_ERROR: Final[Body] = {
    "error": {"message": "Incorrect API key", "type": "invalid_request_error", "code": "invalid_api_key"}
}
_FILTERED: Final[Body] = {
    "raiMediaFilteredCount": 1,
    "raiMediaFilteredReasons": ["You will not be charged for this attempt. Support codes: 29310472"],
}
_FAILED: Final[Body] = {"code": 13, "message": "Internal error"}

_GEMINI: Final = Surface(
    name="gemini",
    dialect=GeminiDialect(base_url=_BASE, status_base_url=_BASE),
    operation=_GEMINI_OPERATION,
    answers=(
        *_SEED_ERRORS,
        _GOOGLE_ERROR,
        _sample("gptproto_operation_running.json"),
        _sample("gptproto_operation_done.json"),
        _operation(
            _GEMINI_OPERATION,
            done=True,
            response={
                "generateVideoResponse": {
                    "generatedSamples": [{"video": {"encodedVideo": "AAAA", "encoding": "video/mp4"}}],
                    **_FILTERED,
                }
            },
        ),
        _operation(_GEMINI_OPERATION, done=True, error=_FAILED),
        {"operations": [_sample("gptproto_operation_done.json")], "nextPageToken": "next"},
    ),
)
_VERTEX: Final = Surface(
    name="vertex",
    dialect=VertexDialect(base_url=_BASE, status_base_url=_BASE, place=Place("films", "us-central1")),
    operation=_VERTEX_OPERATION,
    answers=(
        _GOOGLE_ERROR,
        _operation(_VERTEX_OPERATION),
        _operation(
            _VERTEX_OPERATION,
            done=True,
            response={"videos": [{"gcsUri": "gs://b/1.mp4", "mimeType": "video/mp4"}]},
        ),
        _operation(
            _VERTEX_OPERATION,
            done=True,
            response={"videos": [{"bytesBase64Encoded": "<cut-1>", "mimeType": "video/mp4"}], **_FILTERED},
        ),
        _operation(_VERTEX_OPERATION, done=True, error=_FAILED),
    ),
)
_V3: Final = Surface(
    name="gptproto-v3",
    dialect=GPTProtoV3Dialect(base_url=_BASE, status_base_url=_BASE),
    answers=(
        *_SEED_ERRORS,
        _sample("gptproto_v3_success.json"),
        _envelope(401, None, "Invalid signature"),
        _envelope(200, _task("created", urls={"get": f"{_BASE}/api/v3/predictions/{TASK}/result"})),
        _envelope(200, _task("completed", outputs=[URL], timings={"inference": 71}), "success"),
        _envelope(200, _task("failed", error="Internal error", outputs=[])),
        {"status": "success", "result": _task("processing")},
    ),
)
_UNIFIED: Final = Surface(
    name="unified",
    dialect=UnifiedDialect(base_url=_BASE, status_base_url=_BASE),
    answers=(
        *_SEED_ERRORS,
        _OPENAI_ERROR,
        {**_sample("chainhub_query_pending.json"), "id": TASK},
        _task("completed", video_url=URL, thumbnail_url="https://h/a.jpg", progress=100),
        _task("completed", video_url=None, detail={"video_url": URL}),
        _task("video_generation_completed", video_url=URL),
        _task("video_upsampling_completed", video_url=URL),
        _task("video_upsampling_failed", video_url=URL, error="no"),
        _task("failed", video_url=None, detail={"error": {"message": "no luck", "code": 13}}),
        {"fail_reason": "it violates the content policy"},
    ),
)
_OPENAI: Final = Surface(
    name="openai-videos",
    dialect=OpenAIVideosDialect(base_url=_BASE, status_base_url=_BASE),
    answers=(
        *_SEED_ERRORS,
        _OPENAI_ERROR,
        _task("queued", object="video", progress=0),
        _task("completed", object="video", progress=100, error=None),
        _task("failed", error={"code": "content_policy_violation", "message": "no"}),
        _envelope("success", {"task_id": TASK, "status": "IN_PROGRESS", "progress": "30%"}),
        {"object": "list", "data": [_task("queued")], "has_more": True, "last_id": TASK},
    ),
)
_WRAPPED: Final = Surface(
    name="wrapped-videos",
    dialect=WrappedVideosDialect(base_url=_BASE, status_base_url=_BASE),
    answers=(
        *_SEED_ERRORS,
        _OPENAI_ERROR,
        _envelope("insufficient_user_quota", None, "no money"),
        _envelope("success", {"task_id": TASK, "status": "NOT_START", "progress": "0%", "fail_reason": ""}),
        _envelope("success", {"id": 1235905, "task_id": TASK, "status": "SUCCESS", "result_url": URL}),
        _envelope("success", {"task_id": TASK, "status": "SUCCESS", "progress": "100%", "fail_reason": URL}),
        _envelope("success", {"id": TASK, "status": "SUCCEEDED", "video_url": URL}),
        _envelope("success", {"task_id": TASK, "status": "FAILURE", "fail_reason": "no luck"}),
        _envelope("fail", {"task_id": TASK, "status": "FAILED", "fail_reason": "no luck"}),
        {"id": TASK, "task_id": TASK, "object": "video", "status": "queued"},
    ),
)

SURFACES: Final = (_GEMINI, _VERTEX, _V3, _UNIFIED, _OPENAI, _WRAPPED)
