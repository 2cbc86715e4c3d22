"""The ledger on a simulated disk: commits take time, may fail, and what was not committed dies in a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final

from attrs import define, field

from veo_async.engine.lifecycle import IllegalTransitionError
from veo_async.errors import LedgerError
from veo_async.ledger.memory import MemoryLedger
from veo_async.ledger.records import Change
from veo_async.ledger.rules import unless_taken

from .weather import Fault, Weather
from .witness import Witness

__all__ = ["Disk", "SimulatedLedger"]

_READS: Final = frozenset({"get", "keyed", "find", "select", "content", "files", "moves"})


@define(eq=False)
class Disk:
    """What outlives a process."""

    dice: Random
    weather: Weather
    store: MemoryLedger = field(factory=MemoryLedger)
    spilled: list[Change] = field(factory=list[Change])
    is_full: bool = False


@define(eq=False)
class _Task:
    method: str
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    future: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None


class SimulatedLedger:
    """One process's hold on the disk.

    As in the real file ledger all calls stand in one line; those that queued up during a commit share the
    next; a transaction that fails fails for all its calls; after an I/O error nothing is written until the
    ledger is opened anew; a caller that is cancelled changes nothing.
    """

    durable = True

    def __init__(self, disk: Disk, witness: Witness) -> None:
        self._disk = disk
        self._witness = witness
        self._line: list[_Task] = []
        self._is_committing = False
        self._is_broken = False
        self._is_closed = False
        self.is_dead: bool = False
        """The process crashed: nothing of what stands in the line is done any more."""

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if method.startswith("_"):
            raise AttributeError(method)
        return partial(self._call, method)

    async def open(self) -> None:
        """Apply what was spilled, and find what a dead process left."""
        await asyncio.sleep(0.01)
        if self._disk.is_full:
            raise LedgerError("the disk is full")
        self._apply_spilled()
        finish(self._disk.store.open())
        for record in self._disk.store._jobs.values():
            self._witness.found(record)

    async def close(self) -> None:
        """Take nothing more, and wait until what stands in the line is done."""
        self._is_closed = True
        if self._line and not self.is_dead:
            await self._line[-1].future

    async def spill(self, change: Change) -> None:
        """Append a change to the file that was made for bad days: it needs no room on the disk."""
        await asyncio.sleep(0.01)
        if self.is_dead:
            raise LedgerError("dead")
        self._disk.spilled.append(change)
        self._witness.spilled(change)

    async def reopen(self) -> None:
        """Look at the disk again after it failed."""
        await asyncio.sleep(0.01)
        if self._disk.is_full or self.is_dead:
            raise LedgerError("the disk is full")
        self._is_broken = False
        self._apply_spilled()

    async def _call(self, method: str, *args: Any, **keywords: Any) -> Any:
        if self.is_dead or self._is_closed:
            raise LedgerError("closed")
        loop = asyncio.get_running_loop()
        task = _Task(method, args, keywords, loop.create_future())
        self._line.append(task)
        if not self._is_committing:
            self._is_committing = True
            loop.call_later(self._latency(), self._commit)
        await asyncio.shield(task.future)  # `close` waits for it too, whoever was cancelled
        if task.error is not None:
            raise task.error
        return task.value

    def _latency(self) -> float:
        disk = self._disk
        if disk.weather.strikes(Fault.DISK_SLOW, disk.dice):
            self._witness.disk_slow([task.method for task in self._line])
            return disk.dice.choice((0.3, 3.0, 40.0)) * disk.dice.random()
        return disk.dice.choice((0.01, 0.1)) * disk.dice.uniform(0.2, 1.0)

    def _commit(self) -> None:
        """Do all that stands in the line: it is durable then, and its callers hear of it a bit later."""
        if self.is_dead:
            return
        batch, self._line = self._line, []
        failure = self._failure() if any(task.method not in _READS for task in batch) else None
        if failure is None:
            self._apply_spilled()
        for task in batch:
            if failure is None:
                self._attempt(task)
                self._witness.committed(task.method, task.args, task.value, task.error)
            else:  # reads fail with the writes of their transaction: they may have read of it
                task.error = failure.fresh()
                self._witness.refused(task.method, task.args, failure)
        if self._disk.dice.random() < 0.5:
            self._tell(batch)
        else:
            asyncio.get_running_loop().call_later(self._disk.dice.uniform(0.0, 0.01), self._tell, batch)

    def _apply_spilled(self) -> None:
        spilled, self._disk.spilled = self._disk.spilled, []
        for change in map(self._unless_taken, spilled):  # one by one: each may take a name
            with suppress(IllegalTransitionError, LedgerError):  # as far as the table allows
                self._witness.committed("apply", (change,), finish(self._disk.store.apply(change)), None)

    def _unless_taken(self, change: Change) -> Change:
        record, name = finish(self._disk.store.get(change.job_id)), change.operation
        if record is None or name is None:
            return change
        return unless_taken(change, finish(self._disk.store.find(record.provider, name)))

    def _failure(self) -> LedgerError | None:
        """Return what is wrong with the disk, if anything is."""
        disk = self._disk
        if not self._is_broken and disk.weather.strikes(Fault.DISK_BROKEN, disk.dice):
            self._is_broken = True
        if self._is_broken:
            return LedgerError("the disk failed: nothing is written until the ledger is opened again")
        return LedgerError("the disk is full") if disk.is_full else None

    def _attempt(self, task: _Task) -> None:
        method = getattr(self._disk.store, task.method)
        try:
            task.value = finish(method(*task.args, **task.keywords))
        except Exception as error:  # noqa: BLE001 - the caller's, whatever it is
            task.error = error

    def _tell(self, batch: list[_Task]) -> None:
        if self.is_dead:
            return
        for task in batch:
            self._witness.told(task.method, task.value, task.error)
            if not task.future.done():
                task.future.set_result(None)
        self._is_committing = bool(self._line)
        if self._line:
            asyncio.get_running_loop().call_later(self._latency(), self._commit)


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run to its end what never waits: the ledger in memory."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
