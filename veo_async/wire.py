"""One HTTP exchange as values: what a dialect writes and reads, and the transport carries."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from veo_async.models import Media

__all__ = ["MAX_ANSWER_BYTES", "MAX_INLINE_BYTES", "NO_PARTS", "Base64Media", "Part", "Request", "Response"]

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
    cut_base64: bool = False
    """Where videos may stand in the answer: long base64 texts are cut out of it, see `Response.parts`."""
    keyless: bool = False
    """True for what is public: the key stays at home, wherever this goes."""


@frozen(kw_only=True)
class Part:
    """A long base64 text that was cut out of an answer while it was read, and decoded at once."""

    sha256: str
    """Digest of the content, hexadecimal; the ledger holds the content under it. Empty: it was no base64."""
    size: int
    """Length of the content in bytes."""


NO_PARTS: Mapping[str, Part] = MappingProxyType({})


@frozen(kw_only=True)
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
    parts: Mapping[str, Part] = NO_PARTS
    """What was cut out of `body`, by the text that stands in its place: no server can guess that text."""
    sent_at: float = 0.0
    """Monotonic instant at which the connection was ready and the request began to leave."""
