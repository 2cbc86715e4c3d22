"""What the scheduler was told and said, told on to whoever reads the session's events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import evolve

from veo_async.answers import Empty, Finished, Listed, Lost, Missing, NotSent, Refused, Running, Unreadable
from veo_async.engine.events import Action, Announce, CheckEnded, Event, Lift, ListEnded, Quota, Resolve
from veo_async.engine.scheduler import PollScheduler
from veo_async.engine.standings import Standing
from veo_async.session.events import CheckAnswered, CheckKind, Lifted, ListAnswered, Paused, RateChanged
from veo_async.session.feed import EventStream, Feed
from veo_async.session.gauges import Gauges
from veo_async.session.reports import Standstill

__all__ = ["Observer"]

TELLING_RISE: Final = 1.1
"""A pace that rises with every answer is told in steps of a tenth."""

_KINDS: Final[Mapping[type, CheckKind]] = {
    Running: "running",
    Finished: "finished",
    Empty: "empty",
    Missing: "missing",
    Refused: "refused",
    Unreadable: "unreadable",
    Lost: "lost",
    NotSent: "not_sent",
}


class Observer:
    """Looks on while the scheduler works. Events are made only while somebody reads them."""

    def __init__(self, scheduler: PollScheduler, gauges: Gauges, feed: Feed) -> None:
        self._scheduler = scheduler
        self._gauges = gauges
        self._feed = feed
        self._told: dict[Quota, Standing] = {}
        """The quotas' hints and paces that readers know of."""

    def stream(self, buffer: int) -> EventStream:
        """Return the session's events from now on."""
        if not self._feed.wanted:
            self._told = {standing.quota: standing for standing in self._scheduler.standings()}
        return self._feed.stream(buffer)

    def turned(self, events: Sequence[Event], actions: Sequence[Action]) -> None:
        """Tell what one turn of the scheduler was about."""
        if self._feed.wanted:
            at = time.time()
            self._tell_checks(events, actions, at)
            self._tell_pauses(actions, at)
            self._tell_changes(at)

    def _tell_checks(self, events: Sequence[Event], actions: Sequence[Action], at: float) -> None:
        lags = {action.key: action.lag for action in actions if isinstance(action, Resolve)}
        for event in events:
            if isinstance(event, CheckEnded):
                kind, lag = _KINDS[type(event.answer)], lags.pop(event.key, None)
                self._feed.tell(CheckAnswered(operation=event.key.name, kind=kind, lag=lag, at=at))
            elif isinstance(event, ListEnded):
                listed = len(event.answer.answers) if isinstance(event.answer, Listed) else None
                self._feed.tell(ListAnswered(operations=listed, at=at))
        for key, lag in lags.items():  # what a list showed to be over
            self._feed.tell(CheckAnswered(operation=key.name, kind="finished", lag=lag, at=at))

    def _tell_pauses(self, actions: Sequence[Action], at: float) -> None:
        standings = {standing.quota: standing for standing in self._scheduler.standings()}
        for action in actions:
            if isinstance(action, Lift):
                self._feed.tell(Lifted(quota=action.quota.kind, at=at))
            elif isinstance(action, Announce):
                self._tell_standstill(self._gauges.pause(standings[action.quota], action.pause), at)

    def _tell_changes(self, at: float) -> None:
        for standing in self._scheduler.standings():
            told = self._told[standing.quota]
            pace, hinted_until = standing.per_minute, standing.hinted_until
            if hinted_until > max(told.hinted_until, asyncio.get_running_loop().time()):
                self._tell_standstill(self._gauges.hint(standing), at)
                told = evolve(told, hinted_until=hinted_until)
            if _is_telling(told.per_minute, standing):
                self._feed.tell(RateChanged(quota=standing.quota.kind, per_minute=pace, at=at))
                told = evolve(told, per_minute=pace)
            self._told[standing.quota] = told

    def _tell_standstill(self, standstill: Standstill, at: float) -> None:
        self._feed.tell(
            Paused(quota=standstill.quota, reason=standstill.reason, until=standstill.until, at=at)
        )


def _is_telling(told: float, standing: Standing) -> bool:
    """Return whether a pace is news to whoever was told of another."""
    pace = standing.per_minute
    return pace < told or told < pace >= min(TELLING_RISE * told, standing.top_per_minute)
