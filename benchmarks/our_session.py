"""The library under measure: a real session, its scheduler and cadence on, and a steady stream of checks."""

from __future__ import annotations

import asyncio
import logging
import sys

from measuring import OPERATIONS_A_RATE, operation, report

import veo_async as veo


async def main(port: int, rate: int, seconds: float) -> None:
    """Attach many operations that never end, and measure the checks of them."""
    provider = veo.Provider.gemini(
        api_key="sk-benchmark",
        base_url=f"http://127.0.0.1:{port}",
        # The cadence sets the pace; the limit is twice of it, so that first checks are spread over 10 s too.
        limits=veo.Limits(checks=veo.Rate(2 * rate, per=1)),
    )
    logging.getLogger("veo_async").setLevel(logging.ERROR)  # it tells of every operation left behind
    policy = veo.PollPolicy(max_interval=OPERATIONS_A_RATE)
    async with veo.VeoSession(provider, poll=policy, on_exit="abort") as session:
        await session.attach_many([operation(n) for n in range(rate * OPERATIONS_A_RATE)])
        await report(port, seconds)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
