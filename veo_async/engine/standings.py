"""How a quota stands: its pace, what the server asked for, and why it stands still."""

from __future__ import annotations

from attrs import frozen

from veo_async.engine.events import Pause, Quota

__all__ = ["Standing"]


@frozen(kw_only=True)
class Standing:
    """A quota at one instant; all instants are those of the scheduler's clock."""

    quota: Quota
    per_minute: float
    """The pace now: what is stated, or less after the server said it was too fast."""
    top_per_minute: float
    """The pace that is stated."""
    hinted_until: float
    """Nothing goes before this instant, by the server's own hint; minus infinity when it gave none."""
    held_until: float
    """Nothing goes before this instant, for whatever reason; infinite until something outside changes."""
    pause: Pause | None
    """Why it stands still; None when it goes on."""
