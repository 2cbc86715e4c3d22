"""One wave of jobs: asked for, some of them given up or stored, and in the end all decided."""

from __future__ import annotations

import asyncio
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import define, field

from veo_async import DownloadError, Job, Media, Succeeded, VeoSession, VideoRequest
from veo_async.engine.lifecycle import FINAL, Move, State
from veo_async.ledger.records import Change
from veo_async.models import Rejected
from veo_async.session.batching import Item

from .figures import Figures
from .remote import Remote

__all__ = ["Wave"]

AT_ONCE: Final = 500
SAVE_EVERY: Final = 20
"""One job in so many has its video stored."""
PICTURE_EVERY: Final = 50
GIVE_UP_EVERY: Final = 50
"""Beside so many jobs, one is given up by who asked for it."""


@define
class Wave:
    """Some jobs of a session; each has its prompt for its idempotency key."""

    session: VeoSession
    service: Remote
    folder: Path
    number: int
    size: int
    figures: Figures
    prompts: list[str] = field(factory=list[str])

    async def run(self) -> None:
        """Run all jobs to their end, unknown ones too, and compare the bill with the ledger."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._give_up_some())
            async for item in self.session.as_completed(self._requests(), max_in_flight=AT_ONCE):
                self._note(item)
                if isinstance(item.outcome, Succeeded) and self.figures.ended.total() % SAVE_EVERY == 0:
                    assert item.job is not None
                    beside.create_task(self._save(item.job))
        await self._decided()
        await self._settle()
        await self._account()

    def _requests(self) -> Iterator[VideoRequest]:
        for place in range(self.size):
            yield self._request(f"puddle {place}", picture=place % PICTURE_EVERY == 0)

    def _request(self, where: str, *, picture: bool = False) -> VideoRequest:
        prompt = f"A paper boat crosses {where} of wave {self.number}"
        self.prompts.append(prompt)
        image = Media.from_bytes(_png(len(self.prompts))) if picture else None
        return VideoRequest(
            prompt, model="veo-3.1-fast", duration_seconds=8, image=image, idempotency_key=prompt
        )

    def _note(self, item: Item) -> None:
        assert item.job is not None, item.error
        assert item.outcome is not None, item.error
        self.figures.ended[item.job.state] += 1

    async def _save(self, job: Job) -> None:
        try:
            (path,) = await job.save(self.folder)
        except DownloadError:
            self.figures.unsaved += 1
            return
        self.figures.saved += 1
        path.unlink()

    async def _give_up_some(self) -> None:
        """Ask and go away: before the job is there, while it waits, or while it is sent."""
        for place in range(self.size // GIVE_UP_EVERY):
            asking = asyncio.create_task(self.session.submit(self._request(f"gutter {place}")))
            await asyncio.sleep(0.01 * place)
            asking.cancel()
            await asyncio.wait({asking})
            if not asking.cancelled():
                asking.exception()  # it was quicker, well or not

    async def _decided(self) -> None:
        """Wait for what was given up too late."""
        for job in self.session.jobs:
            if job.state not in FINAL:
                await job.outcome()

    async def _settle(self) -> None:
        """Do for unknown jobs what a statement of usage does: until then the session holds them."""
        unknown = [job for job in self.session.jobs if job.state is State.UNKNOWN]
        billed = await self.service.billed(_prompt(job) for job in unknown)
        for job in unknown:
            await self._write_down(job, billed[_prompt(job)])
            await job.outcome()
        self.figures.settled += len(unknown)

    async def _write_down(self, job: Job, operations: list[str]) -> None:
        runtime = self.session._open_runtime()
        if operations:
            change = Change(
                job_id=job.id,
                move=Move.STARTED,
                at=time.time(),
                operation=operations[0],
                adopted="statement",
            )
        else:
            never = Rejected(reason="not_billed", message="it is not on the bill", billed="no")
            change = Change(job_id=job.id, move=Move.DECLINED, at=time.time(), outcome=never)
        await runtime._recorder.apply(job, change)
        if operations:
            runtime._watch([job])

    async def _account(self) -> None:
        """Compare what was billed with what the ledger knows."""
        figures, ledger = self.figures, self.session._ledger
        billed = await self.service.billed(self.prompts)
        for prompt, operations in billed.items():
            record = await ledger.keyed(prompt)
            figures.billed += len(operations)
            figures.most_billed = max(figures.most_billed, len(operations))
            figures.lost += sum(record is None or record.operation != name for name in operations)
        figures.undecided = sum(job.state not in FINAL for job in self.session.jobs)


def _prompt(job: Job) -> str:
    assert job.request is not None
    return job.request.prompt


def _png(number: int) -> bytes:
    """Return a picture of one pixel, its colour by number."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0" + number.to_bytes(3, "big"))
    chunks = [(b"IHDR", header), (b"IDAT", pixel), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
