"""What a soak found, and what of it may not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import define, field

from veo_async.engine.lifecycle import State
from veo_async.session.book import ENDED_KEPT

from .measuring import Held, Lateness, Slope

__all__ = ["Figures"]

WARM_UP_SHARE: Final = 0.5
"""Of the waves: until what is kept is full (the last 1,000 jobs, SQLite's pages), tables have grown to the
most that is open at once, and the allocators have seen their highest tide."""
LONG_WAVES: Final = 50
"""From so many on resident memory is looked at to the kilobyte; in fewer the allocators' pages drown it."""

# How much may stay behind of 1,000 jobs: of what is counted exactly, less than one piece in 20 jobs. The
# pieces that malloc gives to Python are longer than 512 bytes.
MOST_BLOCKS: Final = 50.0
MOST_HEAP_KB: Final = 25.0
NOISE_BLOCKS: Final = 400.0
NOISE_HEAP_KB: Final = 40.0
"""What is counted scatters so much from wave to wave: by what is just open."""
MOST_RSS_KB: Final = 1.0
MOST_RSS_KB_SHORT: Final = 300.0


@define(kw_only=True)
class Figures:
    """Counts and measures of one soak."""

    before: Held = field(init=False)
    after: Held = field(init=False)
    """When the session is closed and gone."""
    samples: list[Held] = field(factory=list[Held])
    """After each wave."""
    jobs: list[int] = field(factory=list[int])
    """How many had ended by then."""
    lateness: Lateness = field(factory=Lateness)
    ended: Counter[State] = field(factory=Counter[State])
    """How jobs ended before the unknown ones were settled; without those given up."""
    report: Mapping[State, int] = field(factory=dict[State, int])
    """As the session reports them when it closes."""
    checks: int = 0
    settled: int = 0
    billed: int = 0
    """Operations that the service accepted."""
    most_billed: int = 0
    """For one job."""
    lost: int = 0
    """Operations that were accepted and that the ledger does not know."""
    undecided: int = 0
    saved: int = 0
    unsaved: int = 0
    """Downloads that were spoilt more often than they are tried again."""
    ledger_bytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def sample(self) -> None:
        """Note what the process holds now."""
        self.jobs.append(self.ended.total())
        self.samples.append(Held.now())

    @property
    def rss_kb(self) -> Slope:
        """Growth of the resident memory in KB for 1,000 jobs."""
        return self._slope([held.rss_bytes / 1024 for held in self.samples])

    @property
    def heap_kb(self) -> Slope:
        """Growth of what C code has in use, in KB for 1,000 jobs."""
        return self._slope([held.heap_bytes / 1024 for held in self.samples], NOISE_HEAP_KB)

    @property
    def blocks(self) -> Slope:
        """Growth of what Python has in use, in pieces of memory for 1,000 jobs."""
        return self._slope([held.blocks for held in self.samples], NOISE_BLOCKS)

    def _slope(self, values: list[float], noise: float = 0.0) -> Slope:
        warm = round(WARM_UP_SHARE * len(values))
        return Slope.of([jobs / 1000 for jobs in self.jobs[warm:]], values[warm:], noise)

    def problems(self) -> Iterator[str]:
        """Yield what may not be."""
        if self.most_billed > 1:
            yield f"a job was billed {self.most_billed} operations"
        if self.lost:
            yield f"{self.lost} operations were billed that the ledger does not know"
        if self.undecided:
            yield f"{self.undecided} jobs are not decided"
        yield from self._left_behind()
        most_rss = MOST_RSS_KB if len(self.samples) >= LONG_WAVES else MOST_RSS_KB_SHORT
        yield from _too_steep("KB resident", self.rss_kb, most_rss)
        yield from _too_steep("KB in use by C code", self.heap_kb, MOST_HEAP_KB)
        yield from _too_steep("blocks in use by Python", self.blocks, MOST_BLOCKS)

    def _left_behind(self) -> Iterator[str]:
        last = self.samples[-1].objects
        if last["Job"] > ENDED_KEPT or last["JobRecord"] > ENDED_KEPT:
            yield f"the session holds {last['Job']} jobs and {last['JobRecord']} records that ended"
        for what in ("tasks", "descriptors", "objects"):
            before, after = getattr(self.before, what), getattr(self.after, what)
            if after != before:
                yield f"{what}: {before} at first, {after} in the end"


def _too_steep(what: str, slope: Slope, most: float) -> Iterator[str]:
    """Complain of a growth that is more than may be, by all that chance explains."""
    if slope.least > most:
        yield f"{slope} {what} stay behind of 1,000 jobs: {most:g} may"
