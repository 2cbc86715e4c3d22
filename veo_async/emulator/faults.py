"""What can go wrong between a client and the service, and when it shall.

A fault either keeps the request from the service, or lets the service answer and spoils that answer. On a
submission this is the difference between money not spent and money spent: ``accepted=True`` means that the
operation is accepted and billed, whatever the client gets to see.
"""

import json
import threading
from collections.abc import Callable, Collection, Mapping
from email.utils import formatdate
from enum import Enum, auto
from random import Random
from typing import Any, TypeAlias

from attrs import define, field, frozen, validators

from veo_async.emulator.received import Endpoint, Received

Edit: TypeAlias = Callable[[dict[str, Any]], object]
"""Changes a JSON answer: in place, or by returning another value (anything JSON can say)."""

Rewrite: TypeAlias = Callable[[bytes], bytes]
"""Changes an answer's body to what no JSON encoder writes."""

_POLICY_TEXT = "Input may not meet the guidelines. Please adjust and try again."
_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>proxy</p></body></html>"
_QUOTA_TEXT = "You exceeded your current quota."
_HALF_STATUS_LINE = b"HTTP/1.1 20"
_GARBAGE = b"\x16\x03\x01 what is this\r\n\r\n"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_ONE_HEADER = b"X-Flood: 1\r\n"


class Misdeed(Enum):
    """What is done to a connection or an answer."""

    RESET_UNREAD = auto()
    RESET = auto()
    RESET_WITHIN = auto()
    CLOSE = auto()
    SILENCE = auto()
    RAW = auto()
    HALF_HEADER = auto()
    SHORT_BODY = auto()
    LONG_BODY = auto()
    SURPLUS = auto()
    CHUNK_CUT = auto()
    UNFRAMED_CUT = auto()
    DRIP = auto()
    FLOOD_1XX = auto()
    ANSWER = auto()
    GZIP_BOMB = auto()
    EDIT = auto()
    REWRITE = auto()
    WITH_HEADERS = auto()


@frozen(kw_only=True)
class Fault:
    """One thing that goes wrong. Made by the class methods, which say what each does."""

    misdeed: Misdeed
    accepted: bool = False
    """Whether the service gets the request (and accepts and bills it) before things go wrong."""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict[str, str])
    body: bytes = b""
    share: float = field(default=0.5, validator=validators.and_(validators.ge(0.0), validators.lt(1.0)))
    """How much of the body is sent before it is cut."""
    bytes_per_second: float = field(default=64.0, validator=validators.gt(0.0))
    size_bytes: int = 0
    edit_answer: Edit | None = None
    rewrite_answer: Rewrite | None = None

    @classmethod
    def reset_before_reading(cls) -> "Fault":
        """A TCP reset before the body is read; the service never gets the request."""
        return cls(misdeed=Misdeed.RESET_UNREAD)

    @classmethod
    def reset_after_reading(cls, *, accepted: bool = False) -> "Fault":
        """A TCP reset after the whole request was read."""
        return cls(misdeed=Misdeed.RESET, accepted=accepted)

    @classmethod
    def reset_within(cls, share: float = 0.5, *, accepted: bool = True) -> "Fault":
        """A TCP reset in the middle of the answer, after its head and a share of its body."""
        return cls(misdeed=Misdeed.RESET_WITHIN, share=share, accepted=accepted)

    @classmethod
    def close(cls, *, accepted: bool = False) -> "Fault":
        """The connection is closed in good order, without an answer."""
        return cls(misdeed=Misdeed.CLOSE, accepted=accepted)

    @classmethod
    def silence(cls, *, accepted: bool = False) -> "Fault":
        """Nothing ever comes back; ends when the client goes or the emulator stops."""
        return cls(misdeed=Misdeed.SILENCE, accepted=accepted)

    @classmethod
    def raw(cls, content: bytes, *, accepted: bool = False) -> "Fault":
        """These bytes and then the end: garbage, a flood of 1xx or of headers, whatever is asked."""
        return cls(misdeed=Misdeed.RAW, body=content, accepted=accepted)

    @classmethod
    def half_status_line(cls, *, accepted: bool = False) -> "Fault":
        """The first letters of a status line, then the end."""
        return cls.raw(_HALF_STATUS_LINE, accepted=accepted)

    @classmethod
    def garbage(cls, *, accepted: bool = False) -> "Fault":
        """Bytes that are no HTTP where the status line should be."""
        return cls.raw(_GARBAGE, accepted=accepted)

    @classmethod
    def many_headers(cls, count: int = 100_000, *, accepted: bool = False) -> "Fault":
        """An answer with so many header lines."""
        return cls.raw(_HEAD + _ONE_HEADER * count + b"\r\n", accepted=accepted)

    @classmethod
    def long_header(cls, size_bytes: int = 2**20, *, accepted: bool = False) -> "Fault":
        """An answer with one header line of so many bytes."""
        return cls.raw(_HEAD + b"X-Flood: " + b"x" * size_bytes + b"\r\n\r\n", accepted=accepted)

    @classmethod
    def flood_1xx(cls, *, accepted: bool = False) -> "Fault":
        """One interim answer after the other, and never the final one; ends when the client goes."""
        return cls(misdeed=Misdeed.FLOOD_1XX, accepted=accepted)

    @classmethod
    def half_header(cls, *, accepted: bool = False) -> "Fault":
        """The status line and half of a header, then the end."""
        return cls(misdeed=Misdeed.HALF_HEADER, accepted=accepted)

    @classmethod
    def short_body(cls, share: float = 0.5, *, accepted: bool = True) -> "Fault":
        """The full Content-Length, a share of the body, then the end."""
        return cls(misdeed=Misdeed.SHORT_BODY, share=share, accepted=accepted)

    @classmethod
    def long_body(cls, share: float = 0.5, *, accepted: bool = True) -> "Fault":
        """The whole body under a Content-Length of only a share of it."""
        return cls(misdeed=Misdeed.LONG_BODY, share=share, accepted=accepted)

    @classmethod
    def surplus(cls, content: bytes = b"and more", *, accepted: bool = True) -> "Fault":
        """The true answer, and bytes after its end."""
        return cls(misdeed=Misdeed.SURPLUS, body=content, accepted=accepted)

    @classmethod
    def chunk_cut(cls, share: float = 0.5, *, accepted: bool = True) -> "Fault":
        """A chunked body that ends inside a chunk."""
        return cls(misdeed=Misdeed.CHUNK_CUT, share=share, accepted=accepted)

    @classmethod
    def unframed_cut(cls, share: float = 0.5, *, accepted: bool = True) -> "Fault":
        """Neither Content-Length nor chunks, a share of the body, then the end: HTTP can't tell."""
        return cls(misdeed=Misdeed.UNFRAMED_CUT, share=share, accepted=accepted)

    @classmethod
    def drip(cls, bytes_per_second: float = 64.0, *, accepted: bool = True) -> "Fault":
        """The true answer, its body so many bytes a second."""
        return cls(misdeed=Misdeed.DRIP, bytes_per_second=bytes_per_second, accepted=accepted)

    @classmethod
    def gzip_bomb(cls, size_bytes: int = 64 * 2**20, *, accepted: bool = False) -> "Fault":
        """A small body that unpacks to so many bytes."""
        return cls(misdeed=Misdeed.GZIP_BOMB, size_bytes=size_bytes, accepted=accepted)

    @classmethod
    def edit(cls, change: Edit) -> "Fault":
        """The true JSON answer, changed by a function: wrong types, missing fields, flapping states."""
        return cls(misdeed=Misdeed.EDIT, edit_answer=change, accepted=True)

    @classmethod
    def rewrite(cls, change: Rewrite) -> "Fault":
        """The true answer, its body changed as bytes: a key twice, NaN, a byte order mark."""
        return cls(misdeed=Misdeed.REWRITE, rewrite_answer=change, accepted=True)

    @classmethod
    def with_headers(cls, headers: Mapping[str, str]) -> "Fault":
        """The true answer with these headers added or put in place of its own: cookies, a wrong type."""
        return cls(misdeed=Misdeed.WITH_HEADERS, headers=headers, accepted=True)

    @classmethod
    def encoded(cls, encoding: str) -> "Fault":
        """The true answer, said to be in an encoding that it is not in."""
        return cls.with_headers({"Content-Encoding": encoding})

    @classmethod
    def answer(
        cls,
        status: int,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        *,
        accepted: bool = False,
    ) -> "Fault":
        """Any status, headers and body; bytes and text go as they are, all else as JSON."""
        content, kind = _encode(body)
        return cls(
            misdeed=Misdeed.ANSWER,
            status=status,
            body=content,
            headers={"Content-Type": kind} | dict(headers or {}),
            accepted=accepted,
        )

    @classmethod
    def html(cls, status: int = 502, *, accepted: bool = False) -> "Fault":
        """A proxy's HTML page with this status; 200 makes it an answer that can't be read."""
        return cls.answer(status, _HTML.format(f"{status} from the proxy"), accepted=accepted)

    @classmethod
    def redirect(cls, location: str, status: int = 302, *, accepted: bool = False) -> "Fault":
        """A redirect (301, 302, 303, 307 or 308) to a given place."""
        return cls.answer(status, b"", {"Location": location}, accepted=accepted)

    @classmethod
    def rate_limited(cls, seconds: float | str | None = 1) -> "Fault":
        """429 with Retry-After as given (None: without it); text goes as it is, to try odd ones."""
        headers = {} if seconds is None else {"Retry-After": str(seconds)}
        return cls.answer(429, _google(429, "RESOURCE_EXHAUSTED", _QUOTA_TEXT), headers)

    @classmethod
    def rate_limited_until(cls, epoch_s: float) -> "Fault":
        """429 with an HTTP date in Retry-After, given as seconds since 1970."""
        return cls.rate_limited(formatdate(epoch_s, usegmt=True))

    @classmethod
    def retry_info(cls, seconds: float = 1.0) -> "Fault":
        """429 with ``RetryInfo.retryDelay`` in its details, and the same in words."""
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds:g}s"}
        text = f"{_QUOTA_TEXT} Please retry in {seconds:g}s."
        return cls.answer(429, _google(429, "RESOURCE_EXHAUSTED", text, [detail]))

    @classmethod
    def daily_quota(cls) -> "Fault":
        """429 with a ``QuotaFailure`` of the day: trying again soon is of no use."""
        violation = {
            "quotaMetric": "generativelanguage.googleapis.com/predict_long_running_requests",
            "quotaId": "PredictLongRunningRequestsPerDayPerProjectPerModel",
        }
        detail = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
        return cls.answer(429, _google(429, "RESOURCE_EXHAUSTED", _QUOTA_TEXT, [detail]))

    @classmethod
    def policy(cls, status: int = 400) -> "Fault":
        """GPTProto's refusal by the content policy: type "503" in the body, HTTP 400 (or 503) around it."""
        return cls.gptproto(status, _POLICY_TEXT, kind="503")

    @classmethod
    def unauthorized(cls) -> "Fault":
        """GPTProto's 401."""
        return cls.gptproto(401, "Invalid signature")

    @classmethod
    def forbidden(cls) -> "Fault":
        """GPTProto's 403 about permission."""
        return cls.gptproto(403, "Permission denied")

    @classmethod
    def not_found(cls, status: int = 404) -> "Fault":
        """Google's 404 (or 410), as for an operation that is not known yet or no longer."""
        return cls.answer(status, _google(status, "NOT_FOUND", "Requested entity was not found."))

    @classmethod
    def insufficient_balance(cls) -> "Fault":
        """GPTProto's 403 about money."""
        return cls.gptproto(403, "Insufficient balance")

    @classmethod
    def internal_error(cls, *, accepted: bool = False) -> "Fault":
        """GPTProto's 500, well-formed."""
        return cls.gptproto(500, "Internal server error", accepted=accepted)

    @classmethod
    def overloaded(cls, *, accepted: bool = False) -> "Fault":
        """Google's 503 UNAVAILABLE, well-formed."""
        text = "The model is overloaded due to high demand. Please try again later."
        return cls.answer(503, _google(503, "UNAVAILABLE", text), accepted=accepted)

    @classmethod
    def gptproto(cls, status: int, message: str, kind: str = "", *, accepted: bool = False) -> "Fault":
        """An error in GPTProto's shape; its ``type`` is the status as a string unless given."""
        body = {"error": {"message": message, "type": kind or str(status)}}
        return cls.answer(status, body, accepted=accepted)


def _google(code: int, status: str, message: str, details: list[dict[str, Any]] | None = None) -> object:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": error | ({"details": details} if details else {})}


def _encode(body: object) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/html; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


@define(kw_only=True)
class FaultRule:
    """Where and when a fault strikes."""

    endpoint: Endpoint
    fault: Fault
    calls: frozenset[int] | None = None
    """Which calls of the endpoint, from 1; None: any."""
    share: float = 1.0
    """Chance for each call that fits."""
    times: int | None = None
    """How often at most; None: without end."""
    where: Callable[[Received], bool] | None = None
    """Only requests for which this is true."""
    fired: int = 0
    """How often it has struck."""

    def strikes(self, received: Received, call: int, random: Random) -> bool:
        """Whether the fault strikes this call; counts it if so."""
        fits = (
            (self.times is None or self.fired < self.times)
            and (self.calls is None or call in self.calls)
            and (self.where is None or self.where(received))
            and (self.share >= 1.0 or random.random() < self.share)
        )
        self.fired += fits
        return fits


class Faults:
    """The faults an emulator has in store. Rules may be added from any thread, at any time."""

    def __init__(self, seed: int = 0) -> None:
        """No faults; shares are drawn from the seed."""
        self._lock = threading.Lock()
        self._random = Random(f"faults:{seed}")  # noqa: S311 - reproducible, not secret
        self._rules: list[FaultRule] = []

    def add(
        self,
        endpoint: Endpoint,
        fault: Fault,
        *,
        call: int | Collection[int] | None = None,
        share: float = 1.0,
        times: int | None = None,
        where: Callable[[Received], bool] | None = None,
    ) -> FaultRule:
        """Let a fault strike an endpoint; where several rules fit a call, the one added first counts.

        Args:
            endpoint: "submit", "check", "list", "download" or "storage".
            fault: what goes wrong.
            call: only the n-th call of the endpoint (from 1, since the start), or these; None: each call.
            share: chance for each such call, from 0 to 1.
            times: at most so often; 1 with ``call=None`` is "the next call".
            where: only requests for which this function of the request's log entry is true.

        Returns:
            The rule, whose ``fired`` counts how often it struck.
        """
        calls = None if call is None else frozenset([call] if isinstance(call, int) else call)
        rule = FaultRule(endpoint=endpoint, fault=fault, calls=calls, share=share, times=times, where=where)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Take all rules back."""
        with self._lock:
            self._rules.clear()

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """The rules in the order they are tried."""
        with self._lock:
            return tuple(self._rules)

    def draw(self, received: Received, call: int) -> Fault | None:
        """The fault that strikes this call, if one does."""
        if not self._rules:
            return None
        with self._lock:
            fitting = (rule for rule in self._rules if rule.endpoint == received.endpoint)
            struck = next((rule for rule in fitting if rule.strikes(received, call, self._random)), None)
        return struck.fault if struck else None
