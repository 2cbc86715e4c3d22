"""Videos over HTTP with aiohttp: `python aiohttp_app.py 8000`.

    curl -o boat.mp4 'http://127.0.0.1:8000/video?prompt=A+paper+boat'

The answer begins once the video is done. A client that goes away stops nothing: its job goes on.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from aiohttp import web

import veo_async as veo

SESSION = web.AppKey("session", veo.VeoSession)


async def veo_session(app: web.Application) -> AsyncIterator[None]:
    """Keep one session open as long as the application runs."""
    async with veo.VeoSession(veo.Provider.from_env(), ledger="jobs.db") as session:
        app[SESSION] = session
        yield


async def video(request: web.Request) -> web.StreamResponse:
    """Make a video of the query's prompt and stream it."""
    session = request.app[SESSION]
    try:
        result = await session.generate(veo.VideoRequest(request.query["prompt"], model="veo-3.1-fast"))
    except veo.InvalidRequestError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except veo.VeoError as error:
        raise web.HTTPBadGateway(text=f"{error} (billed: {error.billed})") from error
    response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
    await response.prepare(request)
    async for chunk in session.stream(result.videos[0]):
        await response.write(chunk)
    return response


def make_app() -> web.Application:
    """Put the application together."""
    app = web.Application()
    app.cleanup_ctx.append(veo_session)
    app.router.add_get("/video", video)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]))
