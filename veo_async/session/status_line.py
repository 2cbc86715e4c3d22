"""One line that says how a session stands, now and then, in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from veo_async.engine.lifecycle import State
from veo_async.session.reports import Standstill, Statistics

__all__ = ["log_status", "status_line"]

_LOG = logging.getLogger("veo_async")
_MINUTE_S = 60.0


async def log_status(statistics: Callable[[], Statistics], every: float) -> None:
    """Log a line every so many seconds until cancelled; the record's `statistics` has all figures."""
    loop = asyncio.get_running_loop()
    before, since = statistics(), loop.time()
    while True:
        await asyncio.sleep(every)
        after, now = statistics(), loop.time()
        _LOG.info("%s", status_line(before, after, now - since), extra={"statistics": after})
        before, since = after, now


def status_line(before: Statistics, after: Statistics, seconds: float) -> str:
    """Return how things stand, and what was sent in the `seconds` since `before`."""
    counts = ((after.jobs.get(state, 0), state) for state in State)
    jobs = ", ".join(f"{count} {state}" for count, state in counts if count) or "no jobs"
    minutes = seconds / _MINUTE_S
    submits = (after.submits - before.submits) / minutes
    checks = (after.checks - before.checks) / minutes
    parts = [
        jobs,
        f"{submits:.0f} submits and {checks:.0f} checks a minute",
        *([] if after.lag is None else [f"lag p50 {after.lag.p50:.1f} s"]),
        *map(_standing_still, after.standstills),
    ]
    return " · ".join(parts)


def _standing_still(standstill: Standstill) -> str:
    text = f"{standstill.quota} stand still: {standstill.reason}"
    if standstill.until is None:
        return text
    return f"{text} until {datetime.fromtimestamp(standstill.until, UTC):%H:%M:%SZ}"
