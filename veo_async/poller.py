"""The loop around the scheduler: sleeps till its next wake-up, does what it says, tells it what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from veo_async.engine.events import Action, Event
from veo_async.engine.scheduler import PollScheduler

__all__ = ["Poller"]


class Poller:
    """Drives one `PollScheduler`.

    Everything posted within one turn of the event loop is settled in one call of the scheduler.
    """

    def __init__(self, scheduler: PollScheduler, hands: Mapping[type[Action], Callable[[Any], None]]) -> None:
        """Drive `scheduler`; `hands` says what does each kind of action, without waiting."""
        self._scheduler = scheduler
        self._hands = hands
        self._inbox: list[Event] = []
        self._bell: asyncio.Future[None] | None = None

    def post(self, *events: Event) -> None:
        """Tell the scheduler what happened, at the loop's next turn."""
        self._inbox += events
        self._ring()

    async def run(self) -> None:
        """Run until cancelled."""
        loop = asyncio.get_running_loop()
        armed_at = loop.time()
        while True:
            events, self._inbox = self._inbox, []
            # A timer may fire a hair early; the scheduler is told the instant it asked for.
            now = max(armed_at, loop.time())
            for action in self._scheduler.handle(*events, now=now):
                self._hands[type(action)](action)
            wake_at = self._scheduler.next_wakeup()
            fired = self._inbox == [] and await self._sleep(loop, wake_at)
            armed_at = wake_at if fired and wake_at is not None else loop.time()

    async def _sleep(self, loop: asyncio.AbstractEventLoop, wake_at: float | None) -> bool:
        """Sleep until `wake_at` or the bell; return whether it was the former."""
        self._bell = bell = loop.create_future()
        timer = None if wake_at is None else loop.call_at(wake_at, self._ring)
        try:
            await bell
        finally:
            self._bell = None
            if timer is not None:
                timer.cancel()
        return not self._inbox

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)
