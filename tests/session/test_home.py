"""A session is used where it was opened: from another process, thread or event loop nothing is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from veo_async import ConfigurationError, Job, Result, VeoSession, Video, VideoRequest

from .script import ScriptedTransport, VirtualLoop, operation_of, running

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
Use = Callable[[VeoSession, Job], Coroutine[Any, Any, object]]
BOAT = VideoRequest("A paper boat crosses a puddle")
VIDEO = Video(uri="https://example.com/a.mp4")


async def _all(veo: VeoSession, _: Job) -> object:
    return [item async for item in veo.as_completed([BOAT])]


async def _streamed(veo: VeoSession, _: Job) -> object:
    return [chunk async for chunk in veo.stream(VIDEO)]


async def _events(_: VeoSession, job: Job) -> object:
    return [event async for event in job.events()]


async def _called(function: Callable[[], object]) -> object:
    return function()


async def _awaited(_: VeoSession, job: Job) -> object:
    return await job


USES: dict[str, Use] = {
    "enqueue": lambda veo, _: veo.enqueue(BOAT),
    "submit": lambda veo, _: veo.submit(BOAT),
    "generate": lambda veo, _: veo.generate(BOAT),
    "as_completed": _all,
    "attach": lambda veo, _: veo.attach("operations/x", model="veo-3.1"),
    "attach_many": lambda veo, _: veo.attach_many(["operations/x"], model="veo-3.1"),
    "resume": lambda veo, _: veo.resume(),
    "resume after a restore": lambda veo, _: veo.resume(after_restore=True),
    "reconcile": lambda veo, _: veo.reconcile(),
    "resubmit": lambda veo, job: veo.resubmit(job, accept_duplicate_risk=True),
    "status": lambda veo, _: veo.status("operations/x", model="veo-3.1"),
    "save": lambda veo, _: veo.save(Result(videos=(VIDEO,)), "out/"),
    "stream": _streamed,
    "files": lambda veo, job: veo.files(job.id),
    "job": lambda veo, job: _called(lambda: veo.job(job.id)),
    "statistics": lambda veo, _: _called(veo.statistics),
    "events": lambda veo, _: _called(veo.events),
    "aclose": lambda veo, _: veo.aclose("abort"),
    "job.accepted": lambda _, job: job.accepted(),
    "job.wait": lambda _, job: job.wait(),
    "await job": _awaited,
    "job.outcome": lambda _, job: job.outcome(),
    "job.events": _events,
    "job.save": lambda _, job: job.save("out/"),
    "job.cancel": lambda _, job: job.cancel(),
}


def refused(use: Use, veo: VeoSession, job: Job, words: str) -> None:
    """Use a session or job on an event loop of one's own."""

    async def main() -> None:
        with pytest.raises(ConfigurationError, match=words):
            await use(veo, job)

    asyncio.run(main())


@pytest.mark.parametrize("name", USES)
async def test_another_thread_is_refused(session: Make, wire: ScriptedTransport, name: str) -> None:
    """Before any state is touched; the session goes on where it lives."""
    wire.checks = lambda _, request: running(operation_of(request))
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        await asyncio.to_thread(refused, USES[name], veo, job, "loop or thread")
        assert job.state == "running"
        assert veo.statistics().jobs == {"running": 1}
    assert len(wire.sent) == 1


async def test_a_thread_without_a_loop_is_refused_too(session: Make, wire: ScriptedTransport) -> None:
    """What need not be awaited, as well."""
    async with session() as veo:
        job = await veo.submit(BOAT)
        for function in (veo.statistics, lambda: veo.job(job.id), lambda: veo.stream(VIDEO)):
            with pytest.raises(ConfigurationError, match="loop or thread"):
                await asyncio.to_thread(function)


@pytest.mark.parametrize("name", USES)
async def test_a_forked_process_is_refused(session: Make, wire: ScriptedTransport, name: str) -> None:
    """It has the parent's sockets and file, and neither is its own."""
    wire.checks = lambda _, request: running(operation_of(request))
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        assert in_a_fork(lambda: USES[name](veo, job)) == "the session was opened before a fork"
        assert job.state == "running"
    assert len(wire.sent) == 1


def in_a_fork(use: Callable[[], Coroutine[Any, Any, object]]) -> str:
    """Return what the first step of a coroutine raises in a child of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            use().send(None)
            os.write(writing, b"nothing was raised: it waits")
        except ConfigurationError as error:
            os.write(writing, error.message.partition(":")[0].encode())
        except BaseException as error:  # noqa: BLE001 - the parent is told of it
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told:
        return told.read().decode()


def test_a_later_event_loop_is_refused(session: Make, wire: ScriptedTransport) -> None:
    """A job of one `asyncio.run` cannot be awaited in the next."""
    left: list[tuple[VeoSession, Job]] = []

    async def first() -> None:
        async with session() as veo:
            job = await veo.submit(BOAT)
            await job
            left.append((veo, job))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(first())
    for name, use in USES.items():
        if name != "aclose":
            refused(use, *left[0], "loop or thread")


async def test_a_session_that_is_not_open_says_so(session: Make, wire: ScriptedTransport) -> None:
    """It has no home yet."""
    veo = session()
    for use in (veo.enqueue(BOAT), veo.resume(), veo.reconcile()):
        with pytest.raises(ConfigurationError, match="not open"):
            await use
    assert wire.sent == []
