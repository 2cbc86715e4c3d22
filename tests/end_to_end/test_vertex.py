"""Vertex AI against the emulator: videos inside the answer, videos in a bucket, tokens that end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from veo_async import (
    AuthenticationError,
    ContentBlockedError,
    DownloadError,
    Limits,
    OperationFilteredError,
    PollPolicy,
    Provider,
    Rate,
    Timeouts,
    VeoSession,
    VideoRequest,
)
from veo_async.emulator import Emulator, Fault, Waiting

pytestmark = pytest.mark.anyio

FAST = PollPolicy(expected=0.2, min_interval=0.05)
QUICK = Timeouts(connect=2, submit_read=5, check_read=5, shutdown=5)
LIMITS = Limits(submits=Rate(12_000, per=60), checks=Rate(200, per=1))
PROJECT = "my-project"

Token = str | Callable[[], Awaitable[str]]


@asynccontextmanager
async def serving(**options: object) -> AsyncGenerator[Emulator, None]:
    settings: dict[str, object] = {"waiting": Waiting.uniform(0.05, 0.2), "clip": "tiny", **options}
    async with Emulator(**settings) as emulator:  # type: ignore[arg-type]
        yield emulator


def session(emulator: Emulator, token: Token | None = None, **options: object) -> VeoSession:
    provider = Provider.vertex(
        project=PROJECT,
        location="us-central1",
        token=token or emulator.key,
        base_url=emulator.base_url,
        limits=LIMITS,
    )
    settings: dict[str, object] = {"poll": FAST, "timeouts": QUICK, **options}
    return VeoSession(provider, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("ledger", [None, "jobs.db"])
@pytest.mark.parametrize("clip", ["tiny", "full"])
async def test_videos_that_come_inside_the_answer_are_kept_and_saved(
    tmp_path: Path, ledger: str | None, clip: str
) -> None:
    """Short ones and long ones alike; afterwards the ledger holds the bytes and nothing is fetched."""
    where = None if ledger is None else tmp_path / ledger
    async with serving(clip=clip) as emulator, session(emulator, ledger=where) as veo:
        job = await veo.submit(VideoRequest("a boat", duration_seconds=4, sample_count=2))
        result = await job
        assert [video.data for video in result.videos] == [None, None]
        assert all(video.sha256 for video in result.videos)
        paths = await job.save(tmp_path / "out")
        assert len(paths) == 2
        assert all(path.read_bytes()[4:8] == b"ftyp" for path in paths)
        assert emulator.requests.count("check") >= 1
        streamed = b"".join([chunk async for chunk in veo.stream(result.videos[0])])
        assert streamed == paths[0].read_bytes()
        assert job.operation is not None
        assert job.operation.startswith(f"projects/{PROJECT}/locations/us-central1/publishers/google/models/")


async def test_what_came_inside_an_answer_is_there_after_a_restart(tmp_path: Path) -> None:
    """Also half-written parts are gone then."""
    async with serving(clip="full") as emulator:
        async with session(emulator, ledger=tmp_path / "jobs.db") as veo:
            result = await veo.generate(VideoRequest("a boat", duration_seconds=4))
        async with session(emulator, ledger=tmp_path / "jobs.db") as veo:
            (path,) = await veo.save(result, tmp_path / "out/")
            assert path.stat().st_size > 64 * 1024
    assert [file.name for file in (tmp_path / "jobs.db.media").iterdir()] == [result.videos[0].sha256]


async def test_a_video_in_a_bucket_is_named_and_not_fetched(tmp_path: Path) -> None:
    """The error says what to do."""
    async with serving() as emulator, session(emulator) as veo:
        result = await veo.generate(VideoRequest("a boat", storage_uri="gs://bucket/folder/"))
        (video,) = result.videos
        assert video.uri is not None
        assert video.uri.startswith("gs://bucket/folder/")
        with pytest.raises(DownloadError, match="gcloud storage cp") as raised:
            await veo.save(result, tmp_path)
        assert raised.value.reason == "refused"


async def test_pictures_from_a_bucket_and_as_bytes_are_taken(tmp_path: Path) -> None:
    """Both stand in one request."""
    from PIL import Image

    Image.new("RGB", (16, 9), "red").save(tmp_path / "boat.png")
    async with serving() as emulator, session(emulator) as veo:
        request = VideoRequest("a boat", image=str(tmp_path / "boat.png"), last_frame="gs://bucket/end.png")
        assert (await veo.generate(request)).videos


async def test_a_token_that_ends_is_asked_for_once_by_all_who_wait() -> None:
    """On checks and on submits; none of the jobs hears of it, and none is paid twice."""
    asked = itertools.count()

    async with serving(waiting=0.5) as emulator:

        async def token() -> str:
            await asyncio.sleep(0.02)
            return "an-old-token-1234" if next(asked) == 0 else emulator.key

        async with session(emulator, token) as veo:
            results = await asyncio.gather(*(veo.generate(VideoRequest(f"boat {i}")) for i in range(8)))
            assert len(results) == 8
        assert next(asked) == 2
        assert len(emulator.bill) == 8
        assert not emulator.bill.doubled


async def test_a_token_that_ends_during_the_wait_is_renewed_once() -> None:
    """The check is sent again with the new one; the awaiter only sees its result."""
    asked = itertools.count()
    async with serving(waiting=0.3) as emulator:

        async def token() -> str:
            next(asked)
            return emulator.key

        emulator.faults.add("check", Fault.unauthorized(), call=1)
        async with session(emulator, token) as veo:
            assert (await veo.generate(VideoRequest("a boat"))).videos
        assert next(asked) == 2


@pytest.mark.parametrize("endpoint", ["submit", "check"])
async def test_a_token_that_stays_refused_is_told_after_one_renewal(endpoint: str) -> None:
    """No storm: two requests, then the awaiter hears of it."""
    async with serving(waiting=60.0) as emulator:

        async def token() -> str:
            return emulator.key

        emulator.faults.add(endpoint, Fault.unauthorized())  # type: ignore[arg-type]
        async with session(emulator, token, on_exit="detach") as veo:
            with pytest.raises(AuthenticationError):
                await asyncio.wait_for(veo.generate(VideoRequest("a boat")), 10)
        assert emulator.requests.count(endpoint) == 2  # type: ignore[arg-type]


async def test_policy_and_filters_reach_the_awaiter() -> None:
    """A prompt that is refused, a video that is held back, and one of two that is."""
    async with serving() as emulator, session(emulator) as veo:
        with pytest.raises(ContentBlockedError):
            await veo.generate(VideoRequest("a boat, refuse-policy"))
        with pytest.raises(OperationFilteredError):
            await veo.generate(VideoRequest("a forbidden boat"))
        result = await veo.generate(VideoRequest("a half-filtered boat", sample_count=2))
        assert (len(result.videos), result.filtered) == (1, 1)


async def test_an_operation_from_elsewhere_is_attached_by_its_name() -> None:
    """By its full name, or by its id and a model."""
    async with serving() as emulator:
        async with session(emulator) as veo:
            job = await veo.submit(VideoRequest("a boat", model="veo-3.1"))
            name = job.operation
            await job
        assert name is not None
        async with session(emulator) as veo:
            assert (await (await veo.attach(name))).videos
        async with session(emulator) as veo:
            attached = await veo.attach(name.rpartition("/")[2], model="veo-3.1")
            assert (await attached).videos
