"""Make many videos and keep within an account's limits: `python many_under_a_limit.py out < prompts.txt`.

The ledger in `out/jobs.db` makes it safe to stop at any time: start it again with the same prompts, and each
line goes on where it was. Nothing is sent or paid twice.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import veo_async as veo

LIMITS = veo.Limits(
    submits=(veo.Rate(10, per=60), veo.Rate(500, per=86_400)), checks=veo.Rate(5), in_flight=20
)


async def main(folder: Path, prompts: list[str]) -> None:
    """Run all prompts through one session and count how they ended."""
    requests = [
        veo.VideoRequest(prompt, model="veo-3.1-fast", idempotency_key=f"{number}: {prompt}")
        for number, prompt in enumerate(prompts)
    ]
    provider = veo.Provider.from_env(limits=LIMITS)
    ended: Counter[str] = Counter()
    async with veo.VeoSession(provider, ledger=folder / "jobs.db") as session:
        async for item in session.as_completed(requests, max_in_flight=20):
            ended[type(item.outcome or item.error).__name__] += 1
            if item.job is not None and isinstance(item.outcome, veo.Succeeded):
                if not await session.files(item.job.id):  # an earlier run may have stored it
                    await item.job.save(folder)
                for file in await session.files(item.job.id):
                    print(f"{file.path}: {item.request.prompt}")
    print(", ".join(f"{count} {name.lower()}" for name, count in ended.items()))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    asyncio.run(main(out, sys.stdin.read().splitlines()))
