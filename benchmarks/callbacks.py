"""How long the callbacks of an event loop take: while one runs, nothing else does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def timed_callbacks() -> Generator[list[float]]:
    """Note the seconds of each callback."""
    took: list[float] = []
    handle_type: Any = asyncio.Handle
    run: Callable[[asyncio.Handle], None] = handle_type._run  # noqa: SLF001

    def timed(handle: asyncio.Handle) -> None:
        began_at = time.perf_counter()
        run(handle)
        took.append(time.perf_counter() - began_at)

    handle_type._run = timed  # noqa: SLF001
    try:
        yield took
    finally:
        handle_type._run = run  # noqa: SLF001
