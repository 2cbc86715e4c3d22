"""Job tokens: a short string by which any process can attach to an operation. No secret is in it."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from attrs import asdict, frozen

from veo_async.errors import ConfigurationError

__all__ = ["PREFIX", "Token"]

PREFIX = "veo1."


@frozen(kw_only=True)
class Token:
    """Where an operation is, and what it is called there."""

    provider: str
    origin: str
    model: str
    operation: str

    def encode(self) -> str:
        """Return the token as text that is safe in URLs and file names."""
        text = json.dumps(list(asdict(self).values()), separators=(",", ":"), ensure_ascii=False)
        return PREFIX + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Token:
        """Return the token that `encode` made.

        Raises:
            ConfigurationError: `text` is not such a token.
        """
        encoded = text.removeprefix(PREFIX)
        try:
            fields: Any = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
            provider, origin, model, operation = (_text(field) for field in fields)
        except (ValueError, TypeError, binascii.Error):
            raise ConfigurationError(
                "this is not a whole job token; copy all of what job.token gave, from its 'veo1.' on"
            ) from None
        return cls(provider=provider, origin=origin, model=model, operation=operation)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
