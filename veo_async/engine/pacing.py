"""One pacer a quota: windows that hold, a pace that adapts, hints and pauses. Instants, never levels."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from veo_async.options import Rate

__all__ = ["Pacer", "Window"]

PAD_S = 0.05
"""Kept free at a window's end, so that what holds here holds at the server too."""
PAD_SHARE = 0.05
"""… but never more than this share of the window, so that nine tenths of the rate stay usable."""
GRAIN_SHARE = 0.025
"""Of a window, to which the instants of free slots may be rounded up, for fewer wake-ups."""
FALL = 0.88
"""What is left of the pace after the server says it was too fast."""
FALL_EVERY_S = 70.0
"""One crowd of 429s counts once: one overshoot fills a minute's window at the server, and is felt as long."""
CROWD, SLUMP = 10, 0.5
"""So many more 429s than successes since the last fall are no overshoot: the pace is far off, and halved."""
GAPS = 1.25
"""After a 429 nothing is sent for so many gaps of the pace, or for as long as the server asks."""
RISE_PER_MINUTE = 0.075
"""Gained back with each success. A fall is made up for within two minutes, whatever the pace."""
QUIET_S, QUIET_RISE_PER_MINUTE = 150.0, 0.7
"""So long without a fall means that the quota has risen, and more is gained: twice the pace in a minute."""
# All these were chosen by benchmarks/limits.py: servers that count in a window of any 60 s, by minutes of the
# clock or in a bucket, with hints and without, are used to 94 % at 60 to 125 answers 429 an hour.
FLOOR_PER_MINUTE = 1.0
BURST_S = 0.25
"""Unused pace that may be caught up in one go, so that slow pace does not mean many wake-ups."""


class Window:
    """At most `count` sends in any half-open window of `per` seconds, as the server counts them.

    A send takes one of `count` slots when it is granted and gives it back a window after its first byte
    could leave. So no two sends in one slot reach the server within one window, whatever the network did
    between grant and send.
    """

    __slots__ = ("_count", "_frees", "_per", "_taken")

    def __init__(self, rate: Rate) -> None:
        self._count = rate.count
        self._per = rate.per + min(PAD_S, PAD_SHARE * rate.per)
        self._taken = 0
        self._frees: list[float] = []

    def free(self, now: float) -> int:
        """Return how many sends fit now."""
        frees = self._frees
        while frees and frees[0] <= now:
            heapq.heappop(frees)
        return self._count - self._taken - len(frees)

    def free_at(self, now: float) -> float:
        """Return the first instant at which one send fits; infinite while all slots are under way."""
        if self.free(now) > 0:
            return now
        return self._frees[0] if self._frees else math.inf

    def take(self, count: int) -> None:
        """Take slots for sends that begin now."""
        self._taken += count

    def give_back(self, sent_at: float | None) -> None:
        """End one send: its slot frees a window after `sent_at`, or at once when nothing was sent."""
        self._taken -= 1
        if sent_at is not None:
            heapq.heappush(self._frees, sent_at + self._per)


class Pacer:
    """Says how many requests of one quota may go now, and when the next may."""

    def __init__(self, rates: Sequence[Rate], *, max_hint: float) -> None:
        self._windows = tuple(Window(rate) for rate in rates)
        self._max_hint = max_hint
        self._top = _per_minute(rates)
        self._floor = min(FLOOR_PER_MINUTE, FALL * self._top)
        self._pace = self._top
        self._next_at = -math.inf
        self._fell_at = -math.inf
        self._excess = 0
        self._hinted_until = -math.inf
        self._held_until = -math.inf
        self.grain: float = min(GRAIN_SHARE * rate.per for rate in rates)
        """Seconds to which instants of free slots may be rounded up."""

    @property
    def per_minute(self) -> float:
        """The pace now: what is stated, or less after the server said it was too fast."""
        return self._pace

    @property
    def top_per_minute(self) -> float:
        """The pace that is stated."""
        return self._top

    @property
    def hinted_until(self) -> float:
        """The server asked that nothing begin before this instant; minus infinity when it never did."""
        return self._hinted_until

    @property
    def held_until(self) -> float:
        """Nothing begins before this instant."""
        return max(self._hinted_until, self._held_until)

    def room(self, now: float) -> int:
        """Return how many sends may begin now."""
        if now < self.held_until:
            return 0
        free = min(window.free(now) for window in self._windows)
        return min(free, self._caught_up(now)) if self._pace < self._top else free

    def take(self, count: int, now: float) -> None:
        """Take `count` sends that begin now, no more than there is room for."""
        for window in self._windows:
            window.take(count)
        if self._pace < self._top:
            self._next_at = self._spaced_from(now) + count * 60.0 / self._pace

    def free_at(self, now: float) -> float:
        """Return the first instant at which one send may begin; infinite when only an answer frees one."""
        spaced = self._next_at if self._pace < self._top else now
        return max(now, self.held_until, spaced, *(window.free_at(now) for window in self._windows))

    def ended(self, sent_at: float | None) -> None:
        """End one send; `sent_at` is when its first byte could leave, None when none did."""
        for window in self._windows:
            window.give_back(sent_at)

    def succeeded(self, now: float) -> None:
        """Gain pace back after an answer that was no complaint."""
        rise = QUIET_RISE_PER_MINUTE if now >= self._fell_at + QUIET_S else RISE_PER_MINUTE
        self._pace = min(self._top, self._pace + rise)
        self._excess -= 1

    def throttled(self, hint: float | None, now: float) -> None:
        """Slow down after a 429, and hold everything until the server's hint has passed."""
        self._excess += 1
        if now >= self._fell_at + FALL_EVERY_S:
            self._fall(FALL, now)
        elif self._excess >= CROWD:
            self._fall(SLUMP, now)
        self._next_at = max(self._next_at, now + min(GAPS * 60.0 / self._pace, self._max_hint))
        self.hint(hint, now)

    def _fall(self, share: float, now: float) -> None:
        self._fell_at, self._excess = now, 0
        self._pace = max(self._floor, self._pace * share)

    def hint(self, seconds: float | None, now: float) -> None:
        """Hold everything for as long as the server asks, within bounds."""
        if seconds is not None:
            self._hinted_until = max(self._hinted_until, now + min(seconds, self._max_hint))

    def hold(self, until: float) -> None:
        """Let nothing begin before `until`."""
        self._held_until = max(self._held_until, until)

    def release(self) -> None:
        """End every hold of ours; what the server asked for stays."""
        self._held_until = -math.inf

    def _spaced_from(self, now: float) -> float:
        """Return where spacing counts from: pace left unused is kept for one burst only."""
        return max(self._next_at, now - BURST_S)

    def _caught_up(self, now: float) -> int:
        start = self._spaced_from(now)
        return 1 + int((now - start) * self._pace / 60.0) if now >= start else 0


def _per_minute(rates: Sequence[Rate]) -> float:
    """Return the pace that the rates allow now: a day's rate beside a minute's holds by its window alone."""
    longest = max(60.0, min(rate.per for rate in rates))
    return min(60.0 * rate.count / rate.per for rate in rates if rate.per <= longest)
