"""Many callers at once, most of whom give up at a random moment."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from veo_async import VeoSession, VideoRequest
from veo_async.engine.lifecycle import State

from .leaks import no_leaks
from .lives import Provided, new_session, settled, verdict_of

CANCELS = int(os.environ.get("VEO_TEST_CANCELS", "2000"))
SEED = os.environ.get("VEO_TEST_SEED", "1")
AT_ONCE = 100

Call = Callable[[VeoSession, VideoRequest], Awaitable[object]]


async def submit_and_withdraw(veo: VeoSession, request: VideoRequest) -> None:
    """Change one's mind at once."""
    await (await veo.enqueue(request)).cancel()


CALLS: tuple[Call, ...] = (VeoSession.enqueue, VeoSession.submit, VeoSession.generate, submit_and_withdraw)


async def give_up(call: Awaitable[object], dice: random.Random, longest_s: float) -> None:
    """Await a call, and cancel it at a random moment, sometimes again a moment later."""
    task = asyncio.ensure_future(call)
    await asyncio.sleep(dice.choice((0.0, dice.uniform(0, longest_s))))
    task.cancel()
    if dice.random() < 0.3:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait({task})


async def crowd_that_stays(veo: VeoSession) -> float:
    """Let many callers wait to the end, and return how long that took: the others leave within that time."""
    began_at = time.monotonic()
    await asyncio.gather(*(veo.generate(VideoRequest(f"boat {number}")) for number in range(AT_ONCE)))
    return time.monotonic() - began_at


async def crowd_that_leaves(veo: VeoSession, start: int, dice: random.Random, longest_s: float) -> None:
    """Let many callers begin at once and give up, and wait until the session has nothing to do."""
    own = asyncio.all_tasks()
    async with asyncio.TaskGroup() as callers:
        for number in range(start, start + AT_ONCE):
            call = dice.choice(CALLS)(veo, VideoRequest(f"boat {number}"))
            callers.create_task(give_up(call, dice, longest_s))
    await settled(veo, own)


@pytest.mark.timeout(600)
def test_random_cancels_under_contention_lose_nothing(folder: Path, wires: list[Provided]) -> None:
    """Every operation is named, every job is sent once or withdrawn, and nothing is left open."""
    dice = random.Random(SEED)
    path = folder / "jobs.db"
    states: dict[State, int] = {}

    async def main() -> None:
        async with new_session(path) as veo:
            longest_s = await crowd_that_stays(veo)
            for number in range(1, 1 + CANCELS // AT_ONCE):
                await crowd_that_leaves(veo, number * AT_ONCE, dice, longest_s)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert veo.report is not None
        states.update(veo.report.jobs)

    with no_leaks():
        asyncio.run(main())
    (wire,) = wires
    verdict = verdict_of(wire, path)
    assert verdict.holds, verdict
    assert verdict.recorded == verdict.billed == len(wire.sent)
    assert AT_ONCE < len(wire.sent) < verdict.jobs == sum(states.values())  # some were in time, some were not
    assert states[State.WITHDRAWN] == verdict.jobs - len(wire.sent)
    assert states.keys() <= {State.WITHDRAWN, State.RUNNING, State.SUCCEEDED}


@pytest.mark.parametrize("call", CALLS)
def test_the_calls_end_well_when_nobody_gives_up(call: Call, folder: Path, wires: list[Provided]) -> None:
    """The same calls without a cancel: what is counted above is not just what never works."""

    async def main() -> None:
        async with new_session(folder / "jobs.db") as veo:
            await call(veo, VideoRequest("boat 0"))

    asyncio.run(main())
    assert wires[-1].closed
