"""A pipeline: prompts come in one by one, videos go out as they are ready: `python pipeline.py out`.

`as_completed` takes the next request only while fewer than `max_in_flight` are under way, so the source may
be endless: a queue, a table, a socket. One bad request stops nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import veo_async as veo

SCENES = ["at dawn", "in the rain", "in a forbidden city", "at night"]


async def requests() -> AsyncIterator[veo.VideoRequest]:
    """Yield requests as they come to mind."""
    for scene in SCENES:
        await asyncio.sleep(0.1)
        yield veo.VideoRequest(f"A paper boat {scene}", model="veo-3.1-fast", labels={"scene": scene})


async def main(folder: str) -> None:
    """Say of each request, as soon as it is known, what became of it."""
    async with veo.VeoSession(veo.Provider.from_env()) as session:
        async for item in session.as_completed(requests(), max_in_flight=2):
            match item.outcome:
                case veo.Succeeded(result=result):
                    paths = await session.save(result, folder)
                    print(f"{item.request.prompt}: {', '.join(str(path) for path in paths)}")
                case veo.Filtered(reasons=reasons):
                    print(f"{item.request.prompt}: held back, {'; '.join(reasons)}")
                case _:
                    print(f"{item.request.prompt}: {item.error}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
