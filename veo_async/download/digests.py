"""What a server says on its content's digest. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

__all__ = ["announced_digests"]

_SIZES = {"md5": 16, "sha256": 32}
# Google's storage, RFC 1864, RFC 3230 and RFC 9530.
_FIELD = re.compile(r"(?i)(?:^|[,\s])(md5|sha-256)=:?([A-Za-z0-9+/]+={0,2})")


def announced_digests(headers: Mapping[str, str]) -> dict[str, bytes]:
    """Return the digests that `headers` announce, by their names in `hashlib`, as far as understood."""
    found = [("md5", headers.get("content-md5", "").strip())]
    for name in ("x-goog-hash", "digest", "repr-digest"):
        found += _FIELD.findall(headers.get(name, ""))
    digests = ((kind.lower().replace("-", ""), _decoded(text)) for kind, text in found)
    return {kind: digest for kind, digest in digests if len(digest) == _SIZES[kind]}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
