"""What a session says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from veo_async.engine.lifecycle import State
from veo_async.models import JobId
from veo_async.session.supervisor import ExitMode

__all__ = ["SessionReport", "Statistics"]


@frozen(kw_only=True)
class Statistics:
    """What a session has done and is doing."""

    jobs: Mapping[State, int]
    """Jobs of this session by state."""
    submits: int
    """Requests that were sent and may have started a paid job."""
    checks: int
    """Status checks sent."""
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
