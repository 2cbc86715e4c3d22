"""The soak itself: jobs in waves through one session, and what the process holds after each wave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from unittest.mock import patch

from veo_async import Limits, PollPolicy, Provider, Rate, RetryPolicy, VeoSession
from veo_async.answers import CheckAnswer, Lost, NotSent
from veo_async.engine.watches import Watch, WatchList
from veo_async.session.checking import Checker

from .figures import Figures
from .measuring import Held, Lateness
from .remote import Remote, serving
from .wave import Wave

__all__ = ["soak"]

# Rates out of reach, and short waits: what is soaked is what a job leaves behind, not patience.
_LIMITS: Final = Limits(
    submits=Rate(10_000_000, per=1), checks=Rate(10_000_000, per=1), in_flight=500, downloads=8
)
_POLL: Final = PollPolicy(expected=1.5, spread=0.2, min_interval=0.25, max_interval=0.5, deadline=120.0)
_RETRY: Final = RetryPolicy(base=0.1, cap=1.0)


async def soak(waves: int, wave: int) -> Figures:
    """Send so many waves of so many jobs through one session; return what came of them and what they left."""
    figures = Figures()
    with TemporaryDirectory() as folder, _timed(figures.lateness):
        async with serving() as service:
            figures.before = Held.now()
            started, cpu_started = time.monotonic(), time.process_time()
            await _soak(figures, waves, wave, service, Path(folder))
            figures.seconds = time.monotonic() - started
            figures.cpu_seconds = time.process_time() - cpu_started
            figures.after = Held.now()
        figures.ledger_bytes = (Path(folder) / "jobs.db").stat().st_size
    return figures


async def _soak(figures: Figures, waves: int, wave: int, service: Remote, folder: Path) -> None:
    provider = Provider.gemini(api_key=service.key, base_url=service.base_url, limits=_LIMITS)
    ledger = folder / "jobs.db"
    async with VeoSession(provider, ledger=ledger, max_cost=1e9, poll=_POLL, retry=_RETRY) as session:
        for number in range(waves):
            await Wave(session, service, folder, number, wave, figures).run()
            figures.sample()
        figures.checks = session.statistics().checks
    assert session.report is not None
    figures.report = session.report.jobs


@contextmanager
def _timed(lateness: Lateness) -> Generator[None]:
    """Note of each check how long after its due time it begins."""
    due: dict[str, float] = {}
    schedule, exchange = WatchList._schedule, Checker._exchange

    def noting(watches: WatchList, watch: Watch, due_at: float) -> None:
        schedule(watches, watch, due_at)
        due[watch.key.name] = watch.due_at

    async def noted(checker: Checker, operation: str) -> tuple[CheckAnswer | NotSent | Lost, float | None]:
        due_at = due.pop(operation, None)
        if due_at is not None:
            lateness.note(asyncio.get_running_loop().time() - due_at)
        return await exchange(checker, operation)

    with patch.object(WatchList, "_schedule", noting), patch.object(Checker, "_exchange", noted):
        yield
