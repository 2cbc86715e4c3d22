"""What a process holds on to, and whether that grows."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import resource
import statistics
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from attrs import field, frozen

from veo_async.job import Job
from veo_async.ledger.records import JobRecord

__all__ = ["Held", "Lateness", "Slope"]

_PAGE_BYTES: Final = resource.getpagesize()
_STATM: Final = Path("/proc/self/statm")
_DESCRIPTORS: Final = Path("/proc/self/fd")
_COUNTED: Final = (asyncio.Future, asyncio.Task, Job, JobRecord)
_NORMAL_QUANTILE: Final = statistics.NormalDist().inv_cdf(0.975)


@frozen(kw_only=True)
class Held:
    """What the process holds after all garbage is gone."""

    rss_bytes: int
    blocks: int
    """Pieces of memory that Python's allocator has given out: exact, where the former comes in pages."""
    heap_bytes: int
    """What C code (as SQLite) has of malloc, and large pieces of Python's: exact; 0 where it is not told."""
    tasks: int
    descriptors: int
    objects: Counter[str]
    """Live objects of the kinds that come with each job."""

    @classmethod
    def now(cls) -> Self:
        """Let the garbage go and count."""
        gc.collect()
        kinds = {kind: kind.__name__ for kind in _COUNTED}
        objects = Counter(kinds[type(thing)] for thing in gc.get_objects() if type(thing) in kinds)
        blocks = sys.getallocatedblocks()
        heap_bytes = _in_use()
        _trim()
        return cls(
            rss_bytes=int(_STATM.read_text().split()[1]) * _PAGE_BYTES,
            blocks=blocks,
            heap_bytes=heap_bytes,
            tasks=len(asyncio.all_tasks()),
            descriptors=sum(1 for _ in _DESCRIPTORS.iterdir()),
            objects=objects,
        )


class _Mallinfo2(ctypes.Structure):
    """What `mallinfo2` of the C library returns."""

    _fields_ = (
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


def _in_use() -> int:
    count = getattr(ctypes.CDLL(None), "mallinfo2", None)  # glibc has it
    if count is None:
        return 0
    count.restype = _Mallinfo2
    counted = count()
    return int(counted.uordblks + counted.hblkhd)


def _trim() -> None:
    """Let the C library give back what it keeps for later, which is as random as its use was."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@frozen(kw_only=True)
class Slope:
    """How fast something grows, by least squares."""

    value: float
    margin: float
    """Half the width of its 95 % confidence interval."""

    @classmethod
    def of(cls, xs: Sequence[float], ys: Sequence[float], noise: float = 0.0) -> Self:
        """Fit a line through at least four points, which are known to scatter by `noise` at least.

        A few points may happen to lie on a line, and would pass for exact.
        """
        line = statistics.linear_regression(xs, ys)
        freedom = len(xs) - 2
        rest = sum((y - line.slope * x - line.intercept) ** 2 for x, y in zip(xs, ys, strict=True))
        rest = max(rest, freedom * noise**2)
        spread = sum((x - statistics.fmean(xs)) ** 2 for x in xs)
        error = (rest / freedom / spread) ** 0.5
        return cls(value=line.slope, margin=_student(freedom) * error)

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.margin:.2f}"

    @property
    def least(self) -> float:
        """What it is at least."""
        return self.value - self.margin


def _student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's distribution, by Cornish and Fisher's expansion."""
    z = _NORMAL_QUANTILE
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


@frozen
class Lateness:
    """How late things were, counted by milliseconds in a place that does not grow."""

    _counts: array[int] = field(factory=lambda: array("L", bytes(array("L").itemsize * 10_000)))

    def note(self, seconds: float) -> None:
        """Count one."""
        self._counts[min(max(0, int(seconds * 1000)), len(self._counts) - 1)] += 1

    def __len__(self) -> int:
        return sum(self._counts)

    def quantile(self, share: float) -> float:
        """Return the seconds, rounded up to whole milliseconds, that this share of all was late at most."""
        wanted, seen = share * len(self), 0
        for milliseconds, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return (milliseconds + 1) / 1000
        return len(self._counts) / 1000
