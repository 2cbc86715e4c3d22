"""How likely an operation is to end at each age, and what follows from it.

A lognormal curve is fitted to what was seen and to the prior, and each bin of ages is then drawn from that
curve towards what was seen in it: few operations give a smooth curve, many give one of any shape, two modes
included. Ends among the censored are imputed from the curve before, as in the EM algorithm; two rounds do.

With hazard h(t) of ending at age t, mean lag at a given number of checks is least when their density over
time is proportional to √h (J. B. Keller, Management Science 21, 1974).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from veo_async.engine.waiting_times import AGES, WIDTH, Seen, place_of
from veo_async.options import PollPolicy

__all__ = ["Curve", "Lognormal", "curve_of"]

MIN_SPREAD, MAX_SPREAD = 0.08, 3.0
"""No provider is more regular than this, and the gaps would shrink to nothing; past the other, nothing is
known anyway."""
FIT_WEIGHTS: Final = (2.0, 1.0)
"""Operations that the prior, and then the first fit, weigh as in a fit."""
SHAPE_WEIGHT: Final = 6.0
"""Operations that the fitted lognormal weighs as in each bin. Measured: 4 to 30 differ by little. The
lognormal alone costs two fifths more where there are two modes; the prior in its place, two fifths more where
the spread is 0.1."""
EARLY, LATE = -6.0, 3.7
"""In spreads from the median: before, nothing ends; after, one in ten thousand is left, which is not of this
kind."""
STRAGGLING: Final = 1.0
"""Hazard on the logarithmic scale of what is left late: a half of it lasts twice its age."""
LEAST: Final = 0.2
"""After the median, the hazard is never taken for less: nothing lasts for ever."""
FAINT: Final = 1e-9
_MIDDLES: Final = tuple(math.log(age) + WIDTH / 2 for age in AGES[:-1])
_ROOTS: Final = tuple(math.sqrt(age) for age in AGES)


@frozen
class Lognormal:
    """A lognormal waiting time, by the mean and the standard deviation of its logarithm."""

    mean: float
    spread: float

    def hazard(self, place: int) -> float:
        """Return the rate at which it ends in the middle of a bin, on the logarithmic scale."""
        z = (_MIDDLES[place] - self.mean) / self.spread
        if not z > EARLY:
            return 0.0
        if z > LATE:
            return STRAGGLING
        survival = 0.5 * math.erfc(z / math.sqrt(2))
        return math.exp(-z * z / 2) / (math.sqrt(2 * math.pi) * self.spread * survival)


class Curve:
    """Hazards by bin, on the logarithmic scale, with the integrals that decisions are made of."""

    __slots__ = ("_checks", "_hazards", "_integral", "_running")

    def __init__(self, hazards: Sequence[float], check_worth: float) -> None:
        self._hazards = hazards
        self._integral = [0.0]
        """Of the hazard over the logarithm of the age."""
        self._checks = [0.0]
        """How many checks are worth their while by each age: the integral of √(h/(2·worth))."""
        self._running = [AGES[0]]
        """The integral of the share that still runs, over the age."""
        for place, hazard in enumerate(hazards):
            self._integral.append(self._integral[-1] + hazard * WIDTH)
            self._checks.append(
                self._checks[-1] + math.sqrt(2 * hazard / check_worth) * (_ROOTS[place + 1] - _ROOTS[place])
            )
            share = (math.exp(-self._integral[-2]) + math.exp(-self._integral[-1])) / 2
            self._running.append(self._running[-1] + share * (AGES[place + 1] - AGES[place]))

    def hazard(self, place: int) -> float:
        """Return the hazard in a bin, on the logarithmic scale."""
        return self._hazards[place]

    def gap(self, age: float) -> float:
        """Return the seconds from a check at `age` to the next one; infinite where none is worth it."""
        checks = self._checks
        due = _at_age(checks, age) + 1
        return _between(checks, AGES, due) - age if due < checks[-1] else math.inf

    def undetected(self, running_at: float, since: float, age: float) -> float:
        """Return the expected seconds, from the age `since` to `age`, in which an operation was over already.

        It is known to have run at the age `running_at`, and nothing later.
        """
        share = math.exp(-_at_place(self._integral, place_of(running_at)))
        if share < FAINT:
            return age - since
        alive = (_at_age(self._running, age) - _at_age(self._running, since)) / share
        return max(0.0, age - since - alive)

    def quantile(self, running_at: float, share: float) -> float:
        """Return the age by which this share of those that run at an age will have ended; it is finite."""
        wanted = _at_place(self._integral, place_of(running_at)) - math.log1p(-share)
        beyond = wanted - self._integral[-1]
        if beyond >= 0:
            return max(AGES[-1], running_at) * math.exp(beyond / STRAGGLING)
        return max(running_at, _between(self._integral, AGES, wanted))


def curve_of(seen: Seen, policy: PollPolicy) -> Curve:
    """Return the curve of what was seen, which is the policy's prior where nothing was."""
    shape = Lognormal(math.log(policy.expected), min(MAX_SPREAD, max(MIN_SPREAD, policy.spread)))
    for weight in FIT_WEIGHTS:
        shape = _fitted(shape, _drawn(shape, seen, weight))
    hazards = _drawn(shape, seen, SHAPE_WEIGHT)
    late = [
        max(LEAST, hazard) if middle > shape.mean else hazard
        for middle, hazard in zip(_MIDDLES, hazards, strict=True)
    ]
    return Curve(late, policy.check_worth)


def _drawn(shape: Lognormal, seen: Seen, weight: float) -> list[float]:
    """Return the hazards of a shape, each drawn towards ends over exposure as seen in its bin."""
    exposure = weight * WIDTH
    return [
        (ends + exposure * shape.hazard(place)) / (exposed + exposure)
        for place, (ends, exposed) in enumerate(zip(seen.ends, seen.exposures, strict=True))
    ]


def _fitted(before: Lognormal, hazards: Sequence[float]) -> Lognormal:
    """Return the lognormal with the mean and spread that these hazards give."""
    running = 1.0
    mean = square = 0.0
    for middle, hazard in zip(_MIDDLES, hazards, strict=True):
        if hazard:
            ends = running * -math.expm1(-hazard * WIDTH)
            running -= ends
            mean += ends * middle
            square += ends * middle * middle
    ended = 1 - running
    if ended < FAINT:
        return before
    mean /= ended
    variance = max(0.0, square / ended - mean * mean)
    return Lognormal(mean, min(MAX_SPREAD, max(MIN_SPREAD, math.sqrt(variance))))


def _at_place(table: Sequence[float], place: float) -> float:
    bin_ = int(place)
    return table[bin_] + (table[bin_ + 1] - table[bin_]) * (place - bin_)


def _at_age(table: Sequence[float], age: float) -> float:
    """Return the table's value at an age, by linear interpolation; 0 at the age 0, the last beyond."""
    if age <= AGES[0]:
        return table[0] * max(0.0, age) / AGES[0]
    return table[-1] if age >= AGES[-1] else _between(AGES, table, age)


def _between(steps: Sequence[float], table: Sequence[float], value: float) -> float:
    """Return what a table has where rising steps have a value, by linear interpolation.

    It is not less than the first step, and less than the last.
    """
    stop = bisect_right(steps, value)
    start = stop - 1
    share = (value - steps[start]) / (steps[stop] - steps[start])
    return table[start] + (table[stop] - table[start]) * share
