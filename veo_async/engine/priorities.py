"""What a request's priority means to the scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from veo_async.models import Priority

__all__ = ["CHECK_WEIGHT", "ORDER"]

ORDER: Final[tuple[Priority, ...]] = ("urgent", "normal", "bulk")
"""The most pressing first."""
CHECK_WEIGHT: Final[Mapping[Priority, float]] = {"urgent": 4.0, "normal": 1.0, "bulk": 0.25}
"""What a second of waiting for a finished video counts, where there is no room for all checks. Gaps go with
one over the square root of it, so an urgent operation is then checked twice as often as a normal one."""
