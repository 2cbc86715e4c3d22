"""The service that a soak talks to, in a process of its own: what it remembers does not count.

`python -m tests.soak.service` prints its address and key. Then it answers each line, a JSON list of prompts,
by an object of the operations that it accepted for each; and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from veo_async.emulator import Emulator, Fault, Waiting
from veo_async.emulator.received import Endpoint

FAULTY_SHARE: Final = 0.02
"""Of the calls of each endpoint, by even shares for its faults."""

_FAULTS: Final[Mapping[Endpoint, Sequence[Fault]]] = {
    "submit": (
        Fault.reset_before_reading(),
        Fault.close(accepted=True),
        Fault.short_body(),
        Fault.rate_limited(0),
        Fault.internal_error(),
        Fault.html(502, accepted=True),
    ),
    "check": (
        Fault.reset_after_reading(),
        Fault.close(),
        Fault.short_body(),
        Fault.rate_limited(0),
        Fault.internal_error(),
        Fault.html(502),
    ),
    "download": (
        Fault.reset_before_reading(),
        Fault.close(),
        Fault.short_body(),
        Fault.reset_within(),
        Fault.rate_limited(0),
        Fault.internal_error(),
        Fault.html(502),
    ),
}


def _spoil(emulator: Emulator) -> None:
    for endpoint, faults in _FAULTS.items():
        left = 1.0  # of the calls, after the rules before
        for fault in faults:
            share = FAULTY_SHARE / len(faults)
            emulator.faults.add(endpoint, fault, share=share / left)
            left -= share


async def main() -> None:
    """Serve, and answer for the bill, until nobody holds the other end of the standard input."""
    loop = asyncio.get_running_loop()
    async with Emulator(seed=8, waiting=Waiting(median=1.5, sigma=0.2), clip="tiny") as emulator:
        _spoil(emulator)
        print(json.dumps({"base_url": emulator.base_url, "key": emulator.key}), flush=True)  # noqa: T201
        billed: dict[str, list[str]] = {}
        seen = 0
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            jobs = emulator.bill._jobs()  # entries are made anew for all jobs, which would be slow
            for job in jobs[seen:]:
                billed.setdefault(job.order.prompt, []).append(job.ticket.operation)
            seen = len(jobs)
            answer = {prompt: billed.get(prompt, []) for prompt in json.loads(line)}
            print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
