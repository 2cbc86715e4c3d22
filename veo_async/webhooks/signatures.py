"""Standard Webhooks signatures by a shared secret: HMAC-SHA256, with the standard library alone.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final, NoReturn

from veo_async.credentials import Secret
from veo_async.errors import ConfigurationError

__all__ = ["SigningSecret"]

_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"
_SHORTEST_KEY_BYTES: Final = 16  # the specification wants 24 to 64; what is shorter than this is a slip


class SigningSecret:
    """One `whsec_…` secret: it signs, and shows its last four characters at most."""

    __slots__ = ("_key", "_secret")

    def __init__(self, secret: Secret) -> None:
        key = _key_of(secret)
        if key is None:
            raise ConfigurationError(
                "a webhook's secret is whsec_ and Base64 of at least 16 bytes: was it copied as a whole?"
            )
        self._secret = secret
        self._key = key

    def __repr__(self) -> str:
        return repr(self._secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a webhook's secret is never pickled: let each process make its own receiver")

    def has_signed(self, content: bytes, signatures: str) -> bool:
        """Return whether any entry of a signature header is ours over `content`; in constant time each."""
        mine = base64.b64encode(hmac.digest(self._key, content, "sha256"))
        given = [entry.removeprefix(_VERSION) for entry in signatures.split() if entry.startswith(_VERSION)]
        return any([hmac.compare_digest(mine, entry.encode()) for entry in given])  # noqa: C419 - all of them


def _key_of(secret: Secret) -> bytes | None:
    """Return the bytes behind a secret; None where there are none. Raises nothing: its locals are the key."""
    encoded = secret.reveal().removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) >= _SHORTEST_KEY_BYTES else None
