"""A finished video to a file or to a reader, tried again while that may help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import anyio
import backoff

from veo_async.download.body import VideoBody, file_problem
from veo_async.download.digests import announced_digests
from veo_async.download.files import PartFile, StoredFile, refuse_existing
from veo_async.download.hops import Fetcher, opened
from veo_async.download.policy import TRIES, DownloadPolicy, Hitch, problem
from veo_async.errors import DownloadError
from veo_async.mp4 import Mp4Walker
from veo_async.wire import Request

__all__ = ["Keep", "save_bytes", "save_video", "stream_video"]

_BATCH_BYTES = 1 << 20
"""Written at once: a thread costs less than a hundredth of that, and the loop never waits for the disk. A
video no longer than that crosses to a thread once, for all there is to do with its file."""
_BATCH_CHUNKS = 1024

_Arguments = TypeVarTuple("_Arguments")
_Given = TypeVar("_Given")
Sleep = Callable[[float], Awaitable[object]]
Keep = Callable[[Callable[[], Awaitable[StoredFile]]], Awaitable[StoredFile]]


class _Patience:
    """Waits between tries, longer each time, until no further try is worth it."""

    def __init__(self, policy: DownloadPolicy, sleep: Sleep) -> None:
        self._tries = policy.tries
        self._sleep = sleep
        self._made = 0
        self._ceilings = backoff.expo(factor=policy.base, max_value=policy.cap)
        next(self._ceilings)  # the generator's first value is no wait

    async def pause(self, hitch: Hitch) -> None:
        """Wait before another try, or raise what the last one ended with."""
        self._made += 1
        if self._made >= min(self._tries, TRIES.get(hitch.error.reason, 1)):
            raise hitch.error
        await self._sleep(max(hitch.wait, backoff.full_jitter(next(self._ceilings))))


async def _at_once(publish: Callable[[], Awaitable[StoredFile]]) -> StoredFile:
    return await publish()


async def save_video(
    fetcher: Fetcher,
    candidates: Sequence[Request],
    target: Path,
    *,
    policy: DownloadPolicy,
    overwrite: bool = False,
    hashed: bool = True,
    sleep: Sleep = anyio.sleep,
    keep: Keep = _at_once,
) -> StoredFile:
    """Store a video under the name `target`, whole or not at all.

    Cancelling is safe: nothing is left behind, and nothing stands under the name that was not there before,
    unless the file was whole already.

    Args:
        fetcher: What carries the requests.
        candidates: Requests for the video's bytes, tried in order while they answer 404.
        target: The file's name; missing folders are made.
        policy: What the download may do.
        overwrite: Replace what stands under that name.
        hashed: Also tell the file's SHA-256.
        sleep: Waits between tries.
        keep: Carries out the last step, which gives the file its name.

    Raises:
        DownloadError: `reason` says which check was not passed.
    """
    patience = _Patience(policy, sleep)
    while True:
        try:
            return await _save_once(
                fetcher, candidates, target, policy, overwrite=overwrite, hashed=hashed, keep=keep
            )
        except Hitch as error:
            hitch = error
        await patience.pause(hitch)


async def stream_video(
    fetcher: Fetcher,
    candidates: Sequence[Request],
    *,
    policy: DownloadPolicy,
    sleep: Sleep = anyio.sleep,
) -> AsyncGenerator[bytes, None]:
    """Yield a video's bytes as they arrive; tried again only while nothing was handed out.

    The end of the loop means that the video was whole. Cancelling and leaving early are safe, the latter with
    `contextlib.aclosing`.

    Raises:
        DownloadError: What was handed out so far is of no use; `reason` says why.
    """
    patience = _Patience(policy, sleep)
    begun = False
    while True:
        try:
            async with opened(fetcher, candidates, policy) as body:
                async for chunk in body:
                    begun = True
                    yield chunk
                return
        except Hitch as error:
            hitch = error
        if begun:
            raise hitch.error
        await patience.pause(hitch)


async def save_bytes(
    source: bytes | Path,
    target: Path,
    *,
    overwrite: bool = False,
    hashed: bool = True,
    keep: Keep = _at_once,
) -> StoredFile:
    """Store a video that came inside an answer, after the same checks of the file.

    Args:
        source: The video itself, or a file of it.
        target: The new file's name; missing folders are made.
        overwrite: Replace what stands under that name.
        hashed: Also tell the file's SHA-256.
        keep: Carries out the last step, which gives the file its name.

    Raises:
        DownloadError: `reason` says which check was not passed.
    """
    refuse_existing(target, overwrite=overwrite)
    part = PartFile(target, overwrite=overwrite, hashed=hashed)
    try:
        await _in_thread(_copy, source, part)
        return await _kept(part, (), keep)
    finally:
        await _discard(part)


async def _save_once(
    fetcher: Fetcher,
    candidates: Sequence[Request],
    target: Path,
    policy: DownloadPolicy,
    *,
    overwrite: bool,
    hashed: bool,
    keep: Keep,
) -> StoredFile:
    refuse_existing(target, overwrite=overwrite)
    async with opened(fetcher, candidates, policy) as body:
        digests = announced_digests(body.headers)
        part = PartFile(target, overwrite=overwrite, hashed=hashed, length=body.length, digests=digests)
        try:
            rest = await _fill(part, body)
            return await _published(part, rest, keep)
        finally:
            await _discard(part)


async def _fill(part: PartFile, body: VideoBody) -> Sequence[bytes]:
    """Write what comes in batches; return the last one, unwritten."""
    batch: list[bytes] = []
    size = 0
    async for chunk in body:
        if size + len(chunk) > _BATCH_BYTES or len(batch) == _BATCH_CHUNKS:
            await _in_thread(part.write, batch)
            batch, size = [], 0
        batch.append(chunk)
        size += len(chunk)
    return batch


async def _published(part: PartFile, rest: Sequence[bytes], keep: Keep) -> StoredFile:
    try:
        return await _kept(part, rest, keep)
    except DownloadError as error:
        if error.reason != "corrupt":
            raise
        hitch = Hitch(error)
    raise hitch


async def _kept(part: PartFile, rest: Sequence[bytes], keep: Keep) -> StoredFile:
    async def publish() -> StoredFile:
        return await _in_thread(part.publish, rest)

    return await keep(publish)


def _copy(source: bytes | Path, part: PartFile) -> None:
    walker = Mp4Walker()
    with source.open("rb") if isinstance(source, Path) else BytesIO(source) as stream:
        part.length = stream.seek(0, 2)
        stream.seek(0)
        while piece := stream.read(_BATCH_BYTES):
            walker.feed(piece)
            part.write([piece])
    error = file_problem(walker)
    if error is not None:
        raise error


async def _in_thread(step: Callable[[*_Arguments], _Given], *arguments: *_Arguments) -> _Given:
    """Run a step on the disk in a thread; what the system refuses becomes a `DownloadError`.

    In the loop's own threads, since anyio's take up to three times the CPU for each step.
    """
    try:
        return await asyncio.get_running_loop().run_in_executor(None, step, *arguments)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise problem("failed", f"The video cannot be stored: {reason}.")


async def _discard(part: PartFile) -> None:
    # At once unless a thread is at work on it: nothing to wait for is nothing to be cancelled in.
    if not part.discard(wait=False):
        discarding = asyncio.get_running_loop().run_in_executor(None, part.discard)
        with anyio.CancelScope(shield=True):
            await asyncio.shield(discarding)
