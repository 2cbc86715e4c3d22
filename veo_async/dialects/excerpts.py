"""Words of strangers made fit for logs, errors and ledgers: short, escaped, without keys or videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

__all__ = ["MAX_EXCERPT", "excerpt", "without_base64"]

MAX_EXCERPT: Final = 500
"""Longest excerpt in characters."""

_SECRETS: Final = re.compile(
    r"(?:\bsk-|\bAIza|\bya29\.|\bBearer\s+|[?&](?:key|token|access_token|sig|signature|x-goog-signature)=)"
    r"[\w.~+/=-]{6,}",
    re.IGNORECASE | re.ASCII,
)
"""Gateways quote the key they refuse: what looks like one is left out."""

_LONGEST_KEPT: Final = 1024
_BASE64_START: Final = re.compile(r"(?:data:[\w.+/;=-]{0,100},)?[A-Za-z0-9+/_=-]{256}", re.ASCII)


def excerpt(text: str | bytes, limit: int = MAX_EXCERPT) -> str:
    """Return the start of `text`: at most `limit` characters, keys left out, all unprintables escaped."""
    if isinstance(text, bytes):
        text = text[: 8 * limit].decode("utf-8", "backslashreplace")
    # More than `limit` is looked at, so that a key across the cut is still seen as one.
    shown = _SECRETS.sub("<secret>", text[: 2 * limit])
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _without_base64_text(text: str) -> str:
    if len(text) > _LONGEST_KEPT and _BASE64_START.match(text):
        return f"<{len(text)} characters cut>"
    return text


def without_base64(value: Any) -> Any:
    """Return decoded JSON with every long base64 text replaced by "<N characters cut>"."""
    if isinstance(value, str):
        return _without_base64_text(value)
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {key: without_base64(item) for key, item in members.items()}
    if isinstance(value, Sequence):
        return [without_base64(item) for item in cast("Sequence[object]", value)]
    return value
