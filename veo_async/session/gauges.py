"""What is measured while a session works: lags, what stands still, what is known of waiting times."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from veo_async.answers import RefusalKind
from veo_async.engine.cadence import Course
from veo_async.engine.events import SUBMITS, Pause, Profile, Quota, Resolve
from veo_async.engine.histogram import Histogram
from veo_async.engine.scheduler import PollScheduler
from veo_async.engine.standings import Standing
from veo_async.errors import BudgetExceededError, LedgerError
from veo_async.session.events import StandstillReason
from veo_async.session.reports import Lag, Standstill, WaitingTime

__all__ = ["Gauges"]

_REASONS: Final[Mapping[RefusalKind, StandstillReason]] = {
    RefusalKind.AUTHENTICATION: "authentication",
    RefusalKind.BALANCE: "balance",
    RefusalKind.QUOTA: "quota",
}
_Hindrance = LedgerError | BudgetExceededError | None


class Gauges:
    """Reads the scheduler for people: its instants become those of the wall clock."""

    def __init__(self, scheduler: PollScheduler, hindrance: Callable[[], _Hindrance]) -> None:
        """Read `scheduler`; `hindrance` says what keeps submits on this machine, if anything does."""
        self._scheduler = scheduler
        self._hindrance = hindrance
        self._lags = Histogram()

    def found(self, action: Resolve) -> None:
        """Count how late the end of an operation was found."""
        if action.lag is not None:
            self._lags.add(action.lag)

    def lag(self) -> Lag | None:
        """Return how late ends were found; None before the first."""
        lags = self._lags
        if not lags.seen:
            return None
        p50, p90, p99 = map(lags.quantile, (0.5, 0.9, 0.99))
        return Lag(seen=lags.seen, p50=p50, p90=p90, p99=p99, max=lags.max)

    def standstills(self) -> tuple[Standstill, ...]:
        """Return what stands still now, and why: a quota may do so for two reasons."""
        now = asyncio.get_running_loop().time()
        standings = self._scheduler.standings()
        hints = [self.hint(standing) for standing in standings if standing.hinted_until > now]
        pauses = [(standing, standing.pause) for standing in standings if standing.pause is not None]
        return (*hints, *(self.pause(standing, pause) for standing, pause in pauses))

    def hint(self, standing: Standing) -> Standstill:
        """Return what the server asked for."""
        return Standstill(quota=standing.quota.kind, reason="hint", until=_wall(standing.hinted_until))

    def pause(self, standing: Standing, pause: Pause) -> Standstill:
        """Return why a quota stands still that was paused."""
        reason, until = self._reason(standing.quota, pause), _wall(standing.held_until)
        return Standstill(quota=standing.quota.kind, reason=reason, until=until)

    def waiting_times(self) -> tuple[WaitingTime, ...]:
        """Return what is known of each profile's waiting time."""
        return tuple(_waiting_time(profile, course) for profile, course in self._scheduler.courses.items())

    def _reason(self, quota: Quota, pause: Pause) -> StandstillReason:
        if pause.kind is not None:
            return _REASONS[pause.kind]
        hindrance = self._hindrance() if quota == SUBMITS else None
        if hindrance is None:
            return "unreachable"
        return "ledger" if isinstance(hindrance, LedgerError) else "budget"


def _waiting_time(profile: Profile, course: Course) -> WaitingTime:
    eta = course.eta(0.0, 0.0)
    return WaitingTime(**profile._asdict(), p50=eta.p50, p90=eta.p90, seen=course.ends)


def _wall(instant: float) -> float | None:
    """Return an instant of the scheduler's clock on the wall's; None for one that never comes."""
    return None if math.isinf(instant) else time.time() + instant - asyncio.get_running_loop().time()
