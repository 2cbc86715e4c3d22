"""Gateways' surfaces over real HTTP: from a request to a file, the errors of both phases, pictures by URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from veo_async import (
    AuthenticationError,
    ContentBlockedError,
    InsufficientBalanceError,
    InvalidRequestError,
    Limits,
    Media,
    NotSentError,
    OperationFailedError,
    PollPolicy,
    Provider,
    Rate,
    Timeouts,
    VeoError,
    VeoSession,
    VideoRequest,
)
from veo_async.emulator import Emulator, Fault, OpenAIShape, UnifiedShape, V3Shape, Waiting
from veo_async.providers import Upload

pytestmark = pytest.mark.anyio

FAST = PollPolicy(expected=0.3, min_interval=0.05)
QUICK = Timeouts(connect=2, submit_read=2, check_read=2, shutdown=5)
LIMITS = Limits(submits=Rate(12_000, per=60), checks=Rate(200, per=1))
PICTURE = Path(__file__).parents[2] / "examples" / "boat.png"
SURFACES = ["gptproto-v3", "unified", "openai-videos"]
URL_ONLY = ["gptproto-v3", "unified"]


@asynccontextmanager
async def serving(**options: object) -> AsyncGenerator[Emulator, None]:
    settings: dict[str, object] = {"waiting": Waiting.uniform(0.1, 0.4), "clip": "tiny", **options}
    async with Emulator(**settings) as emulator:  # type: ignore[arg-type]
        yield emulator


def provider_at(emulator: Emulator, surface: str, upload: Upload | None = None) -> Provider:
    key, where = emulator.key, emulator.base_url
    if surface == "gptproto-v3":
        return Provider.gptproto_v3(api_key=key, base_url=where, limits=LIMITS, upload=upload)
    if surface == "unified":
        return Provider.unified(api_key=key, base_url=where, limits=LIMITS, upload=upload)
    return Provider.openai_videos(api_key=key, base_url=where, limits=LIMITS, upload=upload)


def session(provider: Provider, **options: object) -> VeoSession:
    settings: dict[str, object] = {"poll": FAST, "timeouts": QUICK, **options}
    return VeoSession(provider, **settings)  # type: ignore[arg-type]


SHAPES: list[tuple[str, dict[str, object]]] = [
    ("gptproto-v3", {}),
    ("gptproto-v3", {"gptproto_v3": V3Shape(authorization="raw", answers="result", succeeded="succeeded")}),
    ("gptproto-v3", {"gptproto_v3": V3Shape(answers="bare")}),
    ("unified", {}),
    ("unified", {"unified": UnifiedShape(ids="uuid", url_in_detail=True, seconds=True)}),
    ("unified", {"unified": UnifiedShape(succeeded="finished", wants_json_headers=True)}),
    ("unified", {"unified": UnifiedShape(running=("pending", "NOT_START", "video_generation_completed"))}),
    ("openai-videos", {}),
    ("openai-videos", {"openai_videos": OpenAIShape(wrapped=True)}),
]


@pytest.mark.parametrize(("surface", "options"), SHAPES)
async def test_from_a_request_to_a_file(surface: str, options: dict[str, object], tmp_path: Path) -> None:
    """Submitted once, checked by few requests, saved whole; the server bills what the client knows."""
    async with serving(**options) as emulator:
        async with session(provider_at(emulator, surface), ledger=tmp_path / "jobs.db") as veo:
            job = await veo.submit(VideoRequest("a paper boat", aspect_ratio="9:16", duration_seconds=8))
            (path,) = await job.save(tmp_path / "boat.mp4")
            assert path.read_bytes()[4:8] == b"ftyp"
        assert set(emulator.bill.operations) == {job.operation}
        assert emulator.requests.count("submit") == 1


@pytest.mark.parametrize("surface", SURFACES)
async def test_many_at_once(surface: str) -> None:
    """They share one scheduler."""
    async with serving() as emulator:
        async with session(provider_at(emulator, surface)) as veo:
            results = await asyncio.gather(*(veo.generate(VideoRequest(f"boat {i}")) for i in range(20)))
        assert len(results) == len(emulator.bill) == 20
        assert not emulator.bill.doubled


@pytest.mark.parametrize("surface", SURFACES)
async def test_the_key_goes_only_where_it_is_needed(surface: str, tmp_path: Path) -> None:
    """A gateway's public URL is fetched without it, OpenAI's content with it."""
    async with serving() as emulator, session(provider_at(emulator, surface)) as veo:
        await veo.save(await veo.generate(VideoRequest("a paper boat")), tmp_path / "boat.mp4")
        fetched = [*emulator.requests.of("storage"), *emulator.requests.of("download")]
        assert [entry.key_sent for entry in fetched] == [surface == "openai-videos"]
        assert not any(entry.key_in_url for entry in emulator.requests)


ERRORS: list[tuple[Callable[[], Fault], type[VeoError]]] = [
    (Fault.unauthorized, AuthenticationError),
    (Fault.insufficient_balance, InsufficientBalanceError),
    (lambda: Fault.policy(status=400), ContentBlockedError),
    (lambda: Fault.policy(status=503), ContentBlockedError),
]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("fault", "error"), ERRORS)
@pytest.mark.parametrize("endpoint", ["submit", "check"])
async def test_seed_000s_errors_reach_the_awaiter(
    endpoint: str, fault: Callable[[], Fault], error: type[VeoError], surface: str
) -> None:
    """On submit and on status check alike, within one request."""
    async with serving(waiting=60.0) as emulator:
        emulator.faults.add(endpoint, fault())  # type: ignore[arg-type]
        async with session(provider_at(emulator, surface), on_exit="detach") as veo:
            with pytest.raises(error):
                await asyncio.wait_for(veo.generate(VideoRequest("a paper boat")), 10)
        assert emulator.requests.count(endpoint) == 1  # type: ignore[arg-type]


REFUSING: list[tuple[str, dict[str, object]]] = [
    ("gptproto-v3", {"gptproto_v3": V3Shape(errors="envelope")}),
    ("unified", {"unified": UnifiedShape(errors_in_200=True)}),
    ("openai-videos", {}),
]


@pytest.mark.parametrize(("surface", "options"), REFUSING)
async def test_a_services_own_words_for_a_wrong_key_and_a_refused_prompt(
    surface: str, options: dict[str, object]
) -> None:
    """Also where HTTP says 200."""
    async with serving(**options) as emulator:
        async with session(provider_at(emulator, surface)) as veo:
            with pytest.raises(ContentBlockedError):
                await veo.generate(VideoRequest("refuse-policy, please"))
        wrong = provider_at(emulator, surface)
        wrong = type(wrong).from_env(
            provider=surface,
            base_url=emulator.base_url,
            environ={"VEO_API_KEY": "sk-not-the-right-one"},
        )
        async with session(wrong) as veo:
            with pytest.raises(AuthenticationError):
                await asyncio.wait_for(veo.generate(VideoRequest("a paper boat")), 10)
        assert len(emulator.bill) == 0


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("prompt", "reason"), [("fail-internal", "error"), ("fail-safety", "content")])
async def test_a_task_that_fails(surface: str, prompt: str, reason: str) -> None:
    """Its own words tell why."""
    async with serving() as emulator, session(provider_at(emulator, surface)) as veo:
        with pytest.raises(OperationFailedError) as raised:
            await asyncio.wait_for(veo.generate(VideoRequest(prompt)), 10)
        assert raised.value.reason == reason


@pytest.mark.parametrize("place", ["detail", "error", "error_object", "fail_reason", "message"])
async def test_wherever_a_unified_task_says_why_it_failed(place: str) -> None:
    """Five places are seen in the wild."""
    shape = UnifiedShape(error_place=place, failed="video_generation_failed")  # type: ignore[arg-type]
    async with serving(unified=shape) as emulator, session(provider_at(emulator, "unified")) as veo:
        with pytest.raises(OperationFailedError, match="Internal error"):
            await asyncio.wait_for(veo.generate(VideoRequest("fail-internal")), 10)


async def test_enlarging_is_waited_for() -> None:
    """The making's end is not the task's when more was asked."""
    async with serving() as emulator, session(provider_at(emulator, "unified")) as veo:
        result = await veo.generate(VideoRequest("a paper boat", resolution="1080p", enhance_prompt=True))
        assert [video.degraded for video in result.videos] == [False]
        assert result.enhanced_prompt == "```\n\na paper boat\n\n```"
        (entry,) = emulator.bill
        assert entry.request["enable_upsample"] is True


async def test_a_failed_enlarging_hands_out_the_smaller_video() -> None:
    """Marked so."""
    async with serving() as emulator, session(provider_at(emulator, "unified")) as veo:
        result = await veo.generate(VideoRequest("fail-upsampling", resolution="1080p"))
        assert [video.degraded for video in result.videos] == [True]


@pytest.mark.parametrize("surface", URL_ONLY)
async def test_a_picture_of_this_machine_needs_a_place(surface: str) -> None:
    """Without `upload=` nothing is sent, and the error says the way out."""
    async with serving() as emulator, session(provider_at(emulator, surface)) as veo:
        with pytest.raises(InvalidRequestError, match=r"image: .*upload=.*async def") as raised:
            await veo.submit(VideoRequest("a paper boat", image=PICTURE))
        assert raised.value.field == "image"
        assert surface in str(raised.value)
        assert emulator.requests.count("submit") == 0


@pytest.mark.parametrize("surface", URL_ONLY)
async def test_a_picture_is_put_where_the_service_finds_it(surface: str, tmp_path: Path) -> None:
    """By the provider's hook, once; the URL is sent and kept, the content is what the job is known by."""
    seen: list[Media] = []

    async def upload(media: Media) -> str:
        seen.append(media)
        return f"https://pictures.example/{len(seen)}.png"

    request = VideoRequest("a paper boat", image=PICTURE, idempotency_key="one")
    async with serving() as emulator:
        async with session(provider_at(emulator, surface, upload), ledger=tmp_path / "jobs.db") as veo:
            await veo.generate(request)
            again = await veo.submit(request)
            assert again.id == veo.jobs[0].id
        (entry,) = emulator.bill
        assert "https://pictures.example/1.png" in str(entry.request)
        assert (seen[0].data, seen[0].mime_type) == (PICTURE.read_bytes(), "image/png")


async def test_a_hook_that_fails_sends_nothing() -> None:
    """Nothing is billed, and it can be tried again."""

    async def upload(media: Media) -> str:
        raise OSError("no bucket")

    async with serving() as emulator, session(provider_at(emulator, "unified", upload)) as veo:
        with pytest.raises(NotSentError, match="upload= failed with OSError") as raised:
            await veo.submit(VideoRequest("a paper boat", image=PICTURE))
        assert raised.value.billed == "no"
        assert emulator.requests.count("submit") == 0


async def test_a_picture_goes_inside_an_openai_style_request() -> None:
    """As a data URL, its bytes encoded while they are sent."""
    async with serving() as emulator, session(provider_at(emulator, "openai-videos")) as veo:
        await veo.generate(VideoRequest("a paper boat", image=PICTURE))
        (entry,) = emulator.bill
        assert str(entry.request["input_reference"]).startswith("sha256:")


@pytest.mark.parametrize("surface", SURFACES)
async def test_tasks_of_somebody_else_are_attached_by_their_id(surface: str) -> None:
    """No model is needed, since ids are whole names."""
    async with serving() as emulator:
        async with session(provider_at(emulator, surface), on_exit="detach") as veo:
            job = await veo.submit(VideoRequest("a paper boat"))
        async with session(provider_at(emulator, surface)) as veo:
            assert job.operation is not None
            assert (await (await veo.attach(job.operation))).videos


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_job_is_resumed_from_the_ledger(surface: str, tmp_path: Path) -> None:
    """The session remembers what the id does not say."""
    async with serving() as emulator:
        provider = provider_at(emulator, surface)
        async with session(provider, ledger=tmp_path / "jobs.db") as veo:
            await veo.submit(VideoRequest("a paper boat", model="veo-3.1"))
        async with session(provider, ledger=tmp_path / "jobs.db") as veo:
            (job,) = await veo.resume()
            assert (await job).videos
            assert job.record.model == "veo3.1"
        assert emulator.requests.count("submit") == 1


async def test_a_gateway_that_only_a_file_knows(tmp_path: Path) -> None:
    """No code for a new service of a known shape."""
    async with serving(gptproto_v3=V3Shape(authorization="bearer", succeeded="ready")) as emulator:
        file = tmp_path / "mine.toml"
        file.write_text(
            f"""
            name = "mine"
            shape = "gptproto-v3"
            base_url = "{emulator.base_url}"
            key_variables = ["MINE_API_KEY"]
            key_prefix = "Bearer "
            [models]
            "veo-3.1" = "veo3.1-pro"
            [fields]
            seed = "seed"
            [status_words]
            ready = "done"
            """
        )
        provider = Provider.from_file(file, environ={"MINE_API_KEY": emulator.key}, limits=LIMITS)
        async with session(provider) as veo:
            await veo.generate(VideoRequest("a paper boat", model="veo-3.1", seed=7))
        (entry,) = emulator.bill
        assert entry.request["seed"] == 7
