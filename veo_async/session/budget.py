"""The money that jobs may cost, by estimate."""

from __future__ import annotations

from collections.abc import Iterable

from veo_async.engine.lifecycle import State
from veo_async.errors import BudgetExceededError, ConfigurationError
from veo_async.ledger.records import JobRecord

__all__ = ["Budget"]

A_CENT = 0.01
"""Estimates are added up as floats, so a limit is met to half a cent."""

_MAY_COST = frozenset(
    {State.QUEUED, State.ARMED, State.RUNNING, State.SUCCEEDED, State.EXPIRED, State.UNKNOWN}
)


class Budget:
    """Holds the estimates of all jobs that cost or may cost something against a limit."""

    def __init__(self, limit: float | None) -> None:
        """Hold against `limit` USD; None: no limit."""
        if limit is not None and not limit >= 0:
            raise ConfigurationError(f"max_cost must be 0 or more USD, not {limit}")
        self.limit = limit
        self._estimates: dict[str, float] = {}

    @property
    def spent(self) -> float:
        """USD that the jobs cost or may cost together, by estimate."""
        return sum(self._estimates.values())

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
        if self.spent + record.cost_estimate > self.limit + A_CENT / 2:
            raise BudgetExceededError(
                f"about ${record.cost_estimate:.2f} on top of ${self.spent:.2f} would pass "
                f"max_cost=${self.limit:.2f}; nothing was sent. Raise max_cost to go on"
            )
        self._estimates[record.id] = record.cost_estimate

    def update(self, records: Iterable[JobRecord]) -> None:
        """Count jobs as they stand now: what ended without a video costs nothing."""
        if self.limit is None:
            return
        for record in records:
            if record.state in _MAY_COST and record.cost_estimate is not None:
                self._estimates[record.id] = record.cost_estimate
            else:
                self._estimates.pop(record.id, None)

    def release(self, job_id: str) -> None:
        """Count a job no longer."""
        self._estimates.pop(job_id, None)
