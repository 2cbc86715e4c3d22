"""What is due when, soonest first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from veo_async.engine.events import OperationKey

__all__ = ["Agenda"]

SLACK = 64
"""Entries of the past that are not worth clearing away."""


class Agenda:
    """A heap of instants and operations. No entry is taken back: it is passed over or cleared."""

    def __init__(self, wanted: Callable[[OperationKey], float]) -> None:
        """`wanted` says which instant holds for an operation now; entries with another one are past."""
        self._wanted = wanted
        self._heap: list[tuple[float, OperationKey]] = []
        self._clear_at = SLACK

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, at: float, key: OperationKey) -> None:
        """Note that an operation is due at `at`."""
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > self._clear_at:
            self._heap = [entry for entry in self._heap if self._wanted(entry[1]) == entry[0]]
            heapq.heapify(self._heap)
            self._clear_at = 2 * len(self._heap) + SLACK

    def first(self) -> float:
        """Return the soonest instant; infinite when nothing is due."""
        heap = self._heap
        while heap:
            at, key = heap[0]
            if self._wanted(key) == at:
                return at
            heapq.heappop(heap)
        return math.inf

    def pop(self) -> OperationKey:
        """Take out the operation whose instant `first` has just returned."""
        return heapq.heappop(self._heap)[1]
