"""Hear of a video's end by a webhook, with FastAPI: `python webhook_fastapi.py 8000`.

    curl -X POST 'http://127.0.0.1:8000/videos?prompt=A+paper+boat'      how it ended, once it has

VEO_WEBHOOK_SECRET is the sender's `whsec_…` secret, VEO_WEBHOOK_URL the address under which the sender
reaches `/veo/` here. With Starlette it is the same: the receiver is an ASGI application.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException

import veo_async as veo
from veo_async import webhooks

# Looked at in full only when told to; a webhook that is lost costs 5 minutes at most.
RARELY = veo.PollPolicy(min_interval=30, max_interval=300)
SESSION = veo.VeoSession(veo.Provider.from_env(), ledger="jobs.db", poll=RARELY)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Keep the session open as long as the application runs; jobs still running wait for the next start."""
    async with SESSION:
        await SESSION.resume()
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/veo", webhooks.Receiver(SESSION, secrets=os.environ["VEO_WEBHOOK_SECRET"]))


@app.post("/videos")
async def videos(prompt: str) -> dict[str, str | None]:
    """Make a video of the prompt and say where it is."""
    hook = {"uris": [os.environ["VEO_WEBHOOK_URL"]]}
    asked = veo.VideoRequest(prompt, model="veo-3.1-fast", extra={"webhookConfig": hook})
    try:
        result = await SESSION.generate(asked)
    except veo.VeoError as error:
        raise HTTPException(502, f"{error} (billed: {error.billed})") from error
    return {"operation": result.operation, "uri": result.videos[0].uri}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
