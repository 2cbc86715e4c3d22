"""`notify`: an operation that may have ended is looked at at once, by whichever of its names it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from veo_async import ConfigurationError, PollPolicy, SessionClosedError, VeoSession, VideoRequest
from veo_async.wire import Request, Response

from .script import MODEL, ScriptedTransport, done, operation_of, running

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle")
SLOW = PollPolicy(min_interval=600, max_interval=600)


@pytest.mark.parametrize(
    "told", [f"models/{MODEL}/operations/op0", "operations/op0", "op0", "models/of-a-gateway/operations/op0"]
)
async def test_a_notified_operation_is_checked_within_a_tick(
    session: Make, wire: ScriptedTransport, told: str
) -> None:
    """Whole, short, or under another name of its model; the awaiter hears of the end."""
    async with session(poll=SLOW) as veo:
        job = await veo.submit(BOAT)
        await asyncio.sleep(3)
        assert wire.checked == []
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        assert veo.notify(told)
        await job
        assert loop.time() - told_at < 0.5


async def test_without_notice_checks_go_on(session: Make, wire: ScriptedTransport) -> None:
    """The slow net."""
    async with session(poll=SLOW) as veo:
        await (await veo.submit(BOAT)).wait(1000)
        assert len(wire.checked) == 1


async def test_notices_of_strangers_cost_nothing(session: Make, wire: ScriptedTransport) -> None:
    """Another process's operations, and whatever else may stand there."""
    async with session(poll=SLOW) as veo:
        await veo.submit(BOAT)
        for told in ("op1", "operations/op1", f"models/{MODEL}/operations/", "", "/", "operations/op0/x"):
            assert not veo.notify(told)
        await asyncio.sleep(3)
        assert wire.checked == []
        await veo.aclose("abort")


async def test_an_operation_that_ended_is_no_longer_waited_for(
    session: Make, wire: ScriptedTransport
) -> None:
    """A late notice is no news."""
    async with session(poll=SLOW) as veo:
        job = await veo.submit(BOAT)
        assert veo.notify("op0")
        await job
        checks = len(wire.checked)
        assert not veo.notify("op0")
        await asyncio.sleep(3)
        assert len(wire.checked) == checks


async def test_a_wrong_notice_costs_one_check(session: Make, wire: ScriptedTransport) -> None:
    """The operation runs on, and ends in its own time."""

    def still_running_at_first(number: int, request: Request) -> Response:
        name = operation_of(request)
        return running(name) if number == 0 else done(name)

    wire.checks = still_running_at_first
    async with session(poll=SLOW) as veo:
        job = await veo.submit(BOAT)
        for _ in range(20):
            assert veo.notify("op0")
        await asyncio.sleep(3)
        assert len(wire.checked) == 1
        assert job.state == "running"
        await job


async def test_notify_belongs_to_the_open_session(session: Make) -> None:
    """Not before, not after, not from another thread."""
    veo = session()
    with pytest.raises(ConfigurationError):
        veo.notify("op0")
    async with veo:
        caught: list[type[Exception]] = []

        def from_elsewhere() -> None:
            try:
                veo.notify("op0")
            except ConfigurationError as error:
                caught.append(type(error))

        thread = threading.Thread(target=from_elsewhere)
        thread.start()
        thread.join()
        assert caught == [ConfigurationError]
    with pytest.raises(SessionClosedError):
        veo.notify("op0")
