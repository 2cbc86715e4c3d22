"""How long the callbacks of an event loop take: while one runs, nothing else does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def timed_callbacks(clock: Callable[[], float] = time.perf_counter) -> Generator[list[float]]:
    """Note the seconds of each callback; by `time.thread_time` without what other programs took of them."""
    took: list[float] = []
    handle_type: Any = asyncio.Handle
    run: Callable[[asyncio.Handle], None] = handle_type._run  # noqa: SLF001

    def timed(handle: asyncio.Handle) -> None:
        began_at = clock()
        run(handle)
        took.append(clock() - began_at)

    handle_type._run = timed  # noqa: SLF001
    try:
        yield took
    finally:
        handle_type._run = run  # noqa: SLF001
