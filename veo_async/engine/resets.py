"""When a day's quota is given anew."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta, tzinfo
from typing import Final

__all__ = ["seconds_to_reset"]

_MARGIN_S: Final = 60.0
"""Clocks differ."""


def seconds_to_reset(now: float, zones: Iterable[tzinfo]) -> float:
    """Return the seconds until a minute after the next midnight in one of these zones.

    Args:
        now: Wall-clock seconds since the epoch.
        zones: Where quotas may have their midnight.
    """
    return min(_next_midnight(now - _MARGIN_S, zone) for zone in zones) + _MARGIN_S - now


def _next_midnight(now: float, zone: tzinfo) -> float:
    tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).timestamp()  # a day may have 23 or 25 hours
