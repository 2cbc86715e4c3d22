"""What both clients are measured by: CPU of this process for each check that the server saw."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request

WARM_UP_S = 2.0
OPERATIONS_A_RATE = 10
"""Operations for each check a second: every operation is checked each 10 s."""
TICK_S = 0.25
CONNECTIONS = 16


def operation(number: int) -> str:
    """Return the name of one operation."""
    return f"models/veo-3.1-fast-generate-preview/operations/op{number:08d}"


def seen(port: int) -> int:
    """Return how many checks the server has seen."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count") as answer:
        return int(answer.read())


async def report(port: int, seconds: float) -> None:
    """Print, as JSON, the CPU and the checks of `seconds` in the steady state."""
    await asyncio.sleep(WARM_UP_S)
    checks, cpu_s = seen(port), time.process_time()
    await asyncio.sleep(seconds)
    cpu_s = time.process_time() - cpu_s
    checks = seen(port) - checks
    print(json.dumps({"checks": checks, "cpu_us_a_check": 1e6 * cpu_s / checks}))
