"""A sender of webhooks for tests, written from the specifications and not from the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

NOW: Final = 1_800_000_000.0
SECRET: Final = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, sure!").decode()
OTHER_SECRET: Final = "whsec_" + base64.b64encode(b"another key of a good length").decode()
OPERATION: Final = "models/veo-3.1-fast-generate-preview/operations/op0"
ENVELOPE: Final[dict[str, Any]] = {
    "type": "video.generated",
    "version": "v1",
    "timestamp": "2027-01-15T08:00:00Z",
    "data": {"id": OPERATION, "file_name": "files/abc"},
}
BODY: Final = json.dumps(ENVELOPE).encode()
KEY_ID: Final = "key-1"


def headers(
    body: bytes = BODY, *, secret: str = SECRET, delivery_id: str = "msg_1", at: float = NOW
) -> dict[str, str]:
    """Return the three headers of a signed delivery."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{delivery_id}.{int(at)}.".encode() + body
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "Webhook-Id": delivery_id,
        "Webhook-Timestamp": str(int(at)),
        "Webhook-Signature": f"v1,{signature}",
    }


def private_key(name: str = KEY_ID, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the private key of that name."""
    return _made_key(name, bits)


@cache
def _made_key(_: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_entry(name: str = KEY_ID, bits: int = 2048, **changes: object) -> dict[str, Any]:
    """Return the entry of a JWKS for the key of that name."""
    entry: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(private_key(name, bits).public_key()))
    return entry | {"kid": name, "alg": "RS256", "use": "sig"} | changes


def jwks(*entries: dict[str, Any]) -> bytes:
    """Return a JWKS."""
    return json.dumps({"keys": entries or [public_entry()]}).encode()


def public_pem() -> bytes:
    """Return the public key as a text, which an HMAC could be taken by."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key().public_key().public_bytes(serialization.Encoding.PEM, form)


def token(*, signed_by: str = KEY_ID, kid: str | None = KEY_ID, **claims: object) -> str:
    """Return a token that holds now and carries the event, unless `claims` say otherwise; None leaves out."""
    said = {"iss": "sender", "aud": "us", "iat": int(NOW), "exp": int(NOW) + 300, **ENVELOPE} | claims
    payload = {name: value for name, value in said.items() if value is not None}
    head = None if kid is None else {"kid": kid}
    return jwt.encode(payload, private_key(signed_by), algorithm="RS256", headers=head)
