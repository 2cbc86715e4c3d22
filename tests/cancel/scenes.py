"""What a caller may be in the middle of when it is interrupted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from attrs import frozen

from tests.session.script import MODEL
from veo_async import Job, VeoSession, VideoRequest
from veo_async.engine.lifecycle import State

from .stepper import Way

__all__ = ["SCENES", "Scene"]

BOAT: Final = VideoRequest("boat 0")
Call = Coroutine[Any, Any, Any]


@frozen(kw_only=True)
class Scene:
    """A call, and what came before it."""

    name: str
    begin: Callable[[VeoSession], Awaitable[Call]]
    """Prepares and returns the call that is interrupted."""
    waits: bool = True
    """It suspends at all."""
    leaves_out: frozenset[Way] = frozenset()
    opens: bool = False
    """It is the call that opens the session."""
    closes: bool = False
    """It is one that closes it: jobs may stay queued."""
    aborts: bool = False
    """What was sent without an answer may be unknown."""


async def _open(veo: VeoSession) -> Call:
    return veo.__aenter__()


async def _enqueue(veo: VeoSession) -> Call:
    return veo.enqueue(BOAT)


async def _submit(veo: VeoSession) -> Call:
    return veo.submit(BOAT)


async def _generate(veo: VeoSession) -> Call:
    return veo.generate(BOAT)


async def _as_completed(veo: VeoSession) -> Call:
    async def take() -> None:
        requests = [VideoRequest(f"boat {number}") for number in range(3)]
        async for _ in veo.as_completed(requests, max_in_flight=2):
            pass

    return take()


async def _accepted(veo: VeoSession) -> Call:
    return (await veo.enqueue(BOAT)).accepted()


async def _wait(veo: VeoSession) -> Call:
    return (await veo.enqueue(BOAT)).wait()


async def _wait_with_a_limit(veo: VeoSession) -> Call:
    return (await veo.enqueue(BOAT)).wait(timeout=30)


async def _events(veo: VeoSession) -> Call:
    job = await veo.enqueue(BOAT)

    async def follow() -> None:
        async for _ in job.events():
            pass

    return follow()


async def _sent(veo: VeoSession, request: VideoRequest) -> Job:
    """Return a job whose first byte may have left, and that has no answer."""
    job = await veo.enqueue(request)
    events = job.events()
    async for event in events:
        if event.state is State.ARMED:
            break
    return job


async def _cancel_queued(veo: VeoSession) -> Call:
    return (await veo.enqueue(BOAT)).cancel()


async def _cancel_sent(veo: VeoSession) -> Call:
    return (await _sent(veo, BOAT)).cancel()


async def _cancel_running(veo: VeoSession) -> Call:
    return (await veo.submit(BOAT)).cancel()


async def _attach(veo: VeoSession) -> Call:
    return veo.attach(f"models/{MODEL}/operations/another")


async def _resume(veo: VeoSession) -> Call:
    await veo.enqueue(BOAT)
    return veo.resume()


def _close(mode: Any) -> Callable[[VeoSession], Awaitable[Call]]:
    async def begin(veo: VeoSession) -> Call:
        """With a job that runs, one that was just sent and one that waits."""
        await veo.submit(BOAT)
        await _sent(veo, VideoRequest("boat 1"))
        await veo.enqueue(VideoRequest("boat 2"))
        return veo.aclose(mode)

    return begin


SCENES: Final = (
    Scene(name="open", begin=_open, opens=True),
    Scene(name="enqueue", begin=_enqueue),
    Scene(name="submit", begin=_submit),
    Scene(name="generate", begin=_generate),
    # CPython does not pass the closing of a coroutine on to an async generator that it awaits.
    Scene(name="as_completed", begin=_as_completed, leaves_out=frozenset({"closed"})),
    Scene(name="accepted", begin=_accepted),
    Scene(name="wait", begin=_wait),
    Scene(name="wait with a limit", begin=_wait_with_a_limit),
    Scene(name="events", begin=_events),
    Scene(name="cancel a queued job", begin=_cancel_queued),
    Scene(name="cancel a sent job", begin=_cancel_sent),
    Scene(name="cancel a running job", begin=_cancel_running, waits=False),
    Scene(name="attach", begin=_attach),
    Scene(name="resume", begin=_resume),
    Scene(name="drain", begin=_close("drain"), closes=True),
    Scene(name="detach", begin=_close("detach"), closes=True),
    Scene(name="abort", begin=_close("abort"), closes=True, aborts=True),
)
