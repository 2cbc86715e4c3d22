"""Videos on the disk: those that are there stay, missing ones are fetched, nothing is overwritten."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread
import attrs

from veo_async.cli.entries import Entry, StoredFile
from veo_async.cli.names import beside, file_name
from veo_async.ledger.records import FileRecord, JobRecord
from veo_async.models import Result, Video
from veo_async.session import VeoSession

__all__ = ["Shelf", "standing"]


def standing(record: FileRecord, root: Path) -> StoredFile | None:
    """Return a ledger's file where it still stands as it was stored; it may have moved with its folder."""
    for path in dict.fromkeys([Path(record.path), root / Path(record.path).name]):
        if _holds(path, record):
            return StoredFile(path=path, sha256=record.sha256, size=record.size)
    return None


def _holds(path: Path, record: FileRecord) -> bool:
    try:
        if path.stat().st_size != record.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == record.sha256
    except OSError:
        return False


class Shelf:
    """The folder that a run's videos go to."""

    def __init__(self, root: Path, session: VeoSession, *, renames: bool = True) -> None:
        """Take videos in.

        Args:
            root: The folder.
            session: Fetches them.
            renames: Whether a video whose name is taken by another file gets another name; else it fails.
        """
        self._root = root
        self._renames = renames
        self._session = session

    async def fetch(self, entry: Entry, record: JobRecord, result: Result) -> tuple[StoredFile, ...]:
        """Return the files of all videos of a job, fetching those that are not there; cancelling is safe.

        Raises:
            DownloadError: a video could not be stored; the others are.
        """
        there = await self._there(record)
        for video in result.videos:
            if video.index not in there:
                await self._save(entry, record, result, video)
        there = await self._there(record)
        return tuple(there[index] for index in sorted(there))

    async def _there(self, record: JobRecord) -> dict[int, StoredFile]:
        records: Sequence[FileRecord] = await self._session.files(record.id)
        found = [(each.index, await anyio.to_thread.run_sync(standing, each, self._root)) for each in records]
        return {index: file for index, file in found if file is not None}

    async def _save(self, entry: Entry, record: JobRecord, result: Result, video: Video) -> None:
        name = file_name(
            place=entry.place,
            line_id=entry.line_id,
            prompt=entry.request.prompt if entry.request is not None else "",
            job_id=record.id,
            index=video.index,
            mime_type=video.mime_type,
        )
        target = self._root / name
        if self._renames:
            target = await anyio.to_thread.run_sync(_free, target, record.id.replace("-", ""))
        await self._session.save(attrs.evolve(result, videos=(video,)), target)


def _free(path: Path, mark: str) -> Path:
    """Return `path`, or a name beside it where somebody else's file has it."""
    return path.with_name(beside(path, mark)) if path.exists() else path
