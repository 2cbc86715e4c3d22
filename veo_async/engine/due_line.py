"""Who is checked first where there is no room for all that are due: who has likely been done for longest."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from operator import itemgetter
from typing import Final

from veo_async.engine.events import OperationKey
from veo_async.engine.priorities import CHECK_WEIGHT
from veo_async.models import Priority

__all__ = ["DueLine"]

CLOSE_S: Final = 0.25
"""Waits that differ by less are the same."""

Wait = Callable[[OperationKey, float, float], float]
"""The expected undetected wait of an operation, when it was due, and now."""


class _Ranking:
    """Those of one priority, the longest expected undetected wait first, found out lazily.

    No such wait grows faster than time. So `now - wait` as found once is a bound for ever, and only those are
    looked at again whose bound comes up: a handful for each that is taken, however many are due.
    """

    def __init__(self, wait: Wait) -> None:
        self._wait = wait
        self._heap: list[tuple[float, float, OperationKey]] = []
        """Bounds, and when each was due."""
        self._waiting: set[OperationKey] = set()
        self._first: tuple[float, float] | None = None
        """The longest wait, and when it was found."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: OperationKey, due_at: float, bound: float) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            heapq.heappush(self._heap, (bound, due_at, key))
            self._first = None

    def discard(self, key: OperationKey) -> None:
        if key in self._waiting:
            self._waiting.discard(key)
            self._first = None

    def longest(self, now: float) -> float:
        """Return the longest wait, of the operation that `pop` takes; minus infinity when nobody waits."""
        if self._first is None or self._first[1] != now:
            self._first = self._find(now), now
        return self._first[0]

    def clear(self) -> list[OperationKey]:
        """Take all, in no order that matters."""
        keys = [key for _, _, key in sorted(self._heap) if key in self._waiting]
        self._heap.clear()
        self._waiting.clear()
        self._first = None
        return list(dict.fromkeys(keys))

    def pop(self) -> OperationKey:
        """Take the operation that `longest` has just found."""
        self._first = None
        key = heapq.heappop(self._heap)[2]
        self._waiting.discard(key)
        return key

    def _find(self, now: float) -> float:
        heap = self._heap
        while heap:
            bound, due_at, key = heap[0]
            if key not in self._waiting:
                heapq.heappop(heap)
                continue
            wait = self._wait(key, due_at, now)
            if now - wait <= bound + CLOSE_S:
                return wait
            heapq.heapreplace(heap, (now - wait, due_at, key))
        return -math.inf


class DueLine:
    """All that are due. A second counts more for the more urgent; whoever waits long enough has a turn."""

    def __init__(self, wait: Wait) -> None:
        """`wait` must not grow faster than time."""
        self._rankings: dict[Priority, _Ranking] = {priority: _Ranking(wait) for priority in CHECK_WEIGHT}

    def __len__(self) -> int:
        return sum(map(len, self._rankings.values()))

    def add(self, key: OperationKey, priority: Priority, due_at: float, bound: float) -> None:
        """Let an operation wait; its wait is `now - bound` at most. One that waits already stays as it is."""
        self._rankings[priority].add(key, due_at, bound)

    def discard(self, key: OperationKey) -> None:
        """Let an operation wait no more; one that does not is no news."""
        for ranking in self._rankings.values():
            ranking.discard(key)

    def take(self, count: int, now: float) -> tuple[OperationKey, ...]:
        """Take up to `count`, the one that is worth most first; where all go at once, none is weighed."""
        if len(self) <= count:
            return tuple(key for ranking in self._rankings.values() for key in ranking.clear())
        return tuple(self._pop(now) for _ in range(count))

    def _pop(self, now: float) -> OperationKey:
        worths = [
            (CHECK_WEIGHT[priority] * ranking.longest(now), ranking)
            for priority, ranking in self._rankings.items()
            if ranking
        ]
        return max(worths, key=itemgetter(0))[1].pop()
