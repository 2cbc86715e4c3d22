"""Errors as gateways write them, read into the one form that `refusals` judges.

Most gateways took over OpenAI's `{error: {message, type, code}}`, with words where Google has numbers; the
others put a text into `error`, `detail.error`, `detail`, `fail_reason` or `message` (protocol §4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from veo_async.answers import RefusalKind
from veo_async.dialects import fields
from veo_async.dialects.excerpts import excerpt
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.refusals import BAD_KEY, NO_MONEY, ErrorBody, Rule, number_of

__all__ = ["RULES", "read", "read_envelope"]

_STATUS_OF_WORD: Final[Mapping[str, int]] = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "unauthorized": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "insufficient_quota": 402,
    "insufficient_user_quota": 402,
    "insufficient_balance": 402,
    "billing_hard_limit_reached": 402,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "content_policy_violation": 400,
    "moderation_blocked": 400,
    "model_not_found": 404,
    "not_found": 404,
    "not_found_error": 404,
    "task_not_exist": 404,  # new-api says it with a 400
    "unknown_url": 404,
    "server_error": 500,
    "internal_error": 500,
    "overloaded_error": 503,
    "invalid_request_error": 400,
    "invalid_value": 400,
}
"""HTTP status that a code or type stands for: OpenAI's words, and those of the gateways that have more."""

_FAILURES: Final = range(400, 600)
_OK: Final = range(200, 300)
_FINE_WORDS: Final = ("", "success", "ok")

RULES: Final = (
    # Under 200 and without a code there are only the words; what they leave open stays unknown.
    Rule(RefusalKind.CONTENT, _OK, policy=True),
    Rule(RefusalKind.BALANCE, _OK, NO_MONEY),
    Rule(RefusalKind.AUTHENTICATION, _OK, BAD_KEY),
)
"""Read before the rules that hold everywhere."""

_MESSAGES: Final = ("message", "msg", "error", "detail")
_CODES: Final = ("code", "type")
_TEXTS: Final = ("error", "detail", "fail_reason", "message", "msg")


def read(body: JsonObject) -> ErrorBody | None:
    """Return the error that an answer or a task holds, None when it holds none.

    Whatever else stands there is passed over: a task that failed has failed, however oddly it says why.
    """
    holders = tuple(_holders(body))
    in_objects = (_in_object(holder) for holder in holders)
    return next((error for error in (*in_objects, _in_text((body, *holders))) if error is not None), None)


def read_envelope(body: JsonObject) -> ErrorBody | None:
    """Return the error of an envelope whose own `code` is not that of success; None: it is, or is not there.

    Raises:
        ProtocolError: `code` is neither a number nor a text.
    """
    code = fields.code(body, "code", "$")
    if code is None or _is_fine(code):
        return None
    codes = _codes(body, ("code",))
    inner = read(body) or ErrorBody()
    beside = (inner.code,) if inner.code is not None and inner.code not in codes else ()
    return _error(inner.message, (*codes, *beside))


def _is_fine(code: int | str) -> bool:
    number = number_of(code)
    return str(code).strip().lower() in _FINE_WORDS if number is None else number == 0 or number in _OK


def _holders(body: JsonObject) -> Iterator[JsonObject]:
    """Yield the objects that an error may be, the innermost first."""
    for key in ("error", "detail"):
        outer = body.get(key)
        if fields.is_object(outer):
            inner = outer.get("error")
            if fields.is_object(inner):
                yield inner
            yield outer


def _first_text(holder: JsonObject, keys: tuple[str, ...]) -> str:
    return next((text for key in keys if isinstance(text := holder.get(key), str) and text), "")


def _in_object(holder: JsonObject) -> ErrorBody | None:
    message, codes = _first_text(holder, _MESSAGES), _codes(holder, _CODES)
    return _error(message, codes) if message or codes else None


def _in_text(holders: tuple[JsonObject, ...]) -> ErrorBody | None:
    message = next((text for holder in holders if (text := _first_text(holder, _TEXTS))), "")
    return _error(message, _codes(holders[0], ("code",))) if message else None


def _codes(holder: JsonObject, keys: tuple[str, ...]) -> tuple[int | str, ...]:
    found = (holder.get(key) for key in keys)
    return tuple(
        excerpt(code, 80) if isinstance(code, str) else code
        for code in found
        if isinstance(code, int | str) and not isinstance(code, bool) and code != ""
    )


def _error(message: str, codes: tuple[int | str, ...]) -> ErrorBody:
    return ErrorBody(
        message=message,
        code=codes[0] if codes else None,
        # Words count among the texts that rules look at.
        word=" ".join(code for code in codes if isinstance(code, str)),
        status=next((status for code in codes if (status := _status(code)) is not None), None),
    )


def _status(code: int | str) -> int | None:
    number = number_of(code)
    if number is None:
        return _STATUS_OF_WORD.get(str(code).strip().lower())
    return number if number in _FAILURES else None
