"""What was seen of how long operations take, those that still run included.

Hazards are counted, not durations: each stretch of ages has the operations seen to end in it and the time
that operations were seen to run through it. One that is 90 s old and still runs says as much as one that
ended, and says it now: a provider that slows down is found out while its jobs run, and the slow ones are not
missing from the picture. (The piecewise exponential model for censored data.)
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen

from veo_async.engine.events import Profile

__all__ = ["AGES", "BINS", "WIDTH", "Learned", "Seen", "bin_of", "place_of"]

WIDTH: Final = 0.05
"""Width of a bin of ages on the logarithmic scale: half the spread of the most regular provider."""
YOUNGEST_S, OLDEST_S = 0.5, 20_000.0
"""Ages beyond count as these. A change of these three makes what a ledger keeps unreadable."""
BINS: Final = math.ceil(math.log(OLDEST_S / YOUNGEST_S) / WIDTH)
AGES: Final = tuple(YOUNGEST_S * math.exp(place * WIDTH) for place in range(BINS + 1))
"""Where the bins begin and end, in seconds."""
MEMORY: Final = 30.0
"""Operations that a bin remembers: with each one more that passes, what it knew fades by a thirtieth. By
measure 20 costs a fiftieth more while nothing changes, 60 is half as quick to follow a change."""
LEAST_STRETCH: Final = 1e-6
EVEN_SHARE: Final = 1e-6
"""Weight of an even spread where the curve says that there are no ends at all."""
_LOG_YOUNGEST: Final = math.log(YOUNGEST_S)


def place_of(age: float) -> float:
    """Return the place of an age among the bins, a fraction; beyond the first or last, that one's edge."""
    if age <= YOUNGEST_S:
        return 0.0
    return min((math.log(age) - _LOG_YOUNGEST) / WIDTH, BINS - 2 * LEAST_STRETCH)


def bin_of(age: float) -> int:
    """Return the bin that an age is in; beyond the first or last, that one."""
    return bisect_right(AGES, age, 1, BINS) - 1


@frozen(kw_only=True)
class Learned:
    """What was seen of one profile's waiting times, as it is kept in a ledger."""

    profile: Profile
    ends: float
    """Operations that were seen to end, by decayed weight."""
    bins: tuple[tuple[int, float, float], ...]
    """Bin, ends and exposure, by decayed weight, of every bin that operations passed."""


class Seen:
    """Ends and exposure by age: a bounded memory, however much is seen."""

    __slots__ = ("ends", "exposures", "total")

    def __init__(self) -> None:
        self.ends: list[float] = [0.0] * BINS
        """Operations that ended in a bin, by decayed weight."""
        self.exposures: list[float] = [0.0] * BINS
        """How far operations were seen to run through a bin, on the logarithmic scale, by decayed weight."""
        self.total: float = 0.0
        """Operations that ended, by decayed weight."""

    def running(self, since: float, age: float) -> int:
        """Take into account that an operation ran from the age `since` to `age`; return the bins it left.

        A bin counts when it is left, and then whole: who is looked at often brings no more news than others.
        """
        start, stop = bin_of(since), bin_of(age)
        for place in range(start, stop):
            self._add(place, 1.0, 0.0)
        return max(0, stop - start)  # a clock may go back

    def ended(self, since: float, age: float, hazard: Callable[[int], float]) -> None:
        """Take into account that an operation ran at `since` and had ended by `age`.

        When it ended in between is spread as `hazard`, known so far by bin, makes it likely.
        """
        start = place_of(since)
        stop = max(place_of(age), start + LEAST_STRETCH)
        stretches: list[tuple[int, float, float]] = []
        alive, place = 1.0, int(start)
        self._add(place, start - place, 0.0)  # it did not leave that bin, and ran through a part of it
        while place < stop:
            stretch = min(place + 1, stop) - max(place, start)
            ends = -math.expm1(-hazard(place) * stretch * WIDTH)
            stretches.append((place, stretch, alive * ends + EVEN_SHARE * stretch))
            alive *= 1 - ends
            place += 1
        whole = sum(share for _, _, share in stretches)
        left = 1.0
        for place, stretch, share in stretches:
            ends = share / whole
            self._add(place, stretch * max(0.0, left - ends / 2), ends)
            left -= ends
        self.total += 1 - self.total / MEMORY

    def _add(self, place: int, stretch: float, ends: float) -> None:
        kept = 1 - max(stretch, ends) / MEMORY
        self.ends[place] = self.ends[place] * kept + ends
        self.exposures[place] = self.exposures[place] * kept + stretch * WIDTH

    def learned(self, profile: Profile) -> Learned:
        """Return what is to be kept."""
        filled = (place for place in range(BINS) if self.exposures[place])
        bins = tuple((place, round(self.ends[place], 4), round(self.exposures[place], 6)) for place in filled)
        return Learned(profile=profile, ends=round(self.total, 4), bins=bins)

    def restore(self, ends: float, bins: Iterable[tuple[int, float, float]]) -> None:
        """Take over what was kept; what cannot have been seen is left out."""
        self.total = _possible(ends)
        for place, ended, exposure in bins:
            if 0 <= place < BINS:
                self.ends[place] = _possible(ended)
                self.exposures[place] = _possible(exposure)


def _possible(weight: float) -> float:
    return weight if 0 <= weight <= MEMORY else 0.0
