"""The retry budget of a provider: what goes wrong all the time is not asked for all the more."""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["THROTTLED", "TOKENS", "TRANSIENT", "UNCOVERED_WAIT_S", "RetryBudget"]

TOKENS = 500
TRANSIENT = 14
"""Tokens for a retry after a failure that passes."""
THROTTLED = 5
"""Tokens for a retry after "too fast". All three are the figures of AWS's SDKs."""
UNCOVERED_WAIT_S = 60.0
"""Least wait before a submit's retry that the budget does not cover."""


class RetryBudget:
    """Tokens that retries cost and successes bring back, one budget for all requests to a provider.

    A retry it does not cover is not given up but waits for as long as the next regular request would: then it
    is no retry but a probe, and its success brings tokens. So nothing is lost, and nothing stands still.
    """

    def __init__(self) -> None:
        self._paid: dict[Hashable, int] = {}
        self.tokens: int = TOKENS
        """What is left."""

    def covers(self, whose: Hashable, cost: int) -> bool:
        """Take what a retry costs; False, with nothing taken, when too little is left.

        Args:
            whose: The job or operation that is tried again.
            cost: `TRANSIENT` or `THROTTLED`.
        """
        if self.tokens < cost:
            return False
        self.tokens -= cost
        self._paid[whose] = self._paid.get(whose, 0) + cost
        return True

    @property
    def is_full(self) -> bool:
        """Nothing was taken that a success could bring back."""
        return not self._paid and self.tokens == TOKENS

    def succeeded(self, whose: Hashable) -> None:
        """Give back what the retries of one have cost; a success at the first try brings one token."""
        self.tokens = min(TOKENS, self.tokens + self._paid.pop(whose, 1))

    def forget(self, whose: Hashable) -> None:
        """Keep what the retries of one have cost: it is over without a success."""
        self._paid.pop(whose, None)
