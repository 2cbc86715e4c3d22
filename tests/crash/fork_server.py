"""A process of one thread with everything imported, which forks children and kills them on time."""

from __future__ import annotations

import gc
import os
import signal
import time
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Final, Self

import anyio
from attrs import frozen

from veo_async.ledger import sqlite
from veo_async.session import runtime

from .child import Errand, run

__all__ = ["ForkServer", "Life"]

PRELOADED: Final = (sqlite, runtime)
"""What a session imports when it is opened: children shall find it there."""
_LONGEST_LIFE_S: Final = 60


@frozen
class Life:
    """How one child ended."""

    began_at: float
    """Seconds since the epoch, as the bill has them."""
    seconds: float
    killed: bool


class ForkServer:
    """Make it while the process has one thread and no event loop; it takes one errand at a time."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._pipe.close()
            _serve(theirs)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        os.waitpid(self._pid, 0)

    def live(self, errand: Errand, kill_after: float | None) -> Life:
        """Let a child run, kill it after so many seconds if it still runs, and return how it ended.

        Raises:
            RuntimeError: It ended neither well nor by SIGKILL.
        """
        self._pipe.send((errand, kill_after))
        answer: Life | str = self._pipe.recv()
        if isinstance(answer, Life):
            return answer
        raise RuntimeError(answer)


def _serve(pipe: Connection) -> None:
    anyio.run(anyio.sleep, 0)  # imports what it imports on first use
    gc.collect()
    gc.freeze()  # pages that the collector does not touch are not copied
    try:
        while True:
            errand, kill_after = pipe.recv()
            pipe.send(_live(errand, kill_after, pipe))
    except EOFError:
        os._exit(0)
    finally:
        os._exit(1)


def _live(errand: Errand, kill_after: float | None, pipe: Connection) -> Life | str:
    began_at, started = time.time(), time.monotonic()
    pid = os.fork()
    if pid == 0:
        pipe.close()
        _die(errand)
    if kill_after is not None:
        time.sleep(max(0.0, started + kill_after - time.monotonic()))
        os.kill(pid, signal.SIGKILL)  # where it has ended already, it is a zombie and this does nothing
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, -signal.SIGKILL}:
        return f"the child for {errand.folder} ended with {code}: see its standard error"
    return Life(began_at, time.monotonic() - started, killed=code != 0)


def _die(errand: Errand) -> None:
    signal.alarm(_LONGEST_LIFE_S)  # a child that hangs must be seen, not waited for
    try:
        run(errand)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, this process may not go on as a second server
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)
