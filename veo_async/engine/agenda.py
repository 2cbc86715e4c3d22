"""What is due when, soonest first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Agenda"]

SLACK = 64
"""Entries of the past that are not worth clearing away."""

Item = TypeVar("Item")


class Agenda(Generic[Item]):
    """A page for each instant: instants on a grid are few, so that an entry takes eight bytes and no search.

    No entry is taken back: it is passed over or cleared.
    """

    def __init__(self, wanted: Callable[[Item], float]) -> None:
        """`wanted` says which instant holds for an item now; entries at another one are past."""
        self._wanted = wanted
        self._pages: dict[float, tuple[float, list[Item]]] = {}
        self._instants: list[float] = []
        """A heap of those that have a page."""
        self._entries = 0
        self._clear_at = SLACK

    def __len__(self) -> int:
        return self._entries

    def add(self, at: float, item: Item) -> float:
        """Note that an item is due at `at`; returns the instant, one and the same object for all that are."""
        if self._entries >= self._clear_at:
            self._clear()
        page = self._pages.get(at)
        if page is None:
            page = self._pages[at] = (at, [])
            heapq.heappush(self._instants, at)
        page[1].append(item)
        self._entries += 1
        return page[0]

    def first(self) -> float:
        """Return the soonest instant; infinite when nothing is due."""
        while self._instants:
            at = self._instants[0]
            _, items = self._pages[at]
            while items:
                if self._wanted(items[-1]) == at:
                    return at
                items.pop()
                self._entries -= 1
            heapq.heappop(self._instants)
            del self._pages[at]
        return math.inf

    def pop(self) -> Item:
        """Take out the last item that was added for the instant which `first` has just returned."""
        self._entries -= 1
        return self._pages[self._instants[0]][1].pop()

    def _clear(self) -> None:
        """Take out all that is past, as often as the entries have doubled."""
        for at, (_, items) in self._pages.items():
            items[:] = [item for item in items if self._wanted(item) == at]
        self._pages = {at: page for at, page in self._pages.items() if page[1]}
        self._instants = sorted(self._pages)
        self._entries = sum(len(items) for _, items in self._pages.values())
        self._clear_at = 2 * self._entries + SLACK
