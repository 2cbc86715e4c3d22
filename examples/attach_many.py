"""Wait for operations that somebody else submitted: `python attach_many.py out < operations.txt`.

Each line names one operation as the provider did. Thousands are fine: they share one scheduler, a few
connections and the provider's limits.
"""

from __future__ import annotations

import asyncio
import sys

import veo_async as veo


async def finish(job: veo.Job, folder: str) -> None:
    """Store what a job brings, or say why it brings nothing."""
    outcome = await job.outcome()
    if isinstance(outcome, veo.Succeeded):
        for path in await job.save(folder):
            print(f"{job.operation}: {path}")
    else:
        print(f"{job.operation}: {type(outcome).__name__}, billed: {outcome.billed}")


async def main(folder: str, operations: list[str]) -> None:
    """Attach all operations at once and finish each as it gets done."""
    async with veo.VeoSession(veo.Provider.from_env()) as session, asyncio.TaskGroup() as group:
        for job in await session.attach_many(operations, model="veo-3.1-fast"):
            group.create_task(finish(job, folder))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.stdin.read().split()))
