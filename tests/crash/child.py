"""What a process does that may be killed: it asks for a handful of videos, as a careful program would."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from veo_async import Job, Limits, PollPolicy, Provider, Rate, SubmitError, Timeouts, VeoSession, VideoRequest
from veo_async.engine import watches

from .variants import Variant, take_out

__all__ = ["Errand", "run"]

_TICK_S: Final = 0.02
"""A life is short: checks may not wait a quarter of a second for their tick."""
_RATE: Final = Rate(10_000, per=1)


@frozen(kw_only=True)
class Errand:
    """What to ask for, where, and where to note what was promised."""

    base_url: str
    key: str
    folder: Path
    prompts: tuple[str, ...]
    variant: Variant = "whole"
    stops_when_accepted: bool = False

    @property
    def ledger(self) -> Path:
        """The ledger, which outlives the process."""
        return self.folder / "jobs.db"

    @property
    def told(self) -> Path:
        """One line for each promise: "kept JOB" and "accepted JOB OPERATION"."""
        return self.folder / "told.txt"


def run(errand: Errand) -> None:
    """Run until every job is decided; whoever runs it again gets the same jobs."""
    take_out(errand.variant)
    watches.TICK_S = _TICK_S
    asyncio.run(_ask(errand))


async def _ask(errand: Errand) -> None:
    provider = Provider.gptproto(
        api_key=errand.key, base_url=errand.base_url, limits=Limits(submits=_RATE, checks=_RATE)
    )
    poll = PollPolicy(expected=0.02, min_interval=0.01)
    told = os.open(errand.told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(*words: str | None) -> None:
        os.write(told, f"{' '.join(map(str, words))}\n".encode())

    session = VeoSession(provider, ledger=errand.ledger, poll=poll, timeouts=Timeouts(submit_read=10))
    async with session:
        await session.resume()
        async with asyncio.TaskGroup() as group:
            for prompt in errand.prompts:
                request = VideoRequest(prompt, idempotency_key=prompt)
                group.create_task(_follow(session, request, tell, until_accepted=errand.stops_when_accepted))


async def _follow(
    session: VeoSession, request: VideoRequest, tell: Callable[..., None], *, until_accepted: bool
) -> None:
    job: Job = await session.enqueue(request)
    tell("kept", job.id)
    with suppress(SubmitError):
        await job.accepted()
        tell("accepted", job.id, job.operation)
        if not until_accepted:
            await job.outcome()
