"""A guard: how many bytes Python has given out for a pending job and the task that awaits it."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import veo_async
from veo_async import VeoSession

from .script import MODEL, ScriptedTransport, VirtualLoop, running

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]

BYTES_A_JOB = 1550.0
"""Seen on CPython 3.11, without the scheduler; later ones need less. Asyncio's task, coroutine and future are
1,000 of them. Should you have made it less, write the new figure here."""
ROOM = 120.0
"""Asyncio's set of all tasks doubles at another job where earlier tests have filled it; a dict is more."""
SOME, MORE = 100, 500
ENGINE = str(Path(veo_async.__file__).parent / "engine" / "*")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run without debug mode, which remembers where each future comes from."""
    return ("asyncio", {"loop_factory": VirtualLoop})


async def test_a_pending_job_stays_small(session: Make, wire: ScriptedTransport) -> None:
    """Whatever each of 100,000 jobs has a thing more of is seen here."""
    wire.checks = lambda _, request: running(request.url)
    tasks: list[asyncio.Task[object]] = []
    async with session(on_exit="abort") as veo:

        async def wait_for(numbers: range) -> int:
            jobs = await veo.attach_many(f"models/{MODEL}/operations/op{number:08}" for number in numbers)
            tasks.extend([asyncio.create_task(job.wait()) for job in jobs])
            del jobs
            await asyncio.sleep(0.1)
            gc.collect()
            without = tracemalloc.Filter(inclusive=False, filename_pattern=ENGINE)
            found = tracemalloc.take_snapshot().filter_traces([without]).statistics("filename")
            return sum(one.size for one in found)

        tracemalloc.start()
        try:
            before = await wait_for(range(SOME))
            a_job = (await wait_for(range(SOME, SOME + MORE)) - before) / MORE
        finally:
            tracemalloc.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert a_job < BYTES_A_JOB + ROOM
