"""The library under measure: real sessions, with scheduler and cadence on."""

from __future__ import annotations

import asyncio
import logging
import math
import tempfile
import uuid
from typing import Any

from callbacks import timed_callbacks
from client import by_turns, main, measured, picture, sizes, steady
from measuring import TICK_S, checked, listed, operation
from resident import Peak, settled

import veo_async as veo

AT_ONCE = veo.Rate(20_000, per=1)
"""No limit, as far as these measures go."""
NAMES = 10_000_000
"""Past every number of an operation."""


def provider(port: int, checks: veo.Rate = AT_ONCE, *, can_list: bool = False) -> veo.Provider:
    """Return the fake server as a provider."""
    return veo.Provider.gemini(
        api_key="sk-benchmark",
        base_url=f"http://127.0.0.1:{port}",
        can_list=can_list,
        limits=veo.Limits(checks=checks, submits=AT_ONCE, in_flight=NAMES),
    )


async def pending(
    port: int, *, operations: int, interval: float, seconds: float, burst: bool = False, listing: bool = False
) -> dict[str, Any]:
    """Wait for operations that never end, each checked every `interval`: CPU a status, memory a job.

    In a burst all are due at the same instant; else their checks are spread evenly.
    """
    # First checks of what is taken up are spread over 2 · count / rate, but no longer than the interval.
    spread = veo.Rate(max(1, math.ceil(2 * operations / interval)), per=1)
    # Lists come as often as their operations together deserve: more often than one alone is checked.
    policy = veo.PollPolicy(min_interval=TICK_S if listing else interval, max_interval=interval)
    source = provider(port, AT_ONCE if burst else spread, can_list=listing)
    async with veo.VeoSession(source, poll=policy, on_exit="abort") as session:
        before = settled()
        names = listed(operations) if listing else [operation(number) for number in range(operations)]
        jobs = await session.attach_many(names)
        found = await steady(port, seconds, before)
        assert len(jobs) == operations
    return found


async def due(port: int, *, operations: int) -> dict[str, Any]:
    """Let operations fall due at once: memory at the peak beyond what pending ones hold."""
    source = provider(port)
    async with veo.VeoSession(source, poll=veo.PollPolicy(max_interval=3600), on_exit="abort") as session:
        await session.attach_many([operation(number) for number in range(operations)])
        before, peak = settled(), Peak()
        with measured() as spent:
            await checked(port, operations)
        return {"extra_bytes_each": (peak.stop() - before) / operations, **spent.measures(operations)}


async def restart(port: int, *, operations: int) -> dict[str, Any]:
    """Take up a ledger's open jobs, all of them overdue: until each has been checked."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = f"{folder}/jobs.db"
        async with veo.VeoSession(provider(port, veo.Rate(1)), ledger=ledger, on_exit="detach") as session:
            await session.attach_many([operation(number) for number in range(operations)])
        async with veo.VeoSession(provider(port), ledger=ledger, on_exit="detach") as session:
            before, peak = settled(), Peak()
            with measured() as spent, timed_callbacks() as took:
                jobs = await session.resume()
                await checked(port, operations)
            assert len(jobs) == operations
            return {
                "extra_bytes_each": (peak.stop() - before) / operations,
                "longest_ms": 1e3 * max(took),
                **spent.measures(operations),
            }


async def whole_jobs(port: int, *, jobs: int, interval: float, listing: bool = False) -> dict[str, Any]:
    """Submit, poll, download a small video, for many at once."""
    policy = veo.PollPolicy(min_interval=interval, max_interval=interval)
    source = provider(port, can_list=listing)
    with tempfile.TemporaryDirectory() as folder:
        async with veo.VeoSession(source, poll=policy) as session:

            async def one(number: int) -> None:
                job = await session.submit(veo.VideoRequest(f"Paper boat {number}", model="veo-3.1-fast"))
                await job.save(f"{folder}/{number}.mp4")

            await one(jobs)  # what is imported on first use
            with measured() as spent:
                await asyncio.gather(*map(one, range(jobs)))
        assert len(sizes(folder)) == jobs + 1
    return spent.measures(jobs)


async def downloads(port: int, *, videos: int, size: int, of_jobs: bool = False) -> dict[str, Any]:
    """Store videos in files: CPU, and memory at the peak. Those of jobs are hashed for their records."""
    source: veo.Video | veo.Result
    source = veo.Video(uri=f"http://127.0.0.1:{port}/v1beta/files/{size}:download?alt=media")
    if of_jobs:
        source = veo.Result(videos=(source,), job_id=str(uuid.uuid4()))
    with tempfile.TemporaryDirectory() as folder:
        async with veo.VeoSession(provider(port)) as session:
            await session.save(source, f"{folder}/first.mp4")  # what is imported on first use
            before, peak = settled(), Peak()
            with measured() as spent:
                await asyncio.gather(*(session.save(source, f"{folder}/{n}.mp4") for n in range(videos)))
            extra = peak.stop() - before
        assert sizes(folder) == [size] * (videos + 1)
    return {"extra_bytes": extra, **spent.measures(videos)}


async def uploads(port: int, *, submits: int, size: int) -> dict[str, Any]:
    """Submit with a large image, one after the other: CPU of each, and the longest callback."""
    image = picture(size)
    async with veo.VeoSession(provider(port), on_exit="abort") as session:

        async def submit() -> None:
            await session.submit(veo.VideoRequest("A paper boat", model="veo-3.1-fast", image=image))

        return await by_turns(submit, submits)


SCENARIOS = {
    function.__name__: function for function in (pending, due, restart, whole_jobs, downloads, uploads)
}

if __name__ == "__main__":
    logging.getLogger("veo_async").setLevel(logging.ERROR)  # it tells of every operation left behind
    main(SCENARIOS)
