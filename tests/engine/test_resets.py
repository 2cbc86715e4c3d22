"""When a day's quota is given anew: a minute after the next midnight, in whichever zone has it first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from veo_async.engine.resets import seconds_to_reset

WEST = timezone(-timedelta(hours=8))
MINUTE = 60.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2026-10-06 07:00:00", 3600.0 + MINUTE),  # midnight in the west comes first
        ("2026-10-06 08:00:30", 30.0),  # just past it: clocks differ, and it may not have been at the server
        ("2026-10-06 08:01:00", 16 * 3600.0),
        ("2026-10-06 09:00:00", 15 * 3600.0 + MINUTE),
        ("2026-10-06 23:59:00", 2 * MINUTE),
        ("2026-12-31 23:59:00", 2 * MINUTE),
    ],
)
def test_the_next_midnight_counts(now: str, seconds: float) -> None:
    """The sooner of the two, and a minute more."""
    assert seconds_to_reset(at(now), (UTC, WEST)) == seconds


def test_days_need_not_have_24_hours() -> None:
    """The Pacific's last Sunday of summer has 25."""
    pacific = ZoneInfo("America/Los_Angeles")
    assert seconds_to_reset(at("2026-11-01 07:01:00"), (pacific,)) == 25 * 3600.0
