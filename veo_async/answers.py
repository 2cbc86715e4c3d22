"""What a provider's answer means: dialects make these values, the engine and the session act on them."""

from __future__ import annotations

import enum
from typing import Any

from attrs import field, frozen

from veo_async.models import Failed, Filtered, Succeeded

__all__ = [
    "Accepted",
    "CheckAnswer",
    "Empty",
    "Finished",
    "Listed",
    "Lost",
    "Missing",
    "NotSent",
    "RefusalKind",
    "Refused",
    "Running",
    "SubmitAnswer",
    "Unreadable",
]


class RefusalKind(enum.StrEnum):
    """What a provider's own, well-formed error is about."""

    INVALID = "invalid"
    """The request: a field, a combination, a size."""
    DURATION_TYPE = "duration_type"
    """The JSON type of the duration: proof of not started, so one re-encoded submit is allowed."""
    NOT_FOUND = "not_found"
    """The model or the method; on a check the operation, which decodes to `Missing` instead."""
    UNSUPPORTED = "unsupported"
    """The method is not offered here (405, 501, UNIMPLEMENTED)."""
    CONTENT = "content"
    """The content policy."""
    AUTHENTICATION = "authentication"
    """The key, or its permission."""
    STALE_KEY = "stale_key"
    """The key, in place of which there is a new one by now: asked again at once."""
    BALANCE = "balance"
    """The account's money."""
    RATE_LIMIT = "rate_limit"
    """A short window's rate."""
    QUOTA = "quota"
    """A long window's quota: no use retrying soon."""
    REDIRECT = "redirect"
    """A redirect where none may be followed."""
    SERVER = "server"
    """A 5xx in the provider's own shape."""
    OVERLOADED = "overloaded"
    """A 503 in the provider's own shape that is not about content."""


@frozen(kw_only=True)
class Refused:
    """A well-formed error in the provider's own shape: the provider's word."""

    kind: RefusalKind
    message: str = ""
    """The provider's own words, escaped and at most 500 characters."""
    status: int | None = None
    code: int | str | None = None
    retry_after: float | None = None
    """Seconds to wait, where the answer says so."""
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Unreadable:
    """An answer that is not what the surface documents: HTML, empty, cut, or JSON of another shape."""

    message: str
    path: str = "$"
    """Where in the answer."""
    status: int | None = None
    excerpt: str = ""
    """Start of the body, escaped and at most 500 characters."""
    retry_after: float | None = None
    """Seconds to wait, where the answer's headers say so."""
    throttled: bool = False
    """True for a 429 without a readable body: it still is about the pace."""
    unreached: bool = False
    """True where it is the word of the service's edge that the request never came to the service."""


@frozen(kw_only=True)
class Accepted:
    """The provider has the job."""

    operation: str
    """Full operation name, with the model in it where the surface has that."""
    finished: Finished | Empty | None = None
    """Set when the very answer to the submit was final."""
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Running:
    """Not done yet."""

    progress: float | None = None
    """0 to 1, where a surface gives it."""
    updated_at: float | None = None
    """When it was last heard of at the provider, in seconds since 1970, where a surface gives it."""
    flags: tuple[str, ...] = ()
    """Oddities worth a count or one warning, as in ("unknown status word 'NOT_START'",)."""


@frozen(kw_only=True)
class Finished:
    """Done, with an outcome."""

    outcome: Succeeded | Filtered | Failed


@frozen(kw_only=True)
class Empty:
    """Done with nothing in it: asked again a few times before it counts as failed."""

    outcome: Failed
    """What it counts as when it stays so."""


@frozen(kw_only=True)
class Missing:
    """404 or 410: the operation is not known, or not yet."""

    message: str = ""
    gone: bool = False
    """True for 410."""


@frozen(kw_only=True)
class NotSent:
    """No byte left: the transport's verdict on a failure before the connection was armed."""

    reason: str
    """As in "connection refused", without addresses of secrets."""
    permanent: bool = False


@frozen(kw_only=True)
class Lost:
    """No readable answer after the first byte may have left."""

    reason: str
    excerpt: str = ""


@frozen(kw_only=True)
class Listed:
    """One page of a list of operations."""

    answers: dict[str, Running | Finished | Empty | Refused]
    """By full operation name."""
    created_at: dict[str, float] = field(factory=dict[str, float])
    """When operations were created: seconds since 1970 by the provider's clock, where the surface says it."""
    answered_at: float | None = None
    """What the provider's clock said when it answered, where it says it."""
    next_page_token: str | None = None


SubmitAnswer = Accepted | Refused | Unreadable
"""What a dialect reads from the answer to a submit."""
CheckAnswer = Running | Finished | Empty | Missing | Refused | Unreadable
"""What a dialect reads from the answer to a status check."""
