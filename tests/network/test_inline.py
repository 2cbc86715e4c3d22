"""Answers with videos in them: read over the network, kept by the ledger, held by nobody."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import tracemalloc
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from veo_async.errors import LedgerError
from veo_async.ledger import Ledger, open_ledger
from veo_async.options import Timeouts
from veo_async.transport import LostFailure, TraceEvent, Transport
from veo_async.transport.inline import PartStore
from veo_async.wire import MAX_INLINE_BYTES, Request, Response

from .trap import PATIENT, Answer, Visit, give_key, give_media, head, trap

pytestmark = pytest.mark.anyio

VIDEO = random.Random(7).randbytes(300_000)
SHA256 = hashlib.sha256(VIDEO).hexdigest()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run without debug checks: they take longer than what is measured."""
    return ("asyncio", {})


def answer_with(*videos: bytes, **more: object) -> bytes:
    texts = [{"bytesBase64Encoded": base64.b64encode(video).decode()} for video in videos]
    return json.dumps({"done": True, "response": {"videos": texts}, **more}).encode()


@asynccontextmanager
async def asking(
    answer: Answer, store: PartStore, timeouts: Timeouts = PATIENT, events: list[TraceEvent] | None = None
) -> AsyncGenerator[Any, None]:
    """Yield a function that sends one status check."""
    async with (
        trap(answer) as server,
        Transport(
            authorization=give_key,
            credential_origins=frozenset({server.origin}),
            timeouts=timeouts,
            open_media=give_media,
            trace=None if events is None else events.append,
            part_store=store,
        ) as transport,
    ):

        async def ask() -> Response:
            request = Request(
                method="POST", url=server.url(), body=(b"{}",), max_bytes=MAX_INLINE_BYTES, cut_base64=True
            )
            return await transport.send(request)

        yield ask


@asynccontextmanager
async def ledger_at(path: Path | None) -> AsyncGenerator[Ledger, None]:
    ledger = open_ledger(path)
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()


async def content_of(ledger: Ledger, sha256: str) -> bytes:
    content = await ledger.content(sha256)
    return content.read_bytes() if isinstance(content, Path) else content


@pytest.mark.parametrize("name", [None, "jobs.db"])
async def test_videos_go_to_the_ledger_and_a_mark_stays(tmp_path: Path, name: str | None) -> None:
    """Several in one answer, each under its digest; the rest of the answer is small."""
    other = VIDEO[::-1]
    body = answer_with(VIDEO, b"short", other)
    events: list[TraceEvent] = []
    async with ledger_at(None if name is None else tmp_path / name) as ledger:
        async with asking(lambda visit: visit.reply(body), ledger, events=events) as ask:
            response = await ask()
        texts = [video["bytesBase64Encoded"] for video in json.loads(response.body)["response"]["videos"]]
        assert list(response.parts) == [texts[0], texts[2]]
        assert [part.size for part in response.parts.values()] == [len(VIDEO)] * 2
        assert texts[1] == base64.b64encode(b"short").decode()
        assert [await content_of(ledger, part.sha256) for part in response.parts.values()] == [VIDEO, other]
        assert events[0].received_bytes == len(body)
        assert len(events[0].response_body) < 1000
        await ledger.release(SHA256)
        with pytest.raises(LedgerError):
            await ledger.content(SHA256)


async def test_the_same_video_twice_is_kept_once(tmp_path: Path) -> None:
    """By its content; no half file stays."""
    async with ledger_at(tmp_path / "jobs.db") as ledger:
        async with asking(lambda visit: visit.reply(answer_with(VIDEO, VIDEO)), ledger) as ask:
            response = await ask()
        assert {part.sha256 for part in response.parts.values()} == {SHA256}
        assert [file.name for file in (tmp_path / "jobs.db.media").iterdir()] == [SHA256]


async def test_a_compressed_answer_is_cut_too(tmp_path: Path) -> None:
    """Though none was asked for."""
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(answer_with(VIDEO)) + packer.flush()
    async with (
        ledger_at(None) as ledger,
        asking(lambda visit: visit.reply(body, Content_Encoding="gzip"), ledger) as ask,
    ):
        (part,) = (await ask()).parts.values()
        assert await content_of(ledger, part.sha256) == VIDEO


@pytest.mark.parametrize("size", [100, 100_000, 300_000])
@pytest.mark.parametrize("framed", [True, False])
async def test_of_an_answer_that_breaks_off_nothing_stays(tmp_path: Path, size: int, framed: bool) -> None:
    """Lost where its length was announced; else what is left is no JSON, and the dialect says so."""
    body = answer_with(VIDEO[:90_000], VIDEO)[:size]

    async def broken(visit: Visit) -> None:
        length = {"Content-Length": "999999"} if framed else {"Connection": "close"}
        await visit.send(head(200, length) + body)
        await visit.close()

    async with ledger_at(tmp_path / "jobs.db") as ledger:
        async with asking(broken, ledger) as ask:
            if framed:
                with pytest.raises(LostFailure) as raised:
                    await ask()
                assert "cut short" in raised.value.reason
                assert raised.value.excerpt.startswith('{"done"')
                parts: list[str] = []
            else:
                response = await ask()
                with pytest.raises(json.JSONDecodeError):
                    json.loads(response.body)
                parts = [part.sha256 for part in response.parts.values()]
        for sha256 in parts:
            await ledger.release(sha256)
        folder = tmp_path / "jobs.db.media"
        assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"words": "a long text " * 200_000}).encode(),
        json.dumps({"numbers": list(range(300_000))}).encode(),
        b"<html>" + b"." * 2_000_000,
        answer_with(VIDEO, beside="." * 2_000_000),
    ],
)
async def test_what_is_no_video_is_bounded_as_ever(body: bytes) -> None:
    """A megabyte beside the videos, whatever it is."""
    async with ledger_at(None) as ledger, asking(lambda visit: visit.reply(body), ledger) as ask:
        with pytest.raises(LostFailure, match="longer than 1048576 bytes without its videos"):
            await ask()


async def test_what_only_looks_like_a_video_is_marked_so(tmp_path: Path) -> None:
    """Nothing of it stays, and the answer is read on."""
    body = b'{"a": "' + b"A" * 100_001 + b'", "done": true}'
    async with ledger_at(tmp_path / "jobs.db") as ledger:
        async with asking(lambda visit: visit.reply(body), ledger) as ask:
            response = await ask()
        assert [part.sha256 for part in response.parts.values()] == [""]
        assert json.loads(response.body)["done"] is True
        folder = tmp_path / "jobs.db.media"
        assert not folder.exists() or not list(folder.iterdir())


@define
class FullDisk:
    """A ledger that cannot keep anything."""

    discarded: int = 0

    def writer(self) -> FullDisk:
        return self

    async def write(self, data: bytes) -> None:
        raise LedgerError(f"cannot keep {len(data)} bytes: No space left on device")

    async def keep(self) -> str:
        raise NotImplementedError

    async def discard(self) -> None:
        self.discarded += 1

    async def release(self, sha256: str) -> None:
        raise NotImplementedError(sha256)


async def test_a_full_disk_loses_the_check_and_not_the_job() -> None:
    """The check fails and is made again later; its slot is free for others."""
    disk = FullDisk()
    async with asking(lambda visit: visit.reply(answer_with(VIDEO)), disk) as ask:
        for _ in range(6):
            with pytest.raises(LostFailure, match="No space left"):
                await ask()
    assert disk.discarded == 6


@define
class Counting:
    """A store that knows how many videos are being written."""

    now: int = 0
    most: int = 0
    released: list[str] = field(factory=list[str])

    def writer(self) -> _CountingWriter:
        self.now += 1
        self.most = max(self.most, self.now)
        return _CountingWriter(self)

    async def release(self, sha256: str) -> None:
        self.released.append(sha256)


@define
class _CountingWriter:
    store: Counting

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(len(data) / 1e9)

    async def keep(self) -> str:
        self.store.now -= 1
        return "0" * 64

    async def discard(self) -> None:
        self.store.now -= 1


async def test_few_long_answers_are_read_at_a_time_and_the_others_lose_nothing_by_it() -> None:
    """Also when each waits for longer than an answer may be silent."""
    store = Counting()
    hasty = Timeouts(connect=10, check_read=0.2)
    async with asking(lambda visit: visit.reply(answer_with(VIDEO * 4)), store, hasty) as ask:
        responses = await asyncio.gather(*(ask() for _ in range(24)))
    assert all(len(response.parts) == 1 for response in responses)
    assert (store.most, store.now) == (4, 0)


async def test_cancelling_gives_slot_and_file_back(tmp_path: Path) -> None:
    """In the middle of a video."""

    async def slow(visit: Visit) -> None:
        body = answer_with(VIDEO)
        await visit.send(head(200, {"Content-Length": str(len(body))}) + body[:200_000])
        await asyncio.sleep(30)

    folder = tmp_path / "jobs.db.media"
    async with ledger_at(tmp_path / "jobs.db") as ledger, asking(slow, ledger) as ask:
        for _ in range(6):
            task = asyncio.create_task(ask())
            await asyncio.sleep(0.15)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not folder.exists() or not list(folder.iterdir())


async def test_memory_and_loop_stay_free_however_long_the_videos(tmp_path: Path) -> None:
    """Sixteen answers of 8 MB of base64 at once: 128 MB pass by, a third of that is never held."""
    body = answer_with(random.Random(1).randbytes(6_000_000))

    async def in_pieces(visit: Visit) -> None:  # the server is in this process, too, and shall hold little
        await visit.send(head(200, {"Content-Length": str(len(body))}))
        for start in range(0, len(body), 65_536):
            await visit.send(body[start : start + 65_536])

    turns: list[float] = []

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            turns.append(loop.time() - before)

    async with (
        ledger_at(tmp_path / "jobs.db") as ledger,
        asking(in_pieces, ledger) as ask,
    ):
        await ask()
        watching = asyncio.create_task(watch())
        tracemalloc.start()
        try:
            responses = await asyncio.gather(*(ask() for _ in range(16)))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            watching.cancel()
    assert len({part.sha256 for response in responses for part in response.parts.values()}) == 1
    assert peak < 16 * len(body) / 3
    assert sorted(turns)[len(turns) * 9 // 10] < 0.1
