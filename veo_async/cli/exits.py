"""What the process tells its caller in one number."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from veo_async.engine.lifecycle import State

__all__ = ["Exit", "exit_status"]


class Exit(enum.IntEnum):
    """Exit statuses; of several that fit, the first in this order counts."""

    USAGE = 2
    """The command line, the file or the settings must be changed; nothing was sent."""
    INTERRUPTED = 130
    """Ctrl+C or SIGTERM: all is safe in the ledger, the same command goes on."""
    UNKNOWN = 3
    """At least one request was sent without a readable answer: money may be owed."""
    INCOMPLETE = 1
    """At least one request brought no video, or its video is not stored."""
    DONE = 0
    """Every request brought its video."""


def exit_status(states: Iterable[str], *, interrupted: bool = False, troubled: bool = False) -> Exit:
    """Return the status for requests that stand in `states`.

    Args:
        states: Where each request stands.
        interrupted: Whether the run was ended from outside.
        troubled: Whether anything else went wrong, a download say.
    """
    seen = set(states)
    if interrupted:
        return Exit.INTERRUPTED
    if State.UNKNOWN in seen:
        return Exit.UNKNOWN
    if troubled or seen - {State.SUCCEEDED}:
        return Exit.INCOMPLETE
    return Exit.DONE
