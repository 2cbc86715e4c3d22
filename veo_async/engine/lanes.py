"""A quota's pacer together with what makes the quota stand still: a refused key, no money, no connection."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Sequence
from random import Random
from typing import Final

from veo_async.answers import NotSent, RefusalKind, Refused
from veo_async.engine.events import Action, Announce, Lift, Pause, Quota
from veo_async.engine.pacing import Pacer
from veo_async.engine.retries import ceilings
from veo_async.engine.retry_budget import TRANSIENT, UNCOVERED_WAIT_S, RetryBudget
from veo_async.engine.standings import Standing
from veo_async.options import Rate, RetryPolicy

__all__ = ["CREDENTIAL", "Lane"]

CREDENTIAL: Final = frozenset({RefusalKind.AUTHENTICATION, RefusalKind.BALANCE})
"""Refusals that hold for everything that is asked with the same key."""

PROBE_FIRST_S = 60.0
PROBE_MAX_S = 300.0
"""A lane that may try a refused key by itself does so after one minute, then ever more seldom."""
DAY_S = 86_400.0
SHORTEST_WAIT_SHARE = 0.1
"""Of a jittered wait, so that a crowd of simultaneous failures counts as one."""


class Lane:
    """All requests of one quota: when they may go, and why not."""

    def __init__(
        self, quota: Quota, rates: Sequence[Rate], policy: RetryPolicy, budget: RetryBudget, random: Random
    ) -> None:
        self.quota = quota
        self._budget = budget
        self.pacer: Pacer = Pacer(rates, max_hint=policy.max_hint)
        self.pause: Pause | None = None
        """Announced; ends with `lift`."""
        self._policy = policy
        self._random = random
        self._under_way = 0
        self._failures = 0
        self._waits: Iterator[float] | None = None
        self._trouble_at = -math.inf
        self._probe_gap = PROBE_FIRST_S
        self._probe_at = -math.inf

    def room(self, now: float) -> int:
        """Return how many requests may begin now: one at a time, as a probe, while things look bad."""
        room = self.pacer.room(now)
        return min(room, 0 if self._under_way else 1) if self._is_probing else room

    def take(self, count: int, now: float) -> None:
        """Take `count` requests that begin now, no more than there is room for."""
        self.pacer.take(count, now)
        self._under_way += count

    def free_at(self, now: float) -> float:
        """Return the first instant at which a request may begin; infinite when only an event can tell."""
        if self._is_probing and self._under_way:
            return math.inf
        return self.pacer.free_at(now)

    def standing(self) -> Standing:
        """Return how the quota stands."""
        pacer = self.pacer
        return Standing(
            quota=self.quota,
            per_minute=pacer.per_minute,
            top_per_minute=pacer.top_per_minute,
            hinted_until=pacer.hinted_until,
            held_until=pacer.held_until,
            pause=self.pause,
        )

    @property
    def _is_probing(self) -> bool:
        return self._failures > 0 or self.pause is not None

    def ended(self, sent_at: float | None) -> None:
        """End one request."""
        self._under_way -= 1
        self.pacer.ended(sent_at)

    def is_news(self, sent_at: float) -> bool:
        """Return whether an answer tells of now: what was sent before the trouble says nothing of it."""
        return sent_at >= self._trouble_at

    def reached(self) -> list[Action]:
        """Take note of an answer that is news, whatever it says: there is a connection."""
        if self._failures:
            self._budget.succeeded(self.quota)
        self._failures = 0
        self._waits = None
        return self.lift() if self.pause and self.pause.kind is None else []

    def works(self) -> list[Action]:
        """Take note of an answer that is news and shows key and money to be in order."""
        self._probe_gap = PROBE_FIRST_S
        return self.lift()

    def lift(self) -> list[Action]:
        """End a pause, where there is one."""
        if self.pause is None:
            return []
        self._budget.forget(self.quota)
        self.pause, self._failures, self._waits = None, 0, None
        self._probe_at = -math.inf
        self.pacer.release()
        return [Lift(self.quota)]

    def clear(self, causes: Collection[RefusalKind | None]) -> list[Action]:
        """End a pause for one of these causes."""
        return self.lift() if self.pause is not None and self.pause.kind in causes else []

    def refused(self, answer: Refused, now: float, *, probe: bool) -> list[Action]:
        """Stand still after a refused key or for want of money; `probe` lets one request try again later."""
        if not probe:
            self.pacer.hold(math.inf)
        elif now >= self._probe_at:  # else one of a crowd, which counts once
            self._probe_at = now + self._probe_gap
            self._probe_gap = min(PROBE_MAX_S, 2 * self._probe_gap)
            self.pacer.hold(self._probe_at)
        return self._announce(Pause(answer.kind, answer), now)

    def exhausted(self, answer: Refused, now: float, reset_in: float | None) -> list[Action]:
        """Stand still after a long window's quota is used up.

        Until the hint, else until `reset_in` seconds have passed, else until someone resumes; a day at most
        where either of the first two is known. Then one request tries.
        """
        wait = reset_in if answer.retry_after is None else answer.retry_after
        self.pacer.hold(now + (math.inf if wait is None else min(wait, DAY_S)))
        return self._announce(Pause(answer.kind, answer), now)

    def stumbled(self, whose: Hashable, now: float) -> None:
        """Wait with growing, jittered gaps before what met a server error is sent again."""
        self.pacer.hold(now + self._covered_wait(whose))

    def unreachable(self, answer: NotSent, now: float) -> list[Action]:
        """Wait with growing, jittered gaps after a failure to connect; say so when it does not pass."""
        if now < self.pacer.held_until:
            return []  # one of a crowd that began before the first failure was seen
        self._failures += 1
        self._trouble_at = now
        self.pacer.hold(now + (math.inf if answer.permanent else self._covered_wait(self.quota)))
        if not answer.permanent and self._failures < self._policy.unsent_attempts:
            return []
        return self._announce(Pause(None, answer), now)

    def _announce(self, pause: Pause, now: float) -> list[Action]:
        known, self.pause = self.pause, pause
        self._trouble_at = now
        return [] if known is not None and _is_same(known, pause) else [Announce(self.quota, pause)]

    def _covered_wait(self, whose: Hashable) -> float:
        wait = self._wait()
        return wait if self._budget.covers(whose, TRANSIENT) else max(wait, UNCOVERED_WAIT_S)

    def _wait(self) -> float:
        if self._waits is None:
            self._waits = ceilings(self._policy)
        ceiling = next(self._waits)
        return self._random.uniform(SHORTEST_WAIT_SHARE * ceiling, ceiling)


def _is_same(known: Pause, pause: Pause) -> bool:
    """Return whether those who wait know of it: not where what passes by itself turned into what does not."""
    lasts = [isinstance(one.answer, NotSent) and one.answer.permanent for one in (known, pause)]
    return known.kind == pause.kind and lasts[0] == lasts[1]
