"""What the ledger keeps: one row a job, one a stored file."""

from __future__ import annotations

from sys import intern

from attrs import field, frozen

from veo_async.engine.lifecycle import Move, State
from veo_async.models import JobId, Outcome, VideoRequest

__all__ = ["Change", "FileRecord", "JobRecord", "MoveRecord", "Pruned"]


@frozen(kw_only=True, weakref_slot=False)
class JobRecord:
    """A job as the ledger knows it. Wall-clock instants are seconds since the epoch, recorded only."""

    id: JobId
    state: State
    request: VideoRequest | None = field(repr=False)
    """What was asked, media by digest or URI, or in memory as bytes, until the job is accepted; None for an
    operation that somebody else submitted, and for a pruned job."""
    digest: str
    """SHA-256 over the request, hexadecimal; "" where nothing was asked, or media are held as bytes."""
    idempotency_key: str | None = None
    provider: str = field(converter=intern)
    """The provider's name, as in "gptproto"."""
    origin: str = field(converter=intern)
    """Scheme, host and port that the job is submitted to."""
    model: str = field(converter=intern)
    """The provider's own model name. Such names are few and held once, however many rows have them."""
    operation: str | None = None
    """Full operation name, unique for a provider."""
    outcome: Outcome | None = None
    attempts: int = 0
    """How often it was armed."""
    cost_estimate: float | None = None
    """USD, an estimate; None where the catalogue has no price."""
    created_at: float
    armed_at: float | None = None
    accepted_at: float | None = None
    finished_at: float | None = None
    replaces: JobId | None = None
    """The unknown job that this one was made to send again; no two jobs replace the same one."""
    adopted: str | None = None
    """How the operation of an unknown job was found: "list" (the provider's list of operations) or
    "statement" (its statement of usage); None where the provider named it in its answer."""


@frozen(kw_only=True)
class Change:
    """One move of one job, and what is learned with it. Facts that are None stay as they are."""

    job_id: JobId
    move: Move
    at: float
    """Wall-clock seconds since the epoch."""
    operation: str | None = None
    outcome: Outcome | None = None
    adopted: str | None = None
    """As in `JobRecord.adopted`."""


@frozen(kw_only=True)
class MoveRecord:
    """A change as it was recorded: proof of what was known when."""

    job_id: JobId
    move: Move
    at: float
    """Wall-clock seconds since the epoch."""


@frozen(kw_only=True)
class FileRecord:
    """A video that was stored whole."""

    job_id: JobId
    index: int
    """Position among the job's videos, from 0."""
    path: str
    """Absolute."""
    sha256: str
    size: int
    stored_at: float


@frozen(kw_only=True)
class Pruned:
    """What `Ledger.prune` took out."""

    jobs: int = 0
    """Jobs that lost their words."""
    contents: int = 0
    """Kept contents (pictures, videos) that no job needs any more."""
