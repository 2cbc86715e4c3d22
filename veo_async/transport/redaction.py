"""Text that may be shown: escaped, cut, and without secrets. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["MAX_TEXT", "Redactor", "escaped", "redacted_url"]

MAX_TEXT = 500
"""Longest text of an error, in characters."""
_MASK = "***"
_SHORTEST_SECRET = 6  # shorter values are schemes and words ("Bearer"), and would mask innocent text
_REMEMBERED = 8

# C0, DEL, C1; line and paragraph separators; marks that reorder or hide text; surrogates.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_SECRET_QUERY = re.compile(
    r"(?i)([?&#;][^=&#;]*(?:key|token|sig|auth|credential|secret|passw|session|policy)[^=&#;]*=)[^&#;]*"
)
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")


def _shown(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def escaped(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` with control characters as visible escapes, at most `limit` characters long."""
    shown = _CONTROL.sub(_shown, text[:limit])
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


def redacted_url(url: str) -> str:
    """Return `url` without userinfo and without the values of query fields that look secret."""
    return _SECRET_QUERY.sub(rf"\g<1>{_MASK}", _USERINFO.sub(f"{_MASK}@", url))


class Redactor:
    """Replaces the credentials that were sent, should a server echo them."""

    def __init__(self) -> None:
        self._credential: Mapping[str, str] = {}
        self._secrets: tuple[str, ...] = ()
        self._encoded: tuple[bytes, ...] = ()

    def learn(self, credential: Mapping[str, str]) -> None:
        """Take the headers of the current credential, as in "Authorization: Bearer abc"."""
        if credential == self._credential:
            return
        self._credential = credential
        words = " ".join(credential.values()).split()
        # A former credential is a secret still: an answer to it may be on its way.
        self._secrets += tuple(word for word in words if len(word) >= _SHORTEST_SECRET)
        self._secrets = self._secrets[-_REMEMBERED:]
        self._encoded = tuple(secret.encode() for secret in self._secrets)

    def clean(self, text: str) -> str:
        """Return `text` without any known credential."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text

    def clean_bytes(self, data: bytes) -> bytes:
        """Return `data` without any known credential, so that no answer that is kept or shown has one."""
        for secret in self._encoded:
            if secret in data:
                data = data.replace(secret, _MASK.encode())
        return data

    def excerpt(self, data: bytes, limit: int = MAX_TEXT) -> str:
        """Return the start of `data` as text that may be shown."""
        # Cleaned before it is cut, so that no half of a secret is left at the end.
        return escaped(self.clean(data[: limit * 8].decode("utf-8", "replace")), limit)
