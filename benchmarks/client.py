"""A measured process: it runs one scenario and prints what it found, as JSON.

`python CLIENT.py SCENARIO PORT OPTIONS [--profile]`, with the options as JSON.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import pstats
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define
from callbacks import timed_callbacks
from measuring import WARM_UP_S, served
from resident import settled

PROFILED = 15
"""Functions of a profile that are told."""
IDLE = {"<method 'poll' of 'select.epoll' objects>"}
"""What waits; the profile's clock is the wall's, since a finer one slows down what it sees."""
Scenario = Callable[..., Awaitable[dict[str, Any]]]


@define
class Spent:
    """What a stretch of the program took, once it is over."""

    cpu_s: float = 0.0
    seconds: float = 0.0
    profile: list[str] | None = None

    def measures(self, count: float) -> dict[str, Any]:
        """Return it, and the CPU of each of `count`."""
        shown = {} if self.profile is None else {"profile": self.profile}
        return {
            "cpu_s": self.cpu_s,
            "seconds": self.seconds,
            "cpu_us_each": 1e6 * self.cpu_s / max(count, 1),
            **shown,
        }


@contextmanager
def measured() -> Generator[Spent]:
    """Measure the CPU of this process, user and system, all threads; with `--profile` also where it goes."""
    spent = Spent()
    profiler = cProfile.Profile() if "--profile" in sys.argv else None
    cpu_s, thread_s, began_at = time.process_time(), time.thread_time(), time.perf_counter()
    if profiler is not None:
        profiler.enable()
    try:
        yield spent
    finally:
        if profiler is not None:
            profiler.disable()
        spent.cpu_s, spent.seconds = time.process_time() - cpu_s, time.perf_counter() - began_at
        if profiler is not None:
            elsewhere = 1 - (time.thread_time() - thread_s) / spent.cpu_s
            spent.profile = [f"{elsewhere:.1%} of all in other threads", *_largest(profiler)]


def _largest(profiler: cProfile.Profile) -> list[str]:
    """Return the functions that took most themselves, with their shares."""
    profile = pstats.Stats(profiler).get_stats_profile()
    busy = [item for item in profile.func_profiles.items() if item[0] not in IDLE]
    functions = sorted(busy, key=lambda item: -item[1].tottime)
    total = sum(function.tottime for _, function in functions) or 1.0
    return [
        f"{function.tottime / total:.1%} {function.ncalls} {name} "
        f"{_place(function.file_name)}:{function.line_number}"
        for name, function in functions[:PROFILED]
    ]


def _place(file_name: str) -> str:
    return "/".join(file_name.split("/")[-2:])


async def steady(port: int, seconds: float, before: int) -> dict[str, Any]:
    """Let what was started go on; return the CPU a status, and the memory held since `before`."""
    await asyncio.sleep(WARM_UP_S)
    statuses = served(port)["statuses"]
    with measured() as spent:
        await asyncio.sleep(seconds)
    statuses = served(port)["statuses"] - statuses
    return {"statuses": statuses, "held_bytes": settled() - before, **spent.measures(statuses)}


async def by_turns(act: Callable[[], Awaitable[None]], count: int) -> dict[str, Any]:
    """Do something `count` times, one after the other; return the CPU of each and of the longest callback."""
    await act()  # what is imported on first use
    with timed_callbacks(time.thread_time) as took, measured() as spent:
        for _ in range(count):
            await act()
    return {"longest_ms": 1e3 * max(took), **spent.measures(count)}


def picture(size: int) -> bytes:
    """Return what passes for a picture of so many bytes."""
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * (size // 256)


def sizes(folder: str) -> list[int]:
    """Return the lengths of the videos in a folder."""
    return [path.stat().st_size for path in Path(folder).glob("*.mp4")]


def main(scenarios: Mapping[str, Scenario]) -> None:
    """Run the scenario that the arguments name."""
    name, port, options = sys.argv[1:4]

    async def run() -> dict[str, Any]:
        return await scenarios[name](int(port), **json.loads(options))

    print(json.dumps(asyncio.run(run())))
