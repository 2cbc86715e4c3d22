"""Kills without number: `python -m tests.crash.campaign 1000 --seed 1`.

Rounds of one ledger each: a child works on its jobs and is killed at a random instant, another goes on where
it died, until all jobs are decided. Then the bill and the ledger are compared. This process owns the
emulator, so that the bill survives every kill. Half of the instants are anywhere in a life, half near a paid
request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Final, get_args

import anyio.to_thread
from attrs import Factory, asdict, define, frozen

from veo_async.emulator import BillEntry, Emulator, Waiting
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger

from .child import Errand
from .fork_server import ForkServer, Life
from .variants import Variant
from .verdict import Verdict, judge

__all__ = ["Figures", "campaign", "main"]

JOBS: Final = 6
LANES: Final = 2
"""Rounds at once."""
MOST_KILLS: Final = 8
"""In one round; after them its jobs may end."""
NEAR_S: Final = 0.006
"""How far from a paid request the instants near one are, at most."""


@frozen(kw_only=True)
class Figures:
    """What came of a campaign."""

    kills: int
    rounds: int
    seconds: float
    verdict: Verdict


@define
class _Lives:
    """What lives were like so far, to choose the next one's end by."""

    seconds: float = 0.3
    submits: deque[float] = Factory(lambda: deque([0.1], maxlen=40))
    """Seconds from a life's begin to a paid request."""

    def end(self, dice: random.Random) -> float:
        """Return the instant of the next kill, in seconds of life."""
        if dice.random() < 0.5:
            return dice.uniform(0, self.seconds)
        return max(0.0, dice.choice(self.submits) + dice.uniform(-NEAR_S, NEAR_S))

    def learn(self, life: Life, bill: Sequence[BillEntry]) -> None:
        """Take note of a life; only one that was not cut short tells how long they are."""
        self.submits += [
            entry.accepted_at - life.began_at for entry in bill if entry.accepted_at > life.began_at
        ]
        if not life.killed:
            self.seconds = life.seconds


def campaign(kills: int, seed: int, variant: Variant, folder: Path, *, until: str | None) -> Figures:
    """Kill so often, or until a count of the verdict is not 0, and return what came of it."""
    with ExitStack() as stack:
        servers = [stack.enter_context(ForkServer()) for _ in range(LANES)]
        return asyncio.run(_Campaign(kills, seed, variant, folder, until=until).run(servers))


class _Campaign:
    def __init__(self, kills: int, seed: int, variant: Variant, folder: Path, *, until: str | None) -> None:
        self._asked = kills
        self._seed = seed
        self._variant: Variant = variant
        self._folder = folder
        self._until = until
        self._emulator = Emulator(seed=seed, waiting=Waiting.uniform(0.0, 0.02), clip="tiny")
        self._numbers = count()
        self._first, self._later = _Lives(), _Lives()
        self._kills = self._rounds = 0
        self._verdict = Verdict()

    async def run(self, servers: Sequence[ForkServer]) -> Figures:
        async with self._emulator:
            began_at = time.monotonic()
            async with asyncio.TaskGroup() as lanes:
                for server in servers:
                    lanes.create_task(self._lane(server))
        seconds = round(time.monotonic() - began_at, 1)
        return Figures(kills=self._kills, rounds=self._rounds, seconds=seconds, verdict=self._verdict)

    async def _lane(self, server: ForkServer) -> None:
        # A first life that is let be: what is imported and learned on first use is there afterwards.
        await self._live(server, self._errand(next(self._numbers)), self._first, None)
        while self._kills < self._asked and not (
            self._until is not None and getattr(self._verdict, self._until)
        ):
            number = next(self._numbers)
            errand = self._errand(number)
            await self._round(server, errand, random.Random(f"{self._seed} {number}"))
            verdict = await self._judge(errand)
            self._verdict += verdict  # in one step: other lanes add theirs meanwhile
            self._rounds += 1

    async def _round(self, server: ForkServer, errand: Errand, dice: random.Random) -> None:
        lives = self._first
        for _ in range(MOST_KILLS):
            life = await self._live(server, errand, lives, lives.end(dice))
            if not life.killed:
                return
            self._kills += 1
            lives = self._later
        await self._live(server, errand, lives, None)

    async def _live(
        self, server: ForkServer, errand: Errand, lives: _Lives, kill_after: float | None
    ) -> Life:
        life = await anyio.to_thread.run_sync(server.live, errand, kill_after)
        lives.learn(life, self._bill(errand))
        return life

    def _errand(self, number: int) -> Errand:
        folder = self._folder / str(number)
        folder.mkdir()
        return Errand(
            base_url=self._emulator.base_url,
            key=self._emulator.key,
            folder=folder,
            prompts=tuple(f"round {number} boat {boat}" for boat in range(JOBS)),
            variant=self._variant,
        )

    def _bill(self, errand: Errand) -> Sequence[BillEntry]:
        return [entry for entry in self._emulator.bill.entries if entry.prompt in errand.prompts]

    async def _judge(self, errand: Errand) -> Verdict:
        bill = [(entry.operation, entry.prompt) for entry in self._bill(errand)]
        told = [line.split() for line in errand.told.read_text().splitlines()]
        return judge(bill, await _records(errand.ledger), told)


async def _records(path: Path) -> Sequence[JobRecord]:
    ledger = SqliteLedger.read_only(path)
    await ledger.open()
    try:
        return await ledger.select()
    finally:
        await ledger.close()


def main() -> None:
    """Run a campaign and print its figures as JSON; exit with 1 where something was lost or paid twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", choices=get_args(Variant), default="whole")
    parser.add_argument("--until", choices=("lost", "paid_twice", "forgotten"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="veo-kills-") as folder:
        figures = campaign(given.kills, given.seed, given.variant, Path(folder), until=given.until)
    print(json.dumps(asdict(figures), indent=1))  # noqa: T201
    sys.exit(0 if figures.verdict.holds else 1)


if __name__ == "__main__":
    main()
