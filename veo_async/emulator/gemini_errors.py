"""Refusals in the shapes that errors have in the Gemini format: Google's, and GPTProto's."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from aiohttp import web

from veo_async.emulator.refusals import Refusal, RefusedError

ErrorStyle: TypeAlias = Literal["google", "gptproto"]

STATUSES: Mapping[Refusal, tuple[int, str]] = {
    Refusal.INVALID: (400, "INVALID_ARGUMENT"),
    Refusal.KEY: (401, "UNAUTHENTICATED"),
    Refusal.NOT_FOUND: (404, "NOT_FOUND"),
    Refusal.RATE: (429, "RESOURCE_EXHAUSTED"),
    Refusal.INTERNAL: (500, "INTERNAL"),
    Refusal.UNIMPLEMENTED: (501, "UNIMPLEMENTED"),
    Refusal.STOPPING: (503, "UNAVAILABLE"),
}
"""Google's HTTP and gRPC status of each refusal but that by the content policy."""
_POLICY_STATUS = 400
_POLICY_TYPE = "503"  # what GPTProto's table calls it, "actual status code is 400"
_SIGNATURE_TEXT = "Invalid signature"


def refusal_response(refused: RefusedError, style: ErrorStyle) -> web.Response:
    """The answer to a refused request; the content policy speaks GPTProto's shape in either style."""
    if refused.refusal is Refusal.POLICY:
        return _gptproto(_POLICY_STATUS, refused.message, _POLICY_TYPE, {})
    status, grpc_status = STATUSES[refused.refusal]
    headers: dict[str, str] = {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(refused.retry_after_s))
    if style == "gptproto":
        text = _SIGNATURE_TEXT if refused.refusal is Refusal.KEY else refused.message
        return _gptproto(status, text, str(status), headers)
    return google_error(status, grpc_status, refused.message, _details(refused), headers)


def error_status(refused: RefusedError) -> int:
    """The HTTP status of a refusal."""
    return _POLICY_STATUS if refused.refusal is Refusal.POLICY else STATUSES[refused.refusal][0]


def google_error(
    status: int,
    grpc_status: str,
    message: str,
    details: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error in Google's shape."""
    error: dict[str, Any] = {"code": status, "message": message, "status": grpc_status}
    body = {"error": error | ({"details": details} if details else {})}
    return web.json_response(body, status=status, headers=headers)


def _gptproto(status: int, message: str, kind: str, headers: Mapping[str, str]) -> web.Response:
    return web.json_response({"error": {"message": message, "type": kind}}, status=status, headers=headers)


def _details(refused: RefusedError) -> list[dict[str, Any]]:
    if refused.refusal is Refusal.KEY:
        reason = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        return [{"@type": "type.googleapis.com/google.rpc.ErrorInfo"} | reason]
    if refused.retry_after_s is None:
        return []
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/predict_long_running_requests",
        "quotaId": "PredictLongRunningRequestsPerMinutePerProjectPerModel",
    }
    delay = f"{refused.retry_after_s:.2f}s"
    return [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]
