"""What the measured processes share: names, constants, CPU by what the server saw."""

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
MODEL = "veo-3.1-fast-generate-preview"
LIFE_S = 3.0
"""How long a submitted operation runs."""
LISTED = 100
"""Operations of any model in a list of those that were not submitted here."""
SMALL_VIDEO = 65_536
"""Bytes of the video of a submitted operation."""


def operation(number: int, model: str = MODEL) -> str:
    """Return the name of one operation."""
    return f"models/{model}/operations/op{number:08d}"


def listed(operations: int) -> list[str]:
    """Return the names of so many operations, `LISTED` of them in each model's list."""
    return [operation(number % LISTED, f"{MODEL}-{number // LISTED}") for number in range(operations)]


def served(port: int) -> dict[str, int]:
    """Return what the server was asked for."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/served") as answer:
        counts: dict[str, int] = json.loads(answer.read())
    return counts


async def checked(port: int, count: int) -> None:
    """Wait until the server has seen so many checks."""
    while (await asyncio.to_thread(served, port))["checks"] < count:  # noqa: ASYNC110 - it is elsewhere
        await asyncio.sleep(0.02)


async def report(port: int, seconds: float) -> None:
    """Print, as JSON, the CPU and the checks of `seconds` in the steady state."""
    await asyncio.sleep(WARM_UP_S)
    checks, cpu_s = served(port)["checks"], time.process_time()
    await asyncio.sleep(seconds)
    cpu_s = time.process_time() - cpu_s
    checks = served(port)["checks"] - checks
    print(json.dumps({"checks": checks, "cpu_us_a_check": 1e6 * cpu_s / checks}))
