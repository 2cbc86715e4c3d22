"""When a day's quota is given anew."""

from __future__ import annotations

from typing import Final

__all__ = ["seconds_to_reset"]

_DAY_S: Final = 86_400.0
_RESETS_S: Final = (0.0, 8 * 3600.0)
"""After midnight in UTC: there, and where the Pacific's winter has midnight, as Google's quotas do. In summer
that is an hour late, which costs an hour; an hour early would cost a refusal."""
_MARGIN_S: Final = 60.0
"""Clocks differ."""


def seconds_to_reset(now: float) -> float:
    """Return the seconds until the next reset; `now` is wall-clock seconds since the epoch."""
    return min((reset - now) % _DAY_S for reset in _RESETS_S) + _MARGIN_S
