"""Lag against requests over real HTTP: a session and a fixed loop on the emulator, whose time runs faster."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from random import Random

from lag_model import Cost

import veo_async as veo
from veo_async.answers import Finished
from veo_async.emulator import Emulator, Waiting

SCALE = 6.0
"""A minute takes ten seconds. The library's 250 ms grid is 1.5 s then, and is in the figures."""
MEDIAN_S, SIGMA = 60.0, 0.5
LEARNED_FROM, MEASURED = 60, 120
"""Jobs."""
EVERY_S = 0.25
"""A job begins every so many real seconds."""


class Noted(Waiting):
    """Lognormal waiting times that say afterwards what they were."""

    ends: list[float]

    def draw(self, random: Random) -> float:
        """Draw one, and note when such a job ends if it begins now."""
        seconds = super().draw(random)
        self.ends.append(time.monotonic() + seconds / SCALE)
        return seconds


async def compare(seed: int) -> None:
    """Print lag and requests of both, in the provider's time."""
    logging.getLogger("veo_async").setLevel(logging.ERROR)
    print(f"time scale {SCALE:g}, sigma {SIGMA:g}, {MEASURED} jobs each, in the provider's seconds")
    for name, measure in (("fixed 10 s", _fixed), ("ours", _ours)):
        cost = await measure(seed)
        print(f"{name:10}  {cost.lag:5.2f} s at {cost.requests:.2f} requests a job")


async def _ours(seed: int) -> Cost:
    policy = veo.PollPolicy(
        expected=MEDIAN_S / SCALE, max_interval=60 / SCALE, min_interval=1 / SCALE, check_worth=0.6 / SCALE
    )
    waiting = _waiting()
    async with (
        Emulator(seed=seed, waiting=waiting, time_scale=SCALE, clip="tiny") as emulator,
        veo.VeoSession(_provider(emulator), poll=policy) as session,
    ):
        await asyncio.gather(*(_awaited(session, number) for number in range(LEARNED_FROM)))
        waiting.ends.clear()
        before = session.statistics().checks
        found = await asyncio.gather(*(_awaited(session, number) for number in range(MEASURED)))
        return _cost(waiting.ends, found, session.statistics().checks - before)


async def _awaited(session: veo.VeoSession, number: int) -> float:
    await asyncio.sleep(number * EVERY_S)
    await session.generate(veo.VideoRequest(f"boat {number}"))
    return time.monotonic()


async def _fixed(seed: int) -> Cost:
    waiting = _waiting()
    requests = 0

    async def looped(session: veo.VeoSession, number: int) -> float:
        nonlocal requests
        await asyncio.sleep(number * EVERY_S)
        job = await session.submit(veo.VideoRequest(f"boat {number}"))
        assert job.operation is not None
        while True:
            await asyncio.sleep(10 / SCALE)
            requests += 1
            if isinstance(await session.status(job.operation), Finished):
                return time.monotonic()

    # A session whose own checks come too late to matter: the loop is the published one, over its connections.
    policy = veo.PollPolicy(expected=1e6, max_interval=1e6, min_interval=1e5, deadline=1e7)
    async with (
        Emulator(seed=seed, waiting=waiting, time_scale=SCALE, clip="tiny") as emulator,
        veo.VeoSession(_provider(emulator), poll=policy, on_exit="abort") as session,
    ):
        found = await asyncio.gather(*(looped(session, number) for number in range(MEASURED)))
    return _cost(waiting.ends, found, requests)


def _waiting() -> Noted:
    waiting = Noted(median=MEDIAN_S, sigma=SIGMA)
    object.__setattr__(waiting, "ends", [])
    return waiting


def _provider(emulator: Emulator) -> veo.Provider:
    limits = veo.Limits(submits=veo.Rate(1000, per=1), checks=veo.Rate(1000, per=1))
    return veo.Provider.gemini(api_key="emulator-key", base_url=emulator.base_url, limits=limits)


def _cost(ends: Sequence[float], found: Sequence[float], requests: int) -> Cost:
    lags = [seen - ended for seen, ended in zip(found, ends, strict=True)]
    return Cost(requests / len(lags), SCALE * sum(lags) / len(lags))
