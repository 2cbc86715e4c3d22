"""Refusals in the shape of OpenAI's errors, which most gateways took over: message, type, code."""

import math
from collections.abc import Mapping

from aiohttp import web

from veo_async.emulator.documents import Object
from veo_async.emulator.refusals import Refusal, RefusedError

_KEY_TEXT = "Incorrect API key provided."
_KINDS: Mapping[Refusal, tuple[int, str, str | None]] = {
    Refusal.INVALID: (400, "invalid_request_error", "invalid_value"),
    Refusal.KEY: (401, "invalid_request_error", "invalid_api_key"),
    Refusal.NOT_FOUND: (404, "invalid_request_error", "not_found"),
    Refusal.RATE: (429, "rate_limit_error", "rate_limit_exceeded"),
    Refusal.POLICY: (400, "invalid_request_error", "content_policy_violation"),
    Refusal.INTERNAL: (500, "server_error", None),
    Refusal.UNIMPLEMENTED: (404, "invalid_request_error", "unknown_url"),
    Refusal.STOPPING: (503, "server_error", None),
}


def openai_error(refused: RefusedError, status: int | None = None) -> web.Response:
    """The answer to a refused request; with a status given, that one instead of its own."""
    own_status, kind, code = _KINDS[refused.refusal]
    message = _KEY_TEXT if refused.refusal is Refusal.KEY else refused.message
    body: Object = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    hint = refused.retry_after_s
    headers = {} if hint is None else {"Retry-After": str(math.ceil(hint))}
    return web.json_response(body, status=status or own_status, headers=headers)
