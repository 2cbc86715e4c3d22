"""Which listed operation is that of a job whose answer was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["candidates"]

BEFORE_S: Final = 60.0
AFTER_S: Final = 600.0
"""An operation is created around the instant at which its job was armed: clocks differ, queues are long."""


def candidates(created_at: Mapping[str, float | None], armed_at: float | None) -> tuple[str, ...]:
    """Return the operations that may be a job's, by their names.

    Args:
        created_at: When each was created, by our clock; None where the surface does not tell.
        armed_at: When the job was; None where that is not known: then none can be told apart from any other.
    """
    return tuple(name for name, at in created_at.items() if _is_around(at, armed_at))


def _is_around(created_at: float | None, armed_at: float | None) -> bool:
    return created_at is None or armed_at is None or -BEFORE_S <= created_at - armed_at <= AFTER_S
