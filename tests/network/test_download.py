"""Downloads: a whole file under its name, or none and the reason."""

from __future__ import annotations

import asyncio
import base64
import errno
import gzip
import hashlib
import os
import shutil
import stat
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve

from veo_async.download import (
    DownloadPolicy,
    StoredFile,
    file_name,
    save_bytes,
    save_video,
    stream_video,
)
from veo_async.download.digests import announced_digests
from veo_async.download.files import PartFile
from veo_async.errors import DownloadError
from veo_async.wire import Request

from .trap import KEY, PATIENT, QUICK, Answer, Trap, Visit, head, transport_for, trap

pytestmark = pytest.mark.anyio


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
MOOV = box(b"moov", bytes(500))
VIDEO = FTYP + MOOV + box(b"mdat", os.urandom(3_000_000))
SMALL = FTYP + MOOV + box(b"mdat", b"m" * 40)


class Run:
    """One download against one server, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "out" / "video.mp4"
        self.waits: list[float] = []
        self.timeouts = PATIENT

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def save(
        self,
        server: Trap,
        *paths: str,
        overwrite: bool = False,
        hashed: bool = True,
        limits: DownloadPolicy | None = None,
    ) -> StoredFile:
        policy = evolve(limits or DownloadPolicy(), own_origins=frozenset({server.origin}))
        async with transport_for(server.origin, timeouts=self.timeouts) as transport:
            return await save_video(
                transport,
                [Request(method="GET", url=server.url(path)) for path in paths or ("/v",)],
                self.target,
                policy=policy,
                overwrite=overwrite,
                hashed=hashed,
                sleep=self.sleep,
            )

    async def fail(
        self, answer: Answer, reason: str, limits: DownloadPolicy | None = None, *, hashed: bool = True
    ) -> DownloadError:
        """Download, see it fail for `reason`, and see that nothing is left behind."""
        async with trap(answer) as server:
            with pytest.raises(DownloadError) as caught:
                await self.save(server, limits=limits, hashed=hashed)
        self.requests = len(server.seen)
        assert caught.value.reason == reason
        assert KEY not in str(caught.value) + repr(caught.value.evidence)
        assert self.left() == []
        return caught.value

    def left(self) -> list[Path]:
        return [path for path in self.target.parent.parent.rglob("*") if path.is_file()]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def serving(body: bytes, status: int = 200, **headers: str) -> Answer:
    async def answer(visit: Visit) -> None:
        await visit.reply(body, status, **headers)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """The first request gets the first answer, and so on; the last is repeated."""
    left = list(answers)

    async def answer(visit: Visit) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(visit)

    return answer


def cut(body: bytes, *, headers: dict[str, str], then: bytes = b"", reset: bool = False) -> Answer:
    async def answer(visit: Visit) -> None:
        await visit.send(head(200, headers) + body)
        await asyncio.sleep(0.02)
        await visit.send(then)
        await (visit.reset() if reset else visit.close())

    return answer


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


# --- whole -------------------------------------------------------------------------------------------------


async def test_a_video_is_stored_whole_with_its_digest(run: Run) -> None:
    async with trap(serving(VIDEO, Content_Type="video/mp4")) as server:
        stored = await run.save(server)
    assert stored == StoredFile(run.target, hashlib.sha256(VIDEO).hexdigest(), len(VIDEO))
    assert run.target.read_bytes() == VIDEO
    assert stat.S_IMODE(run.target.stat().st_mode) == 0o600
    assert run.left() == [run.target]
    assert server.seen[0].headers["accept-encoding"] == "identity"
    assert server.seen[0].headers["x-goog-api-key"] == KEY


async def test_a_file_whose_digest_nobody_keeps_is_not_hashed(run: Run) -> None:
    async with trap(serving(VIDEO, Content_Type="video/mp4")) as server:
        stored = await run.save(server, hashed=False)
    assert stored == StoredFile(run.target, None, len(VIDEO))
    assert run.target.read_bytes() == VIDEO


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Transfer-Encoding": "chunked"}, chunked(SMALL[:3], SMALL[3:70], SMALL[70:]) + b"0\r\n\r\n"),
        ({"Connection": "close"}, SMALL),
        ({"Connection": "close", "Content-Type": "application/octet-stream"}, SMALL),
    ],
    ids=["chunked", "to the connection's end", "of no type"],
)
async def test_a_video_is_stored_however_its_end_is_told(
    run: Run, headers: dict[str, str], body: bytes
) -> None:
    async with trap(cut(body, headers=headers)) as server:
        assert (await run.save(server)).size == len(SMALL)


async def test_a_short_video_crosses_to_a_thread_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a long one once for each batch."""
    steps: list[str] = []
    loop = asyncio.get_running_loop()
    run_in_executor = loop.run_in_executor

    def counted(executor: Any, step: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        steps.append(step.__name__)
        return run_in_executor(executor, step, *arguments)

    monkeypatch.setattr(loop, "run_in_executor", counted)
    async with trap(serving(SMALL)) as server:
        await run.save(server)
    assert steps == ["publish"]
    async with trap(serving(VIDEO)) as server:
        await run.save(server, overwrite=True)
    assert set(steps[1:-1]) == {"write"}
    assert steps[-1] == "publish"
    assert len(steps) <= 2 + 2 * len(VIDEO) // 2**20


async def test_streaming_gives_the_same_bytes() -> None:
    async with trap(serving(VIDEO)) as server, transport_for(server.origin) as transport:
        policy = DownloadPolicy(own_origins=frozenset({server.origin}))
        request = Request(method="GET", url=server.url())
        chunks = [chunk async for chunk in stream_video(transport, [request], policy=policy)]
    assert b"".join(chunks) == VIDEO
    assert len(chunks) > 3


async def test_candidates_are_tried_in_order_while_they_are_missing(run: Run) -> None:
    answers = in_turn(serving(b"", 404), serving(SMALL))
    async with trap(answers) as server:
        await run.save(server, "/a", "/upload/a", "/never")
    assert [seen.line for seen in server.seen] == ["GET /a HTTP/1.1", "GET /upload/a HTTP/1.1"]


# --- redirects ---------------------------------------------------------------------------------------------


async def test_redirects_are_followed_and_the_key_stays_at_home(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def everywhere(_: str) -> bool:
        return True

    monkeypatch.setattr("veo_async.transport.connectors.is_public", everywhere)

    async def home(visit: Visit) -> None:
        if "first" in visit.seen.line:
            await visit.reply(b"", 302, Location="/second")
        else:
            await visit.reply(b"", 307, Location=storage.url("/v?X-Goog-Signature=s"))

    async def away(visit: Visit) -> None:
        if "/v?" in visit.seen.line:
            await visit.reply(b"", 303, Location="/w")
        else:
            await visit.reply(SMALL)

    async with trap(away) as storage, trap(home) as server, transport_for(server.origin) as transport:
        policy = DownloadPolicy(own_origins=frozenset({server.origin, storage.origin}))
        request = Request(method="GET", url=server.url("/first"), headers={"Accept": "*/*", "X-Project": "p"})
        await save_video(transport, [request], run.target, policy=policy)
    assert [seen.headers.get("x-goog-api-key") for seen in server.seen] == [KEY, KEY]
    assert [seen.headers.get("x-project") for seen in server.seen] == ["p", "p"]
    for seen in storage.seen:
        assert set(seen.headers) == {"host", "accept-encoding", "user-agent"}
    assert KEY.encode() not in bytes(storage.received)


async def test_a_sixth_redirect_is_refused(run: Run) -> None:
    await run.fail(serving(b"", 302, Location="/v"), "refused")
    assert run.requests == 6


async def test_a_redirect_to_a_private_address_is_refused_unasked(run: Run) -> None:
    async with trap(serving(SMALL)) as inside:
        await run.fail(serving(b"", 302, Location=inside.url()), "refused")
    assert inside.connections == 0
    assert run.requests == 1


async def test_a_redirect_without_a_place_is_a_failure(run: Run) -> None:
    await run.fail(serving(b"", 302), "failed")


# --- not whole ---------------------------------------------------------------------------------------------

LENGTH = {"Content-Length": str(len(SMALL))}
BROKEN: dict[str, Answer] = {
    "shorter than its length": cut(SMALL[:-9], headers=LENGTH),
    "reset": cut(SMALL[:-9], headers=LENGTH, reset=True),
    "chunk cut": cut(b"fff\r\n" + SMALL, headers={"Transfer-Encoding": "chunked"}),
    "last chunk missing": cut(chunked(SMALL), headers={"Transfer-Encoding": "chunked"}),
    "malformed chunk": cut(chunked(SMALL), headers={"Transfer-Encoding": "chunked"}, then=b"zz\r\n"),
    "cut with the connection": cut(SMALL[:-9], headers={"Connection": "close"}),
    "cut with the connection between boxes": cut(FTYP + MOOV, headers={"Connection": "close"}),
    "no size and no end": cut(FTYP + MOOV + bytes(4) + b"mdat" + b"m" * 9, headers={"Connection": "close"}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_cut_short_is_tried_again_five_times_with_growing_waits(run: Run, name: str) -> None:
    run.timeouts = QUICK
    await run.fail(BROKEN[name], "truncated")
    assert run.requests == 5
    assert len(run.waits) == 4
    assert all(wait <= 0.5 * 2**tries for tries, wait in enumerate(run.waits))


@pytest.mark.parametrize("name", BROKEN)
async def test_what_was_cut_short_once_is_stored_whole(run: Run, name: str) -> None:
    run.timeouts = QUICK
    async with trap(in_turn(BROKEN[name], serving(SMALL))) as server:
        assert (await run.save(server)).sha256 == hashlib.sha256(SMALL).hexdigest()
    assert run.left() == [run.target]


async def test_silence_ends_a_download(run: Run) -> None:
    async def silent(visit: Visit) -> None:
        await visit.send(head(200, LENGTH) + SMALL[:60])
        await asyncio.sleep(60)

    run.timeouts = QUICK
    error = await run.fail(silent, "truncated", DownloadPolicy(tries=1))
    assert "no byte arrived" in error.message


async def test_a_drip_is_too_slow(run: Run) -> None:
    async def drip(visit: Visit) -> None:
        await visit.send(head(200, LENGTH))
        for start in range(0, len(SMALL), 9):
            await visit.send(SMALL[start : start + 9])
            await asyncio.sleep(0.02)

    await run.fail(drip, "too_slow", DownloadPolicy(min_rate=100_000, rate_window=0.1, tries=2))
    assert run.requests == 2


async def test_a_slow_reader_is_not_held_against_the_server() -> None:
    async with trap(serving(VIDEO)) as server, transport_for(server.origin) as transport:
        policy = DownloadPolicy(own_origins=frozenset({server.origin}), min_rate=1e9, rate_window=0.2)
        request = Request(method="GET", url=server.url())
        size = 0
        async for chunk in stream_video(transport, [request], policy=policy):
            size += len(chunk)
            await asyncio.sleep(0.05)
    assert size == len(VIDEO)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_passing_failures_are_tried_again(run: Run, status: int) -> None:
    async with trap(in_turn(serving(b"later", status), serving(SMALL))) as server:
        await run.save(server)
    assert len(server.seen) == 2


async def test_a_hint_on_waiting_is_followed_within_bounds(run: Run) -> None:
    hints = ["7", "99999999999", "-1", "\uff11\uff12"]
    answers = [serving(b"", 429, Retry_After=hint) for hint in hints]
    async with trap(in_turn(*answers, serving(SMALL))) as server:
        await run.save(server)
    assert run.waits[:2] == [7.0, 600.0]
    assert all(wait <= 4.0 for wait in run.waits[2:])


async def test_after_five_tries_the_last_reason_is_told(run: Run) -> None:
    error = await run.fail(serving(f"key {KEY}".encode(), 503), "failed")
    assert run.requests == 5
    assert error.evidence is not None
    assert (error.evidence.status, error.evidence.text) == (503, "key ***")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_link_that_is_gone_has_expired(run: Run, status: int) -> None:
    error = await run.fail(serving(b"gone", status), "expired")
    assert run.requests == 1
    assert error.billed == "yes"


@pytest.mark.parametrize("status", [201, 206, 400, 418])
async def test_other_statuses_are_failures_at_once(run: Run, status: int) -> None:
    await run.fail(serving(SMALL, status), "failed")
    assert run.requests == 1


PAGE = b"<!DOCTYPE html><title>Sign in</title> \x1b[31m" + b" " * 4000


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", "video/mp4"])
async def test_a_page_is_no_video_whatever_it_says_it_is(run: Run, kind: str) -> None:
    error = await run.fail(serving(PAGE, Content_Type=kind), "wrong_type")
    assert run.requests == 3
    assert error.evidence is not None
    assert error.evidence.text.startswith("<!DOCTYPE html><title>Sign in</title> \\u001b[31m")
    assert len(error.evidence.text) == 500


async def test_what_calls_itself_text_is_no_video(run: Run) -> None:
    await run.fail(serving(SMALL, Content_Type="Text/HTML"), "wrong_type")


@pytest.mark.parametrize(
    "body",
    [b"", FTYP + MOOV, FTYP + box(b"mdat", b"m"), SMALL[:-1], SMALL + b"more", FTYP + bytes([0, 0, 0, 3])],
    ids=["empty", "no mdat", "no moov", "last box cut", "bytes after", "size that cannot be"],
)
async def test_a_damaged_file_is_not_stored(run: Run, body: bytes) -> None:
    await run.fail(serving(body), "corrupt")
    assert run.requests == 2


async def test_a_digest_that_does_not_match_is_noticed(run: Run) -> None:
    good = base64.b64encode(hashlib.md5(SMALL).digest()).decode()
    bad = base64.b64encode(hashlib.md5(b"").digest()).decode()
    await run.fail(serving(SMALL, X_Goog_Hash=f"crc32c=AAAAAA==, md5={bad}"), "corrupt")
    await run.fail(serving(SMALL, X_Goog_Hash=f"md5={bad}"), "corrupt", hashed=False)
    async with trap(serving(SMALL, X_Goog_Hash=f"crc32c=AAAAAA==, md5={good}")) as server:
        await run.save(server)


def test_announced_digests_are_read_in_every_dress() -> None:
    digest = hashlib.sha256(b"a").digest()
    text = base64.b64encode(digest).decode()
    assert announced_digests({"repr-digest": f"sha-256=:{text}:"}) == {"sha256": digest}
    assert announced_digests({"digest": f"SHA-256={text},unixsum=1"}) == {"sha256": digest}
    assert announced_digests({"digest": "sha-256=AAAA", "content-md5": "%%%"}) == {}


async def test_a_video_over_the_limit_is_refused_by_its_length_or_by_its_bytes(run: Run) -> None:
    await run.fail(serving(SMALL), "too_large", DownloadPolicy(max_bytes=100))
    unsized = cut(SMALL, headers={"Connection": "close"})
    await run.fail(unsized, "too_large", DownloadPolicy(max_bytes=100))
    assert run.requests == 1


async def test_a_compressed_video_is_refused(run: Run) -> None:
    await run.fail(serving(gzip.compress(SMALL), Content_Encoding="gzip"), "refused")


async def test_a_server_that_is_not_there_is_tried_again(run: Run) -> None:
    async with trap(serving(SMALL)) as server:
        pass
    with pytest.raises(DownloadError) as caught:
        await run.save(server)
    assert caught.value.reason == "failed"
    assert "refused" in caught.value.message
    assert len(run.waits) == 4


async def test_streaming_is_tried_again_before_the_first_byte_and_not_after(run: Run) -> None:
    answers = in_turn(serving(b"", 503), BROKEN["shorter than its length"], serving(SMALL))
    async with trap(answers) as server, transport_for(server.origin) as transport:
        policy = DownloadPolicy(own_origins=frozenset({server.origin}))
        request = Request(method="GET", url=server.url())
        stream = stream_video(transport, [request], policy=policy, sleep=run.sleep)
        assert await anext(stream) == SMALL[:-9]
        with pytest.raises(DownloadError) as caught:
            await anext(stream)
    assert caught.value.reason == "truncated"
    assert len(server.seen) == 2


async def test_streaming_hands_out_nothing_of_a_page() -> None:
    async with trap(serving(PAGE)) as server, transport_for(server.origin) as transport:
        policy = DownloadPolicy(own_origins=frozenset({server.origin}), tries=1)
        stream = stream_video(transport, [Request(method="GET", url=server.url())], policy=policy)
        with pytest.raises(DownloadError):
            await anext(stream)


# --- the file ----------------------------------------------------------------------------------------------


async def test_what_exists_is_kept_unless_it_may_be_replaced(run: Run) -> None:
    run.target.parent.mkdir()
    run.target.write_bytes(b"mine")
    async with trap(serving(SMALL)) as server:
        with pytest.raises(DownloadError) as caught:
            await run.save(server)
        assert caught.value.reason == "exists"
        assert server.seen == []
        assert run.target.read_bytes() == b"mine"
        await run.save(server, overwrite=True)
    assert run.target.read_bytes() == SMALL


async def test_a_file_is_durable_before_it_has_its_name_and_its_name_after(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def seen_fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def seen_link(old: str, new: str, *, src_dir_fd: int | None, dst_dir_fd: int | None) -> None:
        steps.append("link")
        link(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "link", seen_link)
    async with trap(serving(SMALL)) as server:
        await run.save(server)
    assert steps == ["file", "link", "folder"]


async def test_what_appears_meanwhile_is_kept(run: Run) -> None:
    async def answer(visit: Visit) -> None:
        run.target.parent.mkdir()
        run.target.write_bytes(b"mine")
        await visit.reply(SMALL)

    async with trap(answer) as server:
        with pytest.raises(DownloadError) as caught:
            await run.save(server)
    assert caught.value.reason == "exists"
    assert run.target.read_bytes() == b"mine"
    assert run.left() == [run.target]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_link_in_the_way_is_never_written_through(run: Run, overwrite: bool) -> None:
    victim = run.target.parent.parent / "victim"
    victim.write_bytes(b"mine")
    run.target.parent.mkdir()
    run.target.symlink_to(victim)
    async with trap(serving(SMALL)) as server:
        if overwrite:
            await run.save(server, overwrite=True)
            assert not run.target.is_symlink()
        else:
            with pytest.raises(DownloadError):
                await run.save(server)
    assert victim.read_bytes() == b"mine"


async def test_a_folder_in_the_way_stays_and_nothing_is_left(run: Run) -> None:
    run.target.mkdir(parents=True)
    async with trap(serving(SMALL)) as server:
        with pytest.raises(DownloadError, match="cannot be stored"):
            await run.save(server, overwrite=True)
    assert run.left() == []
    assert run.target.is_dir()


async def test_a_file_system_without_second_names_will_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    async with trap(serving(SMALL)) as server:
        await run.save(server)
        assert run.left() == [run.target]
        with pytest.raises(DownloadError):
            await run.save(server)


async def test_a_folder_that_cannot_be_written_is_told(run: Run) -> None:
    run.target.parent.write_bytes(b"a file where the folder should be")
    async with trap(serving(SMALL)) as server:
        with pytest.raises(DownloadError, match="cannot be stored") as caught:
            await run.save(server)
    assert caught.value.reason == "failed"


async def test_a_full_disk_is_noticed_before_and_while_writing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veo_async.download.files._SPARE_BYTES", 1 << 62)
    await run.fail(serving(SMALL), "failed")
    assert run.requests == 1
    monkeypatch.undo()

    short = shutil.disk_usage(run.target.parent)._replace(free=(64 << 20) + len(VIDEO) - 1)

    def usage(_: Path) -> object:
        return short

    monkeypatch.setattr("shutil.disk_usage", usage)
    error = await run.fail(serving(VIDEO), "failed")
    assert str(len(VIDEO)) in error.message
    monkeypatch.undo()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    monkeypatch.setattr("os.writev", full)
    error = await run.fail(serving(SMALL), "failed")
    assert "No space left" in error.message


@pytest.mark.parametrize("how", ["task", "scope"])
async def test_cancelling_leaves_nothing_behind(run: Run, how: str) -> None:
    writing = asyncio.Event()

    async def endless(visit: Visit) -> None:
        await visit.send(head(200, {"Content-Length": str(len(VIDEO))}) + VIDEO[:-100])
        writing.set()
        await asyncio.sleep(60)

    async with trap(endless) as server:
        before = len(os.listdir("/dev/fd"))  # noqa: PTH208
        with anyio.CancelScope() as scope:
            task = asyncio.create_task(run.save(server))
            await writing.wait()
            await asyncio.sleep(0.05)
            assert [path.suffix for path in run.left()] == [".veo-part"]
            if how == "task":
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                scope.cancel()
                await task
        assert run.left() == []
        await asyncio.sleep(0.02)
        assert len(os.listdir("/dev/fd")) <= before + 1  # noqa: PTH208  # the server's end


async def test_cancelling_again_while_the_disk_is_slow_leaves_nothing_behind(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What removes the file waits for its turn in a thread, and nobody waits for that any more."""
    loop, only = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    loop.set_default_executor(only)
    begun, goes_on = asyncio.Event(), threading.Event()
    writev = os.writev

    def slow(file: int, chunks: Sequence[bytes]) -> int:
        loop.call_soon_threadsafe(begun.set)
        goes_on.wait(10)
        return writev(file, chunks)

    monkeypatch.setattr(os, "writev", slow)
    async with trap(serving(VIDEO)) as server:
        task = asyncio.create_task(run.save(server))
        await begun.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
        goes_on.set()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await asyncio.wrap_future(only.submit(lambda: None))  # it comes last
    assert run.left() == []


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_cancelling_at_any_point_leaves_all_or_nothing(run: Run, turns: int) -> None:
    async with trap(serving(SMALL)) as server:
        task = asyncio.create_task(run.save(server))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert [path.read_bytes() for path in run.left()] in ([], [SMALL])


@pytest.mark.parametrize("taken", [0, 1, 5, 9])
def test_what_the_system_takes_in_parts_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """A nearly full disk and a signal may end a write early; some systems have no writing of many."""
    monkeypatch.setattr("veo_async.download.files._HAS_WRITEV", taken > 0)

    def writev(file: int, chunks: Sequence[bytes]) -> int:
        return os.write(file, b"".join(chunks)[:taken])

    monkeypatch.setattr(os, "writev", writev)
    part = PartFile(tmp_path / "v.mp4", overwrite=False)
    part.write([b"abc", b"defghi"])
    stored = part.publish([b"j", b"klmnopqrstu"])
    assert stored.path.read_bytes() == b"abcdefghijklmnopqrstu"
    assert stored.sha256 == hashlib.sha256(b"abcdefghijklmnopqrstu").hexdigest()
    assert part.discard()


def test_a_discarded_file_takes_no_further_step(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "v.mp4", overwrite=False)
    part.write([b"abc"])
    assert part.discard()
    steps: Sequence[Callable[[], object]] = (lambda: part.write([b"d"]), part.publish)
    for step in steps:
        with pytest.raises(DownloadError):
            step()
    assert part.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_part_file_is_private_and_in_the_targets_folder(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "v.mp4", overwrite=False)
    part.write([b"abc"])
    (only,) = tmp_path.iterdir()
    assert stat.S_IMODE(only.stat().st_mode) == 0o600
    part.discard()


@pytest.mark.parametrize("kind", ["bytes", "file"])
async def test_a_video_from_an_answer_passes_the_same_checks(tmp_path: Path, kind: str) -> None:
    async def save(content: bytes) -> StoredFile:
        held = tmp_path / "held"
        held.write_bytes(content)
        return await save_bytes(content if kind == "bytes" else held, tmp_path / "out" / "video.mp4")

    for content, reason in ((PAGE, "wrong_type"), (b"", "corrupt"), (SMALL[:-1], "corrupt")):
        with pytest.raises(DownloadError) as caught:
            await save(content)
        assert caught.value.reason == reason
        assert list((tmp_path / "out").iterdir()) == []
    assert (await save(VIDEO)).sha256 == hashlib.sha256(VIDEO).hexdigest()
    with pytest.raises(DownloadError) as caught:
        await save(VIDEO)
    assert caught.value.reason == "exists"


@pytest.mark.parametrize(
    "operation",
    [
        "models/veo-3.1-fast/operations/abc123",
        "../../etc/cron.d/x",
        "/abs/olute",
        "veo3.1-fast:1760545785-euexscdeL8",
        "CON",
        "a" * 400,
        "nul\x00byte",
        "right\u202eto-left",
        "new\nline",
        "",
        "..",
        "-rf",
        "日本語",
        "\ud800",
    ],
)
def test_file_names_are_safe_and_different(operation: str) -> None:
    name = file_name(operation)
    assert name.isascii()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert name[0] not in ".-"
    assert len(name) <= 80 + 1 + 12 + 4
    assert name.endswith(".mp4")
    assert (
        len({name, file_name(operation, 1), file_name(operation + "x"), file_name(operation.upper() + "y")})
        == 4
    )


def test_a_file_name_is_readable() -> None:
    assert file_name("models/veo-3/operations/abc").startswith("models-veo-3-operations-abc-")
    assert file_name("models/veo-3/operations/abc", 2).endswith("-2.mp4")
