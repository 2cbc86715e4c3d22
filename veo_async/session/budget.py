"""What would pass `max_cost` is refused when it is asked for, before it waits for its turn.

The ledger has the last word: it holds `Caps` in the very transaction that arms a job.
"""

from __future__ import annotations

from collections.abc import Iterable

from veo_async.engine.lifecycle import FINAL
from veo_async.errors import BudgetExceededError
from veo_async.ledger.records import JobRecord

__all__ = ["Budget"]

A_CENT = 0.01
"""Estimates are added up as floats, so a limit is met to half a cent."""


class Budget:
    """Holds the estimates of all jobs that cost or may cost something, queued ones too, against a limit."""

    def __init__(self, limit: float | None) -> None:
        """Hold against `limit` USD; None: no limit."""
        self.limit = limit
        self._open: dict[str, float] = {}
        self._spent = 0.0
        """Of jobs that ended, in one sum: they may be many."""

    def update(self, records: Iterable[JobRecord]) -> None:
        """Count the jobs of a ledger."""
        for record in records:
            if record.cost_estimate is not None:
                self._open[record.id] = record.cost_estimate
            if record.state in FINAL:
                self.ended(record)

    def reserve(self, record: JobRecord) -> None:
        """Count a new job.

        Raises:
            BudgetExceededError: It would pass the limit, or its price is not known; nothing was counted.
        """
        if self.limit is None:
            return
        if record.cost_estimate is None:
            raise BudgetExceededError(
                f"no price is known for model {record.model}, so max_cost cannot hold: leave it out, or "
                "use a model of the catalogue"
            )
        asked = sum(self._open.values(), self._spent)
        if asked + record.cost_estimate > self.limit + A_CENT / 2:
            raise BudgetExceededError(
                f"about ${record.cost_estimate:.2f} on top of ${asked:.2f} would pass "
                f"max_cost=${self.limit:.2f}; nothing was sent. Raise max_cost to go on"
            )
        self._open[record.id] = record.cost_estimate

    def ended(self, record: JobRecord) -> None:
        """Count a job that is final as it is now: what is known to cost nothing is let go."""
        estimate = self._open.pop(record.id, 0.0)
        if record.outcome is None or record.outcome.billed != "no":
            self._spent += estimate

    def release(self, job_id: str) -> None:
        """Count a job no longer."""
        self._open.pop(job_id, None)
