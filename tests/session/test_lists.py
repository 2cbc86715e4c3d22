"""Lists in place of single checks: what a session sends, and what its statistics say of it."""

from __future__ import annotations

import asyncio

import pytest

from veo_async import Limits, PollPolicy, Provider, Rate, VeoSession
from veo_async.wire import Request, Response

from .script import BASE, KEY, MODEL, ScriptedTransport, listed, ok, operation_of, running

pytestmark = pytest.mark.anyio

NAMES = [f"models/{MODEL}/operations/op{number}" for number in range(50)]


def opened(*, use_list: bool = True, rate: Rate = Rate(20, per=1), key: object = KEY) -> VeoSession:  # noqa: B008
    provider = Provider.gemini(api_key=key, base_url=BASE, can_list=True, limits=Limits(checks=rate))  # type: ignore[arg-type]
    return VeoSession(provider, poll=PollPolicy(use_list=use_list), on_exit="abort")


def all_run(_: int, __: Request) -> Response:
    return listed(*NAMES)


def runs(_: int, request: Request) -> Response:
    return running(operation_of(request))


async def test_one_list_stands_for_many_checks(wire: ScriptedTransport) -> None:
    wire.lists = all_run
    async with opened() as veo:
        await veo.attach_many(NAMES)
        await asyncio.sleep(59.9)
        statistics = veo.statistics()
    assert wire.checked == []
    assert 10 <= len(wire.listings) <= 60
    assert statistics.checks == len(wire.listings)


async def test_a_session_can_do_without_lists(wire: ScriptedTransport) -> None:
    wire.checks = runs
    async with opened(use_list=False) as veo:
        await veo.attach_many(NAMES)
        await asyncio.sleep(60)
    assert wire.listings == []
    assert len(wire.checked) >= 50


async def test_all_pages_are_asked_for(wire: ScriptedTransport) -> None:
    asked: list[str] = []

    def page(_: int, request: Request) -> Response:
        asked.append(request.url.partition("pageToken=")[2])
        return listed(*NAMES[25:]) if asked[-1] else listed(*NAMES[:25], token="two")

    wire.lists = page
    async with opened() as veo:
        await veo.attach_many(NAMES)
        await asyncio.sleep(60)
    assert asked[:4] == ["", "two", "", "two"]
    assert wire.checked == []


async def test_a_refused_key_is_renewed_before_a_list_counts_as_refused(wire: ScriptedTransport) -> None:
    asked = 0

    async def key() -> str:
        nonlocal asked
        asked += 1
        return f"sk-{asked}-0123456789"

    refusal = {"error": {"code": 401, "message": "no such key", "status": "UNAUTHENTICATED"}}
    wire.lists = lambda number, _: listed(*NAMES) if number else ok(refusal, status=401)
    async with opened(key=key) as veo:
        await veo.attach_many(NAMES)
        await asyncio.sleep(30)
    assert len(wire.listings) > 1
    assert wire.checked == []
    assert asked == 1


async def test_a_page_that_waits_while_the_server_asks_for_a_pause_is_not_sent(
    wire: ScriptedTransport,
) -> None:
    """Two models: the 429 to the first one's list holds for the other's, which was due at the same time."""
    too_many = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
    others = [name.replace(MODEL, "veo-3.1-generate-preview") for name in NAMES]
    at: list[float] = []

    def slow(_: int, request: Request) -> Response:
        at.append(asyncio.get_running_loop().time())
        if len(at) <= 1:
            return ok(too_many, status=429, headers={"retry-after": "30"})
        return listed(*(NAMES if MODEL in request.url else others))

    wire.lists = slow
    wire.checks = runs
    async with opened(rate=Rate(1, per=1)) as veo:
        await veo.attach_many(NAMES + others)
        await asyncio.sleep(100)
    assert at[1] - at[0] >= 30
    assert all(time >= at[0] + 30 for time, _ in wire.checked if time > at[0])
