"""A receiver as an aiohttp handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from veo_async.webhooks.receiver import Receiver

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["aiohttp_handler"]


def aiohttp_handler(receiver: Receiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return what `app.router.add_post("/veo", …)` takes.

    It reads the body itself, within bounds of its own: no middleware may have read it before.
    """
    from aiohttp import web  # who mounts this has it

    async def handle(request: web.Request) -> web.Response:
        reply = await receiver.take(request.headers, request.content.iter_any())
        return web.Response(status=reply.status, text=reply.text)

    return handle
