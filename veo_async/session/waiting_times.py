"""What was learned of waiting times, from one process to the next: in the ledger, now and then."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Final

from veo_async.engine.events import Profile
from veo_async.engine.scheduler import PollScheduler
from veo_async.engine.waiting_times import Learned
from veo_async.errors import LedgerError
from veo_async.ledger.ledger import Ledger

__all__ = ["WaitingTimes"]

KEPT_EVERY_S: Final = 300.0
"""A process that dies loses no more than so much of what it learned: it only has to learn it again."""

_LOG = logging.getLogger("veo_async")


class WaitingTimes:
    """Takes the scheduler's estimates from the ledger, and puts them there."""

    def __init__(
        self, scheduler: PollScheduler, ledger: Ledger, provider: str, spawn: Callable[..., object]
    ) -> None:
        self._scheduler = scheduler
        self._ledger = ledger
        self._provider = provider
        self._spawn = spawn
        self._kept: dict[Profile, Learned] = {}
        self._keep_at = math.inf

    async def load(self) -> None:
        """Let the scheduler begin with what earlier processes learned."""
        try:
            learned = await self._ledger.waiting_times(self._provider)
        except LedgerError as error:
            _LOG.warning("waiting times are learned anew: %s", error.message)
        else:
            self._kept = {known.profile: known for known in learned}
            self._scheduler.restore(learned)
        self._keep_at = asyncio.get_running_loop().time() + KEPT_EVERY_S

    def note(self) -> None:
        """Take note that an operation ended: what is known is kept when the last time is long ago."""
        now = asyncio.get_running_loop().time()
        if now >= self._keep_at:
            self._keep_at = now + KEPT_EVERY_S
            self._spawn(self.keep)

    async def keep(self) -> None:
        """Put what is new into the ledger; where that fails, it is only learned again."""
        new = [known for known in self._scheduler.learned() if self._kept.get(known.profile) != known]
        if not new:
            return
        try:
            await self._ledger.keep_waiting_times(self._provider, new)
        except LedgerError as error:
            _LOG.warning("waiting times could not be kept: %s", error.message)
        else:
            self._kept.update({known.profile: known for known in new})
