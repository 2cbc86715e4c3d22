"""One short life of a session with an interrupted caller in it, and what must hold afterwards."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from tests.crash.verdict import Verdict, judge
from tests.session.script import BASE, KEY, MODEL, ScriptedTransport, accepted
from veo_async import Limits, PollPolicy, Provider, Rate, VeoError, VeoSession
from veo_async.engine.lifecycle import State
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.wire import Request, Response

from .scenes import Scene
from .stepper import Ending, Moment, Way, interrupted

__all__ = ["Provided", "killed", "live", "new_session", "records", "settled", "until", "verdict_of"]

PATIENCE_S = 30.0
"""For what takes a few milliseconds."""
_PROMPT: Final = re.compile(rb"boat \d+")
_UNSENT: Final = {State.QUEUED, State.ARMED}


class Provided(ScriptedTransport):
    """A scripted provider that many may submit to at once: an operation gets its number when it is sent."""

    async def submit(self, request: Request, arm: Callable[[], Awaitable[None]]) -> Response:
        """Take whatever comes."""
        await arm()
        number = len(self.sent)
        self.sent.append(request)
        await asyncio.sleep(0.002)
        return accepted(number)


def new_session(path: Path) -> VeoSession:
    """Return a session on the scripted provider."""
    rate = Rate(10_000, per=1)
    limits = Limits(submits=rate, checks=rate, in_flight=100_000)
    poll = PollPolicy(expected=0.001, min_interval=0.001)
    return VeoSession(Provider.gemini(api_key=KEY, base_url=BASE, limits=limits), ledger=path, poll=poll)


def killed(main: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Run until the end, or until a keyboard interrupt; return whether there was one."""
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        return True
    return False


async def live(scene: Scene, path: Path, point: int, way: Way, moment: Moment) -> Ending:
    """Run a scene, interrupted at a point, and let the session go on and end.

    Raises:
        AssertionError: Something was left running, or the session and its ledger do not agree.
    """
    veo = new_session(path)
    if not scene.opens:
        await veo.__aenter__()
    own = asyncio.all_tasks()
    try:
        ending = await interrupted(await scene.begin(veo), point, way, moment)
        if not scene.opens and not scene.closes:
            await settled(veo, own)
    finally:
        # Whoever gave up closing asks again; a session that was not opened has nothing to close.
        if not scene.opens or _is_open(veo):
            await veo.aclose("detach")
    await _all_ended()
    if not scene.opens and not scene.aborts:  # aborted, the ledger may be a move ahead
        await _agree(veo, scene, path)
    return ending


def _is_open(veo: VeoSession) -> bool:
    try:
        veo.statistics()
    except VeoError:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again: what is waited for is that nothing more happens, and nothing tells of that."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def settled(veo: VeoSession, own: set[asyncio.Task[Any]]) -> None:
    """Wait until the session has nothing to do but to sleep."""
    await until(lambda: asyncio.all_tasks() <= own and not any(job.state in _UNSENT for job in veo.jobs))


async def _all_ended() -> None:
    """Wait until no other task is left: what was cancelled twice may still be ending by itself."""
    own = {asyncio.current_task()}
    await until(lambda: asyncio.all_tasks() == own)


async def _agree(veo: VeoSession, scene: Scene, path: Path) -> None:
    known = {record.id: record.state for record in await records(path, read_only=True)}
    states = {job.id: job.state for job in veo.jobs}
    assert states == {job_id: state for job_id, state in known.items() if job_id in states}
    if not scene.closes:
        assert not _UNSENT & set(known.values()), known


async def records(path: Path, *, read_only: bool = False) -> Sequence[JobRecord]:
    """Return the jobs of a ledger, as the next process finds them or as they are."""
    ledger = SqliteLedger.read_only(path) if read_only else SqliteLedger(path)
    await ledger.open()
    try:
        return await ledger.select()
    finally:
        await ledger.close()


def verdict_of(wire: ScriptedTransport, path: Path) -> Verdict:
    """Compare what the scripted provider was sent with what the next process finds."""
    bill: list[tuple[str, str]] = []
    for number, request in enumerate(wire.sent):
        prompt = _PROMPT.search(b"".join(part for part in request.body if isinstance(part, bytes)))
        assert prompt is not None
        bill.append((f"models/{MODEL}/operations/op{number}", prompt[0].decode()))
    return judge(bill, asyncio.run(records(path)), [])
