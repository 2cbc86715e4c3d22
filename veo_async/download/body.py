"""A video's bytes while they arrive, checked as they pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self

from veo_async.download.links import shown
from veo_async.download.policy import DownloadPolicy, Hitch, problem
from veo_async.errors import DownloadError
from veo_async.mp4 import Mp4Walker
from veo_async.transport import LostFailure
from veo_async.transport.redaction import escaped

if TYPE_CHECKING:
    from veo_async.transport import Fetched

__all__ = ["VideoBody", "file_problem"]

_ENOUGH_TO_TELL = 8  # bytes that hold the first box's type


def file_problem(walker: Mp4Walker) -> DownloadError | None:
    """Return what is wrong with a file all of whose bytes were walked."""
    if walker.size == 0:
        return problem("corrupt", "The video is empty.")
    if walker.starts_with_ftyp is not True:
        return problem("wrong_type", "This is not an MP4 file.")
    if not walker.closed:
        return problem(
            "corrupt", f"The MP4 file of {walker.size} bytes does not end where its last part ends."
        )
    if not (walker.has_moov and walker.has_mdat):
        return problem("corrupt", "The MP4 file lacks its description or its pictures.")
    return None


class VideoBody:
    """The checked bytes of one answer: `async for chunk in body` ends without an error for a whole video."""

    def __init__(self, fetched: Fetched, policy: DownloadPolicy, clock: Callable[[], float]) -> None:
        self._fetched = fetched
        self._policy = policy
        self._clock = clock
        self._walker = Mp4Walker()
        self._waited = 0.0
        self._came = 0
        self.length: int | None = fetched.length
        """What the answer says on its length, where it does."""
        self.headers: Mapping[str, str] = fetched.headers

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes.

        Raises:
            Hitch: The bytes so far are of no use; another try may bring better ones.
            DownloadError: With `reason` "too_large".
        """
        chunk = await self._read()
        if self._walker.size == 0:
            chunk = await self._begun(chunk)
        if not chunk:
            self._check_end()
            raise StopAsyncIteration
        self._walker.feed(chunk)
        self._check_so_far(chunk)
        return chunk

    async def _begun(self, chunk: bytes) -> bytes:
        """Read on until it can be told what this is, so that nothing else is handed out."""
        while len(chunk) < _ENOUGH_TO_TELL and (more := await self._read()):
            chunk += more
        return chunk

    async def _read(self) -> bytes:
        started = self._clock()
        reason = None
        try:
            chunk = await anext(self._fetched, b"")
        except LostFailure as failure:
            reason, chunk = failure.reason, b""
        if reason is not None:
            raise Hitch(problem("truncated", f"The download broke off after {self._progress()}: {reason}."))
        self._check_rate(self._clock() - started, len(chunk))
        return chunk

    def _check_rate(self, waited: float, came: int) -> None:
        # Only waiting for the network counts, so that a slow reader of ours is not held against the server.
        self._waited += waited
        self._came += came
        if self._waited < self._policy.rate_window:
            return
        rate = self._came / self._waited
        if came and rate < self._policy.min_rate:
            raise Hitch(
                problem("too_slow", f"The download brought {rate:.0f} bytes a second, which is too slow.")
            )
        self._waited, self._came = 0.0, 0

    def _check_so_far(self, chunk: bytes) -> None:
        if self._walker.starts_with_ftyp is not True:
            text = escaped(chunk.decode("utf-8", "replace"))
            raise Hitch(problem("wrong_type", "What came is not an MP4 file.", status=200, text=text))
        if self._walker.size > self._policy.max_bytes:
            raise problem("too_large", f"The video is longer than {self._policy.max_bytes} bytes.")

    def _check_end(self) -> None:
        short = self.length is not None and self._walker.size != self.length
        error = file_problem(self._walker)
        if short or (not self._fetched.delimited and self._walker.size and self._may_be_cut(error)):
            error = problem("truncated", f"The download ended after {self._progress()}.")
        if error is not None:
            raise Hitch(error)

    def _may_be_cut(self, error: DownloadError | None) -> bool:
        """Whether a body that ends with its connection may lack its end: only the boxes can tell."""
        return error is not None or self._walker.open_ended

    def _progress(self) -> str:
        total = "" if self.length is None else f" of {self.length}"
        return f"{self._fetched.received_bytes}{total} bytes from {shown(self._fetched.url)}"
