"""One seed's world, from its first process to its end."""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from random import Random
from typing import cast
from unittest.mock import patch

from attrs import frozen

from veo_async import Limits, Provider, Rate, VeoSession
from veo_async.errors import VeoError
from veo_async.ledger.ledger import Ledger
from veo_async.models import VideoRequest

from .clock import Clock, machine
from .disk import Disk, SimulatedLedger
from .process import Process
from .service import BASE, MODEL, Service
from .weather import Weather
from .witness import Witness

__all__ = ["Report", "World", "play"]

FEW, MANY = (3, 12), (20, 60)
"""Requests of a world: mostly few, as what goes wrong seldom takes many."""
CROWDED = 0.2
"""Share of the worlds with many."""


@frozen(kw_only=True)
class Report:
    """What came of one seed."""

    seed: int
    digest: str
    violation: str | None
    jobs: int
    operations: int
    checks: int
    hours: float
    """Simulated."""
    pairs: Mapping[tuple[str, str], int]


class World:
    """All that outlives a process, and the processes one after the other."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = dice = Random(seed)
        self.clock: Clock = Clock()
        self.weather: Weather = Weather.drawn(dice)
        self.witness: Witness = Witness(self.clock)
        self.disk: Disk = Disk(dice, self.weather)
        self.service: Service = Service(
            self.clock,
            dice,
            self.weather,
            self._is_recorded,
            submits_per_minute=dice.choice((4, 10, 100)),
            wants_string=dice.random() < 0.1,
        )
        self.witness.service = self.service
        self.asked: set[int] = set()
        self._key = self.service.key
        self._is_callable_key = dice.random() < 0.5
        self._limits = Limits(
            submits=Rate(dice.choice((20, 60, 200)), per=60),
            checks=Rate(dice.choice((2, 10, 20)), per=1),
            in_flight=dice.choice((5, 500)),
        )
        self._keyed = dice.random()
        if dice.random() < 0.25:
            self.witness.max_cost = dice.uniform(1.0, 12.0)
        if dice.random() < 0.25:
            self.witness.max_unknown_cost = dice.uniform(0.0, 3.0)

    def live(self) -> None:
        """Let processes live and die, and after the weather cleared up one to its end."""
        is_crowded = self.dice.random() < CROWDED
        numbers = range(self.dice.randint(*(MANY if is_crowded else FEW)))
        lives = self.dice.randint(1, 4)
        for life in range(lives):
            Process(self, numbers[life::lives], is_last=False).live()
            self.witness.check_bill()
            self.clock.true += self.dice.choice((1.0, 600.0))
        self._clear_up()
        Process(self, (), is_last=True).live()
        self.witness.check_end(self.asked)

    def _clear_up(self) -> None:
        """Let nothing go wrong any more; but the account may still be empty, or the key a revoked one."""
        self.weather.clear_up()
        self.witness.max_cost = self.witness.max_unknown_cost = None
        self.disk.is_full = False
        self.service.has_balance = self.dice.random() < 0.6
        if self.dice.random() < 0.6:
            self.renew_key()

    def mend(self) -> None:
        """Let the account's owner see to balance and key."""
        self.service.has_balance = True
        self.renew_key()

    def renew_key(self) -> None:
        """Let the program have the key that the provider takes now."""
        if not self._is_callable_key:
            self.service.key = self._key  # the account's owner takes the revocation back
        self._key = self.service.key

    def session(self, ledger: SimulatedLedger) -> VeoSession:
        """Make the session of a process; once the weather is fair the money has no limit either."""

        async def ask_for_key() -> str:
            return self._key

        provider = Provider.gemini(
            api_key=ask_for_key if self._is_callable_key else self._key, base_url=BASE, limits=self._limits
        )

        def open_ledger(_: object) -> Ledger:
            return cast("Ledger", ledger)

        with patch("veo_async.session.session.open_ledger", open_ledger):
            return VeoSession(
                provider,
                ledger="simulated",
                max_cost=self.witness.max_cost,
                max_unknown_cost=self.witness.max_unknown_cost,
            )

    def request(self, number: int) -> VideoRequest:
        """Return a request, the same each time."""
        has_key = (number * 0.618) % 1.0 < self._keyed
        return VideoRequest(
            f"request {number}",
            model=MODEL,
            duration_seconds=8,
            idempotency_key=f"key {number}" if has_key else None,
        )

    def _is_recorded(self, operation: str) -> bool:
        return any(record.operation == operation for record in self.witness.records.values())


def play(seed: int) -> Report:
    """Let one world live, and report."""
    world = World(seed)
    broke_off: str | None = None
    logging.disable(logging.CRITICAL)
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        with machine(world.clock, world.dice):
            world.live()
    except Exception as error:
        if world.witness.violation is None and not isinstance(error, VeoError):
            raise
        broke_off = f"broke off: {error}"
    finally:
        logging.disable(logging.NOTSET)
        if is_collecting:
            gc.enable()
    witness = world.witness
    return Report(
        seed=seed,
        digest=witness.digest(),
        violation=witness.violation or broke_off,
        jobs=len(witness.records),
        operations=len(world.service.operations),
        checks=sum(" begins checks " in line for line in witness.trace),
        hours=world.clock.true / 3600.0,
        pairs=witness.pairs,
    )
