"""Virtual jobs, the loops that check them, and the best that any loop could do."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from veo_async.engine.cadence import Course
from veo_async.options import PollPolicy

WARM_UP = 300
"""Jobs that a scenario begins with and that are not measured, unless it is about beginning or change."""
EVERY_S = 1.2
"""A job begins every so many seconds: fifty a minute."""
LONGEST_GAP_S = 60.0
GRID = 2000
"""Instants that the exact optimum may choose from."""


class Cost(NamedTuple):
    """What a job costs, on average."""

    requests: float
    lag: float


class Loop(Protocol):
    """Says when a job is checked, and is told what was seen."""

    def next_gap(self, age: float) -> float:
        """Return the seconds from a check at an age to the next one."""
        ...

    def running(self, since: float, age: float) -> None:
        """Take note that a job ran from one age to another."""
        ...

    def ended(self, since: float, age: float) -> None:
        """Take note that a job ended between two ages."""
        ...


class Deaf:
    """A loop that learns nothing."""

    def running(self, since: float, age: float) -> None:
        """Do nothing."""

    def ended(self, since: float, age: float) -> None:
        """Do nothing."""


@dataclass
class Fixed(Deaf):
    """Sleeps the same time between two checks, as published loops do."""

    seconds: float = 10.0

    def next_gap(self, age: float) -> float:  # noqa: ARG002
        """Return the same for every age."""
        return self.seconds


@dataclass
class Backoff(Deaf):
    """Begins with a second, and sleeps half as long again each time."""

    cap: float = math.inf
    factor: float = 1.5

    def next_gap(self, age: float) -> float:
        """Return the gap after the checks that have been made by that age."""
        # After k checks the age is (factor**k - 1) / (factor - 1): the next gap follows from the age.
        return min(self.cap, 1 + (self.factor - 1) * age)


@dataclass
class Planned(Deaf):
    """Checks at given ages."""

    ages: Sequence[float]

    def next_gap(self, age: float) -> float:
        """Return the seconds to the next of them; past the last, the longest gap."""
        return next((later - age for later in self.ages if later > age + 1e-9), LONGEST_GAP_S)


@dataclass(frozen=True)
class Scenario:
    """How long jobs take, and what the library is told beforehand."""

    name: str
    draw: Callable[[Random, int], float]
    """How long the job of a number takes."""
    survival: Callable[[float], float]
    """The truth of the jobs that are measured, for the optimum."""
    longest: float
    """Next to no job takes longer."""
    expected: float = 60.0
    skip: int = WARM_UP
    jobs: int | None = None
    """How many jobs are measured; None: as many as asked for."""


def lognormal(name: str, median: float, sigma: float, **facts: float) -> Scenario:
    """Return a scenario in which nothing changes."""
    return Scenario(
        name,
        lambda random, _: random.lognormvariate(math.log(median), sigma),
        lambda age: _survival(age, median, sigma),
        median * math.exp(5 * sigma),
        **facts,  # type: ignore[arg-type]
    )


def slowdown(factor: float = 3.0, sigma: float = 0.2) -> Scenario:
    """Return a scenario in which a median of 60 s grows to `factor` times that from one job to the next."""
    slow = lognormal("", 60 * factor, sigma)

    def draw(random: Random, number: int) -> float:
        return random.lognormvariate(math.log(60 * (factor if number >= WARM_UP else 1)), sigma)

    return Scenario("slows down x3, first 300 jobs", draw, slow.survival, slow.longest, jobs=300)


def two_modes() -> Scenario:
    """Return a scenario in which half the jobs take 30 s and half 150 s."""

    def draw(random: Random, _: int) -> float:
        return random.lognormvariate(math.log(random.choice((30, 150))), 0.1)

    def survival(age: float) -> float:
        return (_survival(age, 30, 0.1) + _survival(age, 150, 0.1)) / 2

    return Scenario("two modes, 30 s and 150 s", draw, survival, 150 * math.exp(0.5))


def _survival(age: float, median: float, sigma: float) -> float:
    return 0.5 * math.erfc(math.log(age / median) / sigma / math.sqrt(2)) if age > 0 else 1.0


def ours(scenario: Scenario, worth: float) -> Loop:
    """Return the library's own cadence, which knows nothing yet."""
    policy = PollPolicy(expected=scenario.expected, check_worth=worth, max_interval=LONGEST_GAP_S)
    return Course(policy)


def run(scenario: Scenario, loop: Loop, jobs: int, seed: int) -> Cost:
    """Follow virtual jobs to their ends, many at a time, and return what one costs."""
    random = Random(seed)
    count = scenario.skip + (scenario.jobs or jobs)
    takes = [scenario.draw(random, number) for number in range(count)]
    requests = lag = 0.0
    queue = [(number * EVERY_S, number, -1.0) for number in range(count)]
    while queue:
        now, number, seen_at = heapq.heappop(queue)
        age = now - number * EVERY_S
        counts = number >= scenario.skip and seen_at >= 0  # else it only begins
        requests += counts
        if age >= takes[number]:
            lag += counts * (age - takes[number])
            loop.ended(seen_at, age)
            continue
        if seen_at >= 0:
            loop.running(seen_at, age)
        heapq.heappush(queue, (now + loop.next_gap(age), number, age))
    return Cost(requests / (count - scenario.skip), lag / (count - scenario.skip))


def run_anew(scenario: Scenario, worth: float, jobs: int, seed: int) -> Cost:
    """Return what a job costs with our own cadence."""
    return run(scenario, ours(scenario, worth), jobs, seed)


def optimum(scenario: Scenario, worth: float) -> Planned:
    """Return the ages at which checks cost least, by dynamic programming over all choices on a fine grid.

    It is told the truth, and a check costs `worth` seconds of lag.
    """
    step = scenario.longest / GRID
    reach = max(1, int(LONGEST_GAP_S / step))
    alive = [scenario.survival(place * step) for place in range(GRID + 1)]
    area = [0.0]  # the integral of the share that runs
    for place in range(GRID):
        area.append(area[-1] + (alive[place] + alive[place + 1]) / 2 * step)
    costs, choices = [0.0] * (GRID + 1), [GRID] * (GRID + 1)
    for place in range(GRID - 1, -1, -1):
        best, choice = math.inf, GRID
        for later in range(place + 1, min(place + reach, GRID) + 1):
            # Of those that run now, who ends by then waits till then.
            lag = alive[place] * (later - place) * step - (area[later] - area[place])
            if lag > best:
                break
            if lag + costs[later] < best:
                best, choice = lag + costs[later], later
        costs[place], choices[place] = best + worth * alive[place], choice
    ages, place = list[float](), 0
    while place < GRID:
        place = choices[place]
        ages.append(place * step)
    return Planned(ages)


def at_lag(cost: Callable[[float], Cost], lag: float) -> Cost:
    """Return the cost with the worth of a check that gives so much lag, 1 % more at most."""
    worth, found = 0.6, Cost(math.inf, 0.0)
    for _ in range(6):
        tried = cost(worth)
        if found.lag < tried.lag <= 1.01 * lag:
            found = tried
        if 0.99 * lag <= found.lag:
            break
        worth *= (lag / tried.lag) ** 2  # lag goes with its root
    return found


def at_requests(cost: Callable[[float], Cost], requests: float) -> Cost:
    """Return the cost with the worth of a check that gives so many requests, 1 % more at most."""
    worth, found = 0.6, Cost(0.0, math.inf)
    for _ in range(6):
        tried = cost(worth)
        if found.requests < tried.requests <= 1.01 * requests:
            found = tried
        if 0.99 * requests <= found.requests:
            break
        worth *= ((tried.requests - 0.5) / (requests - 0.5)) ** 2  # checks go with one over its root
    return found
