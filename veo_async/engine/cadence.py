"""When a check of an operation is worth most.

With hazard h(t) of finishing at age t, mean lag at a given number of checks is least when their density over
time is proportional to √h (J. B. Keller, Management Science 21, 1974). Waiting times are taken as lognormal;
the prior is documented in `PollPolicy`, and what was seen moves it, recent values weighing more.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from veo_async.engine.events import Profile
from veo_async.options import PollPolicy

__all__ = ["Cadence", "Course", "Estimate", "Plan"]

CHECK_WORTH_S = 1.0
"""Seconds of lag that one request is worth: spacing is √(2 · worth / h)."""
FIRST_LOOKS_S = 10.0
"""Until a few waiting times are known, no gap is longer than what published polling loops sleep."""
KNOWN_AFTER = 5.0
"""Waiting times, by decayed weight, after which the estimate is trusted by itself."""
PRIOR_WEIGHT = 2.0
DECAY = 0.98
"""Weight that what was known keeps with each new waiting time."""
REPLAN_SHARE = 0.1
"""Share of new waiting times after which the plan is made anew; making it costs a quarter millisecond."""
MIN_SPREAD, MAX_SPREAD = 0.08, 3.0
"""No provider is more regular than this, and the gaps would shrink to nothing; past the other, nothing is
known anyway."""
TINY = 1e-9
STEPS_PER_SPREAD = 24
"""Fineness of the numeric integral."""
SPREADS = 4
"""A plan reaches so many spreads to either side of the median; it was not made for what is older."""
TAIL_SHARE = 0.25
"""Gap past the plan, as a share of the age."""


class Estimate:
    """A decayed estimate of the logarithm of one profile's waiting time."""

    __slots__ = ("_mean", "_square", "_weight", "seen")

    def __init__(self, policy: PollPolicy) -> None:
        self._mean = math.log(policy.expected)
        self._square = policy.spread**2
        self._weight = PRIOR_WEIGHT
        self.seen: float = 0.0
        """Weight of what was observed."""

    def learn(self, seconds: float) -> None:
        """Take one waiting time into account."""
        value = math.log(max(seconds, 0.01))
        self._weight = self._weight * DECAY + 1
        self.seen = self.seen * DECAY + 1
        off = value - self._mean
        step = off / self._weight
        self._square += (off * (off - step) - self._square) / self._weight
        self._mean += step

    @property
    def median(self) -> float:
        """Median waiting time in seconds."""
        return math.exp(self._mean)

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithm."""
        return min(MAX_SPREAD, max(MIN_SPREAD, math.sqrt(self._square)))


class Plan:
    """How many checks are worth their while by each age: the integral of √(h/(2·worth)), as a table."""

    __slots__ = ("_ages", "_counts")

    def __init__(self, median: float, spread: float, worth: float = CHECK_WORTH_S) -> None:
        self._ages: list[float] = []
        self._counts: list[float] = []
        steps = SPREADS * STEPS_PER_SPREAD
        count = before = 0.0
        for position in range(-steps, steps + 1):
            z = position / STEPS_PER_SPREAD
            age = median * math.exp(z * spread)
            count += (age - before) * math.sqrt(_hazard(z, age, spread) / (2 * worth))
            before = age
            self._ages.append(age)
            self._counts.append(count)

    def gap(self, age: float) -> float:
        """Return the seconds from a check at `age` to the next one."""
        due = _between(self._ages, self._counts, age) + 1
        if due > self._counts[-1]:
            return TAIL_SHARE * age  # grows with the age, as a lognormal's tail does
        return _between(self._counts, self._ages, due) - age


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Return y at `x` by linear interpolation; past the ends of the table, its last y or a line from 0."""
    position = bisect_right(xs, x)
    if position == len(xs):
        return ys[-1]
    x0, y0 = (xs[position - 1], ys[position - 1]) if position else (0.0, 0.0)
    return y0 + (ys[position] - y0) * (x - x0) / (xs[position] - x0)


def _hazard(z: float, age: float, spread: float) -> float:
    """Return the rate at which a lognormal waiting time ends at `age`, `z` spreads from its median."""
    survival = 0.5 * math.erfc(z / math.sqrt(2))
    if survival < TINY:  # both terms underflow there, and a normal's hazard tends to z
        return z / (spread * age)
    return math.exp(-z * z / 2) / (math.sqrt(2 * math.pi) * spread * age * survival)


class Course:
    """When operations of one profile are checked, and what was learned of them."""

    __slots__ = ("_plan", "_policy", "_unplanned", "estimate")

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._plan: Plan | None = None
        self._unplanned = 0
        self.estimate: Estimate = Estimate(policy)

    def next_gap(self, age: float) -> float:
        """Return the seconds until the next check of an operation that is `age` seconds old."""
        if self._plan is None:
            self._plan = Plan(self.estimate.median, self.estimate.spread)
        longest = self._policy.max_interval
        if self.estimate.seen < KNOWN_AFTER:
            longest = min(FIRST_LOOKS_S, longest)
        return min(longest, max(self._policy.min_interval, self._plan.gap(age)))

    def learn(self, seconds: float) -> None:
        """Take into account that an operation took about `seconds`."""
        self.estimate.learn(seconds)
        self._unplanned += 1
        if self._unplanned >= REPLAN_SHARE * self.estimate.seen:
            self._plan, self._unplanned = None, 0


class Cadence:
    """The courses of all profiles."""

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._courses: dict[Profile, Course] = {}

    def course(self, profile: Profile) -> Course:
        """Return what is known of a profile; one object a profile."""
        course = self._courses.get(profile)
        if course is None:
            course = self._courses[profile] = Course(self._policy)
        return course
