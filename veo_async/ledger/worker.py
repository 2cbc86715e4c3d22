"""A thread that does what has queued up since its last turn in one batch, and tells each caller how it went.

A caller that is cancelled leaves; its task is done all the same, and whole.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from attrs import define, field

from veo_async.errors import ConfigurationError, LedgerError, VeoError

__all__ = ["Task", "Worker"]

T = TypeVar("T")


@define(eq=False)
class Task:
    """Something to do in the thread, and how it went."""

    do: Callable[[], Any]
    writes: bool
    alone: bool
    """Not part of a transaction."""
    future: asyncio.Future[None]
    """The caller's own: it only says that the task is over, so an error nobody waits for makes no noise."""
    value: Any = None
    error: Exception | None = None

    def attempt(self) -> None:
        """Do it, and keep what comes of it."""
        self.value = self.error = None
        try:
            self.value = self.do()
        except Exception as error:  # noqa: BLE001  # it is the caller's, whatever it is
            self.error = error

    def fail(self, error: VeoError) -> None:
        """Let the caller have an instance of its own of `error`, whatever the task made of itself."""
        self.value, self.error = None, error.fresh()


def _each(batch: Sequence[Task]) -> None:
    for task in batch:
        task.attempt()


def _nothing() -> None:
    pass


@define(eq=False)
class Worker:
    """One thread, its queue, and the loop its callers live in."""

    name: str
    run: Callable[[Sequence[Task]], None] = _each
    """Does a batch: each task has its value or its error afterwards."""
    finish: Callable[[], None] = _nothing
    """Called in the thread when all is done."""

    _queue: queue.SimpleQueue[Task | None] = field(factory=cast("Any", queue.SimpleQueue), init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _pid: int = field(default=0, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)
    _ended: bool = field(default=False, init=False)
    _waiting_for_end: list[asyncio.Future[None]] = field(factory=list[Any], init=False)

    def start(self) -> None:
        """Start the thread for callers of the running loop."""
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        # A daemon: a program that forgot to close its ledger still ends. What was told is on the disk.
        self._thread = threading.Thread(target=self._main, name=self.name, daemon=True)
        self._thread.start()

    async def call(self, do: Callable[[], T], *, writes: bool = False, alone: bool = False) -> T:
        """Do something in the thread and return its result.

        Raises:
            ConfigurationError: Called in another process, thread or event loop than `start`.
            LedgerError: The worker is not running.
        """
        loop = self._own_loop()
        if self._thread is None or self._stopping:
            raise LedgerError("the ledger is closed: open it first")
        task = Task(do, writes, alone, loop.create_future())
        self._queue.put(task)
        await task.future
        if task.error is not None:
            raise task.error
        return cast("T", task.value)

    def request_stop(self) -> None:
        """Let the thread end once it has done what is queued; idempotent."""
        if self._thread is not None and not self._stopping:
            self._stopping = True
            self._queue.put(None)

    async def stop(self) -> None:
        """Let the thread end and wait until it has; idempotent, and cancelling it loses nothing."""
        if self._thread is None:
            return
        loop = self._own_loop()
        self.request_stop()
        if not self._ended:
            future: asyncio.Future[None] = loop.create_future()
            self._waiting_for_end.append(future)
            await future
        self._thread.join()  # it has told its end and does nothing more: no wait to speak of

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._thread is None:
            return asyncio.get_running_loop()
        if os.getpid() != self._pid:
            raise ConfigurationError("the ledger was opened before a fork: open one in each process")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            raise ConfigurationError("the ledger belongs to the event loop that opened it: use it there only")
        return loop

    def _main(self) -> None:
        while self._do_batch():
            pass
        try:
            self.finish()
        finally:
            self._tell(self._end)

    def _do_batch(self) -> bool:
        """Do the next batch, and return whether more may come.

        Nothing of it is held while the thread waits for another: pictures are long.
        """
        batch, more = self._take()
        try:
            self.run(batch)
        except Exception as error:  # noqa: BLE001  # a bug of ours; no caller may hang for it
            for task in batch:
                task.error = task.error or error
        return self._tell(_resolve, batch) and more

    def _take(self) -> tuple[list[Task], bool]:
        """Wait for a task; return all there are, and whether more may come."""
        batch: list[Task] = []
        task = self._queue.get()
        while task is not None:
            batch.append(task)
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _tell(self, do: Callable[..., None], *args: Any) -> bool:
        """Let the loop do something; return False where it is closed, and with it all who waited."""
        loop = cast("asyncio.AbstractEventLoop", self._loop)
        try:
            loop.call_soon_threadsafe(do, *args)
        except RuntimeError:
            return False
        return True

    def _end(self) -> None:
        self._ended = True
        for future in self._waiting_for_end:
            if not future.done():
                future.set_result(None)


def _resolve(batch: Sequence[Task]) -> None:
    for task in batch:
        if not task.future.done():  # done: its caller was cancelled
            task.future.set_result(None)
