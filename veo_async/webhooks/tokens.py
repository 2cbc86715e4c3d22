"""Signatures by a public key: a JWT under RS256, its key in a JWKS. Needs the extra `webhooks`.

Gemini API, "Dynamic webhooks": https://ai.google.dev/gemini-api/docs/webhooks
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from attrs import field, frozen

from veo_async.dialects.fields import is_object
from veo_async.dialects.strict_json import decode
from veo_async.errors import ConfigurationError, ProtocolError
from veo_async.origins import host_of, is_loopback, origin_of
from veo_async.webhooks.refusals import Reason, WebhookRefusedError

__all__ = ["GOOGLE_JWKS_URL", "Claims", "Keys", "TokenRules", "digest_of", "read_keys", "read_token"]

GOOGLE_JWKS_URL: Final = "https://generativelanguage.googleapis.com/.well-known/jwks.json"
"""Where the Gemini API publishes its keys."""

Keys = Mapping[str, Any]
"""Public RSA keys by their `kid`."""
Claims = Mapping[str, Any]

_ALGORITHM: Final = "RS256"
_SHORTEST_KEY_BITS: Final = 2048
_MOST_KEYS: Final = 64
_MISSING: Final = "RS256 needs PyJWT and cryptography: pip install 'veo-async[webhooks]'"
_PRIVATE: Final = "d"
"""A member that only private keys have: what is published with it proves nothing any more."""


def _check_url(_: object, __: object, url: str) -> None:
    try:
        origin = origin_of(url)
    except ValueError:
        raise ConfigurationError('jwks_url must be a URL such as "https://host/jwks.json"') from None
    if urlsplit(origin).scheme == "http" and not is_loopback(host_of(url)):
        raise ConfigurationError(
            "jwks_url is http:// to another machine, where keys can be changed on the way"
        )


@frozen(kw_only=True)
class TokenRules:
    """Whose tokens are believed. What the Gemini API writes into `aud` and `iss` is not documented."""

    audience: str | None
    """What `aud` must say: the address that the sender was given, say. None does not look, and then whoever
    gets such tokens for an address of their own can send them here too."""
    issuer: str | None = None
    """What `iss` must say; None does not look."""
    jwks_url: str = field(default=GOOGLE_JWKS_URL, validator=_check_url)
    """Where the sender publishes its keys."""

    def __attrs_post_init__(self) -> None:
        _library()


def read_keys(document: bytes) -> Keys:
    """Return the keys of a JWKS that may sign by RS256; others are passed over.

    Raises:
        ProtocolError: it is no JWKS.
    """
    entries = decode(document).get("keys")
    if not isinstance(entries, list):
        raise ProtocolError("the JWKS has no keys", path="$.keys")
    keys: dict[str, Any] = {}
    for entry in filter(is_object, cast("list[object]", entries)[:_MOST_KEYS]):
        key_id, key = entry.get("kid"), _read_key(entry)
        if key is not None and isinstance(key_id, str):
            keys[key_id] = key
    return keys


def _read_key(entry: Mapping[str, Any]) -> Any:
    """Return a JWKS entry's key; None for one of another kind, or too short to trust."""
    wanted = {"kty": "RSA", "use": "sig", "alg": _ALGORITHM}
    if entry.get("kty") != "RSA" or _PRIVATE in entry:
        return None
    if any(entry.get(name, value) != value for name, value in wanted.items()):
        return None
    jwt = _library()
    try:
        key = jwt.PyJWK(dict(entry), algorithm=_ALGORITHM).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if key.key_size >= _SHORTEST_KEY_BITS else None


def read_token(token: str, keys: Keys, rules: TokenRules, now: float, tolerance: float) -> Claims:
    """Return the claims of a token that a known key has signed and that holds now.

    Raises:
        WebhookRefusedError: it is not so; "unknown_key" where `keys` lacks the one it names.
    """
    key = keys.get(_key_id(token))
    if key is None:
        raise WebhookRefusedError("unknown_key")
    claims = _decoded(token, key, rules)
    if not isinstance(claims, dict):
        raise WebhookRefusedError(claims)
    _check_times(claims, now, tolerance)
    return claims


def digest_of(claims: Claims, body: bytes) -> str:
    """Return what a token is known by again, from what it proves alone: headers beside it are not signed."""
    signed = claims.get("jti") or claims  # RFC 7519, 4.1.7: unlike that of any other token
    return hashlib.sha256(json.dumps(signed, sort_keys=True).encode() + b"\0" + body).hexdigest()


def _key_id(token: str) -> str:
    jwt = _library()
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        header = {}
    if not header:
        raise WebhookRefusedError("malformed")
    if header.get("alg") != _ALGORITHM:
        raise WebhookRefusedError("wrong_algorithm")
    return str(header.get("kid", ""))


def _decoded(token: str, key: Any, rules: TokenRules) -> dict[str, Any] | Reason:
    """Return the claims, or what is wrong; times are looked at elsewhere, by the clock that is given."""
    jwt = _library()
    options = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_sub", "verify_jti"), False)
    options |= {"verify_aud": rules.audience is not None, "verify_iss": rules.issuer is not None}
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=rules.audience,
            issuer=rules.issuer,
            options=options,
        )
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
        return "bad_signature"
    except jwt.InvalidAudienceError:
        return "wrong_audience"
    except jwt.InvalidIssuerError:
        return "wrong_issuer"
    except jwt.MissingRequiredClaimError as error:
        return "wrong_audience" if error.claim == "aud" else "wrong_issuer"
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return "malformed"
    return claims


def _check_times(claims: Claims, now: float, tolerance: float) -> None:
    """Refuse a token that is not of now; one that says nothing of its time could be sent again for ever."""
    expires, issued, begins = (_instant(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None and issued is None:
        raise WebhookRefusedError("malformed")
    if max(issued or 0.0, begins or 0.0) > now + tolerance:
        raise WebhookRefusedError("too_new")
    last = expires if expires is not None else (issued or 0.0) + tolerance
    if last < now:
        raise WebhookRefusedError("too_old")


def _instant(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WebhookRefusedError("malformed")
    return float(value)


def _library() -> Any:
    try:
        importlib.import_module("cryptography")
        return importlib.import_module("jwt")
    except ImportError:
        raise ConfigurationError(_MISSING) from None
