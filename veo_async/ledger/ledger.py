"""The protocol of a ledger: what was asked, sent, answered and stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from veo_async.engine.lifecycle import State
    from veo_async.engine.waiting_times import Learned
    from veo_async.ledger.money import Caps
    from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord, Pruned
    from veo_async.models import JobId

__all__ = ["ContentWriter", "Ledger"]


class ContentWriter(Protocol):
    """Content that is kept while it arrives, so that memory never holds the whole."""

    async def write(self, data: bytes) -> None:
        """Append the next piece.

        Raises:
            LedgerError: it could not be written.
        """
        ...

    async def keep(self) -> str:
        """Keep what was written, as `Ledger.keep` does, and return its SHA-256.

        Raises:
            LedgerError: it could not be written.
        """
        ...

    async def discard(self) -> None:
        """Forget what was written unless it was kept; idempotent."""
        ...


class Ledger(Protocol):
    """Every coroutine returns once its effect is as durable as this ledger gets, else raises `LedgerError`.

    All run to their end even when the caller is cancelled: a commit is never half told.
    """

    @property
    def durable(self) -> bool:
        """Whether a later process finds what this one wrote."""
        ...

    async def open(self) -> None:
        """Take the ledger; spilled changes are applied, then jobs found ARMED become UNKNOWN ("crashed").

        Raises:
            LedgerError: somebody else has it (`owner_pid`), or it cannot be read or written.
        """
        ...

    async def close(self) -> None:
        """Give the ledger back; idempotent."""
        ...

    async def add(self, record: JobRecord) -> JobRecord:
        """Keep a new job and return it, or the job that already stands under its idempotency key.

        A record that `replaces` an unknown job takes over that job's key in the same transaction; if a job
        replaces it already, that one is returned. When it is withdrawn, the key goes back and the unknown
        job can be replaced anew.

        Raises:
            InvalidRequestError: that key stands for another request (`reason` "key_reuse").
            LedgerError: the job to replace is not here, is not unknown, or was another request.
        """
        ...

    async def add_many(self, records: Sequence[JobRecord]) -> Sequence[JobRecord]:
        """Keep many jobs in one commit, all or none, as `add` does.

        For a record whose (provider, operation) is already known, return the job that has it.
        """
        ...

    async def apply(self, change: Change, caps: Caps | None = None) -> JobRecord:
        """Move a job by the transition table and return it as it stands then.

        `caps` are looked at for the move ARMED, in the transaction that records it: no two jobs can pass
        them together.

        Raises:
            IllegalTransitionError: the table has no such pair; nothing was changed.
            BudgetExceededError: sending the job would pass a cap; nothing was changed.
            LedgerError: the job is not here, its operation name belongs to another job, or the write failed.
        """
        ...

    async def spill(self, change: Change) -> None:
        """Keep a change where `apply` could not: in a file that was made long enough at `open`.

        It is applied with the next write that succeeds, by this process or the next one, as far as the
        table allows it then; reads do not show it before.

        Raises:
            LedgerError: it could not be kept there either, or there is no such file.
        """
        ...

    async def reopen(self) -> None:
        """Look at the ledger again after a write failed, and go on where it is well; else do nothing.

        Jobs stay as they are: those ARMED are still this process's own.

        Raises:
            LedgerError: it is not well; nothing can be written as before.
        """
        ...

    async def prune(self, before: float) -> Pruned:
        """Forget the words of final jobs finished before an instant (wall-clock seconds since the epoch).

        Their requests (prompts, labels, media), raw answers and rewritten prompts go, and kept content that
        no job needs then. What stays: the row with its state, operation name, digest, idempotency key,
        price and instants, its moves, its stored files, where its videos are (`Video.uri`), and a video
        that came inside an answer and was never saved. A month is sensible: providers forget operations
        within days, and a bill is rarely looked into later.

        Cancelling it is safe: what was pruned is pruned, the rest stays.
        """
        ...

    async def get(self, job_id: JobId) -> JobRecord | None:
        """Return one job."""
        ...

    async def keyed(self, idempotency_key: str) -> JobRecord | None:
        """Return the job that stands under an idempotency key."""
        ...

    async def find(self, provider: str, operation: str) -> JobRecord | None:
        """Return the job of an operation."""
        ...

    async def select(self, states: Collection[State] | None = None) -> Sequence[JobRecord]:
        """Return the jobs in `states` (None: all), oldest first."""
        ...

    async def keep(self, data: bytes) -> str:
        """Keep content (request media, a video that came inside an answer) and return its SHA-256."""
        ...

    def writer(self) -> ContentWriter:
        """Return where content goes piece by piece; `discard` it unless it was kept."""
        ...

    async def release(self, sha256: str) -> None:
        """Let go of content that was kept and that no job will name."""
        ...

    async def content(self, sha256: str) -> bytes | Path:
        """Return kept content: its bytes, or a file that holds them.

        Raises:
            LedgerError: it is not here.
        """
        ...

    async def add_file(self, record: FileRecord) -> None:
        """Record a stored video; a later one for the same job and index replaces it."""
        ...

    async def files(self, job_id: JobId) -> Sequence[FileRecord]:
        """Return the stored videos of a job, by index."""
        ...

    async def moves(self, job_id: JobId) -> Sequence[MoveRecord]:
        """Return every move of a job, oldest first: the proof of what was known when."""
        ...

    async def keep_waiting_times(self, provider: str, learned: Sequence[Learned]) -> None:
        """Keep what was learned of a provider's waiting times, over what was kept of the same profiles."""
        ...

    async def waiting_times(self, provider: str) -> Sequence[Learned]:
        """Return what was kept of a provider's waiting times."""
        ...
