"""What a session says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from veo_async.engine.lifecycle import State
from veo_async.models import JobId
from veo_async.session.events import StandstillReason
from veo_async.session.supervisor import ExitMode

__all__ = ["Lag", "SessionReport", "Standstill", "Statistics", "WaitingTime"]


@frozen(kw_only=True)
class Lag:
    """How long operations had been decided before a check found it so, in seconds.

    When exactly one ended is not known, only that it was between the check that saw it run and the one that
    found its end; half that time is what is counted. Quantiles are exact to a twentieth. Operations that were
    not watched before (their first check, after a restart or `attach`, found them done) are not counted.
    """

    seen: int
    """Operations it is of."""
    p50: float
    p90: float
    p99: float
    max: float


@frozen(kw_only=True)
class Standstill:
    """Why requests of a kind stand still."""

    quota: str
    """Which requests: "submits" or "checks"."""
    reason: StandstillReason
    until: float | None
    """Wall-clock seconds since the epoch, when they go on or one request tries; None: when something outside
    changes, or `session.resume()` is called."""


@frozen(kw_only=True)
class WaitingTime:
    """What is known of how long operations of one profile take, in seconds from acceptance."""

    model: str
    """The provider's own name."""
    resolution: str | None
    duration_seconds: int | str | None
    has_image: bool
    p50: float
    p90: float
    seen: float
    """How many it was learned from; later ones weigh more. 0: it is what `PollPolicy` assumes."""


@frozen(kw_only=True)
class Statistics:
    """What a session has done and is doing."""

    jobs: Mapping[State, int]
    """Jobs of this session by state."""
    submits: int
    """Requests that were sent and may have started a paid job."""
    checks: int
    """Status checks sent, pages of lists among them."""
    checks_saved: int
    """Status checks that were not needed, since another's answer served: jobs that share an operation share
    its checks, and a page of a list answers for many."""
    late_answers: int
    """Answers that were no news."""
    queued_submits: int
    """Jobs that wait for their turn to be sent."""
    open_operations: int
    """Operations that are being checked."""
    submits_per_minute: float
    """The pace of submits now; below the stated rate after the server said it was too fast."""
    checks_per_minute: float
    """The pace of status checks now."""
    standstills: Sequence[Standstill]
    """What stands still now, and why: hints in force, and pauses."""
    lag: Lag | None
    """How late ends were found; None before the first."""
    waiting_times: Sequence[WaitingTime]
    """What is known of the waiting times, by model, resolution, length and whether there is an image."""
    retry_tokens: int
    """What is left of the retry budget: a retry costs 5 to 14 of 500, successes bring it back."""


@frozen(kw_only=True)
class SessionReport:
    """What became of a session's jobs when it closed."""

    mode: ExitMode
    """How it was closed in the end."""
    jobs: Mapping[State, int]
    """Jobs of the session by state."""
    running: Sequence[str]
    """Tokens of the operations that go on at the provider; attach to them, or resume from the ledger."""
    unknown: Sequence[JobId]
    """Jobs that were sent without a readable answer: they may be billed."""
