"""The zones in which a day's quota may be given anew."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["quota_zones"]

_PACIFIC_WINTER = timezone(timedelta(hours=-8))


@cache
def quota_zones() -> tuple[tzinfo, ...]:
    """Return UTC and the Pacific, where Google's quotas have their midnight.

    Without a time zone database (Windows has none) the Pacific's winter stands for all of its year: in summer
    that is an hour late, which costs an hour; an hour early would cost a refusal.
    """
    try:
        return UTC, ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return UTC, _PACIFIC_WINTER
