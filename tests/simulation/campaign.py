"""Many seeds at once: what came of them together."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import define, field

from .mutants import MUTANTS
from .weather import Fault
from .world import Report, play

__all__ = ["FIRST_MUTANT_SEED", "PAIRS", "Sum", "find", "play_many", "seeds_to_find"]

FIRST_MUTANT_SEED: Final = 2_000_000

_SENT: Final = (
    "LOST_UNSTARTED LOST_STARTED SILENT LATE UNREADABLE DUPLICATE_NAME PAGE_UNSTARTED PAGE_STARTED "
    "SERVER_ERROR_UNSTARTED SERVER_ERROR_STARTED OVERLOADED REDIRECT POLICY DURATION_TYPE RATE_LIMIT "
    "RATE_LIMIT_UNHINTED RATE_LIMIT_PAGE DAY_QUOTA"
)
_EVERYWHERE: Final = ("queued", "armed", "running", "succeeded", "filtered", "failed", "rejected", "unknown")
_STATES: Final = {
    **dict.fromkeys([Fault[name] for name in _SENT.split()], ("armed",)),
    **{fault: ("running",) for fault in Fault if fault.name.startswith("CHECK_")},
    Fault.CONNECT: ("queued",),
    Fault.SLOW_CONNECT: ("queued",),
    Fault.BAD_KEY: ("armed", "running"),
    Fault.NO_BALANCE: ("armed", "running"),
    Fault.DISK_SLOW: ("any",),
    Fault.DISK_FULL: ("new", "queued", "armed", "running"),
    Fault.DISK_BROKEN: ("new", "queued", "armed", "running"),
    Fault.LEFT: ("new", "queued", "armed", "running"),
    Fault.CANCELLED: ("queued", "armed", "running", "succeeded", "unknown"),
    Fault.RESUBMITTED: ("unknown",),
    Fault.ASKED_AGAIN: ("queued", "running", "succeeded", "rejected", "unknown"),
    **dict.fromkeys(
        (
            Fault.CRASH,
            Fault.TEARDOWN,
            Fault.ABORT,
            Fault.DETACH,
            Fault.DRAIN,
            Fault.CLOCK,
            Fault.SUSPEND,
        ),
        _EVERYWHERE,
    ),
}
PAIRS: Final = tuple((fault.value, state) for fault, states in _STATES.items() for state in states)
"""Every fault with every state of a job that it can meet."""


@define
class Sum:
    """Reports added up."""

    seeds: int = 0
    violations: list[tuple[int, str]] = field(factory=list[tuple[int, str]])
    jobs: int = 0
    operations: int = 0
    checks: int = 0
    hours: float = 0.0
    pairs: Counter[tuple[str, str]] = field(factory=Counter[tuple[str, str]])

    def add(self, report: Report) -> None:
        """Add one."""
        self.seeds += 1
        if report.violation is not None:
            self.violations.append((report.seed, report.violation))
        self.jobs += report.jobs
        self.operations += report.operations
        self.checks += report.checks
        self.hours += report.hours
        self.pairs.update(report.pairs)

    def rarest(self) -> list[tuple[int, tuple[str, str]]]:
        """Return how often each pair fired, the rarest first."""
        return sorted((self.pairs[pair], pair) for pair in PAIRS)


def play_many(seeds: Iterable[int], *, processes: int | None = None) -> Iterator[Report]:
    """Yield the reports of seeds, in any order, from all processors."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes or os.cpu_count(), maxtasksperchild=2_000) as pool:
        yield from pool.imap_unordered(play, seeds, chunksize=25)


def find(name: str, first: int, most: int) -> int | None:
    """Return how many seeds it takes to catch a mutant; None: it is not caught by that many."""
    with MUTANTS[name]():
        for count in range(1, most + 1):
            try:
                caught = play(first + count - 1).violation is not None
            except Exception:  # noqa: BLE001 - a run that cannot go on is caught too
                caught = True
            if caught:
                return count
    return None


def seeds_to_find(name: str, *, times: int = 5, most: int = 50) -> list[int | None]:
    """Return how many seeds it takes, from several starts."""
    return [find(name, FIRST_MUTANT_SEED + 1_000 * start, most) for start in range(times)]


def median(counts: list[int | None]) -> float:
    """Return the median; what was not found counts as endless."""
    return statistics.median(float("inf") if count is None else count for count in counts)


def seconds_of(reports: Iterable[Report], total: Sum) -> float:
    """Add reports up and return how long that took."""
    started = time.perf_counter()
    for report in reports:
        total.add(report)
        if report.violation is not None:
            sys.stderr.write(f"seed {report.seed}: {report.violation}\n")
        if total.seeds % 500 == 0:
            sys.stderr.write(f"{total.seeds} seeds, {len(total.violations)} violations\n")
    return time.perf_counter() - started
