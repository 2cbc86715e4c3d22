"""Readers of a feed: each has its own queue, none holds the session up."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing

import pytest

from veo_async.session.events import Dropped, Lifted
from veo_async.session.feed import EventStream, Feed

pytestmark = pytest.mark.anyio


def event(number: int) -> Lifted:
    return Lifted(quota="submits", at=float(number))


async def test_every_reader_gets_every_event() -> None:
    """From its own call on, in order."""
    feed = Feed()
    first = feed.stream(10)
    feed.tell(event(1))
    second = feed.stream(10)
    feed.tell(event(2))
    feed.close()
    assert [told async for told in first] == [event(1), event(2)]
    assert [told async for told in second] == [event(2)]


async def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    """Its memory is bounded; the next reading begins with the number."""
    feed = Feed()
    stream = feed.stream(3)
    for number in range(10):
        feed.tell(event(number))
    assert len(stream._waiting) == 3
    assert [await anext(stream) for _ in range(2)] == [Dropped(count=7), event(7)]
    feed.tell(event(10))
    feed.tell(event(11))
    feed.close()
    assert [told async for told in stream] == [Dropped(count=1), event(9), event(10), event(11)]


async def test_a_reader_that_waits_is_woken() -> None:
    """By an event, and by the end."""
    feed = Feed()
    stream = feed.stream(3)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    feed.tell(event(1))
    assert await waiting == event(1)
    ending = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    feed.close()
    assert await ending is None


async def test_cancelling_a_reader_loses_no_event() -> None:
    """What comes while it is being cancelled is there for the next call."""
    feed = Feed()
    stream = feed.stream(3)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    feed.tell(event(1))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await anext(stream) == event(1)


async def test_leaving_the_loop_ends_the_reading() -> None:
    """No reader is left, so that no event is made any more."""
    feed = Feed()
    told = feed.stream(3)
    feed.tell(event(1))
    async for _ in told:
        break
    assert feed.wanted
    del told
    gc.collect()
    assert not feed.wanted


async def test_a_cancelled_reader_is_forgotten() -> None:
    """With its task."""
    feed = Feed()

    async def read() -> None:
        async for _ in feed.stream(3):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    assert feed.wanted
    task.cancel()
    await asyncio.wait({task})
    del task
    gc.collect()
    assert not feed.wanted


async def test_closing_a_stream_is_leaving_at_once() -> None:
    """Nothing is read after it; doing so again does nothing."""
    feed = Feed()
    async with aclosing(feed.stream(3)) as stream:
        feed.tell(event(1))
    assert not feed.wanted
    feed.tell(event(2))
    await stream.aclose()
    assert [told async for told in stream] == []


async def test_a_stream_of_a_closed_feed_is_at_its_end() -> None:
    """Whoever comes late does not wait for ever."""
    feed = Feed()
    feed.close()
    assert [told async for told in feed.stream(3)] == []


async def test_two_tasks_may_read_one_stream() -> None:
    """Each event goes to one of them, and both hear of the end."""
    feed = Feed()
    stream = feed.stream(10)

    async def read(stream: EventStream) -> list[object]:
        return [told async for told in stream]

    tasks = [asyncio.create_task(read(stream)) for _ in range(2)]
    await asyncio.sleep(0)
    for number in range(4):
        feed.tell(event(number))
        await asyncio.sleep(0)
    feed.close()
    told = await asyncio.gather(*tasks)
    assert sorted(one.at for part in told for one in part if isinstance(one, Lifted)) == [0, 1, 2, 3]
