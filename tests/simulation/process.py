"""One life of the program: a session opened on what is durable, its callers, and a good or bad end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from unittest.mock import patch

from veo_async import Job, VeoSession
from veo_async.engine.lifecycle import State
from veo_async.errors import LedgerError, VeoError
from veo_async.models import VideoRequest

from .clock import NothingLeftError, SimulatedLoop, StandstillError
from .disk import SimulatedLedger
from .weather import Fault
from .wire import SimulatedTransport
from .witness import Violation, number_of

if TYPE_CHECKING:
    from .world import World

__all__ = ["Ending", "Process"]

T = TypeVar("T")
Ending = Literal["drain", "detach", "abort", "teardown", "crash"]

_FAULT_OF_ENDING = {
    "drain": Fault.DRAIN,
    "detach": Fault.DETACH,
    "abort": Fault.ABORT,
    "teardown": Fault.TEARDOWN,
    "crash": Fault.CRASH,
}
CRASH_AT = ("", "", "begins", "moved", "moved", "leaves", "leaves", "answer", "added", "spilled")
"""Kinds of steps that a crash comes with; "" is any."""
LOOKS = 60
LOOK_EVERY_S = 300.0


class Process:
    """One process; it may die at any step."""

    def __init__(self, world: World, numbers: Sequence[int], *, is_last: bool) -> None:
        self._world = world
        self._dice = world.dice
        self._numbers = numbers
        self._is_last = is_last
        self._loop = SimulatedLoop(world.clock)
        self._ledger = SimulatedLedger(world.disk, world.witness)
        self._wire = SimulatedTransport(world.service, world.witness, world.weather, world.dice)
        self._session: VeoSession
        self._waiting: dict[asyncio.Task[Any], str] = {}
        self._callers: list[asyncio.Task[None]] = []
        self._error: BaseException | None = None
        self._ending: Ending = "drain"

    # ── life and death ──────────────────────────────────────────────────────────────────────────────────

    def live(self) -> None:
        """Run from the start to the end."""
        loop, witness = self._loop, self._world.witness
        self._choose_ending()
        witness.hinted_until.clear()  # a new process knows of no hint
        witness.closing = None
        witness.on_blame = loop.stop
        loop.set_exception_handler(self._on_exception)
        main = loop.create_task(self._main())
        main.add_done_callback(lambda _: loop.stop())
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        except NothingLeftError:
            witness.blame("I5", f"these wait for ever: {', '.join(self._waiting.values())}")
        except StandstillError:
            witness.blame("I5", f"the process gets nowhere; these wait: {', '.join(self._waiting.values())}")
        finally:
            witness.on_step = None
            if main.done() and not main.cancelled():
                self._error = self._error or main.exception()
            if self._ending == "crash" or self._error is not None or witness.violation is not None:
                self._ledger.is_dead = self._wire.is_dead = True
            self._bury()
            asyncio.set_event_loop(None)
            loop.close()
        if self._error is not None:
            raise self._error
        if witness.violation is not None:
            raise Violation(witness.violation)

    def _choose_ending(self) -> None:
        world, dice = self._world, self._dice
        if self._is_last:
            return
        if world.weather.strikes(Fault.CRASH, dice):
            self._ending = "crash"
            self._crash_kind = dice.choice(CRASH_AT)
            self._crash_after = int(dice.expovariate(1 / (150.0 if not self._crash_kind else 15.0)))
            world.witness.on_step = self._step
        else:
            self._ending = dice.choice(("drain", "detach", "detach", "abort", "teardown"))

    def _step(self, kind: str) -> None:
        if self._crash_kind and kind != self._crash_kind:
            return
        self._crash_after -= 1
        if self._crash_after < 0:
            self._die()

    def _die(self) -> None:
        """SIGKILL: what is not on the disk is gone."""
        self._world.witness.on_step = None
        self._world.witness.struck_all(Fault.CRASH)
        self._ledger.is_dead = self._wire.is_dead = True
        self._loop.stop()

    def _bury(self) -> None:
        """End the tasks: those of a dead process do nothing more, those of a teardown may."""
        loop = self._loop
        left: list[asyncio.Task[Any]] = []
        for _ in range(5):
            left = loop.cancel_tasks()
            if not left:
                break
            left[-1].add_done_callback(lambda _: loop.stop())
            loop.call_later(40.0, loop.stop)
            with suppress(NothingLeftError):
                loop.run_forever()
        else:
            self._world.witness.blame("I5", f"tasks outlive their cancelling: {left}")

    def _on_exception(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context["message"])
        self._error = self._error or error
        self._loop.stop()

    # ── what the program does ───────────────────────────────────────────────────────────────────────────

    async def _main(self) -> None:
        world = self._world
        session = self._session = world.session(self._ledger)
        with patch("veo_async.session.runtime.Transport", self._wire):
            try:
                await session.__aenter__()
            except LedgerError:
                return
        await self._take_up_old()
        if self._is_last:
            await self._look_until_all_ended()
            await session.aclose("detach")
            return
        for number in self._numbers:
            self._call(self._ask(number))
        for number in sorted(world.asked):
            is_old = number not in self._numbers and world.request(number).idempotency_key is not None
            if is_old and world.weather.strikes(Fault.ASKED_AGAIN, self._dice):
                self._call(self._ask(number, again=True))
        self._call(self._operate())
        await self._wait_for_end()

    async def _take_up_old(self) -> None:
        try:
            jobs = await self._session.resume()
        except LedgerError:
            return
        for job in jobs:
            if self._dice.random() < 0.7:
                self._call(self._follow(job))
            if job.state is State.UNKNOWN and self._world.weather.strikes(Fault.RESUBMITTED, self._dice):
                self._call(self._resubmit(job))

    async def _wait_for_end(self) -> None:
        world, dice, loop = self._world, self._dice, self._loop
        await asyncio.wait(self._callers, timeout=dice.choice((0.5, 3.0, 20.0, 90.0, 300.0, 1800.0)))
        witness = world.witness
        if self._ending == "crash":
            await asyncio.wait(self._callers, timeout=300.0)
            self._die()
            await asyncio.sleep(0)
            return
        if self._ending == "teardown":
            witness.closes(Fault.TEARDOWN)
            loop.stop()
            await asyncio.sleep(0)
            return
        witness.closes(_FAULT_OF_ENDING[self._ending])
        closing = loop.create_task(self._session.aclose(cast("Any", self._ending)))
        if self._ending == "drain":
            await asyncio.wait({closing}, timeout=dice.uniform(1.0, 1500.0))
            await self._session.aclose("detach")
        await closing
        await asyncio.sleep(0.3)
        witness.still_waiting(self._waiting.values())
        for caller in self._callers:
            caller.cancel()
        await asyncio.wait(self._callers)
        witness.note("closed", self._ending)

    def _call(self, caller: Coroutine[Any, Any, None]) -> None:
        self._callers.append(self._loop.create_task(caller))

    async def _look_until_all_ended(self) -> None:
        """In fair weather all comes to its end, with an operator who resumes now and then."""
        for look in range(LOOKS):
            await asyncio.sleep(LOOK_EVERY_S)
            if look == 1:
                self._world.mend()
            records = self._world.witness.records.values()
            if not any(record.state in (State.QUEUED, State.ARMED, State.RUNNING) for record in records):
                return
            await self._session.resume()

    # ── its callers ─────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, number: int, *, again: bool = False) -> None:
        dice, world = self._dice, self._world
        await asyncio.sleep(dice.choice((0.0, 10.0, 60.0)) * dice.random())
        if again:
            world.witness.fired(Fault.ASKED_AGAIN, number)
        world.asked.add(number)
        if world.weather.strikes(Fault.LEFT, dice):
            task = asyncio.current_task()
            assert task is not None
            patience = dice.choice((0.03, 0.2, 2.0, 30.0, 200.0)) * dice.random()
            self._loop.call_later(patience, self._leave, task, number)
        way = dice.choice((self._generate, self._submit, self._submit, self._enqueue, self._enqueue))
        try:
            await way(world.request(number))
        except VeoError as error:
            world.witness.note("raised", number, type(error).__name__)

    def _leave(self, task: asyncio.Task[Any], number: int) -> None:
        if not task.done() and task in self._waiting:
            self._world.witness.fired(Fault.LEFT, number)
            task.cancel()

    async def _enqueue(self, request: VideoRequest) -> None:
        job = await self._watched(self._session.enqueue(request), f"enqueue of {request.prompt}")
        await self._follow(job)

    async def _submit(self, request: VideoRequest) -> None:
        job = await self._watched(self._session.submit(request), f"submit of {request.prompt}")
        self._world.witness.heard_accepted(job.id)
        await self._follow(job)

    async def _generate(self, request: VideoRequest) -> None:
        result = await self._watched(self._session.generate(request), f"generate of {request.prompt}")
        assert result.job_id is not None
        self._world.witness.heard_accepted(self._session.job(result.job_id).id)

    async def _follow(self, job: Job) -> None:
        """Wait for a job's end, however often the wait is broken off by something that may pass."""
        dice, world = self._dice, self._world
        if world.weather.strikes(Fault.CANCELLED, dice):
            self._call(self._cancel(job))
        for _ in range(4):
            since = world.clock.true
            try:
                outcome = await self._watched(job.outcome(), f"the awaiter of job {job.id}")
            except VeoError as error:
                world.witness.note("told", job.id, type(error).__name__)
            else:
                world.witness.heard_outcome(job.id, outcome, since)
                return
            await asyncio.sleep(dice.uniform(5.0, 200.0))
            await self._resume()

    async def _cancel(self, job: Job) -> None:
        await asyncio.sleep(self._dice.choice((0.1, 1.0, 40.0, 300.0)) * self._dice.random())
        self._world.witness.fired(Fault.CANCELLED, number_of(job.record))
        try:
            said: str = await self._watched(job.cancel(), f"cancel of job {job.id}")
        except VeoError as error:
            said = type(error).__name__
        self._world.witness.note("cancelled", job.id, said)

    async def _resubmit(self, job: Job) -> None:
        """Have an unknown job sent again, by two who do not know of each other."""
        self._world.witness.fired(Fault.RESUBMITTED, number_of(job.record))
        asked = [self._session.resubmit(job, accept_duplicate_risk=True) for _ in range(2)]
        try:
            one, other = await self._watched(asyncio.gather(*asked), f"resubmit of job {job.id}")
        except VeoError as error:
            self._world.witness.note("not resubmitted", type(error).__name__)
            return
        if one is not other:
            self._world.witness.blame("I1", f"job {job.id} is replaced by {one.id} and {other.id}")
        await self._follow(one)

    async def _resume(self) -> None:
        try:
            await self._watched(self._session.resume(), "resume")
        except VeoError as error:
            self._world.witness.note("not resumed", type(error).__name__)

    async def _watched(self, awaitable: Awaitable[T], what: str) -> T:
        """Wait for something of the library's, on record."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = what
        try:
            return await awaitable
        finally:
            del self._waiting[task]

    # ── the machine and the account ─────────────────────────────────────────────────────────────────────

    async def _operate(self) -> None:
        """Let things happen to key, account, disk and clocks, one after the other."""
        dice, world = self._dice, self._world
        happenings = [happening for happening in self._HAPPENINGS if dice.random() < 0.35]
        dice.shuffle(happenings)
        for happening in happenings:
            await asyncio.sleep(dice.uniform(0.0, 60.0))
            await happening(self)
        world.witness.note("operated", len(happenings))

    async def _revoke_key(self) -> None:
        world = self._world
        world.service.key = f"sk-simulated-{self._dice.randint(1, 1_000_000)}"
        world.witness.note("key revoked")
        await asyncio.sleep(self._dice.uniform(0.0, 120.0))
        world.renew_key()
        await self._resume()

    async def _run_dry(self) -> None:
        world = self._world
        world.service.has_balance = False
        world.witness.note("balance gone")
        await asyncio.sleep(self._dice.uniform(0.0, 120.0))
        world.service.has_balance = True
        await self._resume()

    async def _fill_disk(self) -> None:
        world = self._world
        world.disk.is_full = True
        world.witness.note("disk full")
        await asyncio.sleep(self._dice.uniform(0.1, 90.0))
        world.disk.is_full = False
        await self._resume()

    async def _set_clock(self) -> None:
        self._world.clock.wall_error += self._dice.uniform(-3600.0, 3600.0)
        self._world.witness.struck_all(Fault.CLOCK)

    async def _suspend(self) -> None:
        self._loop.suspend(self._dice.uniform(60.0, 7200.0))
        self._world.witness.struck_all(Fault.SUSPEND)

    _HAPPENINGS = (_revoke_key, _run_dry, _fill_disk, _set_clock, _suspend)
