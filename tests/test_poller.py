"""The loop around the scheduler."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from veo_async.engine.events import CHECKS, Hinted, Submit, SubmitQueued
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import JobId
from veo_async.options import Limits, Rate
from veo_async.poller import Poller

from .session.script import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on a loop with virtual time."""
    return ("asyncio", {"loop_factory": VirtualLoop, "debug": True})


async def test_what_is_posted_in_one_turn_is_settled_at_once_and_the_rest_when_it_is_due() -> None:
    """Two a minute: two go in one action at the first turn, the others a window after those were sent."""
    loop = asyncio.get_running_loop()
    taken: list[tuple[float, tuple[JobId, ...]]] = []
    scheduler = PollScheduler(limits=Limits(submits=Rate(2, per=60)))
    start = loop.time()

    def submit(action: Submit) -> None:
        from veo_async.answers import Accepted
        from veo_async.engine.events import SubmitEnded

        taken.append((loop.time() - start, action.job_ids))
        for job_id in action.job_ids:
            poller.post(SubmitEnded(job_id, Accepted(operation=f"op{job_id}"), sent_at=loop.time()))

    poller = Poller(scheduler, {Submit: submit})
    task = asyncio.create_task(poller.run())
    poller.post(*(SubmitQueued(JobId(str(number))) for number in range(4)))
    await asyncio.sleep(200)
    task.cancel()
    assert [jobs for _, jobs in taken] == [("0", "1"), ("2", "3")]
    assert taken[0][0] == 0
    assert 60 < taken[1][0] < 61


async def test_what_can_wait_is_settled_together_at_the_next_tick() -> None:
    loop = asyncio.get_running_loop()
    turns: list[tuple[float, int]] = []
    poller = Poller(PollScheduler(), {}, lambda events, _: turns.append((loop.time(), len(events))))
    task = asyncio.create_task(poller.run())
    await asyncio.sleep(0.01)
    turns.clear()
    for _ in range(3):
        poller.post_soon(Hinted(CHECKS, 0.0))
        await asyncio.sleep(0.05)
    assert turns == []
    await asyncio.sleep(10)
    task.cancel()
    assert turns == [(1000.25, 3)]


async def test_what_cannot_wait_takes_the_rest_along() -> None:
    turns: list[int] = []
    poller = Poller(PollScheduler(), {}, lambda events, _: turns.append(len(events)))
    task = asyncio.create_task(poller.run())
    await asyncio.sleep(0.01)
    turns.clear()
    poller.post_soon(Hinted(CHECKS, 0.0))
    poller.post(Hinted(CHECKS, 0.0))
    await asyncio.sleep(10)
    task.cancel()
    assert turns == [2]


def test_short_windows_have_short_ticks() -> None:
    """An answer told late gives its slot back late: never so late that the rate suffers."""
    assert PollScheduler(limits=Limits(checks=Rate(2, per=0.1))).tick == pytest.approx(0.025)
    assert PollScheduler().tick == 0.25


async def test_nothing_that_was_settled_is_held_until_the_next_turn() -> None:
    """A session may sleep for an hour on 100,000 events."""
    poller = Poller(PollScheduler(), {})
    task = asyncio.create_task(poller.run())
    event = Hinted(CHECKS, 0.0)
    gone = weakref.ref(event)
    poller.post(event)
    del event
    assert gone() is not None
    await asyncio.sleep(10)
    assert gone() is None
    task.cancel()
