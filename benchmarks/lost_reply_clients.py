"""Submits one job with one client at its default settings, against a server that never answers it.

`lost_reply_clients.py CLIENT BASE_URL` prints the class of what was raised. Run by `lost_replies.py`, with
the packages of that client on the path.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

KEY = "a-key-of-nobody"
PROMPT = "A paper boat crosses a puddle"
PICTURE = "https://pictures.example/boat.png"


def _module(name: str) -> Any:
    # By name, since it is not there where types are checked.
    return importlib.import_module(name)


async def veo_async(base_url: str) -> None:
    """Ours."""
    veo = _module("veo_async")
    provider = veo.Provider.gemini(api_key=KEY, base_url=base_url)
    async with veo.VeoSession(provider, on_exit="detach") as session:
        await session.submit(veo.VideoRequest(PROMPT))


async def google_genai(base_url: str) -> None:
    """Google's own, its asyncio half, which takes aiohttp where it is there."""
    client = _genai_client(base_url)
    await client.aio.models.generate_videos(model="veo-3.1-generate-preview", prompt=PROMPT)


async def google_genai_sync(base_url: str) -> None:
    """Google's own, its blocking half, on httpx."""
    client = _genai_client(base_url)  # it closes its connections when nobody holds it
    submit = client.models.generate_videos
    await asyncio.to_thread(submit, model="veo-3.1-generate-preview", prompt=PROMPT)


def _genai_client(base_url: str) -> Any:
    options = _module("google.genai.types").HttpOptions(base_url=base_url)
    return _module("google.genai").Client(api_key=KEY, http_options=options)


async def openai(base_url: str) -> None:
    """Videos of the OpenAI kind."""
    client = _module("openai").AsyncOpenAI(api_key=KEY, base_url=f"{base_url}/v1")
    await client.videos.create(model="veo-3.1", prompt=PROMPT)


async def runwayml(base_url: str) -> None:
    """Runway's tasks, which offer Veo too."""
    client = _module("runwayml").AsyncRunwayML(api_key=KEY, base_url=base_url)
    await client.image_to_video.create(
        model="veo3.1", prompt_image=PICTURE, prompt_text=PROMPT, ratio="1280:720", duration=8
    )


async def lumaai(base_url: str) -> None:
    """Luma's generations."""
    client = _module("lumaai").AsyncLumaAI(auth_token=KEY, base_url=base_url)
    await client.generations.create(prompt=PROMPT, model="ray-2")


async def fal_client(base_url: str) -> None:
    """Fal's queue; its host is fixed to https, so its one constant is put to the test server."""
    _module("fal_client.client").QUEUE_URL_FORMAT = f"{base_url}/"
    client = _module("fal_client").AsyncClient(key=KEY)
    await client.submit("fal-ai/veo3", arguments={"prompt": PROMPT})


CLIENTS: dict[str, Callable[[str], Awaitable[None]]] = {
    function.__name__: function
    for function in (veo_async, google_genai, google_genai_sync, openai, runwayml, lumaai, fal_client)
}


def main() -> None:
    """Submit once, and say what came of it."""
    name, base_url = sys.argv[1:]
    try:
        asyncio.run(CLIENTS[name](base_url))  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - whatever it is, is what the caller of that client gets
        print(type(error).__name__)


if __name__ == "__main__":
    main()
