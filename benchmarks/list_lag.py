"""Lag and requests where a provider lists its operations: `PollScheduler` against a virtual list endpoint.

Pure and seeded. A list is newest first and holds all that ever were.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from random import Random

from attrs import define, field
from lag_model import Cost

from veo_async import Limits, PollPolicy, PollScheduler, Rate
from veo_async.answers import Finished, Listed, Running
from veo_async.dialects.gemini import PAGE_SIZE
from veo_async.engine.events import (
    Action,
    Check,
    CheckEnded,
    CheckList,
    Event,
    ListEnded,
    OperationKey,
    OperationOpened,
    Profile,
    Resolve,
)
from veo_async.models import Result, Succeeded, Video

MODEL = "veo"
EVERY_S = 0.25
"""A job begins each quarter of a second: 280 or so are pending."""
MEDIAN_S = 60.0
SHORTEST_S = 0.75
"""`min_interval`, which lists keep too: at the default of 1 s their grid alone is a tenth of the fixed loop's
lag, and requests are a nineteenth."""
DONE = Finished(outcome=Succeeded(result=Result(videos=(Video(uri="x"),))))


@define
class World:
    """A provider in virtual time, and what was asked of it."""

    ends: Sequence[float]
    requests: int = 0
    lags: list[float] = field(factory=list[float])

    def answer(self, number: int, now: float) -> Running | Finished:
        """Return how an operation stands."""
        return DONE if self.ends[number] <= now else Running()

    def page(self, token: str | None, now: float) -> Listed:
        """Return a page of the list."""
        newest = min(len(self.ends), int(now / EVERY_S) + 1) - int(token or 0)
        oldest = max(0, newest - PAGE_SIZE)
        answers = {name(number): self.answer(number, now) for number in reversed(range(oldest, newest))}
        next_page_token = str(int(token or 0) + PAGE_SIZE) if oldest else None
        return Listed(answers=dict(answers), next_page_token=next_page_token)

    def do(self, action: Action, now: float) -> Iterator[Event]:
        """Carry an action out at once, and yield what comes back."""
        match action:
            case Check(keys):
                self.requests += len(keys)
                yield from (CheckEnded(key, self.answer(number_of(key.name), now), now) for key in keys)
            case CheckList(parent, token):
                self.requests += 1
                yield ListEnded(parent, self.page(token, now), now)
            case Resolve(key):
                self.lags.append(now - self.ends[number_of(key.name)])
            case _:
                pass


def name(number: int) -> str:
    """Return the name of an operation."""
    return f"models/{MODEL}/operations/{number}"


def number_of(operation: str) -> int:
    """Return the number in the name of an operation."""
    return int(operation.rpartition("/")[2])


def play(jobs: int, sigma: float, seed: int) -> Cost:
    """Follow jobs to their ends, and return what one costs."""
    random = Random(seed)
    born = [number * EVERY_S for number in range(jobs)]
    world = World([at + random.lognormvariate(math.log(MEDIAN_S), sigma) for at in born])
    scheduler = PollScheduler(
        limits=Limits(checks=Rate(1000, per=1)),
        policy=PollPolicy(min_interval=SHORTEST_S),
        seed=seed,
        parent_of=lambda _: MODEL,
    )
    coming = deque(enumerate(born))
    now = 0.0
    while len(world.lags) < jobs:
        events: list[Event] = []
        while coming and coming[0][1] <= now:
            key = OperationKey("provider", name(coming.popleft()[0]))
            events.append(OperationOpened(key, Profile(MODEL)))
        while actions := scheduler.handle(*events, now=now):
            events = [event for action in actions for event in world.do(action, now)]
            if not events:
                break
        wake_at = scheduler.next_wakeup()
        now = min(math.inf if wake_at is None else wake_at, coming[0][1] if coming else math.inf)
    return Cost(world.requests / jobs, sum(world.lags) / jobs)
