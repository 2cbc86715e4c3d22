"""A receiver as an ASGI application, for Starlette, FastAPI and their like; imports none of them."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
)
from contextlib import aclosing
from typing import Any

from veo_async.webhooks.refusals import WebhookRefusedError
from veo_async.webhooks.replies import Reply

__all__ = ["Receive", "Scope", "Send", "serve"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Take = Callable[[Mapping[str, str], AsyncIterator[bytes]], Awaitable[Reply]]

_NOT_POST = Reply(405, "POST only")


async def serve(take: Take, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request by what `take` makes of its headers and body."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    if scope["type"] != "http":
        raise NotImplementedError("mount the receiver in an application, which opens the session")
    is_post = scope["method"] == "POST"
    reply = _NOT_POST
    if is_post:
        async with aclosing(_body(receive)) as body:
            reply = await take(_combined(scope["headers"]), body)
    content = reply.text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(content))]
    if not is_post:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _combined(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return headers by their names; one that came twice is joined, as HTTP has it (RFC 9110, 5.2)."""
    combined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        combined[key] = f"{combined[key]}, {text}" if key in combined else text
    return combined


async def _body(receive: Receive) -> AsyncGenerator[bytes]:
    """Yield the body as it comes."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # the sender has gone: nothing of it counts
            raise WebhookRefusedError("malformed")
        yield message.get("body", b"")
        more = message.get("more_body", False)
