"""Downloads keep their rate, and what a server asks of one holds for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from attrs import define, field

from tests.engine.world import crowded
from veo_async.engine.pacing import Pacer
from veo_async.options import Rate
from veo_async.session.fetching import PacedFetcher
from veo_async.transport import LostFailure, NotSentFailure
from veo_async.wire import Request

pytestmark = pytest.mark.anyio
VIDEO = Request(method="GET", url="https://cdn.example/a.mp4")


@define
class Head:
    """The head of an answer."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict[str, str])
    text: str = ""

    async def excerpt(self) -> str:
        return self.text


Answer = Head | Exception


@define
class Server:
    """Answers after a moment, and notes when it was asked."""

    answer: Callable[[int], Answer] = field(default=lambda _: Head())
    asked: list[float] = field(factory=list[float])
    takes: float = 0.1

    @asynccontextmanager
    async def fetch(self, request: Request) -> AsyncGenerator[Any, None]:
        assert request is VIDEO
        self.asked.append(asyncio.get_running_loop().time())
        answer = self.answer(len(self.asked) - 1)
        await asyncio.sleep(self.takes)
        if isinstance(answer, Exception):
            raise answer
        yield answer


def paced(server: Server, *rates: Rate) -> PacedFetcher:
    return PacedFetcher(server, rates, max_hint=600)


async def status(fetcher: PacedFetcher) -> int:
    async with fetcher.fetch(VIDEO) as fetched:
        await asyncio.sleep(3)  # the body, which takes no place in the rate
        return fetched.status


async def test_several_rates_hold_at_once_and_are_used() -> None:
    """However long a body takes."""
    server, rates = Server(), (Rate(2, per=1), Rate(10, per=30))
    fetcher = paced(server, *rates)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(status(fetcher) for _ in range(40)))
    for rate in rates:
        assert crowded(server.asked, rate) == []
    assert asyncio.get_running_loop().time() - began < 100


@pytest.mark.parametrize(
    "slow",
    [
        Head(429, {"retry-after": "40"}),
        Head(429, text="Please retry in 40s."),
        Head(503, {"retry-after": "40"}),
    ],
    ids=str,
)
async def test_a_hint_holds_for_all_downloads(slow: Head) -> None:
    """Those that wait already, too; whoever got it sees the whole answer."""
    server = Server(lambda number: Head() if number else slow)
    fetcher = paced(server, Rate(50))
    assert await status(fetcher) == slow.status
    await asyncio.gather(*(status(fetcher) for _ in range(3)))
    assert min(server.asked[1:]) - server.asked[0] >= 40


async def test_a_429_without_a_hint_slows_all_down() -> None:
    """Not only the one that got it."""
    server = Server(lambda number: Head() if number else Head(429))
    fetcher = paced(server, Rate(60, per=60))
    await status(fetcher)
    await asyncio.gather(*(status(fetcher) for _ in range(5)))
    assert all(after - before > 1.1 for before, after in pairwise(server.asked[2:]))


@pytest.mark.parametrize("failure", [NotSentFailure("refused"), LostFailure("reset")], ids=repr)
async def test_what_fails_gives_its_place_back(failure: Exception) -> None:
    """At once where nothing was sent, else after the window."""
    server = Server(lambda number: Head() if number else failure)
    fetcher = paced(server, Rate(1, per=10))
    with pytest.raises(type(failure)):
        await status(fetcher)
    assert await status(fetcher) == 200
    waited = server.asked[1] - server.asked[0]
    assert waited < 1 if isinstance(failure, NotSentFailure) else waited >= 10


async def test_whoever_is_cancelled_takes_no_place_with_him() -> None:
    """While he waits for his turn, and while he waits for the answer."""
    server = Server(takes=1.0)
    fetcher = paced(server, Rate(1, per=10))
    first, second = (asyncio.ensure_future(status(fetcher)) for _ in range(2))
    await asyncio.sleep(0.5)
    first.cancel()
    second.cancel()
    await asyncio.wait({first, second})
    assert await status(fetcher) == 200
    assert 10 <= server.asked[1] - server.asked[0] < 11


async def test_those_that_wait_are_not_all_woken_by_each_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 downloads at 10 a second: each looks a few times at most for its turn."""
    server = Server()
    fetcher = paced(server, Rate(10, per=1))
    looks = 0
    room = Pacer.room

    def counted(pacer: Pacer, now: float) -> int:
        nonlocal looks
        looks += 1
        return room(pacer, now)

    async def fetch() -> None:
        async with fetcher.fetch(VIDEO):
            pass

    monkeypatch.setattr(Pacer, "room", counted)
    await asyncio.gather(*(fetch() for _ in range(40)))
    assert crowded(server.asked, Rate(10, per=1)) == []
    assert looks <= 3 * 40
