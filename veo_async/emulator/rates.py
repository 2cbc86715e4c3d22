"""Quotas: so many requests in any window of so many seconds."""

import math
from collections import deque
from collections.abc import Callable

from veo_async.emulator.refusals import Refusal, RefusedError


class RateGate:
    """Admits at most ``limit`` requests in any half-open window, as a server counts them."""

    def __init__(self, what: str, limit: float | None, window_s: float, clock: Callable[[], float]) -> None:
        """A gate for requests called ``what``; a limit below one stretches the window instead."""
        self._what = what
        self._limit = math.inf if limit is None else max(1, math.floor(limit))
        self._window_s = window_s if limit is None or limit >= 1 else window_s / limit
        self._clock = clock
        self._admitted: deque[float] = deque()

    def admit(self) -> None:
        """Count one request in.

        Raises:
            RefusedError: the window is full; ``retry_after_s`` says when it no longer is. The refused
                request does not count.
        """
        if self._limit == math.inf:
            return
        now = self._clock()
        while self._admitted and self._admitted[0] <= now - self._window_s:
            self._admitted.popleft()
        if len(self._admitted) >= self._limit:
            wait_s = self._admitted[0] + self._window_s - now
            text = f"Quota exceeded for {self._what}. Please retry in {wait_s:.2f}s."
            raise RefusedError(Refusal.RATE, text, retry_after_s=wait_s)
        self._admitted.append(now)
