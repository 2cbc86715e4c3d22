"""What a process holds: descriptors and threads, counted before and after."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["no_leaks"]

_PATIENCE_S: Final = 5.0
"""A thread that nobody waits for any more may still be closing what it had opened."""


@contextmanager
def no_leaks() -> Generator[None]:
    """Fail when the block leaves descriptors or threads behind."""
    descriptors, threads = _descriptors(), _threads()
    yield
    until = time.monotonic() + _PATIENCE_S
    while _more(descriptors) or _threads() - threads:
        assert time.monotonic() < until, (_more(descriptors), _threads() - threads)
        gc.collect()
        time.sleep(0.001)


def _more(before: dict[str, str]) -> dict[str, str]:
    return {number: where for number, where in _descriptors().items() if number not in before}


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith("emulator")}


def _descriptors() -> dict[str, str]:
    found: dict[str, str] = {}
    for number in Path("/proc/self/fd").iterdir():
        try:
            found[number.name] = str(number.readlink())
        except FileNotFoundError:  # the one that looks
            continue
    return found
