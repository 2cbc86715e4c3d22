"""When requests left. A busy server does not know: it may look late at one burst, and not at the next."""

from __future__ import annotations

import bisect

from attrs import define, field

__all__ = ["Departures"]


@define
class Departures:
    """The instants at which a session's requests left."""

    checks: list[float] = field(factory=list[float])
    submits: list[float] = field(factory=list[float])

    @staticmethod
    def most_within(window_s: float, times: list[float]) -> int:
        """Return the largest number in any half-open window of so many seconds."""
        times = sorted(times)
        ends = (bisect.bisect_left(times, at + window_s) for at in times)
        return max((end - start for start, end in enumerate(ends)), default=0)
