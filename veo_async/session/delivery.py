"""From a finished video to bytes or a file."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import anyio

from veo_async.answers import Finished
from veo_async.download import DownloadPolicy, StoredFile, file_name, save_bytes, save_video, stream_video
from veo_async.errors import DownloadError
from veo_async.ledger.ledger import Ledger
from veo_async.ledger.records import FileRecord
from veo_async.models import JobId, Result, Succeeded, Video
from veo_async.providers import Provider
from veo_async.session.events import VideoStored
from veo_async.session.feed import Feed
from veo_async.session.fetching import PacedFetcher
from veo_async.transport import Transport

__all__ = ["Delivery"]

STREAM_BYTES = 256 << 10
"""Chunks of a video that the ledger holds."""


class Delivery:
    """Stores and streams the videos of one provider, a few at a time."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        ledger: Ledger,
        run: Callable[..., Awaitable[StoredFile]],
        status: Callable[[str], Awaitable[object]],
        feed: Feed,
    ) -> None:
        """Store and stream.

        Args:
            provider: Whose videos.
            transport: Fetches them.
            ledger: Holds those that came inside an answer, and records the files.
            run: Runs something in a task that the session owns.
            status: Returns the provider's answer on an operation.
            feed: Is told of stored videos.
        """
        self._status = status
        self._feed = feed
        self._provider = provider
        self._run = run
        self._ledger = ledger
        self._slots = asyncio.Semaphore(provider.limits.downloads)
        self._policy = DownloadPolicy(
            own_origins=provider.credential_origins, download_hosts=provider.download_hosts
        )
        self._fetcher = PacedFetcher(
            transport, provider.limits.download_rates, max_hint=self._policy.max_hint
        )

    async def save_result(
        self, result: Result, target: str | os.PathLike[str], *, overwrite: bool
    ) -> list[Path]:
        """Store all videos of a result and record them."""
        paths: list[Path] = []
        for video in result.videos:
            path = _path_for(target, result.operation or "video", video.index, len(result.videos))
            try:
                stored = await self._save_of(result, video, path, overwrite=overwrite)
            except DownloadError as error:
                error.job_id, error.operation = result.job_id, result.operation
                raise
            paths.append(stored.path)
        return paths

    async def _save_of(self, result: Result, video: Video, path: Path, *, overwrite: bool) -> StoredFile:
        """Store a video of a result; for a link that has expired the provider is asked again, once."""
        try:
            return await self.save(video, path, overwrite=overwrite, job_id=result.job_id)
        except DownloadError as error:
            fresh = await self._fresh(result, video) if error.reason == "expired" else None
            if fresh is None:
                raise
        return await self.save(fresh, path, overwrite=overwrite, job_id=result.job_id)

    async def _fresh(self, result: Result, video: Video) -> Video | None:
        """Return a video as its provider links it now; None where it does not say."""
        answer = await self._status(result.operation) if result.operation is not None else None
        if not isinstance(answer, Finished) or not isinstance(answer.outcome, Succeeded):
            return None
        videos = answer.outcome.result.videos
        return next((one for one in videos if one.index == video.index and one.uri is not None), None)

    async def save_one(self, video: Video, target: str | os.PathLike[str], *, overwrite: bool) -> list[Path]:
        """Store one video, whose job is not known."""
        path = _path_for(target, video.uri or video.sha256 or "video", video.index, 1)
        return [(await self.save(video, path, overwrite=overwrite)).path]

    async def save(
        self, video: Video, path: Path, *, overwrite: bool, job_id: str | None = None
    ) -> StoredFile:
        """Store one video at `path`, whole or not at all, and record it where its job is known."""

        async def keep(publish: Callable[[], Awaitable[StoredFile]]) -> StoredFile:
            # A caller that gives up in between would leave a file that the ledger does not know.
            return await self._run(self._keep, publish, job_id, video.index)

        hashed = job_id is not None  # for the record of its job
        async with self._slots:
            if video.uri is None:
                content = await self._content(video)
                return await save_bytes(content, path, overwrite=overwrite, hashed=hashed, keep=keep)
            return await save_video(
                self._fetcher,
                self._provider.dialect.download(video.uri),
                path,
                policy=self._policy,
                overwrite=overwrite,
                hashed=hashed,
                keep=keep,
            )

    async def _keep(
        self, publish: Callable[[], Awaitable[StoredFile]], job_id: str | None, index: int
    ) -> StoredFile:
        stored = await publish()
        if job_id is not None:
            await self._record(JobId(job_id), index, stored)
        if self._feed.wanted:
            self._feed.tell(_stored_event(job_id, index, stored))
        return stored

    async def stream(self, video: Video) -> AsyncIterator[bytes]:
        """Yield the bytes of a video."""
        async with self._slots:
            if video.uri is None:
                async for chunk in _chunks(await self._content(video)):
                    yield chunk
                return
            candidates = self._provider.dialect.download(video.uri)
            async with aclosing(stream_video(self._fetcher, candidates, policy=self._policy)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _content(self, video: Video) -> bytes | Path:
        if video.data is not None:
            return video.data
        if video.sha256 is None:
            raise DownloadError("the video has neither a URI nor content", reason="refused")
        return await self._ledger.content(video.sha256)

    async def _record(self, job_id: JobId, index: int, stored: StoredFile) -> None:
        assert stored.sha256 is not None
        if await self._ledger.get(job_id) is None:
            return  # a result of another session's job
        await self._ledger.add_file(
            FileRecord(
                job_id=job_id,
                index=index,
                path=str(stored.path),
                sha256=stored.sha256,
                size=stored.size,
                stored_at=time.time(),
            )
        )


def _stored_event(job_id: str | None, index: int, stored: StoredFile) -> VideoStored:
    known = None if job_id is None else JobId(job_id)
    return VideoStored(job_id=known, index=index, path=stored.path, size=stored.size, at=time.time())


def _path_for(target: str | os.PathLike[str], operation: str, index: int, count: int) -> Path:
    """Return where a video goes: into a folder under a name of its own, or exactly at `target`."""
    text = os.fspath(target)
    path = Path(text).absolute()
    if text.endswith(("/", os.sep)) or path.is_dir() or not path.suffix:
        return path / file_name(operation, index)
    return path if count == 1 else path.with_stem(f"{path.stem}-{index + 1}")


async def _chunks(content: bytes | Path) -> AsyncIterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, len(content), STREAM_BYTES):
            yield content[start : start + STREAM_BYTES]
        return
    async with await anyio.open_file(content, "rb") as file:
        while chunk := await file.read(STREAM_BYTES):
            yield chunk
