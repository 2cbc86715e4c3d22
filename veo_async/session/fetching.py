"""Downloads within their rate: what a server asks of one holds for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio

from veo_async.dialects.hints import retry_after
from veo_async.engine.pacing import Pacer
from veo_async.options import Rate
from veo_async.transport import NotSentFailure
from veo_async.wire import Request

if TYPE_CHECKING:
    from veo_async.download.hops import Fetcher
    from veo_async.transport import Fetched

__all__ = ["PacedFetcher"]


class PacedFetcher:
    """Lets requests for videos wait for their turn, and learns from the answers how soon that may be."""

    def __init__(self, fetcher: Fetcher, rates: Sequence[Rate], *, max_hint: float) -> None:
        """Pace what `fetcher` does; hints count up to `max_hint` seconds."""
        self._fetcher = fetcher
        self._pacer = Pacer(rates, max_hint=max_hint)
        self._line = asyncio.Lock()
        self._one_ended = asyncio.Event()

    @asynccontextmanager
    async def fetch(self, request: Request) -> AsyncGenerator[Fetched, None]:
        """Yield the answer to a request, as the transport does, when its turn has come.

        Raises:
            NotSentFailure, LostFailure: As the transport raises.
        """
        await self._turn()
        has_begun = False
        try:
            async with self._fetcher.fetch(request) as fetched:
                has_begun = True
                self._end(_now())
                await self._learn(fetched)
                yield fetched
        except BaseException as failure:
            if not has_begun:
                self._end(None if isinstance(failure, NotSentFailure) else _now())
            raise

    async def _turn(self) -> None:
        async with self._line:  # so that the end of a download wakes one of those that wait, not all of them
            while self._pacer.room(now := _now()) < 1:
                self._one_ended.clear()
                with anyio.move_on_after(self._pacer.free_at(now) - now):
                    await self._one_ended.wait()
            self._pacer.take(1, now)

    def _end(self, sent_at: float | None) -> None:
        self._pacer.ended(sent_at)
        self._one_ended.set()

    async def _learn(self, fetched: Fetched) -> None:
        """Take note of what an answer says of the pace."""
        if fetched.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._pacer.throttled(retry_after(fetched.headers, await fetched.excerpt()), _now())
        elif fetched.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._pacer.hint(retry_after(fetched.headers), _now())
        else:
            self._pacer.succeeded(_now())


def _now() -> float:
    return asyncio.get_running_loop().time()
