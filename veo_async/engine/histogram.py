"""Durations counted in a fixed number of bins: the memory is bounded, whatever is added."""

from __future__ import annotations

import math

__all__ = ["Histogram"]

LEAST_S = 0.01
"""All that is shorter shares a bin."""
GROWTH = 1.1
"""Each bin ends so many times later than the one before: a quantile is off by a twentieth at most."""
BINS = 170
"""They reach a day; the last one holds all that is longer."""
_LOG_GROWTH = math.log(GROWTH)


class Histogram:
    """Quantiles of many durations; adding one takes the same time however many there are."""

    __slots__ = ("_counts", "max", "seen")

    def __init__(self) -> None:
        self._counts = [0] * BINS
        self.seen: int = 0
        """How many were added."""
        self.max: float = 0.0
        """The longest, in seconds."""

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[_bin_of(seconds)] += 1
        self.seen += 1
        self.max = max(self.max, seconds)

    def quantile(self, share: float) -> float:
        """Return the duration in seconds that this share of them does not pass; 0 when there are none."""
        wanted = share * self.seen
        counted = 0
        for place, count in enumerate(self._counts):
            if count and counted + count >= wanted:
                start, end = _ends(place)
                return min(self.max, start + (end - start) * (wanted - counted) / count)
            counted += count
        return self.max


def _bin_of(seconds: float) -> int:
    if seconds <= LEAST_S:
        return 0
    return min(BINS - 1, 1 + int(math.log(seconds / LEAST_S) / _LOG_GROWTH))


def _ends(place: int) -> tuple[float, float]:
    end = LEAST_S * GROWTH**place
    return (0.0 if place == 0 else end / GROWTH, end)
