"""What goes wrong, and how often: each seed draws its own rates."""

from __future__ import annotations

import enum
from bisect import bisect
from collections.abc import Iterable, Mapping
from random import Random
from typing import Final

from attrs import define, field

__all__ = ["Fault", "Weather"]


class Fault(enum.StrEnum):
    """A thing that goes wrong, or that somebody does at a bad moment."""

    # of a submit, before the first byte
    CONNECT = "no connection"
    SLOW_CONNECT = "slow connection"
    # of a submit, sent
    LOST_UNSTARTED = "answer lost, not started"
    LOST_STARTED = "answer lost, started"
    SILENT = "started, then silence"
    LATE = "late answer"
    UNREADABLE = "unreadable acceptance"
    DUPLICATE_NAME = "another's name"
    PAGE_UNSTARTED = "502 page, not started"
    PAGE_STARTED = "502 page, started"
    SERVER_ERROR_UNSTARTED = "500, not started"
    SERVER_ERROR_STARTED = "500, started"
    OVERLOADED = "503"
    REDIRECT = "redirect"
    POLICY = "content policy"
    DURATION_TYPE = "type of the duration"
    RATE_LIMIT = "429 with hint"
    RATE_LIMIT_UNHINTED = "429 without hint"
    RATE_LIMIT_PAGE = "429 page"
    DAY_QUOTA = "429 of the day"
    BAD_KEY = "key revoked"
    NO_BALANCE = "no balance"
    # of a check
    CHECK_CONNECT = "check: no connection"
    CHECK_LOST = "check: answer lost"
    CHECK_LATE = "check: late answer"
    CHECK_SERVER_ERROR = "check: 500"
    CHECK_PAGE = "check: 502 page"
    CHECK_RATE_LIMIT = "check: 429 with hint"
    CHECK_RATE_LIMIT_UNHINTED = "check: 429 without hint"
    CHECK_EARLY_404 = "check: early 404"
    CHECK_GONE = "check: 404 after retention"
    CHECK_EMPTY = "check: done with nothing, once"
    CHECK_FLAP = "check: done seen as running"
    CHECK_OTHER_NAME = "check: another's name"
    CHECK_TYPES = "check: type confusion"
    CHECK_REDIRECT = "check: redirect"
    # of the disk
    DISK_FULL = "disk full"
    DISK_BROKEN = "I/O error"
    DISK_SLOW = "slow commit"
    # of the machine and its people
    CRASH = "crash"
    TEARDOWN = "all tasks cancelled"
    ABORT = "abort"
    DETACH = "detach"
    DRAIN = "drain"
    CLOCK = "wall clock jumps"
    SUSPEND = "suspended"
    LEFT = "awaiter cancelled"
    CANCELLED = "job cancelled"
    ASKED_AGAIN = "same key again"
    RESUBMITTED = "sent again at one's own risk"


SUBMIT_FAULTS: Final[Mapping[Fault, float]] = {
    Fault.LOST_UNSTARTED: 0.06,
    Fault.LOST_STARTED: 0.06,
    Fault.SILENT: 0.04,
    Fault.LATE: 0.2,
    Fault.UNREADABLE: 0.06,
    Fault.DUPLICATE_NAME: 0.06,
    Fault.PAGE_UNSTARTED: 0.04,
    Fault.PAGE_STARTED: 0.04,
    Fault.SERVER_ERROR_UNSTARTED: 0.04,
    Fault.SERVER_ERROR_STARTED: 0.04,
    Fault.OVERLOADED: 0.06,
    Fault.REDIRECT: 0.06,
    Fault.POLICY: 0.1,
    Fault.RATE_LIMIT: 0.3,
    Fault.RATE_LIMIT_UNHINTED: 0.2,
    Fault.RATE_LIMIT_PAGE: 0.1,
    Fault.DAY_QUOTA: 0.04,
}
"""Highest rate of each fault that a sent submit may meet."""

CHECK_FAULTS: Final[Mapping[Fault, float]] = {
    Fault.CHECK_LOST: 0.1,
    Fault.CHECK_LATE: 0.2,
    Fault.CHECK_SERVER_ERROR: 0.1,
    Fault.CHECK_PAGE: 0.1,
    Fault.CHECK_RATE_LIMIT: 0.08,
    Fault.CHECK_RATE_LIMIT_UNHINTED: 0.08,
    Fault.CHECK_EMPTY: 0.1,
    Fault.CHECK_FLAP: 0.1,
    Fault.CHECK_OTHER_NAME: 0.06,
    Fault.CHECK_TYPES: 0.1,
    Fault.CHECK_REDIRECT: 0.03,
}
"""Highest rate of each fault that a sent check may meet."""

OTHER_FAULTS: Final[Mapping[Fault, float]] = {
    Fault.CONNECT: 0.3,
    Fault.SLOW_CONNECT: 0.3,
    Fault.CHECK_CONNECT: 0.2,
    Fault.CHECK_EARLY_404: 0.5,
    Fault.DISK_BROKEN: 0.03,
    Fault.DISK_SLOW: 0.3,
    Fault.CRASH: 0.6,
    Fault.LEFT: 0.5,
    Fault.CANCELLED: 0.7,
    Fault.ASKED_AGAIN: 1.0,
    Fault.RESUBMITTED: 0.6,
}
"""Highest rate of what is drawn by itself."""

OFTEN_NONE = 0.5
"""Share of the faults that a seed leaves out: what hides behind others comes to light that way."""


@define
class Choice:
    """Draws one of several faults, or none."""

    faults: tuple[Fault, ...]
    sums: tuple[float, ...]

    def draw(self, dice: Random) -> Fault | None:
        """Return what goes wrong this time."""
        place = bisect(self.sums, dice.random())
        return self.faults[place] if place < len(self.faults) else None


@define
class Weather:
    """The rates of one seed."""

    submit: Choice
    check: Choice
    rates: Mapping[Fault, float]
    is_fair: bool = field(default=False)
    """Whether it has cleared up."""

    @classmethod
    def drawn(cls, dice: Random) -> Weather:
        """Draw a seed's rates."""
        return cls(
            submit=_choice(_drawn(SUBMIT_FAULTS, dice)),
            check=_choice(_drawn(CHECK_FAULTS, dice)),
            rates=_drawn(OTHER_FAULTS, dice),
        )

    def clear_up(self) -> None:
        """Let nothing go wrong any more."""
        self.submit = self.check = _choice({})
        self.rates = {}
        self.is_fair = True

    def strikes(self, fault: Fault, dice: Random) -> bool:
        """Return whether a fault that is drawn by itself fires now."""
        rate = self.rates.get(fault, 0.0)
        return rate > 0.0 and dice.random() < rate


def _drawn(highest: Mapping[Fault, float], dice: Random) -> dict[Fault, float]:
    return {
        fault: 0.0 if dice.random() < OFTEN_NONE else dice.uniform(0.0, rate)
        for fault, rate in highest.items()
    }


def _choice(rates: Mapping[Fault, float]) -> Choice:
    faults = tuple(fault for fault, rate in rates.items() if rate)
    return Choice(faults, tuple(_running_sums(rates[fault] for fault in faults)))


def _running_sums(rates: Iterable[float]) -> Iterable[float]:
    total = 0.0
    for rate in rates:
        total += rate
        yield total
