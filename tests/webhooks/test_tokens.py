"""Deliveries signed by a public key: RS256 and nothing else, for us, of now, once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from jwt.algorithms import RSAAlgorithm

from veo_async import ConfigurationError, ProtocolError
from veo_async.webhooks import TokenRules, Verifier, WebhookRefusedError
from veo_async.webhooks.tokens import read_keys

from .signing import (
    BODY,
    ENVELOPE,
    KEY_ID,
    NOW,
    OPERATION,
    SECRET,
    headers,
    jwks,
    private_key,
    public_entry,
    public_pem,
    token,
)

KEYS = read_keys(jwks())
RULES = TokenRules(audience="us", issuer="sender")


def verifier(**options: Any) -> Verifier:
    settings: dict[str, Any] = {"tokens": RULES} | options
    return Verifier(**settings)


def sent(text: str) -> dict[str, str]:
    return {"webhook-signature": text}


def refusal(text: str, *, by: Verifier | None = None, keys: Mapping[str, Any] = KEYS) -> str:
    """Return why a token is refused."""
    with pytest.raises(WebhookRefusedError) as caught:
        (by or verifier()).verify(sent(text), BODY, NOW, keys)
    return caught.value.reason


def unsigned(head: Mapping[str, object], signature: bytes = b"") -> str:
    """Return a token with any header and signature."""
    claims = {"aud": "us", "iss": "sender", **ENVELOPE}
    parts = [json.dumps(head).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_a_token_that_holds_becomes_an_event() -> None:
    """The event is its own; what stands beside it is not signed and not looked at."""
    event = verifier().verify(sent(token()), b"\xff", NOW, KEYS)
    assert (event.type, event.operation) == ("video.generated", OPERATION)


def test_a_token_without_an_event_proves_the_body_beside_it() -> None:
    """Where the event stands is not documented: both are taken."""
    event = verifier().verify(sent(token(type=None, data=None)), BODY, NOW, KEYS)
    assert event.operation == OPERATION


def test_only_rs256_is_taken() -> None:
    """No other algorithm: not "none", not an HMAC by the public key's text, not a stronger one."""
    head = {"typ": "JWT", "kid": KEY_ID}
    assert refusal(unsigned(head | {"alg": "none"})) == "wrong_algorithm"
    confused = jwt.encode({"aud": "us"}, "k" * 64, algorithm="HS256", headers={"kid": KEY_ID})
    assert refusal(confused) == "wrong_algorithm"
    other = jwt.encode({"aud": "us"}, private_key(), algorithm="RS512", headers={"kid": KEY_ID})
    assert refusal(other) == "wrong_algorithm"


def test_a_header_that_lies_about_its_algorithm_is_refused() -> None:
    """An HMAC by the published key's text under the name of RS256."""
    text = unsigned({"alg": "RS256", "kid": KEY_ID})
    signed = text.rpartition(".")[0]
    forged = hmac.new(public_pem(), signed.encode(), hashlib.sha256).digest()
    assert refusal(f"{signed}.{base64.urlsafe_b64encode(forged).rstrip(b'=').decode()}") == "bad_signature"


def test_another_key_under_a_known_name_is_refused() -> None:
    """The name of a key proves nothing."""
    assert refusal(token(signed_by="stranger")) == "bad_signature"
    assert refusal(token()[:-8] + "AAAAAAAA") == "bad_signature"


@pytest.mark.parametrize("kid", ["key-2", None])
def test_a_key_that_is_not_known_is_named_so(kid: str | None) -> None:
    """So that it can be fetched."""
    assert refusal(token(kid=kid)) == "unknown_key"
    assert refusal(token(), keys={}) == "unknown_key"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "others"}, "wrong_audience"),
        ({"aud": None}, "wrong_audience"),
        ({"iss": "somebody"}, "wrong_issuer"),
        ({"iss": None}, "wrong_issuer"),
        ({"exp": int(NOW) - 1}, "too_old"),
        ({"exp": None, "iat": int(NOW) - 301}, "too_old"),
        ({"iat": int(NOW) + 301}, "too_new"),
        ({"nbf": int(NOW) + 301}, "too_new"),
        ({"exp": None, "iat": None}, "malformed"),
        ({"exp": "tomorrow"}, "malformed"),
        ({"data": "none"}, "malformed"),
    ],
)
def test_claims_that_do_not_hold_are_refused(claims: dict[str, Any], reason: str) -> None:
    """For another receiver, by another sender, of another time, without a time."""
    assert refusal(token(**claims)) == reason


def test_audience_and_issuer_are_looked_at_only_where_asked_for() -> None:
    """None is the caller's word that any will do."""
    lax = verifier(tokens=TokenRules(audience=None))
    assert lax.verify(sent(token(aud="others", iss="somebody")), b"", NOW, KEYS).operation == OPERATION


@pytest.mark.parametrize("text", ["..", "a.b.c", "e30.e30.e30", "ü.b.c", "a" * 9000 + ".b.c"])
def test_what_is_no_token_is_refused(text: str) -> None:
    """Whatever a stranger writes there."""
    assert refusal(text) == "malformed"


def test_a_token_counts_once_whatever_stands_beside_it() -> None:
    """Ids and times in headers are not signed: changing them makes no new delivery."""
    one = verifier()
    one.verify(sent(token()) | {"webhook-id": "a"}, b"1", NOW, KEYS)
    with pytest.raises(WebhookRefusedError, match="duplicate"):
        one.verify(sent(token()) | {"webhook-id": "b"}, b"2", NOW, KEYS)
    one.verify(sent(token(jti="a")), b"", NOW, KEYS)
    assert refusal(token(jti="a", iat=int(NOW) + 1), by=one) == "duplicate"


def test_secrets_and_tokens_stand_side_by_side() -> None:
    """A receiver may have both kinds of senders; a token does not pass where none is believed."""
    both = verifier(secrets=SECRET)
    events = [both.verify(one, BODY, NOW, KEYS) for one in (headers(), sent(token()))]
    assert [event.operation for event in events] == [OPERATION] * 2
    only_secrets = Verifier(secrets=SECRET)
    assert refusal(token(), by=only_secrets) == "missing_header"
    with pytest.raises(WebhookRefusedError, match="bad_signature"):
        only_secrets.verify(headers() | {"Webhook-Signature": token()}, BODY, NOW, KEYS)


def test_keys_that_may_not_sign_are_passed_over() -> None:
    """Of another kind or use, short ones, private ones, those without a name, and what is no key."""
    entries: list[dict[str, Any]] = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        public_entry("enc", use="enc"),
        public_entry("other", alg="RS512"),
        public_entry("short", bits=1024),
        public_entry("private") | json.loads(RSAAlgorithm.to_jwk(private_key("private"))),
        public_entry("nameless", kid=None),
        public_entry("broken", n="!"),
        public_entry(),
    ]
    assert set(read_keys(jwks(*entries))) == {KEY_ID}


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}'])
def test_what_is_no_jwks_is_an_error(document: bytes) -> None:
    """Told apart from one without keys."""
    with pytest.raises(ProtocolError):
        read_keys(document)
    assert read_keys(b'{"keys": []}') == {}


@pytest.mark.parametrize("url", ["http://keys.example/jwks.json", "ftp://a/b", "keys", "https://a@b/c"])
def test_keys_come_from_where_nobody_can_change_them(url: str) -> None:
    """Plain http only on this machine."""
    with pytest.raises(ConfigurationError):
        TokenRules(audience=None, jwks_url=url)
    local = TokenRules(audience=None, jwks_url="http://127.0.0.1:1/jwks.json")
    assert local.issuer is None


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not with the first delivery."""

    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match=r"veo-async\[webhooks\]"):
        TokenRules(audience="us")
