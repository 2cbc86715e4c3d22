"""How an exchange can fail, told without anything of aiohttp and without a credential."""

from __future__ import annotations

__all__ = [
    "LostFailure",
    "NotSentFailure",
    "RefusedAddressFailure",
    "UnreadableAnswer",
]


class NotSentFailure(Exception):  # noqa: N818  # a verdict between two floors, turned into a VeoError above
    """No byte of the request left: there was no connection, or it was not armed."""

    def __init__(self, reason: str, permanent: bool = False) -> None:
        super().__init__(reason, permanent)
        self.reason = reason
        """What went wrong, at most 500 characters, without control characters."""
        self.permanent = permanent
        """True when trying again cannot help, as with a certificate that does not match."""

    def __str__(self) -> str:
        return self.reason


class RefusedAddressFailure(NotSentFailure):
    """The name leads to an address that strangers' links may not reach."""


class LostFailure(Exception):  # noqa: N818
    """The request may have arrived, and no whole answer came back."""

    def __init__(self, reason: str, excerpt: str = "") -> None:
        super().__init__(reason, excerpt)
        self.reason = reason
        """What went wrong, at most 500 characters, without control characters."""
        self.excerpt = excerpt
        """Start of what was read of the answer, escaped, at most 500 characters."""

    def __str__(self) -> str:
        return self.reason


class UnreadableAnswer(Exception):  # noqa: N818  # never leaves the transport
    """The answer's body is over its cap, or its encoding is not one we read."""
