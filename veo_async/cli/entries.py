"""One request of a run: what is asked, and how far it got; progress, manifest and summary read it."""

from __future__ import annotations

from pathlib import Path

from attrs import define, frozen

from veo_async.cli.identity import Todo
from veo_async.cli.names import shortened
from veo_async.engine.lifecycle import FINAL, State
from veo_async.errors import Billed, VeoError
from veo_async.ledger.money import billed
from veo_async.ledger.records import JobRecord
from veo_async.models import Outcome, VideoRequest

__all__ = ["Entry", "StoredFile"]


@frozen(kw_only=True)
class StoredFile:
    """A video that stands whole on the disk."""

    path: Path
    sha256: str
    size: int


@define(kw_only=True, eq=False)
class Entry:
    """One request of a run."""

    place: int
    """Line of the file it stands in; else its place in the ledger."""
    line_id: str | None = None
    key: str | None = None
    """What the line is known by; None where no job can be made of it."""
    attempt: int = 0
    todo: Todo = Todo.SEND
    request: VideoRequest | None = None
    digest: str = ""
    """SHA-256 over what is asked for."""
    trouble: str | None = None
    """Why no job can be made of it."""
    price: float | None = None
    """What sending it costs in US dollars, by estimate."""
    record: JobRecord | None = None
    """Its job as the ledger has it."""
    replaces: JobRecord | None = None
    """The job of the attempt before, when the request is sent again."""
    files: tuple[StoredFile, ...] = ()
    wants_files: bool = True
    """Whether its videos shall be stored."""
    error: VeoError | None = None
    """Why there is no video here, or not yet."""
    settled: bool = False
    """Whether this run has done all it can do about it."""

    @property
    def state(self) -> str:
        """A job's state; without a job "new", or "invalid" when there can be none."""
        if self.record is not None:
            return self.record.state.value
        return "invalid" if self.trouble is not None else "new"

    @property
    def outcome(self) -> Outcome | None:
        """How the job ended."""
        return None if self.record is None else self.record.outcome

    @property
    def name(self) -> str:
        """What people call it: its id, else its first words."""
        if self.line_id is not None:
            return self.line_id
        if self.request is not None and self.request.prompt.strip():
            return shortened(self.request.prompt)
        operation = None if self.record is None else self.record.operation
        return operation.rpartition("/")[2] if operation else f"line {self.place}"

    @property
    def title(self) -> str:
        """Its name and what it shows."""
        if self.line_id is None or self.request is None:
            return self.name
        return f"{self.line_id}: {self.request.prompt}"

    @property
    def billed(self) -> Billed:
        """Whether money was spent on it; a job that runs may or may not be billed in the end."""
        return "no" if self.record is None else billed(self.record)

    @property
    def cost_estimate(self) -> float | None:
        """What it costs when it succeeds, in US dollars."""
        return self.price if self.record is None else self.record.cost_estimate

    @property
    def waited(self) -> float | None:
        """Seconds from its acceptance to its end, where both were seen."""
        record = self.record
        # Of somebody else's operation it is not known when it was accepted, only when we heard of it.
        if (
            record is None
            or record.armed_at is None
            or record.accepted_at is None
            or record.finished_at is None
        ):
            return None
        return max(0.0, record.finished_at - record.accepted_at)

    @property
    def complete(self) -> bool:
        """Whether it brought all that was wanted of it."""
        if self.state != State.SUCCEEDED or self.error is not None:
            return False
        return bool(self.files) or not self.wants_files

    @property
    def decided(self) -> bool:
        """Whether no later run will move it by itself."""
        return self.record is not None and self.record.state in FINAL
