"""What the jobs of a ledger cost or may cost, by estimate, and the caps on it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from attrs import field, frozen

from veo_async.engine.lifecycle import FINAL, State
from veo_async.errors import Billed, BudgetExceededError, ConfigurationError
from veo_async.ledger.records import JobRecord

__all__ = ["Account", "Accounts", "Caps", "accounts", "billed", "check_caps", "tally", "word_for"]

_MICRO: Final = 1_000_000
_NEVER_SENT: Final = frozenset({State.QUEUED, State.WITHDRAWN})
_HALF_A_CENT: Final = 5_000
"""Prices are estimates to a cent, so a cap is met to half of one."""


@frozen
class Account:
    """Some jobs and their money."""

    jobs: int = 0
    micros: int = field(default=0, repr=False)
    """Millionths of a USD, by estimate: sums of whole numbers come out the same in every order."""
    unpriced: int = 0
    """Jobs among them whose price is not known; they add nothing to the money."""

    @property
    def usd(self) -> float:
        """USD by estimate."""
        return self.micros / _MICRO

    def __add__(self, other: Account) -> Account:
        return Account(self.jobs + other.jobs, self.micros + other.micros, self.unpriced + other.unpriced)

    def __sub__(self, other: Account) -> Account:
        return Account(self.jobs - other.jobs, self.micros - other.micros, self.unpriced - other.unpriced)


NOTHING: Final = Account()
Place = tuple[State, Billed]


@frozen
class Accounts:
    """All jobs of a ledger: how many, and how much money, by state and by what is known of the bill."""

    asked: Account = NOTHING
    """Every job, counted on its own: it must be the sum of the rest (`balanced`)."""
    parts: Mapping[Place, Account] = field(factory=dict[Place, Account])

    def of(self, *states: State) -> Account:
        """Return the jobs in some states."""
        return sum((part for (state, _), part in self.parts.items() if state in states), NOTHING)

    def billed(self, *words: Billed) -> Account:
        """Return the jobs of which "no", "yes" or "unknown" is known of their bill."""
        return sum((part for (_, word), part in self.parts.items() if word in words), NOTHING)

    @property
    def queued(self) -> Account:
        """Not sent yet."""
        return self.of(State.QUEUED)

    @property
    def armed(self) -> Account:
        """Being sent."""
        return self.of(State.ARMED)

    @property
    def running(self) -> Account:
        """The provider has them."""
        return self.of(State.RUNNING)

    @property
    def final(self) -> Account:
        """Ended, one way or another."""
        return self.of(*FINAL)

    @property
    def unknown(self) -> Account:
        """Sent, and no readable answer came."""
        return self.of(State.UNKNOWN)

    @property
    def balanced(self) -> bool:
        """Whether asked = queued + armed + running + final + unknown: no job is lost, none counted twice."""
        return self.asked == self.queued + self.armed + self.running + self.final + self.unknown

    def with_new(self, record: JobRecord) -> Accounts:
        """Return the accounts with one more job."""
        one, place = _one(record), _place(record)
        return Accounts(self.asked + one, {**self.parts, place: self.parts.get(place, NOTHING) + one})

    def with_moved(self, before: JobRecord, after: JobRecord) -> Accounts:
        """Return the accounts after a job moved."""
        one = _one(after)
        parts = dict(self.parts)
        left, entered = _place(before), _place(after)
        parts[left] = parts.get(left, NOTHING) - one
        parts[entered] = parts.get(entered, NOTHING) + one
        return Accounts(self.asked, parts)


@frozen(kw_only=True)
class Caps:
    """How much money may be at stake; None: no limit."""

    max_cost: float | None = None
    """USD, by estimate: all that was or may be billed, the job about to be sent included."""
    max_unknown_cost: float | None = None
    """USD, by estimate: all unknown jobs; past it nothing more is sent. An unknown job without a price counts
    as past every limit."""

    def __attrs_post_init__(self) -> None:
        for name, limit in (("max_cost", self.max_cost), ("max_unknown_cost", self.max_unknown_cost)):
            if limit is not None and not limit >= 0:
                raise ConfigurationError(f"{name} must be 0 or more USD, not {limit}")


def accounts(records: Iterable[JobRecord]) -> Accounts:
    """Return the accounts of some jobs."""
    return tally((*_place(record), record.cost_estimate, 1) for record in records)


def tally(groups: Iterable[tuple[State, Billed, float | None, int]]) -> Accounts:
    """Return the accounts of jobs in groups: a state, what is known of the bill, a price, how many."""
    asked, parts = NOTHING, dict[Place, Account]()
    for state, word, price, count in groups:
        some = _some(price, count)
        asked += some
        parts[state, word] = parts.get((state, word), NOTHING) + some
    return Accounts(asked, parts)


def billed(record: JobRecord) -> Billed:
    """Return what is known of a job's bill: what has not been sent is not billed, what was sent may be."""
    return word_for(record.state, None if record.outcome is None else record.outcome.billed)


def word_for(state: State, word: str | None) -> Billed:
    """Return what is known of a job's bill, given what its outcome says (None: it has none)."""
    if state in _NEVER_SENT or word == "no":
        return "no"
    return "yes" if word == "yes" else "unknown"


def check_caps(caps: Caps, record: JobRecord, before: Accounts) -> None:
    """Hold a job that is about to be sent against the caps.

    Args:
        caps: The limits.
        record: The job, still queued.
        before: The accounts of its ledger, that job in them.

    Raises:
        BudgetExceededError: A limit would be passed, or cannot be held because a price is not known.
    """
    _check_cost(caps.max_cost, record, before)
    _check_unknown_cost(caps.max_unknown_cost, record, before)


def _check_cost(limit: float | None, record: JobRecord, before: Accounts) -> None:
    if limit is None:
        return
    one = _one(record)
    if one.unpriced:
        raise BudgetExceededError(
            f"no price is known for model {record.model}, so max_cost cannot hold: leave it out, or use a "
            "model of the catalogue",
            job_id=record.id,
        )
    spent = before.billed("yes", "unknown")
    if spent.micros + one.micros > limit * _MICRO + _HALF_A_CENT:
        raise BudgetExceededError(
            f"about ${one.usd:.2f} on top of ${spent.usd:.2f} that is or may be billed would pass "
            f"max_cost=${limit:.2f}; nothing was sent. Raise max_cost to go on",
            job_id=record.id,
        )


def _check_unknown_cost(limit: float | None, record: JobRecord, before: Accounts) -> None:
    unknown = before.unknown
    if limit is None or (not unknown.unpriced and unknown.micros <= limit * _MICRO + _HALF_A_CENT):
        return
    unpriced = f" and {unknown.unpriced} without a known price" if unknown.unpriced else ""
    raise BudgetExceededError(
        f"{unknown.jobs} unknown jobs may cost ${unknown.usd:.2f}{unpriced}, which passes "
        f"max_unknown_cost=${limit:.2f}; nothing was sent. Find out what became of them "
        "(`veo-async audit`), or raise max_unknown_cost to go on",
        job_id=record.id,
    )


def _place(record: JobRecord) -> Place:
    return record.state, billed(record)


def _one(record: JobRecord) -> Account:
    return _some(record.cost_estimate, 1)


@lru_cache  # prices are few, and this runs for every move
def _some(price: float | None, jobs: int) -> Account:
    if price is None or not math.isfinite(price):
        return Account(jobs, 0, jobs)
    return Account(jobs, round(price * _MICRO) * jobs)
