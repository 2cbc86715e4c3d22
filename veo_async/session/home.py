"""Where a session lives: the process, thread and event loop that opened it."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Self

from attrs import frozen

from veo_async.errors import ConfigurationError

__all__ = ["Home"]


@frozen
class Home:
    """A process, a thread of it and an event loop in that."""

    pid: int
    thread: int
    loop: asyncio.AbstractEventLoop

    @classmethod
    def here(cls) -> Self:
        """Return where the caller is."""
        return cls(os.getpid(), threading.get_ident(), asyncio.get_running_loop())

    def check(self) -> None:
        """Refuse use from anywhere else, before any state is touched.

        Raises:
            ConfigurationError: The caller is in another process, thread or event loop, or in none.
        """
        if self.pid != os.getpid():
            raise ConfigurationError("the session was opened before a fork: make one in each process")
        if self.thread != threading.get_ident() or self.loop is not _running_loop():
            raise ConfigurationError(
                "the session belongs to another event loop or thread: make one session for each loop"
            )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
