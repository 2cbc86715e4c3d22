"""Silence of a status check, counted in looks of one timer for all of them."""

from __future__ import annotations

import asyncio
from math import inf
from typing import cast

import aiohttp
import pytest

from veo_async.transport.connectors import Journey

pytestmark = pytest.mark.anyio


class Wire(asyncio.Transport):
    """A connection that is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = True
        self.aborted = False

    def is_reading(self) -> bool:
        return self.reads

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Body:
    """A body of which more may come."""

    total_bytes = 0

    def is_eof(self) -> bool:
        return False

    def exception(self) -> None:
        return None

    def set_exception(self, _: BaseException) -> None:
        pass


async def travelling(silence: float) -> tuple[Journey, Wire]:
    journey, wire = Journey(inf, silence=silence), Wire()
    await journey.connected(asyncio.get_running_loop(), wire)
    return journey, wire


async def test_after_too_many_looks_without_a_byte_the_connection_is_closed() -> None:
    journey, wire = await travelling(2)
    for _ in range(2):
        journey.look(0.0)
        assert not wire.aborted
    journey.look(0.0)
    assert (wire.aborted, journey.silent) == (True, True)


async def test_a_loop_that_stood_still_has_had_one_look_only() -> None:
    """However long it stood: the answer may be there, waiting to be read."""
    journey, wire = await travelling(2)
    journey.look(0.0)
    journey.look(10_000.0)
    assert not wire.aborted


async def test_each_byte_begins_the_count_anew() -> None:
    journey, wire = await travelling(2)
    body = Body()
    journey.reader = cast("aiohttp.StreamReader", body)
    for _ in range(10):
        journey.look(0.0)
        journey.look(0.0)
        body.total_bytes += 1
    assert not wire.aborted


async def test_what_is_not_read_for_now_is_not_silent() -> None:
    """While a video of the answer waits for the disk, the server cannot send."""
    journey, wire = await travelling(2)
    wire.reads = False
    for _ in range(10):
        journey.look(0.0)
    assert not wire.aborted


async def test_without_a_count_of_its_own_silence_is_left_to_aiohttp() -> None:
    journey, wire = await travelling(inf)
    for _ in range(100):
        journey.look(0.0)
    assert not wire.aborted
