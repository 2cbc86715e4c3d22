"""Make one video and store it: `python one_video.py "A paper boat crosses a puddle" out`.

The provider comes from the environment: VEO_PROVIDER, VEO_API_KEY and, where there is no usual one,
VEO_BASE_URL.
"""

from __future__ import annotations

import asyncio
import sys

import veo_async as veo


async def main(prompt: str, folder: str) -> None:
    """Submit, wait, store."""
    async with veo.VeoSession(veo.Provider.from_env()) as session:
        job = await session.submit(veo.VideoRequest(prompt, model="veo-3.1-fast", aspect_ratio="16:9"))
        print(f"accepted as {job.operation}")
        for path in await job.save(folder):
            print(f"stored {path}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
