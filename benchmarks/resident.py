"""Memory that this process holds, now and at its peak."""

from __future__ import annotations

import gc
import resource
import threading
from pathlib import Path

LOOK_EACH_S = 0.005


def resident() -> int:
    """Return the bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def settled() -> int:
    """Return the same, once what nobody holds is gone."""
    gc.collect()
    return resident()


class Peak:
    """Watches the memory from a thread of its own; the kernel's own peak would count what was before."""

    def __init__(self) -> None:
        """Begin to watch."""
        self.bytes = resident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EACH_S):
            self.bytes = max(self.bytes, resident())

    def stop(self) -> int:
        """End watching and return the most that was held."""
        self._stopped.set()
        self._thread.join()
        return self.bytes
