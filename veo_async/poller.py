"""The loop around the scheduler: sleeps till its next wake-up, does what it says, tells it what happened."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from veo_async.engine.events import Action, Event
from veo_async.engine.scheduler import PollScheduler

__all__ = ["Poller"]


class Poller:
    """Drives one `PollScheduler`.

    Everything posted within one turn of the event loop is settled in one call of the scheduler, and what can
    wait (`post_soon`) within one tick.
    """

    def __init__(
        self,
        scheduler: PollScheduler,
        hands: Mapping[type[Action], Callable[[Any], None]],
        turned: Callable[[Sequence[Event], Sequence[Action]], None] | None = None,
    ) -> None:
        """Drive `scheduler`.

        Args:
            scheduler: Decides.
            hands: What does each kind of action, without waiting.
            turned: Is told what each turn was about.
        """
        self._scheduler = scheduler
        self._hands = hands
        self._turned = turned
        self._inbox: list[Event] = []
        self._bell: asyncio.Future[float] | None = None
        self._soon: asyncio.TimerHandle | None = None

    def post(self, *events: Event) -> None:
        """Tell the scheduler what happened, at the loop's next turn."""
        self._inbox += events
        self._ring()

    def post_soon(self, event: Event) -> None:
        """Tell the scheduler what happened, by the next tick: for what nobody waits for and many bring."""
        self._inbox.append(event)
        if self._soon is None:
            loop, tick_s = asyncio.get_running_loop(), self._scheduler.tick
            # On the grid on which checks fall due, so that one turn serves both.
            self._soon = loop.call_at(math.ceil(loop.time() / tick_s) * tick_s, self._ring)

    async def run(self) -> None:
        """Run until cancelled."""
        loop = asyncio.get_running_loop()
        rung_for = -math.inf
        while True:
            # A timer may fire a hair early; the scheduler is told the instant it asked for.
            self._turn(max(rung_for, loop.time()))
            wake_at = self._scheduler.next_wakeup()
            rung_for = -math.inf if self._inbox else await self._sleep(loop, wake_at)

    def _turn(self, now: float) -> None:
        """Settle what was posted, and do what follows; nothing of it is held while the poller sleeps."""
        events = self._take_inbox()
        actions = self._scheduler.handle(*events, now=now)
        if self._turned is not None:
            self._turned(events, actions)
        for action in actions:
            self._hands[type(action)](action)

    async def _sleep(self, loop: asyncio.AbstractEventLoop, wake_at: float | None) -> float:
        """Sleep until `wake_at` or the bell; return the instant that it rang for, if for any."""
        bell: asyncio.Future[float] = loop.create_future()
        self._bell = bell
        timer = None if wake_at is None else loop.call_at(wake_at, self._ring, wake_at)
        try:
            return await bell
        finally:
            self._bell = None
            if timer is not None:
                timer.cancel()

    def _take_inbox(self) -> list[Event]:
        events, self._inbox = self._inbox, []
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        return events

    def _ring(self, wanted_at: float = -math.inf) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(wanted_at)
