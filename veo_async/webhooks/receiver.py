"""`Receiver`: takes deliveries, verifies them, and lets the session check what they speak of."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

import anyio

from veo_async.errors import VeoError
from veo_async.webhooks.asgi import Receive, Scope, Send, serve
from veo_async.webhooks.events import WebhookEvent
from veo_async.webhooks.key_cache import KeyCache
from veo_async.webhooks.refusals import Reason, WebhookRefusedError
from veo_async.webhooks.replies import Reply
from veo_async.webhooks.tokens import TokenRules
from veo_async.webhooks.verifying import LARGEST_BODY_BYTES, Secrets, Verifier, seal

if TYPE_CHECKING:
    from veo_async.session import VeoSession

__all__ = ["Receiver"]

_LOG = logging.getLogger("veo_async")
_BODY_S: Final = 10.0
"""A body that takes longer to come is not waited for."""


class Receiver:
    """Receives webhooks for a session. It is an ASGI application: `app.mount("/veo", receiver)`.

    For aiohttp there is `aiohttp_handler(receiver)`; for others, `receive` is all there is to it. The session
    may be opened later, and must live in the event loop that serves the requests.
    """

    def __init__(
        self,
        session: VeoSession,
        *,
        secrets: Secrets = (),
        tokens: TokenRules | None = None,
        tolerance: float = 300.0,
        memory: int = 10_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a receiver; nothing is fetched yet.

        Args:
            session: Whose operations it speaks of.
            secrets: The sender's `whsec_…` secret; several while one takes the other's place.
            tokens: Whose RS256 tokens are believed (extra `webhooks`); None: nobody's.
            tolerance: Seconds that a delivery's time may differ from now.
            memory: How many deliveries are remembered, for a day at most, to know doubled ones.
            clock: Seconds since 1970; a test may pass its own.

        Raises:
            ConfigurationError: there is nothing to verify by, a secret is none, or the extra is missing.
        """
        secrets = seal(secrets)
        self._verifier = Verifier(secrets=secrets, tokens=tokens, tolerance=tolerance, memory=memory)
        self._keys = None if tokens is None else KeyCache(_fetching(tokens.jwks_url))
        self._session = session
        self._clock = clock
        self.received: int = 0
        """Deliveries that were proved and new."""
        self.refused: Counter[Reason] = Counter()
        """All others, by what was wrong with them."""

    async def receive(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Verify one delivery, pass it on, and return what to answer. Cancelling is safe.

        Args:
            headers: The request's headers, in any case.
            body: Its bytes as they came.
        """
        try:
            event = await self._verified(headers, body)
        except WebhookRefusedError as refused:
            return self._refuse(refused)
        try:
            is_ours = event.operation is not None and self._session.notify(event.operation)
        except VeoError as error:  # closed, or not open yet: the sender may try again
            self._verifier.forget(event)
            _LOG.warning("a webhook came that no session could take: %s", error.message)
            return Reply(503, "not now")
        self.received += 1
        _LOG.debug("webhook %s about %s%s", event.type, event.operation, "" if is_ours else ", not ours")
        return Reply(200, "received")

    async def _verified(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        keys = self._keys
        if keys is None:
            return self._verifier.verify(headers, body, self._clock())
        try:
            return self._verifier.verify(headers, body, self._clock(), keys.keys)
        except WebhookRefusedError as refused:
            if refused.reason != "unknown_key":
                raise
        await keys.refresh()
        return self._verifier.verify(headers, body, self._clock(), keys.keys)

    def _refuse(self, refused: WebhookRefusedError) -> Reply:
        # Once loudly, since a wrong secret is a slip of ours; then quietly: strangers send what they like.
        first = refused.reason not in self.refused and refused.reason != "duplicate"
        self.refused[refused.reason] += 1
        _LOG.log(logging.WARNING if first else logging.DEBUG, "a webhook was refused: %s", refused.reason)
        return Reply(refused.status, refused.reason)

    async def take(self, headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> Reply:
        """Receive a delivery whose body is yet to come; one too large or too slow is not read to its end."""
        try:
            with anyio.fail_after(_BODY_S):
                body = await _bounded(chunks)
        except TimeoutError:
            return Reply(408, "too slow")
        except WebhookRefusedError as refused:
            return self._refuse(refused)
        return await self.receive(headers, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it; any path, `POST` only."""
        await serve(self.take, scope, receive, send)


async def _bounded(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise WebhookRefusedError("too_large")
    return bytes(body)


def _fetching(url: str) -> Callable[[], Awaitable[bytes]]:
    async def fetch() -> bytes:
        from veo_async.transport.public_documents import fetch_document  # brings aiohttp

        return await fetch_document(url)

    return fetch
