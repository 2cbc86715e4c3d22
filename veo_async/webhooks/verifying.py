"""`Verifier`: whether a delivery is the sender's, of now, and here for the first time.

No clock, no loop and no I/O: instants and keys are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from veo_async.credentials import Secret
from veo_async.dialects.strict_json import decode
from veo_async.errors import ConfigurationError, ProtocolError
from veo_async.webhooks.deliveries import Deliveries
from veo_async.webhooks.events import WebhookEvent, read_event
from veo_async.webhooks.refusals import WebhookRefusedError
from veo_async.webhooks.signatures import SigningSecret
from veo_async.webhooks.tokens import Keys, TokenRules, digest_of, read_token

__all__ = ["LARGEST_BODY_BYTES", "Secrets", "Verifier", "seal"]

Secrets = str | Secret | Iterable[str | Secret]
"""A secret, or several while one takes the other's place."""

LARGEST_BODY_BYTES: Final = 64 * 1024
"""Bodies are thin: they point at what is done and do not bring it."""
_LONGEST_HEADER: Final = 8192
_LONGEST_TIMESTAMP: Final = 12
_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_TOKEN_DOTS: Final = 2


def seal(secrets: Secrets) -> tuple[Secret, ...]:
    """Return secrets that no traceback shows; they are not looked at yet."""
    if isinstance(secrets, str | Secret):
        secrets = (secrets,)
    return tuple(Secret(secret) if isinstance(secret, str) else secret for secret in secrets)


class Verifier:
    """Verifies deliveries of one sender: Standard Webhooks by secrets, RS256 by tokens, or both."""

    def __init__(
        self,
        *,
        secrets: Secrets = (),
        tokens: TokenRules | None = None,
        tolerance: float = 300.0,
        memory: int = 10_000,
    ) -> None:
        """Make a verifier that has seen nothing.

        Args:
            secrets: The sender's `whsec_…` secret; several while one takes the other's place.
            tokens: Whose RS256 tokens are believed; None: nobody's.
            tolerance: Seconds that a delivery's time may differ from now.
            memory: How many deliveries are remembered, for a day at most, to know doubled ones.

        Raises:
            ConfigurationError: there is nothing to verify by, or a secret is none.
        """
        secrets = seal(secrets)
        self._secrets = tuple(map(SigningSecret, secrets))
        if not self._secrets and tokens is None:
            raise ConfigurationError("a webhook is verified by secrets= or by tokens=: give one of them")
        if tolerance <= 0 or memory < 1:
            raise ConfigurationError("tolerance and memory must be more than nothing")
        self._tokens = tokens
        self._tolerance = tolerance
        self._deliveries = Deliveries(memory)

    def verify(
        self, headers: Mapping[str, str], body: bytes, now: float, keys: Keys | None = None
    ) -> WebhookEvent:
        """Return what a delivery says, and remember it.

        Args:
            headers: The request's headers, in any case.
            body: Its bytes as they came: parsed and written anew they verify no longer.
            now: Seconds since 1970.
            keys: Public keys by `kid`, for tokens.

        Raises:
            WebhookRefusedError: it is not proved, not of now, or was here before; `reason` says which.
        """
        if len(body) > LARGEST_BODY_BYTES:
            raise WebhookRefusedError("too_large")
        signature = _header(headers, _SIGNATURE)
        if self._tokens is not None and _is_token(signature):
            claims = read_token(signature, keys or {}, self._tokens, now, self._tolerance)
            event = _told_by(claims, body)
        else:
            delivery_id = self._check_signature(headers, signature, body, now)
            event = read_event(_document(body), delivery_id)
        if not self._deliveries.is_new(event.delivery_id, now):
            raise WebhookRefusedError("duplicate")
        return event

    def forget(self, event: WebhookEvent) -> None:
        """Take a delivery back that could not be used: it counts as new when it comes again."""
        self._deliveries.forget(event.delivery_id)

    def _check_signature(self, headers: Mapping[str, str], signature: str, body: bytes, now: float) -> str:
        """Return the id of a delivery that one of the secrets has signed."""
        delivery_id, timestamp = _header(headers, _ID), _header(headers, _TIMESTAMP)
        if not timestamp.isdigit() or len(timestamp) > _LONGEST_TIMESTAMP:
            raise WebhookRefusedError("malformed")
        if int(timestamp) < now - self._tolerance:
            raise WebhookRefusedError("too_old")
        if int(timestamp) > now + self._tolerance:
            raise WebhookRefusedError("too_new")
        content = f"{delivery_id}.{timestamp}.".encode() + body
        if not any(secret.has_signed(content, signature) for secret in self._secrets):
            raise WebhookRefusedError("bad_signature")
        return delivery_id


def _told_by(claims: Mapping[str, object], body: bytes) -> WebhookEvent:
    """Return the event of a token, or of the body beside it: where it stands is not documented."""
    if "type" in claims and "data" in claims:
        return read_event(claims, digest_of(claims, b""))
    return read_event(_document(body), digest_of(claims, body))


def _header(headers: Mapping[str, str], name: str) -> str:
    """Return the one header of that name; two of them could be read in two ways."""
    values = [value for key, value in headers.items() if key.lower() == name]
    if not values or not values[0]:
        raise WebhookRefusedError("missing_header")
    if len(values) > 1 or not values[0].isascii() or len(values[0]) > _LONGEST_HEADER:
        raise WebhookRefusedError("malformed")
    return values[0]


def _is_token(signature: str) -> bool:
    return "," not in signature and signature.count(".") == _TOKEN_DOTS


def _document(body: bytes) -> Mapping[str, object]:
    try:
        return decode(body)
    except ProtocolError:
        pass  # raised below, so that no words about answers hang on it
    raise WebhookRefusedError("malformed")
