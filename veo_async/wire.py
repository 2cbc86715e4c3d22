"""One HTTP exchange as values: what a dialect writes and reads, and the transport carries."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from veo_async.models import Media

__all__ = ["MAX_ANSWER_BYTES", "MAX_INLINE_BYTES", "Base64Media", "Request", "Response"]

MAX_ANSWER_BYTES = 1 << 20
"""Largest answer read without videos in it."""
MAX_INLINE_BYTES = 64 << 20
"""Largest answer read where a surface may put videos into it."""


@frozen
class Base64Media:
    """The place in a body where the base64 text of `media` stands; `media.size` is known by then."""

    media: Media

    @property
    def length(self) -> int:
        """Length of the base64 text in bytes."""
        assert self.media.size is not None
        return (self.media.size + 2) // 3 * 4


@frozen(kw_only=True)
class Request:
    """What is sent. The transport adds the credential where the origin may have it."""

    method: str
    url: str
    """Absolute and already percent-encoded."""
    headers: Mapping[str, str] = field(factory=dict[str, str])
    body: tuple[bytes | Base64Media, ...] = ()
    """Parts in order; empty: no body."""
    max_bytes: int = MAX_ANSWER_BYTES
    """Largest decoded answer that is read."""


@frozen(kw_only=True)
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
    sent_at: float = 0.0
    """Monotonic instant at which the connection was ready and the request began to leave."""
