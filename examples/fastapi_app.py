"""Videos over HTTP with FastAPI: `python fastapi_app.py 8000`.

    curl -X POST 'http://127.0.0.1:8000/videos?prompt=A+paper+boat'      {"token": "…"} once it is accepted
    curl -o boat.mp4 http://127.0.0.1:8000/videos/TOKEN                  the video, as soon as it is done

One session serves all requests. A client that goes away stops nothing: it may come back with the token, also
after the server was started anew.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypedDict

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

import veo_async as veo


class State(TypedDict):
    """What every request finds in `request.state`."""

    veo: veo.VeoSession


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[State]:
    """Keep one session open as long as the application runs; jobs still running wait for the next start."""
    async with veo.VeoSession(veo.Provider.from_env(), ledger="jobs.db") as session:
        await session.resume()
        yield {"veo": session}


app = FastAPI(lifespan=lifespan)


@app.post("/videos", status_code=202)
async def submit(prompt: str, request: Request) -> dict[str, str | None]:
    """Submit a job; answer once the provider has it."""
    session: veo.VeoSession = request.state.veo
    try:
        job = await session.submit(veo.VideoRequest(prompt, model="veo-3.1-fast"))
    except (veo.InvalidRequestError, veo.ContentBlockedError) as error:
        raise HTTPException(422, str(error)) from error
    except veo.SubmitError as error:
        raise HTTPException(502, f"{error} (billed: {error.billed})") from error
    return {"token": job.token}


@app.get("/videos/{token}")
async def video(token: str, request: Request) -> StreamingResponse:
    """Wait for a job and stream its video."""
    session: veo.VeoSession = request.state.veo
    try:
        job = await session.attach(token)
        result = await job
    except (veo.ConfigurationError, veo.InvalidRequestError) as error:
        raise HTTPException(404, str(error)) from error
    except veo.VeoError as error:
        raise HTTPException(502, f"{error} (billed: {error.billed})") from error
    return StreamingResponse(session.stream(result.videos[0]), media_type="video/mp4")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
