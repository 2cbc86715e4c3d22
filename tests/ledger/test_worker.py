"""The thread that does what has queued up: no caller hangs, whatever happens in it."""

import asyncio
import threading
import weakref
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

import pytest

from veo_async.errors import LedgerError
from veo_async.ledger.worker import Task, Worker

pytestmark = pytest.mark.anyio


async def test_it_returns_what_was_done_in_its_own_thread() -> None:
    worker = Worker("a-thread")
    worker.start()
    assert await worker.call(lambda: threading.current_thread().name) == "a-thread"
    await worker.stop()


async def test_it_raises_what_was_raised() -> None:
    worker = Worker("a-thread")
    worker.start()
    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 / 0)
    await worker.stop()


async def test_a_bug_in_the_batch_reaches_every_caller() -> None:
    def broken(_: Sequence[Task]) -> NoReturn:
        raise RuntimeError("a bug")

    worker = Worker("a-thread", broken)
    worker.start()
    results = await asyncio.gather(*(worker.call(int) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["a bug"] * 3
    await worker.stop()


async def test_nothing_of_what_it_did_is_held_while_it_waits_for_more() -> None:
    """Neither what it was given, a picture say, nor what came of it."""

    class Picture:
        pass

    def copied(_: Picture) -> Picture:
        return Picture()

    async def let_go(event: threading.Event) -> bool:
        return await asyncio.to_thread(event.wait, 5)

    worker = Worker("a-thread")
    worker.start()
    given_gone, made_gone = threading.Event(), threading.Event()
    given = Picture()
    weakref.finalize(given, given_gone.set)
    made = await worker.call(partial(copied, given))
    weakref.finalize(made, made_gone.set)
    del given, made
    assert await let_go(given_gone)
    assert await let_go(made_gone)
    await worker.stop()


async def test_what_is_queued_is_done_before_it_stops() -> None:
    done: list[int] = []
    worker = Worker("a-thread", finish=lambda: done.append(-1))
    worker.start()
    tasks = [asyncio.ensure_future(worker.call(lambda n=n: done.append(n))) for n in range(10)]  # type: ignore[misc]
    await asyncio.sleep(0)
    await worker.stop()
    assert done == [*range(10), -1]
    await asyncio.gather(*tasks)


async def test_it_takes_nothing_once_it_stops() -> None:
    worker = Worker("a-thread")
    await worker.stop()
    worker.start()
    stopping = asyncio.ensure_future(worker.stop())
    await asyncio.sleep(0)
    with pytest.raises(LedgerError, match="closed"):
        await worker.call(int)
    await stopping
    await worker.stop()
