"""Why a delivery was refused, and with which HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from veo_async.errors import VeoError

__all__ = ["Reason", "WebhookRefusedError"]

Reason = Literal[
    "too_large",
    "missing_header",
    "malformed",
    "too_old",
    "too_new",
    "bad_signature",
    "wrong_algorithm",
    "unknown_key",
    "wrong_audience",
    "wrong_issuer",
    "duplicate",
]
"""What was wrong; "malformed" is a header or a body that cannot be read."""

_STATUS: Final[Mapping[Reason, int]] = {
    "too_large": 413,
    "missing_header": 400,
    "malformed": 400,
    "too_old": 400,
    "too_new": 400,
    "bad_signature": 401,
    "wrong_algorithm": 401,
    "unknown_key": 401,
    "wrong_audience": 401,
    "wrong_issuer": 401,
    "duplicate": 200,  # anything else, and the sender tries again for a day
}


class WebhookRefusedError(VeoError):
    """A delivery was not taken for news: it is not proved, not of now, or was here before."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        """Which check it did not pass."""

    @property
    def status(self) -> int:
        """The HTTP status to answer with."""
        return _STATUS[self.reason]
