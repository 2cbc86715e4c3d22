"""What went over the wire, in a form that may be written to a file: the source of `--trace`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from attrs import frozen

from veo_async.transport.redaction import Redactor, redacted_url
from veo_async.wire import Base64Media, Request, Response

__all__ = ["TraceEvent", "Tracer"]

_LOG = logging.getLogger("veo_async")
_MAX_BODY = 2048


@frozen(kw_only=True)
class TraceEvent:
    """One exchange as it went over the wire, redacted."""

    kind: str
    """"check", "submit" or "download"."""
    method: str
    url: str
    """Without userinfo and without the values of query fields that look secret."""
    status: int | None
    """None when no answer came."""
    elapsed: float
    """Seconds from connecting to the last byte."""
    sent_bytes: int
    """Length of the request's body."""
    received_bytes: int
    """Length of the answer's body, decoded."""
    request_headers: Mapping[str, str]
    """Without the credential, which the transport adds and never shows."""
    response_headers: Mapping[str, str]
    """Without cookies."""
    request_body: str
    """At most 2 KiB; media are named by their length."""
    response_body: str
    """At most 2 KiB; empty for a download."""
    error: str | None
    """Why no answer came."""


class Tracer:
    """Makes the events and hands them on; a failing taker never harms an exchange."""

    def __init__(self, take: Callable[[TraceEvent], None], redactor: Redactor) -> None:
        self._take = take
        self._redactor = redactor
        self._works = True

    def note(
        self,
        kind: str,
        request: Request,
        elapsed: float,
        *,
        response: Response | None = None,
        received_bytes: int = 0,
        error: str | None = None,
    ) -> None:
        """Hand on one finished exchange."""
        if not self._works:
            return
        event = TraceEvent(
            kind=kind,
            method=request.method,
            url=self._redactor.clean(redacted_url(request.url)),
            status=None if response is None else response.status,
            elapsed=elapsed,
            sent_bytes=sum(_length(part) for part in request.body),
            received_bytes=received_bytes if response is None or received_bytes else len(response.body),
            request_headers=self._headers(request.headers),
            response_headers=self._headers({} if response is None else response.headers),
            request_body=self._redactor.clean("".join(_shown(part) for part in request.body))[:_MAX_BODY],
            response_body="" if response is None else self._redactor.excerpt(response.body, _MAX_BODY),
            error=error,
        )
        try:
            self._take(event)
        except Exception:  # noqa: BLE001  # the paid answer in hand matters more than its trace
            self._works = False
            _LOG.warning("the trace cannot be written and ends here", exc_info=True)

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        hidden = {"set-cookie", "authorization", "x-goog-api-key", "proxy-authorization"}
        return {
            name: "***" if name.lower() in hidden else self._clean_value(name, value)
            for name, value in headers.items()
        }

    def _clean_value(self, name: str, value: str) -> str:
        return self._redactor.clean(redacted_url(value) if name.lower() == "location" else value)


def _length(part: bytes | Base64Media) -> int:
    return len(part) if isinstance(part, bytes) else part.length


def _shown(part: bytes | Base64Media) -> str:
    if isinstance(part, Base64Media):
        return f"<base64 of {part.media.size} bytes>"
    return part[: _MAX_BODY * 4].decode("utf-8", "replace")
