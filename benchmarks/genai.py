"""google-genai under measure: its own async client, in loops such as its documentation shows."""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from collections.abc import Sequence
from typing import Any

from client import by_turns, main, measured, picture, sizes, steady
from measuring import MODEL, checked, operation
from resident import Peak, settled

STARTED_AT_ONCE = 50
# By name, since it is not there where types are checked.
genai: Any = importlib.import_module("google.genai")
types: Any = importlib.import_module("google.genai.types")


def client_for(port: int) -> Any:
    """Return its client, at its default settings but for the base URL."""
    return genai.Client(
        api_key="sk-benchmark", http_options=types.HttpOptions(base_url=f"http://127.0.0.1:{port}")
    )


async def wait(client: Any, awaited: Any, interval: float, first: float) -> Any:
    """Poll one operation, as its documentation shows."""
    await asyncio.sleep(first)
    while not awaited.done:
        awaited = await client.aio.operations.get(awaited)
        await asyncio.sleep(interval)
    return awaited


def start(client: Any, operations: int, interval: float, width: float) -> Sequence[asyncio.Task[Any]]:
    """Start the loops of operations that never end; their first checks are spread over `width`."""
    return [
        asyncio.create_task(
            wait(
                client,
                types.GenerateVideosOperation(name=operation(number)),
                interval,
                width * number / operations,
            )
        )
        for number in range(operations)
    ]


async def pending(
    port: int, *, operations: int, interval: float, seconds: float, burst: bool = False, listing: bool = False
) -> dict[str, Any]:
    """Wait for operations that never end, each in a loop of its own: CPU a status, memory a job."""
    assert not listing, "it cannot list"
    client = client_for(port)
    await client.aio.operations.get(types.GenerateVideosOperation(name=operation(0)))
    before = settled()
    loops = start(client, operations, interval, 0 if burst else interval)
    found = await steady(port, seconds, before)
    await stop(loops)
    return found


async def stop(loops: Sequence[asyncio.Task[Any]]) -> None:
    """End the loops."""
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def due(port: int, *, operations: int) -> dict[str, Any]:
    """Let operations fall due at once: memory at the peak beyond what pending loops hold."""
    client = client_for(port)
    await client.aio.operations.get(types.GenerateVideosOperation(name=operation(0)))
    goes = asyncio.Event()

    async def once(awaited: Any) -> None:
        await goes.wait()
        await client.aio.operations.get(awaited)

    loops = [
        asyncio.create_task(once(types.GenerateVideosOperation(name=operation(number))))
        for number in range(operations)
    ]
    await asyncio.sleep(0)
    before, peak = settled(), Peak()
    with measured() as spent:
        goes.set()
        await asyncio.gather(*loops)
    return {"extra_bytes_each": (peak.stop() - before) / operations, **spent.measures(operations)}


async def asleep(port: int, *, operations: int) -> dict[str, Any]:
    """Let loops sleep after their first check, a few checked at once: memory that they hold."""
    client = client_for(port)
    await client.aio.operations.get(types.GenerateVideosOperation(name=operation(0)))
    before = settled()
    loops = list[asyncio.Task[Any]]()
    while len(loops) < operations:
        loops += start(client, STARTED_AT_ONCE, 3600, 0)
        await checked(port, len(loops) + 1)
    await asyncio.sleep(0.2)
    held = settled() - before
    await stop(loops)
    return {"held_bytes": held}


async def whole_jobs(port: int, *, jobs: int, interval: float) -> dict[str, Any]:
    """Submit, poll, download a small video, for many at once."""
    client = client_for(port)
    with tempfile.TemporaryDirectory() as folder:

        async def one(number: int) -> None:
            source = types.GenerateVideosSource(prompt=f"Paper boat {number}")
            awaited = await client.aio.models.generate_videos(model=MODEL, source=source)
            while not awaited.done:
                await asyncio.sleep(interval)
                awaited = await client.aio.operations.get(awaited)
            video = awaited.response.generated_videos[0].video
            await client.aio.files.download(file=video)
            video.save(f"{folder}/{number}.mp4")

        await one(jobs)
        with measured() as spent:
            await asyncio.gather(*map(one, range(jobs)))
        assert len(sizes(folder)) == jobs + 1
    return spent.measures(jobs)


async def downloads(port: int, *, videos: int, size: int) -> dict[str, Any]:
    """Download videos as it does unless told otherwise: CPU, and memory at the peak."""
    client = client_for(port)
    uri = f"http://127.0.0.1:{port}/v1beta/files/{size}:download?alt=media"

    async def one(path: str) -> None:
        video = types.Video(uri=uri)
        await client.aio.files.download(file=video)
        video.save(path)

    with tempfile.TemporaryDirectory() as folder:
        await one(f"{folder}/first.mp4")
        before, peak = settled(), Peak()
        with measured() as spent:
            await asyncio.gather(*(one(f"{folder}/{number}.mp4") for number in range(videos)))
        extra = peak.stop() - before
        assert sizes(folder) == [size] * (videos + 1)
    return {"extra_bytes": extra, **spent.measures(videos)}


async def uploads(port: int, *, submits: int, size: int) -> dict[str, Any]:
    """Submit with a large image, one after the other: CPU of each, and the longest callback."""
    image = picture(size)
    client = client_for(port)

    async def submit() -> None:
        picture = types.Image(image_bytes=image, mime_type="image/png")
        source = types.GenerateVideosSource(prompt="A paper boat", image=picture)
        await client.aio.models.generate_videos(model=MODEL, source=source)

    return await by_turns(submit, submits)


SCENARIOS = {
    function.__name__: function for function in (pending, asleep, due, whole_jobs, downloads, uploads)
}

if __name__ == "__main__":
    main(SCENARIOS)
