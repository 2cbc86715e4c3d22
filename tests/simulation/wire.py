"""Stands in for `Transport`: carries requests to the simulated provider and keeps ARM's order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, Final

from veo_async.transport import LostFailure, NotSentFailure
from veo_async.wire import Request, Response

from .service import Reply, Service
from .weather import Fault, Weather
from .witness import Witness

__all__ = ["SimulatedTransport"]

_PROMPT: Final = re.compile(rb"request (\d+)\b")
_STRING: Final = re.compile(rb'"durationSeconds": ?"')


class SimulatedTransport:
    """The network of one process."""

    def __init__(self, service: Service, witness: Witness, weather: Weather, dice: Random) -> None:
        self._service = service
        self._witness = witness
        self._weather = weather
        self._dice = dice
        self._authorization: Callable[[], Awaitable[Mapping[str, str]]]
        self.is_dead: bool = False
        """The process crashed: nothing leaves and nothing arrives any more."""

    def __call__(self, *, authorization: Any, check_connections: int, **_: object) -> SimulatedTransport:
        """Be made, as `Transport` is."""
        self._authorization = authorization
        self._slots = asyncio.Semaphore(check_connections)
        return self

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def submit(self, request: Request, arm: Callable[[], Awaitable[None]]) -> Response:
        """Carry a paid request."""
        number = _number_in(request)
        self._witness.begins("submits", number)
        key = await self._key()
        await self._connect(Fault.CONNECT, Fault.SLOW_CONNECT, number)
        await arm()
        if self.is_dead:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        self._witness.leaves(number)
        if self.is_dead:  # it crashed in this very moment
            raise asyncio.CancelledError
        reply = self._service.submit(number, key, is_string=_STRING.search(_body(request)) is not None)
        if reply.fault is not None:
            self._witness.fired(reply.fault, number)
        self._witness.arrived(number)
        return await self._arrival("submits", reply, sent_at)

    async def send(self, request: Request) -> Response:
        """Carry a status check."""
        async with self._slots:
            name = request.url.split("/v1beta/", 1)[1]
            self._witness.begins("checks", name)
            key = await self._key()
            number = self._service.operations[name].number
            await self._connect(Fault.CHECK_CONNECT, None, number)
            sent_at = asyncio.get_running_loop().time()
            reply = self._service.check(name, key)
            if reply.fault is not None:
                self._witness.fired(reply.fault, number)
            return await self._arrival("checks", reply, sent_at)

    async def _key(self) -> str:
        headers = await self._authorization()
        return headers["x-goog-api-key"]

    async def _connect(self, failing: Fault, slow: Fault | None, number: int) -> None:
        dice, weather = self._dice, self._weather
        if slow is not None:  # a submit connects anew; checks find a connection open
            seconds = dice.uniform(0.005, 0.1)
            if weather.strikes(slow, dice):
                self._witness.fired(slow, number)
                seconds = dice.uniform(1.0, 9.0)
            await asyncio.sleep(seconds)
            if self.is_dead:
                raise asyncio.CancelledError
        if weather.strikes(failing, dice):
            await asyncio.sleep(dice.uniform(0.005, 0.1))
            self._witness.fired(failing, number)
            raise NotSentFailure("connection refused")

    async def _arrival(self, quota: str, reply: Reply, sent_at: float) -> Response:
        await asyncio.sleep(reply.delay)
        if self.is_dead:
            raise asyncio.CancelledError
        if reply.lost:
            self._witness.note("lost", quota)
            raise LostFailure("the server closed the connection")
        self._witness.note("answer", quota, reply.status)
        if reply.status == 429:
            self._witness.limited(quota, reply.headers.get("retry-after"))
        return Response(status=reply.status, headers=reply.headers, body=reply.body, sent_at=sent_at)


def _body(request: Request) -> bytes:
    return b"".join(part for part in request.body if isinstance(part, bytes))


def _number_in(request: Request) -> int:
    found = _PROMPT.search(_body(request))
    assert found is not None
    return int(found[1])
