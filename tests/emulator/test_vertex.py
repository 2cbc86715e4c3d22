"""Vertex AI: long names, checks that are POSTs, videos as bytes or in a bucket, and a strict reading."""

import base64
import io
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from veo_async.emulator import RETIRED_MODEL

from .client import Answer, Client, serving

pytestmark = pytest.mark.anyio

MODEL = "veo-3.1-generate-001"
BASE = "/v1/projects/mine/locations/us-central1/publishers/google/models"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


def png() -> str:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


BYTES = {"bytesBase64Encoded": png(), "mimeType": "image/png"}
STORED = {"gcsUri": "gs://mine/boat.png", "mimeType": "image/png"}
VIDEO = {"gcsUri": "gs://mine/boat.mp4", "mimeType": "video/mp4"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving(waiting=60.0) as client:
        yield client


async def send(client: Client, instance: dict[str, Any], model: str = MODEL, **more: Any) -> Answer:
    body = {"instances": [{"prompt": "A boat"} | instance]} | more
    return await client.bearer("POST", f"{BASE}/{model}:predictLongRunning", json=body)


async def fetch(client: Client, name: object, model: str = MODEL) -> Answer:
    body = {"operationName": name}
    return await client.bearer("POST", f"{BASE}/{model}:fetchPredictOperation", json=body)


async def finished(client: Client, prompt: str = "A boat", **parameters: Any) -> Any:
    answer = await send(client, {"prompt": prompt}, parameters=parameters)
    client.emulator.finish_all()
    return (await fetch(client, answer.json["name"])).json


async def test_an_operation_runs_and_ends_with_the_video_in_the_answer(client: Client) -> None:
    """Running is a name and nothing else; done carries the bytes."""
    name = (await send(client, {})).json["name"]
    assert re.fullmatch(f"{BASE[4:]}/{MODEL}/operations/{UUID}", name)
    assert (await fetch(client, name)).json == {"name": name}
    client.emulator.finish_all()
    operation = (await fetch(client, name)).json
    assert operation["done"] is True
    response = operation["response"]
    (video,) = response["videos"]
    assert (response["raiMediaFilteredCount"], video["mimeType"]) == (0, "video/mp4")
    assert base64.b64decode(video["bytesBase64Encoded"])[4:8] == b"ftyp"
    (entry,) = client.emulator.bill
    assert (entry.surface, entry.operation, entry.state) == ("vertex", name, "succeeded")
    log = client.emulator.requests
    assert (log.count("submit"), log.count("check")) == (1, 2)


async def test_up_to_four_videos_go_into_the_bucket_that_was_named(client: Client) -> None:
    """Each under a URI of its own, and no bytes."""
    operation = await finished(client, storageUri="gs://mine/out/", sampleCount=4)
    uris = [video["gcsUri"] for video in operation["response"]["videos"]]
    assert len(set(uris)) == 4
    assert all(uri.startswith("gs://mine/out/") and uri.endswith(".mp4") for uri in uris)
    assert client.emulator.bill.entries[0].cost_estimate == pytest.approx(4 * 8 * 0.40)


async def test_a_video_of_ours_can_be_extended_by_its_uri(client: Client) -> None:
    """Seven seconds more are billed; one from elsewhere is taken on trust."""
    operation = await finished(client, storageUri="gs://mine/out", sampleCount=1)
    (video,) = operation["response"]["videos"]
    for source in (video, VIDEO):
        assert (await send(client, {"video": source})).status == 200
    first, own, foreign = client.emulator.bill
    assert own.cost_estimate == foreign.cost_estimate == pytest.approx(first.cost_estimate * 7 / 8)


@pytest.mark.parametrize(
    ("prompt", "videos", "filtered"), [("forbidden", 0, 2), ("half-filtered", 1, 1), ("A boat", 2, 0)]
)
async def test_the_filter_counts_what_it_took(
    client: Client, prompt: str, videos: int, filtered: int
) -> None:
    """Fewer videos than asked: the rest was filtered, with a reason each."""
    response = (await finished(client, prompt, sampleCount=2))["response"]
    assert len(response.get("videos", ())) == videos
    assert response["raiMediaFilteredCount"] == filtered
    assert len(response.get("raiMediaFilteredReasons", ())) == filtered


async def test_failures_and_empty_results(client: Client) -> None:
    """An error with its gRPC number; or done, and nothing."""
    assert (await finished(client, "fail-internal"))["error"]["code"] == 13
    assert set(await finished(client, "empty-result")) == {"name", "done"}


@pytest.mark.parametrize(
    ("instance", "more"),
    [
        ({"image": BYTES, "lastFrame": STORED}, {}),
        ({"image": STORED}, {"parameters": {"durationSeconds": 4, "resolution": "1080p"}}),
        ({"referenceImages": [{"image": STORED, "referenceType": "style"}]}, {}),
        ({"video": VIDEO, "mask": STORED | {"maskMode": "remove"}}, {}),
        ({"video": {"bytesBase64Encoded": "AAAA", "mimeType": "video/mp4"}}, {}),
        ({}, {"labels": {"team": "boats"}}),
        (
            {},
            {
                "parameters": {
                    "aspectRatio": "9:16",
                    "compressionQuality": "lossless",
                    "enhancePrompt": True,
                    "fps": 24,
                    "generateAudio": False,
                    "negativePrompt": "rain",
                    "personGeneration": "allow_adult",
                    "pubsubTopic": "projects/mine/topics/done",
                    "resizeMode": "pad",
                    "sampleCount": 2,
                    "seed": 7,
                }
            },
        ),
    ],
)
async def test_what_is_documented_is_taken(
    client: Client, instance: dict[str, Any], more: dict[str, Any]
) -> None:
    """Media by bytes or bucket, every parameter, labels beside them."""
    answer = await send(client, instance, **more)
    assert answer.status == 200, answer.json


@pytest.mark.parametrize(
    ("instance", "more", "named"),
    [
        ({"image": {"gcsUri": "https://x/boat.png", "mimeType": "image/png"}}, {}, "image.gcsUri"),
        ({"image": BYTES | STORED}, {}, "image"),
        ({"image": {"mimeType": "image/png"}}, {}, "image"),
        ({"image": {"gcsUri": "gs://mine/boat.png"}}, {}, "mimeType"),
        ({"image": {"bytesBase64Encoded": "%", "mimeType": "image/png"}}, {}, "Base64"),
        ({"image": {"bytesBase64Encoded": "AAAA", "mimeType": "image/png"}}, {}, "image"),
        ({"image": {"imageBytes": "AAAA", "mimeType": "image/png"}}, {}, "imageBytes"),
        ({"video": STORED}, {}, "video/"),
        ({"mask": STORED}, {}, "mask"),
        ({"referenceImages": [{"image": STORED, "referenceType": "mood"}]}, {}, "referenceType"),
        ({}, {"parameters": {"sampleCount": 5}}, "sampleCount"),
        ({}, {"parameters": {"storageUri": "/tmp"}}, "storageUri"),
        ({}, {"parameters": {"durationSeconds": "8"}}, "durationSeconds"),
        ({}, {"parameters": {"generateAudio": "yes"}}, "generateAudio"),
        ({}, {"parameters": {"compressionQuality": "best"}}, "compressionQuality"),
        ({}, {"parameters": {"numberOfVideos": 1}}, "numberOfVideos"),
        ({}, {"labels": {"team": 1}}, "team"),
        ({}, {"webhookConfig": {}}, "webhookConfig"),
    ],
)
async def test_a_wrong_field_is_refused_and_named(
    client: Client, instance: dict[str, Any], more: dict[str, Any], named: str
) -> None:
    """400 INVALID_ARGUMENT, nothing accepted."""
    answer = await send(client, instance, **more)
    assert (answer.status, answer.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert named in answer.json["error"]["message"]
    assert len(client.emulator.bill) == 0


async def test_an_operation_is_asked_for_by_its_whole_name(client: Client) -> None:
    """Under its own model; what is unknown is 404, what is no name 400."""
    name = (await send(client, {})).json["name"]
    assert (await fetch(client, name, "veo-3.1-fast-generate-001")).status == 400
    assert (await fetch(client, name[:-1])).status == 404
    assert (await fetch(client, name.rpartition("/")[2])).status == 400
    assert (await fetch(client, None)).status == 400


async def test_refusals_are_googles() -> None:
    """A wrong token, a retired model, the policy; and 429 without any hint."""
    async with serving(submits_per_minute=4) as client:
        body = {"operationName": "x"}
        path = f"{BASE}/{MODEL}:fetchPredictOperation"
        answer = await client.bearer("POST", path, token="expired", json=body)
        assert (answer.status, answer.json["error"]["status"]) == (401, "UNAUTHENTICATED")
        assert (await send(client, {}, RETIRED_MODEL)).status == 404
        missing = await send(client, {}, "imagen-4")
        assert (missing.status, missing.json["error"]["status"]) == (404, "NOT_FOUND")
        policy = await send(client, {"prompt": "refuse-policy"})
        assert (policy.status, "Support codes" in policy.json["error"]["message"]) == (400, True)
        await send(client, {})
        limited = await send(client, {})
        assert (limited.status, limited.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert "details" not in limited.json["error"]
        assert "retry-after" not in limited.headers
