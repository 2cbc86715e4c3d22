"""Memory a pending job: the scheduler alone, and a session with one task awaiting each job.

The slope of what the process holds (RSS) from 10,000 to 100,000 jobs, so that nothing constant counts. No
request is sent: the limit on checks allows one an hour.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import platform
import sys

from measuring import operation
from resident import settled

import veo_async as veo
from veo_async.engine.events import OperationKey, OperationOpened, Profile

FEW, MANY = 10_000, 100_000


def engine() -> float:
    """Return the bytes an operation that the scheduler watches."""
    scheduler = veo.PollScheduler()
    profile = Profile("veo-3.1-fast-generate-preview")

    def watch(numbers: range) -> int:
        opened = [OperationOpened(OperationKey("gemini", operation(number)), profile) for number in numbers]
        scheduler.handle(*opened, now=0.0)
        del opened
        return settled()

    few = watch(range(FEW))
    return (watch(range(FEW, MANY)) - few) / (MANY - FEW)


async def session() -> float:
    """Return the bytes a job of an open session, with one task that awaits it."""
    limits = veo.Limits(checks=veo.Rate(1, per=3600))
    provider = veo.Provider.gemini(api_key="sk-benchmark", base_url="http://127.0.0.1:9", limits=limits)
    logging.getLogger("veo_async").setLevel(logging.CRITICAL)  # it tells of every operation left behind
    awaiting: list[asyncio.Task[object]] = []
    async with veo.VeoSession(provider, on_exit="abort") as pool:

        async def watch(numbers: range) -> int:
            for start in range(numbers.start, numbers.stop, 1000):
                names = [operation(number) for number in range(start, start + 1000)]
                awaiting.extend(asyncio.ensure_future(job.wait()) for job in await pool.attach_many(names))
            await asyncio.sleep(1)
            return settled()

        few = await watch(range(FEW))
        a_job = (await watch(range(FEW, MANY)) - few) / (MANY - FEW)
        for task in awaiting:
            task.cancel()
        await asyncio.gather(*awaiting, return_exceptions=True)
    return a_job


def main() -> None:
    """Print both, or as JSON with `--json`."""
    if "--json" in sys.argv:
        found = {"engine": engine()}
        gc.collect()
        print(json.dumps({**found, "session": asyncio.run(session())}))
        return
    print(f"CPython {platform.python_version()}, {platform.system()} {platform.machine()}")
    print(f"engine alone: {engine():.0f} bytes an operation; goal 500")
    gc.collect()
    print(f"session, one task awaiting each: {asyncio.run(session()):.0f} bytes a job; goal 1,250")


if __name__ == "__main__":
    main()
