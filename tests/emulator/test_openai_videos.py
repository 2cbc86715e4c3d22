"""The OpenAI style of videos: JSON or a form, progress, content that wants the key, a list by cursor."""

import base64
import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from PIL import Image

from veo_async.emulator import Fault, OpenAIShape

from .client import Answer, Client, Clock, serving

pytestmark = pytest.mark.anyio

MODEL = "veo-3.1-fast-generate-preview"


def png() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((32, 32), 90).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving(waiting=60.0) as client:
        yield client


async def submit(client: Client, prompt: str = "A boat", **fields: Any) -> Answer:
    body = {"model": MODEL, "prompt": prompt} | fields
    return await client.bearer("POST", "/v1/videos", json=body)


async def finished(client: Client, prompt: str = "A boat", **fields: Any) -> Any:
    video = (await submit(client, prompt, **fields)).json["id"]
    client.emulator.finish_all()
    return (await client.bearer("GET", f"/v1/videos/{video}")).json


async def test_a_video_is_queued_made_and_completed() -> None:
    """With its progress in percent, and times in seconds."""
    clock = Clock()
    async with serving(waiting=60.0, clock=clock) as client:
        video = (await submit(client, seconds="4", size="720x1280")).json
        assert (video["object"], video["status"], video["progress"]) == ("video", "queued", 0)
        assert (video["seconds"], video["size"], video["model"]) == ("4", "720x1280", MODEL)
        clock.now += 30
        running = (await client.bearer("GET", f"/v1/videos/{video['id']}")).json
        assert (running["status"], running["progress"]) == ("in_progress", 50)
        clock.now += 30
        done = (await client.bearer("GET", f"/v1/videos/{video['id']}")).json
        assert (done["status"], done["progress"], done["error"]) == ("completed", 100, None)
        assert (done["created_at"], done["completed_at"]) == (1_000_000, 1_000_060)
        (entry,) = client.emulator.bill
        assert (entry.surface, entry.operation) == ("openai_videos", video["id"])
        assert entry.cost_estimate == pytest.approx(0.40)


async def test_the_content_wants_the_key(client: Client) -> None:
    """MP4 with a range; 401 without the key, 404 while it is not there."""
    video = (await submit(client)).json["id"]
    path = f"/v1/videos/{video}/content"
    assert (await client.bearer("GET", path)).status == 404
    client.emulator.finish_all()
    whole = await client.bearer("GET", path)
    assert (whole.headers["content-type"], whole.body[4:8]) == ("video/mp4", b"ftyp")
    part = await client.bearer("GET", path, headers={"Range": "bytes=0-9"})
    assert (part.status, part.body) == (206, whole.body[:10])
    assert (await client.ask("GET", path, key=None)).status == 401
    assert (await client.bearer("GET", f"{path}?variant=thumbnail")).status == 404
    assert client.emulator.requests.count("download") == 5


async def test_the_content_may_lie_at_another_origin() -> None:
    """A redirect, and no key wanted there."""
    async with serving(waiting=0.0, redirect_downloads=True) as client:
        answer = await client.bearer("GET", f"/v1/videos/{(await finished(client))['id']}/content")
        assert answer.status == 302
        assert (await client.get(answer.headers["location"], key=None)).body[4:8] == b"ftyp"


async def test_a_form_brings_its_picture_along(client: Client) -> None:
    """Byte for byte, and also where a fault has read the request first."""
    picture = png()
    client.emulator.faults.add("submit", Fault.html(504, accepted=True), call=2)
    for status in (200, 504):
        form = aiohttp.FormData({"model": MODEL, "prompt": "A boat", "seconds": "8"})
        form.add_field("input_reference", picture, filename="boat.png", content_type="image/png")
        assert (await client.bearer("POST", "/v1/videos", data=form)).status == status
    first, second = client.emulator.bill
    assert first.digest == second.digest
    assert first.request["input_reference"] == f"sha256:{hashlib.sha256(picture).hexdigest()}"


async def test_a_form_that_holds_no_picture_is_refused(client: Client) -> None:
    """Bytes that can't be decoded, and a body that is no form."""
    form = aiohttp.FormData({"model": MODEL, "prompt": "A boat"})
    form.add_field("input_reference", b"no picture", filename="boat.png")
    assert (await client.bearer("POST", "/v1/videos", data=form)).status == 400
    headers = {"Content-Type": "multipart/form-data"}
    assert (await client.bearer("POST", "/v1/videos", data=b"x", headers=headers)).status == 400
    assert len(client.emulator.bill) == 0


DATA_URL = "data:image/png;base64," + base64.b64encode(png()).decode()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"input_reference": "https://pictures.example/boat.png"}, 200),
        ({"input_reference": {"image_url": DATA_URL}}, 200),
        ({"input_reference": DATA_URL}, 200),
        ({"input_reference": "boat.png"}, 400),
        ({"input_reference": "data:image/png;base64,%"}, 400),
        ({"seconds": 6}, 200),
        ({"seconds": "12"}, 400),
        ({"seconds": "eight"}, 400),
        ({"size": "1920x1080"}, 200),
        ({"size": "1x1"}, 400),
        ({"prompt": ""}, 400),
        ({"model": 1}, 400),
        ({"model": "sora-2"}, 404),
        ({"negative_prompt": "rain"}, 200),
    ],
)
async def test_fields(client: Client, fields: dict[str, Any], status: int) -> None:
    """Of JSON bodies; no picture's bytes stay in the bill."""
    answer = await submit(client, **fields)
    assert answer.status == status, answer.json
    assert "base64," not in repr(client.emulator.bill.entries)


@pytest.mark.parametrize(
    ("marker", "status", "code"),
    [
        ("forbidden", "failed", "content_policy_violation"),
        ("fail-internal", "failed", "video_generation_failed"),
        ("empty-result", "completed", None),
    ],
)
async def test_markers_decide_the_end(client: Client, marker: str, status: str, code: str | None) -> None:
    """A code and a message; an empty result is completed, and its content is missing."""
    video = await finished(client, marker)
    assert video["status"] == status
    assert (video["error"] or {"code": None})["code"] == code
    assert (await client.bearer("GET", f"/v1/videos/{video['id']}/content")).status == 404


async def test_refusals_have_openais_shape() -> None:
    """Policy, key, unknown video, quota."""
    async with serving(submits_per_minute=1) as client:
        wrong = await client.bearer("GET", "/v1/videos/video_x", token="wrong")
        assert (wrong.status, wrong.json["error"]["code"]) == (401, "invalid_api_key")
        missing = await client.bearer("GET", "/v1/videos/video_x")
        assert (missing.status, missing.json["error"]["type"]) == (404, "invalid_request_error")
        policy = await submit(client, "refuse-policy")
        assert (policy.status, policy.json["error"]["code"]) == (400, "content_policy_violation")
        limited = await submit(client)
        assert (limited.status, limited.json["error"]["code"]) == (429, "rate_limit_exceeded")
        assert int(limited.headers["retry-after"]) > 0


async def test_answers_may_be_wrapped() -> None:
    """Around submissions and checks, the words in capitals."""
    async with serving(waiting=60.0, openai_videos=OpenAIShape(wrapped=True)) as client:
        accepted = (await submit(client)).json
        assert (accepted["code"], accepted["data"]["status"]) == ("success", "QUEUED")
        client.emulator.finish_all()
        done = (await client.bearer("GET", f"/v1/videos/{accepted['data']['id']}")).json
        assert (done["code"], done["data"]["status"]) == ("success", "SUCCEEDED")


async def test_the_list_is_newest_first_and_goes_on_after_an_id(client: Client) -> None:
    """Only this surface's videos; can be switched off."""
    ids = [(await submit(client, f"Boat {number}")).json["id"] for number in range(5)]
    await client.submit("Not of this surface")
    seen: list[str] = []
    more, query = True, "limit=2"
    while more:
        page = (await client.bearer("GET", f"/v1/videos?{query}")).json
        seen += [video["id"] for video in page["data"]]
        more, query = page["has_more"], f"limit=2&after={page['last_id']}"
    assert seen == ids[::-1]
    for wrong in ("after=nothing", "limit=0", "limit=x"):
        assert (await client.bearer("GET", f"/v1/videos?{wrong}")).status == 400
    async with serving(openai_videos=OpenAIShape(can_list=False)) as other:
        assert (await other.bearer("GET", "/v1/videos")).status == 404


async def test_every_surface_writes_one_bill(client: Client) -> None:
    """Same prompt, five ways in: five operations, each seen through its own surface alone."""
    body = {"model": "veo3.1-fast", "prompt": "A boat"}
    instances = {"instances": [{"prompt": "A boat"}]}
    vertex = f"/v1/projects/p/locations/l/publishers/google/models/{MODEL}:predictLongRunning"
    for path, sent in {
        "/v1/videos": body,
        "/v1/video/create": body,
        "/api/v3/google/veo3.1-fast/text-to-video": {"prompt": "A boat"},
        vertex: instances,
    }.items():
        assert (await client.bearer("POST", path, json=sent)).status == 200
    await client.submit("A boat")
    bill = client.emulator.bill
    assert bill.times(prompt="A boat") == 5
    assert not bill.doubled
    assert {entry.surface for entry in bill} == {
        "gemini",
        "vertex",
        "gptproto_v3",
        "unified",
        "openai_videos",
    }
    task = next(entry.operation for entry in bill if entry.surface == "gptproto_v3")
    assert (await client.bearer("GET", f"/v1/videos/video_{task}")).status == 404
    assert client.emulator.finish_all() == 5
    assert bill.total > 0
