"""A ledger in a SQLite file: one owner, one connection, one thread, one fsync for all that waits."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from veo_async.engine.lifecycle import State
from veo_async.engine.waiting_times import Learned
from veo_async.errors import ConfigurationError, LedgerError
from veo_async.ledger.blobs import Blobs, NewBlob
from veo_async.ledger.ledger import ContentWriter
from veo_async.ledger.money import Caps
from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord, Pruned
from veo_async.ledger.sqlite_store import Store
from veo_async.ledger.sqlite_thread import LedgerFile, beside
from veo_async.ledger.worker import Worker
from veo_async.models import JobId

__all__ = ["SqliteLedger"]

T = TypeVar("T")

_BATCH_BYTES: Final = 1 << 20
"""Written at once: less would cost more in changes of thread than in writing."""

_PRUNED_AT_ONCE: Final = 200
"""Jobs in one transaction: some 20 ms."""


class SqliteLedger:
    """Keeps the contract of `Ledger` in a file; media go into `<path>.media/`, the lock is `<path>.lock`.

    `<path>.spill` takes answers when the disk takes no more commits.

    Cancelling any coroutine here loses nothing: what it asked for is done whole in the ledger's thread.
    """

    durable = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the ledger's file; nothing is touched before `open`, which makes it where it is missing."""
        # Two names of one file must find one lock.
        self.path: Path = Path(path).resolve()
        self._read_only = False
        self._blobs = Blobs(beside(self.path, ".media"))
        self._file = self._new_file()
        self._writer: Worker | None = None
        # Videos are long: what waits for a commit must not wait for their fsync.
        self._keeper: Worker | None = None
        self._ready = False

    @classmethod
    def read_only(cls, path: str | os.PathLike[str]) -> SqliteLedger:
        """Return a ledger that only looks, whoever owns it; what writes raises `LedgerError`."""
        ledger = cls(path)
        ledger._read_only = True
        return ledger

    async def open(self) -> None:
        """Take the ledger; spilled changes are applied, then jobs found ARMED become UNKNOWN ("crashed").

        Raises:
            LedgerError: Somebody else has it (`owner_pid`), or it cannot be read or written.
            ConfigurationError: It is open already.
        """
        if self._writer is not None:
            raise ConfigurationError(f"ledger {self.path} is open already: open it once")
        self._file = self._new_file()
        self._writer = writer = Worker("veo-ledger", self._file.run, self._file.close)
        writer.start()
        try:
            await writer.call(self._file.open)
        except BaseException:
            self._writer = None
            writer.request_stop()  # the thread closes what it had opened
            raise
        self._ready = True

    async def close(self) -> None:
        """Write what is queued and give the ledger back; idempotent."""
        workers = [worker for worker in (self._keeper, self._writer) if worker is not None]
        for worker in workers:
            worker.request_stop()  # all of them before the first wait, which may be cancelled
        for worker in workers:
            await worker.stop()
        self._keeper = self._writer = None
        self._ready = False

    async def add(self, record: JobRecord) -> JobRecord:
        """Keep a new job and return it, or the job that stands under its idempotency key or operation.

        Raises:
            InvalidRequestError: That key stands for another request (`reason` "key_reuse").
            LedgerError: The write failed; nothing was kept.
        """
        return (await self.add_many([record]))[0]

    async def add_many(self, records: Sequence[JobRecord]) -> Sequence[JobRecord]:
        """Keep many jobs in one commit, all or none, as `add` does."""
        return await self._write(lambda store: store.add_many(records))

    async def apply(self, change: Change, caps: Caps | None = None) -> JobRecord:
        """Move a job by the transition table and return it as it stands then.

        Raises:
            IllegalTransitionError: The table has no such pair; nothing was changed.
            BudgetExceededError: Sending the job would pass a cap; nothing was changed.
            LedgerError: The job is not here, its operation name belongs to another job, or the write failed.
        """
        return await self._write(lambda store: store.apply(change, caps))

    async def spill(self, change: Change) -> None:
        """Keep a change in `<path>.spill`, where `apply` could not; the next write that succeeds applies it.

        Raises:
            LedgerError: It could not be kept there either.
        """
        await self._check(writes=True).call(partial(self._file.spill, change), alone=True)

    async def reopen(self) -> None:
        """Open the file once more where a write failed, with all the checks of `open`; else do nothing.

        Raises:
            LedgerError: It is not well; it can be read, and not written, as before.
        """
        await self._check(writes=True).call(self._file.reopen, alone=True)

    async def prune(self, before: float) -> Pruned:
        """Forget the words of final jobs finished before an instant; see `Ledger.prune` for what stays.

        What was forgotten is overwritten. The file does not get smaller; what long texts held is used again.

        Raises:
            LedgerError: A write failed; what was pruned before it is pruned.
        """
        place, jobs, contents = 0, 0, 0
        while True:  # in small transactions, so that others need not wait for long
            step = partial(Store.prune, before=before, after_seq=place, jobs=_PRUNED_AT_ONCE)
            place, some = await self._write(step)
            jobs, contents = jobs + some.jobs, contents + some.contents
            if place == 0:
                break
        if jobs:
            await self._check(writes=True).call(self._file.checkpoint, alone=True)
        return Pruned(jobs=jobs, contents=contents)

    async def get(self, job_id: JobId) -> JobRecord | None:
        """Return one job."""
        return await self._read(lambda store: store.get(job_id))

    async def keyed(self, idempotency_key: str) -> JobRecord | None:
        """Return the job that stands under an idempotency key."""
        return await self._read(lambda store: store.keyed(idempotency_key))

    async def find(self, provider: str, operation: str) -> JobRecord | None:
        """Return the job of an operation."""
        return await self._read(lambda store: store.find(provider, operation))

    async def select(self, states: Collection[State] | None = None) -> Sequence[JobRecord]:
        """Return the jobs in `states` (None: all), oldest first."""
        return await self._read(lambda store: store.select(states))

    async def keep(self, data: bytes) -> str:
        """Keep content and return its SHA-256 once it is on the disk.

        Raises:
            LedgerError: It could not be written.
        """
        return await self._media_worker().call(partial(self._blobs.put, data))

    def writer(self) -> ContentWriter:
        """Return where content goes piece by piece."""
        return _SqliteWriter(self._media_worker(), NewBlob(self._blobs))

    async def release(self, sha256: str) -> None:
        """Let go of content that was kept and that no job will name."""
        await self._write(lambda store: store.release(sha256))

    async def content(self, sha256: str) -> bytes | Path:
        """Return the file of kept content.

        Raises:
            LedgerError: It is not here.
        """
        return await self._read(lambda _: self._blobs.find(sha256))

    async def add_file(self, record: FileRecord) -> None:
        """Record a stored video; a later one for the same job and index replaces it."""
        await self._write(lambda store: store.add_file(record))

    async def files(self, job_id: JobId) -> Sequence[FileRecord]:
        """Return the stored videos of a job, by index."""
        return await self._read(lambda store: store.files(job_id))

    async def moves(self, job_id: JobId) -> Sequence[MoveRecord]:
        """Return every move of a job, oldest first."""
        return await self._read(lambda store: store.moves(job_id))

    async def keep_waiting_times(self, provider: str, learned: Sequence[Learned]) -> None:
        """Keep what was learned of a provider's waiting times."""
        await self._write(lambda store: store.keep_waiting_times(provider, learned))

    async def waiting_times(self, provider: str) -> Sequence[Learned]:
        """Return what was kept of a provider's waiting times; a ledger of an earlier version has none."""
        return await self._read(lambda store: store.waiting_times(provider))

    def _new_file(self) -> LedgerFile:
        return LedgerFile(self.path, self._blobs, read_only=self._read_only)

    def _media_worker(self) -> Worker:
        self._check(writes=True)
        if self._keeper is None:
            self._keeper = Worker("veo-ledger-media")
            self._keeper.start()
        return self._keeper

    def _check(self, *, writes: bool) -> Worker:
        if self._writer is None or not self._ready:
            raise LedgerError(f"ledger {self.path} is not open: await its open() first")
        if writes and self._read_only:
            raise LedgerError(f"ledger {self.path} was opened to look at it only")
        return self._writer

    async def _write(self, do: Callable[[Store], T]) -> T:
        return await self._check(writes=True).call(lambda: do(self._file.store), writes=True)

    async def _read(self, do: Callable[[Store], T]) -> T:
        # Behind the writes in the same queue: what was written is what is read.
        return await self._check(writes=False).call(lambda: do(self._file.store))


class _SqliteWriter:
    """Hands pieces to the thread that keeps media; what was asked for last is done last."""

    def __init__(self, worker: Worker, blob: NewBlob) -> None:
        self._worker = worker
        self._blob = blob
        self._batch: list[bytes] = []
        self._batched_bytes = 0

    async def write(self, data: bytes) -> None:
        self._batch.append(data)
        self._batched_bytes += len(data)
        if self._batched_bytes >= _BATCH_BYTES:
            await self._flush()

    async def keep(self) -> str:
        await self._flush()
        return await self._worker.call(self._blob.keep)

    async def discard(self) -> None:
        await self._worker.call(self._blob.discard)

    async def _flush(self) -> None:
        batch, self._batch, self._batched_bytes = self._batch, [], 0
        await self._worker.call(partial(self._blob.write, batch))
