"""Hear of a video's end by a webhook, with aiohttp: `python webhook_aiohttp.py 8000`.

    curl -o boat.mp4 'http://127.0.0.1:8000/video?prompt=A+paper+boat'

VEO_WEBHOOK_SECRET is the sender's `whsec_…` secret, VEO_WEBHOOK_URL the address under which the sender
reaches `/veo` here. Status checks are few: the webhook says when one is worth it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator

from aiohttp import web

import veo_async as veo
from veo_async import webhooks

# Looked at in full only when told to; a webhook that is lost costs 5 minutes at most.
RARELY = veo.PollPolicy(min_interval=30, max_interval=300)
SESSION = veo.VeoSession(veo.Provider.from_env(), ledger="jobs.db", poll=RARELY)
RECEIVER = webhooks.Receiver(SESSION, secrets=os.environ["VEO_WEBHOOK_SECRET"])


async def veo_session(_: web.Application) -> AsyncIterator[None]:
    """Keep the session open as long as the application runs."""
    async with SESSION:
        yield


async def video(request: web.Request) -> web.StreamResponse:
    """Make a video of the query's prompt and stream it."""
    hook = {"uris": [os.environ["VEO_WEBHOOK_URL"]]}
    asked = veo.VideoRequest(request.query["prompt"], model="veo-3.1-fast", extra={"webhookConfig": hook})
    try:
        result = await SESSION.generate(asked)
    except veo.VeoError as error:
        raise web.HTTPBadGateway(text=f"{error} (billed: {error.billed})") from error
    response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
    await response.prepare(request)
    async for chunk in SESSION.stream(result.videos[0]):
        await response.write(chunk)
    return response


def make_app() -> web.Application:
    """Put the application together."""
    app = web.Application()
    app.cleanup_ctx.append(veo_session)
    app.router.add_get("/video", video)
    app.router.add_post("/veo", webhooks.aiohttp_handler(RECEIVER))
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]))
