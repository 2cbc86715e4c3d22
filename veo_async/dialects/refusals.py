"""A provider's own error, told apart: what it is about, and what is no error of the provider's at all.

Two shapes are the providers' own: Google's `{error: {code, message, status, details[]}}` and GPTProto's
`{error: {message, type: "401"}}` (seeds 000 and 001). Whatever else comes with a status of failure (HTML, a
plain text, nothing) may be from any box on the way, and proves nothing about the job.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final, cast

from attrs import evolve, field, frozen

from veo_async.answers import RefusalKind, Refused, Unreadable
from veo_async.dialects import fields, hints, strict_json
from veo_async.dialects.excerpts import excerpt, without_base64
from veo_async.dialects.fields import JsonObject
from veo_async.dialects.support_codes import speaks_of_policy
from veo_async.errors import ProtocolError
from veo_async.wire import Response

__all__ = [
    "BAD_KEY",
    "HTTP_OF_GRPC",
    "NO_MONEY",
    "ErrorBody",
    "ErrorReader",
    "Rule",
    "number_of",
    "of_submit",
    "read_body",
    "read_error",
    "refusal",
    "unreadable",
]

HTTP_OF_GRPC: Final = {
    1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400,
    10: 409, 11: 400, 12: 501, 13: 500, 14: 503, 16: 401,
}  # fmt: skip
"""HTTP status by gRPC number, as google.rpc.Code documents it."""

_HTTP_OF_WORD: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}
_FIRST_HTTP: Final = 100
_OK: Final = range(200, 300)
_BAD_REQUEST: Final = 400
_REDIRECTS: Final = range(300, 400)
_FAILURES: Final = range(400, 600)
_TOO_MANY: Final = 429
_NOT_FOUND_HINT: Final = "the model's name is retired or misspelt: model= takes any name"


@frozen(kw_only=True)
class ErrorBody:
    """An error in a provider's own shape."""

    message: str = ""
    code: int | str | None = None
    """`code`, or `type` where that is the number, as it came."""
    word: str = ""
    """Google's status word, as in "RESOURCE_EXHAUSTED"."""
    details: tuple[object, ...] = ()
    status: int | None = None
    """HTTP status that it stands for, where its reader knows."""

    @property
    def text(self) -> str:
        """All words that rules look at."""
        reasons = [item.get("reason") for item in self.details if fields.is_object(item)]
        return " ".join([self.message, self.word, *(reason for reason in reasons if isinstance(reason, str))])


ErrorReader = Callable[[JsonObject], ErrorBody | None]
"""Finds the error in an answer that has the shape of a provider's own; None: there is none."""


def read_error(body: JsonObject, path: str = "$") -> ErrorBody | None:
    """Return the error in `body["error"]`, None when there is none in a provider's own shape.

    Raises:
        ProtocolError: it has the shape, and a member of another type than documented.
    """
    error = body.get("error")
    if not fields.is_object(error):
        return None
    path = f"{path}.error"
    code = fields.code(error, "code", path)
    message = fields.text(error, "message", path)
    if code is None:
        code = fields.code(error, "type", path)  # GPTProto: a number as a string, seed 000
    word = fields.text(error, "status", path)
    if code is None and not message and not word:
        return None
    details = error.get("details")
    return ErrorBody(
        message=message or "",
        code=excerpt(code, 80) if isinstance(code, str) else code,
        word=word or "",
        details=tuple(cast("list[object]", details)) if isinstance(details, list) else (),
    )


def number_of(code: int | str | None) -> int | None:
    """Return an error's code as a number; codes come as numbers and as strings of digits."""
    if isinstance(code, str):
        code = code.strip()
        return int(code) if code.isascii() and code.isdigit() and len(code) < 10 else None  # noqa: PLR2004
    return code


def _own_status(error: ErrorBody) -> int | None:
    """Return the HTTP status that the error itself speaks of, None when it speaks of none."""
    if error.status is not None:
        return error.status
    number = number_of(error.code)
    if number is None:
        return _HTTP_OF_WORD.get(error.word or str(error.code))
    status = number if number >= _FIRST_HTTP else HTTP_OF_GRPC.get(number)
    return status if status in _FAILURES else None


@frozen
class Rule:
    """An error of one of `statuses`, with `text` in its words where that is given, is of `kind`."""

    kind: RefusalKind
    statuses: Container[int]
    text: re.Pattern[str] | None = None
    policy: bool = field(default=False, kw_only=True)
    """Only an error about the content policy."""
    code: str | None = field(default=None, kw_only=True)
    """Only an error with this code, written as a string."""

    def matches(self, status: int, error: ErrorBody) -> bool:
        """Return whether the rule speaks of an error that stands for an HTTP status."""
        if status not in self.statuses or (self.policy and not speaks_of_policy(error.text)):
            return False
        if self.code is not None and self.code != str(error.code):
            return False
        return self.text is None or self.text.search(error.text) is not None


NO_MONEY: Final = re.compile(
    r"(?:insufficient|not enough|no)[ _][a-z _]{0,20}(?:balance|credit|fund|quota)"
    r"|(?:balance|credits?|funds|quota) [a-z ]{0,20}(?:insufficient|not enough|depleted|exhausted)"
    r"|(?:余额|额度)不足",  # gateways of the one-api family
    re.IGNORECASE,
)
_USED_UP: Final = re.compile(r"insufficient_quota|depleted|insufficient balance", re.IGNORECASE)
BAD_KEY: Final = re.compile(
    r"API_KEY_INVALID|API key (?:not valid|expired|not found)|invalid signature", re.IGNORECASE
)
_UNIMPLEMENTED: Final = re.compile(r"\bUNIMPLEMENTED\b")
# The live API's words on a string: "The value type for `durationSeconds` needs to be a number." Its words on
# a wrong length ("The number value for `durationSeconds` is out of bound") are not about the type.
_TYPE: Final = (
    r"(?:value type|needs? to be a (?:number|string)|must be an? (?:number|string|integer)|cannot unmarshal"
    r"|expected an? (?:number|string|integer)|invalid type|wrong type|type mismatch|not an? (?:number|string)"
    r"|TYPE_[A-Z]+|of type (?:string|number|integer))"
)
_DURATION: Final = r"duration_?seconds"
_DURATION_TYPE: Final = re.compile(
    f"{_DURATION}.{{0,200}}{_TYPE}|{_TYPE}.{{0,200}}{_DURATION}", re.IGNORECASE
)

# Read from the top; the first that matches decides. Sources: seed 000 (401, 403, 500, 503), seed 003's table
# (503 with "actual status code is 400"), Google's troubleshooting page (the others).
_RULES: Final = (
    Rule(RefusalKind.QUOTA, {_TOO_MANY}, _USED_UP),
    Rule(RefusalKind.RATE_LIMIT, {_TOO_MANY}),
    Rule(RefusalKind.BALANCE, {402}),
    Rule(RefusalKind.BALANCE, {400, 401, 403}, NO_MONEY),
    Rule(RefusalKind.CONTENT, {400, 403, 422, 451, 500, 503}, policy=True),
    Rule(RefusalKind.AUTHENTICATION, {401, 403}),
    Rule(RefusalKind.AUTHENTICATION, {400}, BAD_KEY),
    Rule(RefusalKind.UNSUPPORTED, {405, 501}),
    Rule(RefusalKind.UNSUPPORTED, _FAILURES, _UNIMPLEMENTED),
    Rule(RefusalKind.NOT_FOUND, {404, 410}),
    Rule(RefusalKind.DURATION_TYPE, {400}, _DURATION_TYPE),
    Rule(RefusalKind.SERVER, {408, 499}),  # the server gave up waiting, and may have begun
    Rule(RefusalKind.OVERLOADED, {503}),
    Rule(RefusalKind.SERVER, range(500, 600)),
    Rule(RefusalKind.INVALID, range(400, 500)),
)


def _kind(http: int, error: ErrorBody, rules: Sequence[Rule]) -> RefusalKind | None:
    status = http
    if http in _OK or http == _BAD_REQUEST:
        # Gateways answer 200 or 400 to everything; what they mean stands in the error (seed 003: a policy
        # error "503" comes as 400). Any other status of HTTP's is the more careful reading.
        status = _own_status(error) or http
    kind = next((rule.kind for rule in (*rules, *_RULES) if rule.matches(status, error)), None)
    if kind is RefusalKind.RATE_LIMIT and hints.per_day(error.message, error.details):
        return RefusalKind.QUOTA
    return kind


def refusal(
    error: ErrorBody, response: Response, body: JsonObject, rules: Sequence[Rule] = ()
) -> Refused | None:
    """Return what `error` refuses; None where no rule knows it (a 200 with an error without a code).

    Args:
        error: As `read_error` returned it.
        response: The answer it came in.
        body: That answer, decoded.
        rules: A surface's or a service's own, read before those that hold everywhere.
    """
    kind = _kind(response.status, error, rules)
    if kind is None:
        return None
    return Refused(
        kind=kind,
        message=excerpt(error.message),
        status=response.status,
        code=error.code,
        retry_after=hints.retry_after(response.headers, error.message, error.details),
        raw=without_base64(body),
    )


def of_submit(refused: Refused) -> Refused:
    """Return the refusal of a submit, which says of a model that is not found what may have become of it."""
    if refused.kind is not RefusalKind.NOT_FOUND:
        return refused
    return evolve(refused, message=f"{excerpt(refused.message, 400)} ({_NOT_FOUND_HINT})")


def unreadable(response: Response, message: str, path: str = "$") -> Unreadable:
    """Return that `response` is not what the surface documents."""
    return Unreadable(
        message=message,
        path=path,
        status=response.status,
        excerpt=excerpt(response.body),
        retry_after=hints.retry_after(response.headers),
        throttled=response.status == _TOO_MANY,
    )


def read_body(
    response: Response, read: ErrorReader = read_error, rules: Sequence[Rule] = ()
) -> JsonObject | Refused | Unreadable:
    """Return the decoded object of a 2xx answer, else what the answer says instead.

    Args:
        response: The answer.
        read: Finds the error in a surface's own shape.
        rules: A surface's or a service's own, read before those that hold everywhere.
    """
    if response.status in _REDIRECTS:
        return _redirect(response)
    try:
        body = strict_json.decode(response.body)
        return body if response.status in _OK else _failure(response, body, read, rules)
    except ProtocolError as error:
        return unreadable(response, error.message, error.path)


def _failure(
    response: Response, body: JsonObject, read: ErrorReader, rules: Sequence[Rule]
) -> Refused | Unreadable:
    error = read(body)
    if error is None:
        return unreadable(response, f"HTTP {response.status} without an error in the provider's own shape")
    refused = refusal(error, response, body, rules)
    return refused or unreadable(response, f"HTTP {response.status} is no failure")


def _redirect(response: Response) -> Refused:
    target: Mapping[str, str] = response.headers
    return Refused(
        kind=RefusalKind.REDIRECT,
        message=excerpt(
            f"redirects to {target.get('location', 'nowhere')}; set base_url to where the API is"
        ),
        status=response.status,
    )
