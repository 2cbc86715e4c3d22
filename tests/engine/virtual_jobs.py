"""Virtual jobs checked as a `Course` says: thousands of virtual hours in seconds."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from random import Random

from attrs import field, frozen

from veo_async.engine.cadence import Course
from veo_async.models import Eta

Draw = Callable[[Random, int], float]
"""How long a job takes, by its number."""


def lognormal(median: float, spread: float) -> Draw:
    return lambda random, _: random.lognormvariate(math.log(median), spread)


def slowdown(at: int, factor: float = 3.0, spread: float = 0.2) -> Draw:
    """Return 60 s, and `factor` times that from the job `at` on."""
    return lambda random, number: random.lognormvariate(
        math.log(60 * (factor if number >= at else 1)), spread
    )


def two_modes(random: Random, _: int) -> float:
    return random.lognormvariate(math.log(30 if random.random() < 0.5 else 150), 0.1)


@frozen
class Look:
    """What was foretold at one instant, and what came."""

    eta: Eta
    left: float


@frozen
class Log:
    """What jobs cost, by their number."""

    lags: list[float] = field(factory=list[float])
    checks: list[int] = field(factory=list[int])
    gaps: list[float] = field(factory=list[float])
    looks: list[Look] = field(factory=list[Look])

    def means(self, first: int, last: int | None = None) -> tuple[float, float]:
        """Return the mean lag and the mean number of checks."""
        lags, checks = self.lags[first:last], self.checks[first:last]
        return sum(lags) / len(lags), sum(checks) / len(checks)


def follow(
    course: Course, draw: Draw, count: int, *, every: float = 1.2, seed: int = 5, look_from: int | None = None
) -> Log:
    """Begin a job every so many seconds and check each until it is found done."""
    random, turns = Random(seed), Random(seed + 1)
    takes = [draw(random, number) for number in range(count)]
    log = Log([0.0] * count, [0] * count)
    queue = [(number * every, number, -1.0) for number in range(count)]
    while queue:
        now, number, running_at = heapq.heappop(queue)
        age = now - number * every
        if running_at >= 0:
            log.checks[number] += 1
            if age >= takes[number]:
                log.lags[number] = age - takes[number]
                course.ended(running_at, age)
                continue
            course.running(running_at, age)
        if look_from is not None and number >= look_from and takes[number] > age:
            log.looks.append(Look(course.eta(age, age), takes[number] - age))
        gap = course.next_gap(age)
        log.gaps.append(gap)
        heapq.heappush(queue, (now + gap * (1 + 1e-9 * turns.random()), number, age))
    return log
