"""What a session tells whoever watches it: one frozen value for each thing that happened."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import frozen

from veo_async.engine.lifecycle import State
from veo_async.models import JobId

__all__ = [
    "CheckAnswered",
    "CheckKind",
    "Dropped",
    "JobMoved",
    "Lifted",
    "ListAnswered",
    "Paused",
    "RateChanged",
    "SessionEvent",
    "StandstillReason",
    "VideoStored",
]

CheckKind = Literal["running", "finished", "empty", "missing", "refused", "unreadable", "lost", "not_sent"]
"""What a status check brought: "empty" is done without a video, "missing" an operation that the provider does
not know, "lost" no answer."""

StandstillReason = Literal["hint", "authentication", "balance", "quota", "unreachable", "ledger", "budget"]
"""Why a quota stands still: a server's hint, a refused key, no money, a long quota that is used up, no way to
the provider, a ledger that cannot record a submit, a money limit of the session."""


@frozen(kw_only=True)
class JobMoved:
    """A job passed into a state, as `job.events()` tells it; a paid request is sent where that is "armed"."""

    job_id: JobId
    before: State | None
    """The state it was in; None for a job that is new to the session."""
    state: State
    operation: str | None
    """The provider's operation name, once it has the job."""
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class CheckAnswered:
    """A status check of an operation came to its end."""

    operation: str
    kind: CheckKind
    lag: float | None = None
    """For "finished": seconds that it had been so before this check, as far as is known, which is half the
    time since it was last seen running. None where it was not watched before."""
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class ListAnswered:
    """A request for a page of operations came to its end: where it went well, it stands for many checks.

    Of the operations on it, those that it showed to be over are told by a `CheckAnswered` each.
    """

    operations: int | None
    """Statuses on the page, those of other programs among them; None where no page came."""
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class Paused:
    """Requests of a kind stand still; told again when the reason changes, and for each later hint."""

    quota: str
    """Which requests: "submits" or "checks"."""
    reason: StandstillReason
    until: float | None
    """Wall-clock seconds since the epoch, when they go on or one request tries; None: when something outside
    changes, or `session.resume()` is called."""
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class Lifted:
    """What kept requests of a kind back is out of the way; a hint ends by itself and is not told so."""

    quota: str
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class RateChanged:
    """The pace of a kind of request fell, or it gained a tenth back, or all of it."""

    quota: str
    per_minute: float
    """Requests a minute at most, from now on."""
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class VideoStored:
    """A video is whole under its final name."""

    job_id: JobId | None
    """None for a video that was stored by itself, without its job's result."""
    index: int
    """Position among the job's videos, from 0."""
    path: Path
    size: int
    """Bytes."""
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class Dropped:
    """The reader was too slow: so many events before the next one are gone."""

    count: int


SessionEvent = JobMoved | CheckAnswered | ListAnswered | Paused | Lifted | RateChanged | VideoStored | Dropped
"""Whatever `session.events()` yields."""
