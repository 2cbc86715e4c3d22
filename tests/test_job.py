"""A job as its waiters see it: each is told, none of them holds another up, none leaves anything behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from unittest.mock import Mock

import pytest
from attrs import evolve

from veo_async import Job, OperationStalledError, Result, Succeeded, Video, WaitTimeoutError
from veo_async.engine.lifecycle import State
from veo_async.job import JobEvent
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId

from .session.script import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on a loop with virtual time."""
    return ("asyncio", {"loop_factory": VirtualLoop, "debug": True})


def new_job(record: JobRecord) -> Job:
    """Return a job of a session that has nothing to say."""
    return Job(record, Mock(**{"standstill.return_value": None}))


RUNNING = JobRecord(
    id=JobId("1"),
    state=State.RUNNING,
    request=None,
    digest="",
    provider="gemini",
    origin="https://gateway.example",
    model="veo",
    operation="operations/1",
    created_at=1.0,
    accepted_at=2.0,
)
RESULT = Result(videos=(Video(uri="https://gateway.example/1.mp4"),))
ENDED = evolve(RUNNING, state=State.SUCCEEDED, outcome=Succeeded(result=RESULT), finished_at=3.0)


def futures() -> int:
    """Count those that somebody holds."""
    gc.collect()
    return sum(type(thing) is asyncio.Future for thing in gc.get_objects())


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_all_who_wait_hear_of_the_end(count: int) -> None:
    job = new_job(RUNNING)
    waiting = [asyncio.create_task(job.wait()) for _ in range(count)]
    await asyncio.sleep(1)
    job.advance(ENDED, 3.0)
    assert await asyncio.gather(*waiting) == [RESULT] * count
    assert await job.wait(timeout=1) == await job == RESULT


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("place", [0, 1])
async def test_a_cancelled_awaiter_takes_nobody_along(count: int, place: int) -> None:
    """Whoever of them it is; one who comes later is told too."""
    job = new_job(RUNNING)
    waiting = [asyncio.create_task(job.wait()) for _ in range(count)]
    await asyncio.sleep(1)
    cancelled = waiting.pop(place)
    cancelled.cancel()
    await asyncio.wait({cancelled})
    assert cancelled.cancelled()
    waiting.append(asyncio.create_task(job.wait()))
    await asyncio.sleep(1)
    assert not any(task.done() for task in waiting)
    job.advance(ENDED, 3.0)
    assert await asyncio.gather(*waiting) == [RESULT] * count


async def test_a_wake_without_news_ends_no_wait() -> None:
    job = new_job(RUNNING)
    waiting = [asyncio.create_task(job.wait()) for _ in range(2)]
    for _ in range(3):
        await asyncio.sleep(1)
        job.wake()
    await asyncio.sleep(1)
    assert not any(task.done() for task in waiting)
    job.advance(ENDED, 3.0)
    assert await asyncio.gather(*waiting) == [RESULT, RESULT]


async def test_each_is_told_an_error_of_its_own_and_may_wait_again() -> None:
    job = new_job(RUNNING)
    waiting = [asyncio.create_task(job.wait()) for _ in range(2)]
    await asyncio.sleep(1)
    job.tell(OperationStalledError("late", billed="unknown"))
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in errors] == [OperationStalledError] * 2
    assert errors[0] is not errors[1]
    again = asyncio.create_task(job.wait())
    await asyncio.sleep(1)
    job.advance(ENDED, 3.0)
    assert await again == RESULT


async def look(job: Job) -> None:
    with pytest.raises(WaitTimeoutError):
        await job.wait(timeout=1)


async def leave(job: Job) -> None:
    waiting = asyncio.create_task(job.wait())
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait({waiting})


@pytest.mark.parametrize("give_up", [look, leave])
@pytest.mark.parametrize("beside", [0, 1, 2])
async def test_waits_that_were_given_up_leave_nothing(
    give_up: Callable[[Job], Awaitable[None]], beside: int
) -> None:
    """Alone and beside others: a caller may look again for hours."""
    job = new_job(RUNNING)
    waiting = [asyncio.create_task(job.wait()) for _ in range(beside)]
    await asyncio.sleep(1)
    before = futures()
    for _ in range(100):
        await give_up(job)
    assert futures() == before
    job.advance(ENDED, 3.0)
    assert await asyncio.gather(*waiting) == [RESULT] * beside


async def test_events_tell_every_state_from_the_first_on_whenever_they_are_asked_for() -> None:
    """The first is when the provider had it, for a job that began as running."""
    job = new_job(RUNNING)
    seen: list[JobEvent] = []

    async def follow() -> None:
        seen.extend([event async for event in job.events()])

    following = asyncio.create_task(follow())
    await asyncio.sleep(1)
    job.advance(evolve(RUNNING, adopted="list"), 2.5)  # a new row, no new state
    job.advance(ENDED, 3.0)
    await following
    told = [JobEvent(State.RUNNING, 2.0), JobEvent(State.SUCCEEDED, 3.0)]
    assert seen == told == [event async for event in job.events()]


async def test_a_queued_job_begins_when_it_was_made() -> None:
    queued = evolve(RUNNING, state=State.QUEUED, operation=None, accepted_at=None)
    job = new_job(queued)
    for row, at in ((evolve(queued, state=State.ARMED), 1.5), (RUNNING, 2.0), (ENDED, 3.0)):
        job.advance(row, at)
    states = (State.QUEUED, State.ARMED, State.RUNNING, State.SUCCEEDED)
    told = [JobEvent(state, at) for state, at in zip(states, (1.0, 1.5, 2.0, 3.0), strict=True)]
    assert [event async for event in job.events()] == told
