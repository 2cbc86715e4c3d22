"""Webhooks over real HTTP: from the emulator to an application with a receiver, and on to who waits."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from aiohttp import web
from attrs import frozen
from fastapi import FastAPI

from tests.end_to_end.departures import Departures
from tests.webhooks.signing import OTHER_SECRET, SECRET
from veo_async import PollPolicy, Provider, Rate, VeoSession, VideoRequest
from veo_async.emulator import Emulator, Webhooks
from veo_async.options import Limits
from veo_async.webhooks import Receiver, TokenRules, aiohttp_handler

pytestmark = pytest.mark.anyio

SLOW = PollPolicy(min_interval=8, max_interval=600)
WAITING = 1.0


@frozen
class Scene:
    """An emulator, a session that asks it rarely, and an application that the emulator calls."""

    emulator: Emulator
    session: VeoSession
    receiver: Receiver
    uri: str

    def request(self, prompt: str = "A paper boat") -> VideoRequest:
        return VideoRequest(prompt, extra={"webhookConfig": {"uris": [self.uri]}})


Serve = Callable[[Receiver], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def served_by_aiohttp(receiver: Receiver) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_post("/veo", aiohttp_handler(receiver))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/veo"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def served_by_fastapi(receiver: Receiver) -> AsyncGenerator[str]:
    app = FastAPI()
    app.mount("/veo", receiver)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - it says so by an attribute only
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/veo/hook"
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def scene(
    serve: Serve = served_by_aiohttp,
    *,
    webhooks: Webhooks | None = None,
    tokens: bool = False,
    waiting: float = WAITING,
    poll: PollPolicy = SLOW,
    checks: Rate = Rate(20, per=1),  # noqa: B008 - frozen
) -> AsyncGenerator[Scene]:
    webhooks = webhooks or Webhooks(secret=SECRET, tokens=tokens)
    async with Emulator(waiting=waiting, clip="tiny", webhooks=webhooks) as emulator:
        limits = Limits(checks=checks)
        provider = Provider.gemini(api_key=emulator.key, base_url=emulator.base_url, limits=limits)
        async with VeoSession(provider, poll=poll) as session:
            rules = TokenRules(audience=None, jwks_url=f"{emulator.base_url}/.well-known/jwks.json")
            proof: dict[str, Any] = {"tokens": rules} if tokens else {"secrets": SECRET}
            receiver = Receiver(session, **proof)
            async with serve(receiver) as uri:
                yield Scene(emulator, session, receiver, uri)


async def until(true: Callable[[], bool]) -> None:
    """Return once it is so."""
    while not true():  # noqa: ASYNC110 - the emulator has no bell
        await asyncio.sleep(0.01)


async def waited_for(work: Awaitable[object]) -> float:
    """Return how long something takes."""
    began = time.monotonic()
    await work
    return time.monotonic() - began


@pytest.mark.parametrize("tokens", [False, True], ids=["secret", "token"])
@pytest.mark.parametrize("serve", [served_by_aiohttp, served_by_fastapi])
async def test_an_end_is_heard_of_within_a_second(serve: Serve, tokens: bool) -> None:
    """With the first check 8 s away: one check, right after the webhook."""
    async with scene(serve, tokens=tokens) as it:
        job = await it.session.submit(it.request())
        took = await waited_for(job)
        assert WAITING - 0.2 < took < WAITING + 1
        assert (it.session.statistics().checks, it.receiver.received) == (1, 1)
        assert [delivery.status for delivery in it.emulator.deliveries] == [200]


async def test_polling_ends_it_where_no_webhook_comes() -> None:
    """The slow net: the receiver refuses what it cannot prove, and the job ends all the same."""
    poll = PollPolicy(min_interval=2, max_interval=3)
    async with scene(webhooks=Webhooks(secret=OTHER_SECRET), waiting=0.3, poll=poll) as it:
        job = await it.session.submit(it.request())
        assert await waited_for(job) > 1
        assert it.receiver.received == 0
        assert it.receiver.refused["bad_signature"] >= 1


@pytest.mark.parametrize("tokens", [False, True], ids=["secret", "token"])
async def test_a_flood_of_forged_webhooks_causes_no_check(tokens: bool) -> None:
    """Nor does it keep the genuine one out."""
    webhooks = Webhooks(secret=SECRET, tokens=tokens, forged=100)
    async with scene(webhooks=webhooks, tokens=tokens, waiting=0.1) as it:
        await it.session.generate(it.request())
        assert it.receiver.refused.total() == it.receiver.refused["bad_signature"] == 100
        assert (it.session.statistics().checks, it.receiver.received) == (1, 1)


async def test_doubled_webhooks_cause_one_check() -> None:
    """At least once means more than once, too: it is answered, and that is all."""
    async with scene(webhooks=Webhooks(secret=SECRET, copies=5), waiting=0.1) as it:
        await it.session.generate(it.request())
        await until(lambda: len(it.emulator.deliveries) == 5)
        assert {delivery.status for delivery in it.emulator.deliveries} == {200}
        assert it.receiver.refused == {"duplicate": 4}
        assert it.session.statistics().checks == 1


async def test_a_late_webhook_is_no_news() -> None:
    """What polling had found is not checked again."""
    poll = PollPolicy(min_interval=0.2, max_interval=0.3)
    async with scene(webhooks=Webhooks(secret=SECRET, late=1.0), waiting=0.1, poll=poll) as it:
        await it.session.generate(it.request())
        checks = it.session.statistics().checks
        await until(lambda: len(it.emulator.deliveries) == 1)
        assert it.emulator.deliveries[0].status == 200
        assert it.session.statistics().checks == checks


async def test_one_process_hears_of_anothers_operations() -> None:
    """A project's address is told of all: answered, and ignored."""
    async with scene(waiting=0.1) as it:
        it.emulator.finish_all()
        provider = Provider.gemini(api_key=it.emulator.key, base_url=it.emulator.base_url)
        async with VeoSession(provider, on_exit="abort") as other:
            await other.submit(it.request())
            await until(lambda: len(it.emulator.deliveries) == 1)
        assert it.emulator.deliveries[0].status == 200
        assert it.receiver.received == 1
        assert it.session.statistics().checks == 0


async def test_many_webhooks_at_once_keep_the_rate_of_checks(departures: Departures) -> None:
    """40 ends in one moment, 10 checks a second: all are heard of, no second sees more."""
    async with scene(waiting=0.1, checks=Rate(10, per=1)) as it:
        jobs = [await it.session.submit(it.request(f"boat {number}")) for number in range(40)]
        await asyncio.gather(*(job.wait(20) for job in jobs))
        assert it.receiver.received == 40
        assert len(departures.checks) == it.emulator.requests.count("check")
        assert departures.most_within(1.0, departures.checks) <= 10
