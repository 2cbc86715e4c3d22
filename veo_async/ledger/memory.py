"""A ledger that lives as long as its process."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

from attrs import evolve

from veo_async.engine.events import Profile
from veo_async.engine.lifecycle import FINAL, Move, State
from veo_async.engine.waiting_times import Learned
from veo_async.errors import LedgerError
from veo_async.ledger.blobs import Pins, absent
from veo_async.ledger.ledger import ContentWriter
from veo_async.ledger.money import Accounts, Caps, check_caps
from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord, Pruned
from veo_async.ledger.rules import (
    crashed,
    moved,
    name_taken,
    needed,
    no_such_job,
    pruned,
    replacing,
    same_job,
)
from veo_async.models import JobId

__all__ = ["MemoryLedger"]

_CHUNK_BYTES: Final = 1 << 20


class MemoryLedger:
    """Keeps the contract of `Ledger` without a file: no write waits, so each is done whole or not at all."""

    durable = False

    def __init__(self) -> None:
        self._jobs: dict[JobId, JobRecord] = {}
        self._by_key: dict[str, JobId] = {}
        self._by_operation: defaultdict[str, dict[str, JobId]] = defaultdict(dict)
        """By provider and name: a tuple of both for each of 100,000 jobs would be 6 MB."""
        self._heirs: dict[JobId, JobId] = {}
        """Which job replaces an unknown one."""
        self._accounts = Accounts()
        self._moves: dict[JobId, tuple[MoveRecord, ...]] = {}
        self._files: dict[JobId, dict[int, FileRecord]] = {}
        self._content: dict[str, bytes] = {}
        self._needed_by: dict[str, set[JobId]] = {}
        self._pins = Pins()
        self._waiting_times: dict[tuple[str, Profile], Learned] = {}

    async def open(self) -> None:
        """Take the ledger; jobs found ARMED become UNKNOWN."""
        for record in await self.select({State.ARMED}):
            await self.apply(crashed(record, time.time()))

    async def close(self) -> None:
        """Do nothing: what is kept stays as long as this object."""

    async def add(self, record: JobRecord) -> JobRecord:
        """Keep a new job, or return the one under its key or operation."""
        return (await self.add_many([record]))[0]

    async def add_many(self, records: Sequence[JobRecord]) -> Sequence[JobRecord]:
        """Keep many jobs, all or none, as `add` does."""
        kept: list[JobRecord] = []
        new: list[JobRecord] = []
        try:
            kept.extend(self._standing(record) or self._put(record, new) for record in records)
        except Exception:
            for record in new:
                self._forget(record)
            raise
        for record in new:
            self._accounts = self._accounts.with_new(record)
        for record in records:
            self._release(needed(record))
        return kept

    async def apply(self, change: Change, caps: Caps | None = None) -> JobRecord:
        """Move a job by the transition table."""
        before = self._jobs.get(change.job_id)
        if before is None:
            raise no_such_job(change.job_id)
        after = moved(before, change)
        if caps is not None and change.move is Move.ARMED:
            check_caps(caps, before, self._accounts)
        if after.operation is not None:
            owner = self._by_operation[after.provider].setdefault(after.operation, after.id)
            if owner != after.id:
                raise name_taken(before, after.operation)
        if change.move is Move.TAKEN_BACK:
            self._give_back(before)
        self._jobs[after.id] = after
        self._accounts = self._accounts.with_moved(before, after)
        record = MoveRecord(job_id=after.id, move=change.move, at=change.at)
        self._moves[after.id] = (*self._moves.get(after.id, ()), record)
        had, has = needed(before), needed(after)
        self._need(after.id, has)
        self._release(has - had)
        self._unneed(after.id, had - has)
        return after

    async def spill(self, change: Change) -> None:
        """Raise `LedgerError`: memory has no file beside it, and its writes do not fail."""
        raise LedgerError(f"job {change.job_id}: a ledger in memory has no spill file", job_id=change.job_id)

    async def reopen(self) -> None:
        """Do nothing: a write cannot have failed."""

    async def prune(self, before: float) -> Pruned:
        """Forget the words of final jobs finished before an instant."""
        jobs, contents = 0, 0
        for record in list(self._jobs.values()):
            if record.state in FINAL and record.finished_at is not None and record.finished_at < before:
                bare = pruned(record, self._files.get(record.id, {}))
                jobs += bare != record
                self._jobs[record.id] = bare
                let_go = needed(record) - needed(bare)
                self._unneed(record.id, let_go)
                contents += sum(not self._needed_by.get(sha256) for sha256 in let_go)
        return Pruned(jobs=jobs, contents=contents)

    async def get(self, job_id: JobId) -> JobRecord | None:
        """Return one job."""
        return self._jobs.get(job_id)

    async def keyed(self, idempotency_key: str) -> JobRecord | None:
        """Return the job that stands under an idempotency key."""
        job_id = self._by_key.get(idempotency_key)
        return None if job_id is None else self._jobs[job_id]

    async def find(self, provider: str, operation: str) -> JobRecord | None:
        """Return the job of an operation."""
        job_id = self._by_operation[provider].get(operation)
        return None if job_id is None else self._jobs[job_id]

    async def select(self, states: Collection[State] | None = None) -> Sequence[JobRecord]:
        """Return the jobs in `states` (None: all), oldest first."""
        return [record for record in self._jobs.values() if states is None or record.state in states]

    async def keep(self, data: bytes) -> str:
        """Keep content and return its SHA-256."""
        digest = hashlib.sha256()
        for start in range(0, len(data), _CHUNK_BYTES):
            digest.update(memoryview(data)[start : start + _CHUNK_BYTES])
            await asyncio.sleep(0)  # a long video must not stop the loop for long
        sha256 = digest.hexdigest()
        self._put_content(sha256, data)
        return sha256

    def writer(self) -> ContentWriter:
        """Return where content goes piece by piece."""
        return _MemoryWriter(self._put_content)

    async def release(self, sha256: str) -> None:
        """Let go of content that no job will name."""
        self._release([sha256])

    async def content(self, sha256: str) -> bytes | Path:
        """Return kept content."""
        try:
            return self._content[sha256]
        except KeyError:
            raise absent(sha256) from None

    async def add_file(self, record: FileRecord) -> None:
        """Record a stored video."""
        if record.job_id not in self._jobs:
            raise no_such_job(record.job_id)
        self._files.setdefault(record.job_id, {})[record.index] = record

    async def files(self, job_id: JobId) -> Sequence[FileRecord]:
        """Return the stored videos of a job, by index."""
        return [record for _, record in sorted(self._files.get(job_id, {}).items())]

    async def moves(self, job_id: JobId) -> Sequence[MoveRecord]:
        """Return every move of a job, oldest first."""
        return self._moves.get(job_id, ())

    async def keep_waiting_times(self, provider: str, learned: Sequence[Learned]) -> None:
        """Keep what was learned of a provider's waiting times."""
        self._waiting_times.update({(provider, known.profile): known for known in learned})

    async def waiting_times(self, provider: str) -> Sequence[Learned]:
        """Return what was kept of a provider's waiting times."""
        return [known for (whose, _), known in self._waiting_times.items() if whose == provider]

    def _put_content(self, sha256: str, data: bytes) -> None:
        self._pins[sha256] += 1
        self._content[sha256] = data

    def _standing(self, record: JobRecord) -> JobRecord | None:
        """Return the job that has the record's key or operation already, or replaces the same job."""
        if record.replaces is not None:
            heir = self._heirs.get(record.replaces)
            return None if heir is None else self._jobs[heir]
        job_id: JobId | None = None
        if record.idempotency_key is not None:
            job_id = self._by_key.get(record.idempotency_key)
        if job_id is None and record.operation is not None:
            job_id = self._by_operation[record.provider].get(record.operation)
        return None if job_id is None else same_job(record, self._jobs[job_id])

    def _put(self, record: JobRecord, new: list[JobRecord]) -> JobRecord:
        if record.replaces is not None:
            record = replacing(record, self._jobs.get(record.replaces))
        if record.id in self._jobs:
            raise LedgerError(f"job {record.id} is in this ledger already", job_id=record.id)
        new.append(record)
        self._jobs[record.id] = record
        if record.replaces is not None:
            self._heirs[record.replaces] = record.id
            self._set_key(record.replaces, None)
        if record.idempotency_key is not None:
            self._by_key[record.idempotency_key] = record.id
        if record.operation is not None:
            self._by_operation[record.provider][record.operation] = record.id
        self._need(record.id, needed(record))
        return record

    def _forget(self, record: JobRecord) -> None:
        del self._jobs[record.id]
        self._give_back(record)
        if record.operation is not None:
            del self._by_operation[record.provider][record.operation]
        self._unneed(record.id, needed(record))

    def _give_back(self, record: JobRecord) -> None:
        """Let go of a job's key, to the unknown job that it replaces where there is one."""
        key = record.idempotency_key
        if key is not None:
            del self._by_key[key]
        if record.replaces is not None:
            del self._heirs[record.replaces]
            self._set_key(record.replaces, key)

    def _set_key(self, job_id: JobId, key: str | None) -> None:
        self._jobs[job_id] = evolve(self._jobs[job_id], idempotency_key=key)
        if key is not None:
            self._by_key[key] = job_id

    def _need(self, job_id: JobId, digests: Iterable[str]) -> None:
        for sha256 in digests:
            self._needed_by.setdefault(sha256, set()).add(job_id)

    def _unneed(self, job_id: JobId, digests: Iterable[str]) -> None:
        for sha256 in digests:
            self._needed_by.get(sha256, set()).discard(job_id)
            self._drop(sha256)

    def _release(self, digests: Iterable[str]) -> None:
        """Unpin content that a record now names, and drop it where that record was not kept."""
        for sha256 in digests:
            self._pins.release([sha256])
            self._drop(sha256)

    def _drop(self, sha256: str) -> None:
        if not self._needed_by.get(sha256) and sha256 not in self._pins:
            self._needed_by.pop(sha256, None)
            self._content.pop(sha256, None)


class _MemoryWriter:
    def __init__(self, put: Callable[[str, bytes], None]) -> None:
        self._put = put
        self._digest = hashlib.sha256()
        # It hands its bytes over without copying them, which for a long video would stop the loop.
        self._buffer = BytesIO()

    async def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._buffer.write(data)

    async def keep(self) -> str:
        sha256 = self._digest.hexdigest()
        self._put(sha256, self._buffer.getvalue())
        return sha256

    async def discard(self) -> None:
        self._buffer.close()
