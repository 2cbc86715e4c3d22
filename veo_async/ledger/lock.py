"""One owner a ledger: an flock on a file beside it, which the kernel drops when the owner dies."""

from __future__ import annotations

import os
import sys
import weakref
from pathlib import Path
from typing import Final

from veo_async.errors import LedgerError

if sys.platform != "win32":
    import fcntl

__all__ = ["Lock", "is_held"]

_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class Lock:
    """The right to write to a ledger; held until `release` or the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock without waiting.

        Raises:
            LedgerError: Somebody else has it (`owner_pid`), or the system has no such locks.
            OSError: The file cannot be made.
        """
        if sys.platform == "win32":
            raise LedgerError("a ledger file needs the locks of a POSIX system; use ledger=None here")
        descriptor = os.open(self.path, _FLAGS, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            pid = _pid_in(descriptor)
            os.close(descriptor)
            raise _held(self.path, pid) from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _HELD.add(self)

    def release(self) -> None:
        """Give the lock back; idempotent. The file stays: removing it would let two owners in."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def is_held(path: Path) -> bool:
    """Return whether somebody holds the lock at `path` now; nothing is made or written.

    Raises:
        OSError: The file cannot be looked at.
    """
    if sys.platform == "win32" or not path.exists():
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Shared, and for no longer than this: an owner that starts in the same instant is refused once.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _held(path: Path, pid: int | None) -> LedgerError:
    if pid == os.getpid():
        remedy = "this process has it open already: use one session for one ledger"
    else:
        owner = "another process" if pid is None else f"process {pid}"
        remedy = (
            f"{owner} has it open: wait for it or stop it, use another ledger, "
            "or look at it with `veo-async jobs`, which only reads"
        )
    return LedgerError(f"ledger {path.with_suffix('')} is in use: {remedy}", owner_pid=pid)


# A forked child shares the open file, and would hold the lock for as long as it lives.
_HELD: Final[weakref.WeakSet[Lock]] = weakref.WeakSet()


def _release_in_child() -> None:
    for lock in list(_HELD):
        lock.release()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_release_in_child)
