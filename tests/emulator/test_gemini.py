"""The Gemini format: submissions, checks, lists and downloads, as protocol.md's §1 has them."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from veo_async.emulator import RETIRED_MODEL, SampleShape

from .client import MODEL, Client, Clock, serving, video_uri

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving(waiting=60.0) as client:
        yield client


async def test_a_submission_is_answered_with_the_operations_name_alone(client: Client) -> None:
    """Nothing but the name, which holds the model and a new id."""
    answer = await client.send({"prompt": "A boat"})
    assert answer.status == 200
    assert list(answer.json) == ["name"]
    assert answer.json["name"].startswith(f"models/{MODEL}/operations/")


async def test_short_names_leave_the_model_out_but_are_checked_with_it() -> None:
    """GPTProto's short names: the client has to remember the model."""
    async with serving(short_names=True) as client:
        name = await client.submit("A boat")
        assert name.startswith("operations/")
        assert (await client.get(f"/v1beta/{name}")).status == 404
        assert (await client.get(f"/v1beta/models/{MODEL}/{name}")).json["name"] == name
        assert client.emulator.bill.operations == (name,)


async def test_a_running_operation_has_no_done_and_no_progress(client: Client) -> None:
    """Running is told by what is missing."""
    name = await client.submit("A boat")
    answer = (await client.get(f"/v1beta/{name}")).json
    assert set(answer) == {"name", "metadata"}
    assert answer["name"] == name
    assert answer["metadata"]["createTime"].endswith("Z")


async def test_explicit_done_says_false_while_running() -> None:
    """As GPTProto's page shows it."""
    async with serving(explicit_done=True) as client:
        name = await client.submit("A boat")
        assert (await client.get(f"/v1beta/{name}")).json["done"] is False


async def test_a_job_is_done_when_its_waiting_time_is_over() -> None:
    """Waiting goes by the injected clock, and time_scale divides it."""
    clock = Clock()
    async with serving(waiting=60.0, time_scale=10, clock=clock) as client:
        name = await client.submit("A boat")
        clock.now += 5.9
        assert "done" not in (await client.get(f"/v1beta/{name}")).json
        clock.now += 0.2
        operation = (await client.get(f"/v1beta/{name}")).json
        assert operation["done"] is True
        assert operation["metadata"]["updateTime"] == "1970-01-12T13:46:46.000000Z"


async def test_operations_and_files_are_gone_after_retention() -> None:
    """Both answer 404; the bill still knows them."""
    clock = Clock()
    async with serving(waiting=1.0, retention=100.0, clock=clock) as client:
        operation = await client.finished("A boat")
        assert (await client.get(video_uri(operation))).status == 200
        clock.now += 101.0
        assert (await client.get(f"/v1beta/{operation['name']}")).status == 404
        assert (await client.get(video_uri(operation))).status == 404
        assert len(client.emulator.bill) == 1


@pytest.mark.parametrize(
    ("shape", "keys"),
    [
        ("generateVideoResponse", ("generateVideoResponse", "generatedSamples", 0, "video", "uri")),
        ("inline", ("generateVideoResponse", "generatedSamples", 0, "video", "encodedVideo")),
        ("generatedSamples", ("generatedSamples", 0, "video", "uri")),
        ("generatedVideos", ("generatedVideos", 0, "video", "uri")),
        ("generated_videos", ("generated_videos", 0, "video", "uri")),
        ("videos", ("videos", 0, "bytesBase64Encoded")),
    ],
)
async def test_videos_stand_where_the_shape_says(shape: str, keys: tuple[str | int, ...]) -> None:
    """Every place of the protocol, with bytes that are a video."""
    async with serving(sample_shape=SampleShape(shape)) as client:
        found: Any = (await client.finished("A boat"))["response"]
        for key in keys:
            found = found[key]
        inline = not found.startswith("http")
        content = base64.b64decode(found) if inline else (await client.get(found)).body
        assert content[4:8] == b"ftyp"


async def test_google_uris_name_googles_host_and_are_served_here() -> None:
    """Seed 001: the URI's host is not the gateway's; the path is."""
    async with serving(google_uris=True) as client:
        uri = video_uri(await client.finished("A boat"))
        google = "https://generativelanguage.googleapis.com"
        assert uri.startswith(google)
        assert (await client.get(uri.removeprefix(google))).headers["content-type"] == "video/mp4"


async def test_the_download_prefix_moves_the_files() -> None:
    """Under /upload and nowhere else."""
    async with serving(download_prefix="/upload") as client:
        uri = video_uri(await client.finished("A boat"))
        assert "/upload/v1beta/files/" in uri
        assert (await client.get(uri)).status == 200
        assert (await client.get(uri.replace("/upload", ""))).status == 404


async def test_a_download_can_be_resumed_by_range(client: Client) -> None:
    """206 while the strong ETag holds, the whole file when it does not, 416 past the end."""
    uri = video_uri(await client.finished("A boat"))
    whole = await client.get(uri)
    assert whole.headers["accept-ranges"] == "bytes"
    etag = whole.headers["etag"]
    assert not etag.startswith("W/")
    size = len(whole.body)

    part = await client.get(uri, headers={"Range": "bytes=100-", "If-Range": etag})
    assert (part.status, part.body) == (206, whole.body[100:])
    assert part.headers["content-range"] == f"bytes 100-{size - 1}/{size}"
    assert (await client.get(uri, headers={"Range": "bytes=0-9"})).body == whole.body[:10]
    assert (await client.get(uri, headers={"Range": "bytes=-7"})).body == whole.body[-7:]
    changed = await client.get(uri, headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert (changed.status, len(changed.body)) == (200, size)
    beyond = await client.get(uri, headers={"Range": f"bytes={size}-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert (await client.get(uri, headers={"Range": "bytes=9-2"})).status == 200


async def test_redirected_downloads_want_no_key_and_tell_if_one_came() -> None:
    """302 to another origin; the log shows whether the key went along."""
    async with serving(redirect_downloads=True) as client:
        answer = await client.get(video_uri(await client.finished("A boat")))
        assert answer.status == 302
        place = answer.headers["location"]
        assert client.emulator.storage_url is not None
        assert place.startswith(client.emulator.storage_url)
        assert not place.startswith(client.emulator.base_url)
        assert (await client.get(place, key=None)).body[4:8] == b"ftyp"
        await client.get(place)
        assert [entry.key_sent for entry in client.emulator.requests.of("storage")] == [False, True]


async def test_lists_are_not_implemented_unless_asked_for(client: Client) -> None:
    """501, as a server that lacks the method answers."""
    answer = await client.get(f"/v1beta/models/{MODEL}/operations")
    assert (answer.status, answer.json["error"]["status"]) == (501, "UNIMPLEMENTED")


async def test_a_list_has_pages_newest_first_and_only_its_model() -> None:
    """Every operation once, over pages of the asked size."""
    async with serving(can_list=True, waiting=60) as client:
        names = [await client.submit(f"Boat {number}") for number in range(5)]
        await client.submit("Other", "veo-3.0-generate-001")
        listed: list[str] = []
        token, pages = "", 0
        while pages == 0 or token:
            path = f"/v1beta/models/{MODEL}/operations?pageSize=2&pageToken={token}"
            page = (await client.get(path)).json
            listed += [entry["name"] for entry in page["operations"]]
            token, pages = page.get("nextPageToken", ""), pages + 1
        assert listed == names[::-1]
        assert pages == 3
        for query in ("pageToken=nonsense", "pageSize=-1", "filter=done"):
            assert (await client.get(f"/v1beta/models/{MODEL}/operations?{query}")).status == 400


async def test_a_list_can_omit_the_response_of_done_operations() -> None:
    """Then only a check of its own tells the outcome."""
    async with serving(can_list=True, list_omits_response=True) as client:
        await client.finished("A boat")
        (entry,) = (await client.get(f"/v1beta/models/{MODEL}/operations")).json["operations"]
        assert entry["done"] is True
        assert "response" not in entry


async def test_a_forbidden_prompt_is_accepted_and_filtered_later(client: Client) -> None:
    """Count and reasons beside no samples; not billed."""
    operation = await client.finished("A Forbidden thing")
    response = operation["response"]["generateVideoResponse"]
    assert response["raiMediaFilteredCount"] == 1
    assert "usage guidelines" in response["raiMediaFilteredReasons"][0]
    assert "generatedSamples" not in response
    (entry,) = client.emulator.bill
    assert (entry.state, entry.billed) == ("filtered", "no")


async def test_half_of_two_samples_is_filtered(client: Client) -> None:
    """One video and one reason."""
    operation = await client.finished("half-filtered", "veo-2.0-generate-001", sampleCount=2)
    response = operation["response"]["generateVideoResponse"]
    assert len(response["generatedSamples"]) == 1
    assert response["raiMediaFilteredCount"] == 1
    assert client.emulator.bill.entries[0].billed == "yes"


async def test_two_samples_are_two_different_files(client: Client) -> None:
    """veo-2 makes up to two."""
    operation = await client.finished("Two boats", "veo-2.0-generate-001", sampleCount=2)
    samples = operation["response"]["generateVideoResponse"]["generatedSamples"]
    contents = {(await client.get(sample["video"]["uri"])).body for sample in samples}
    assert len(contents) == 2


@pytest.mark.parametrize(
    ("marker", "code"), [("fail-internal", 13), ("fail-safety", 3), ("fail-overloaded", 8)]
)
async def test_failing_prompts_end_with_their_code(client: Client, marker: str, code: int) -> None:
    """A done operation with an error and no response; not billed."""
    operation = await client.finished(f"A boat, {marker}")
    assert operation["error"]["code"] == code
    assert "response" not in operation
    assert client.emulator.bill.entries[0].billed == "no"


async def test_an_empty_result_is_done_with_nothing(client: Client) -> None:
    """Neither response nor error, python-genai#1560."""
    assert set(await client.finished("empty-result")) == {"name", "metadata", "done"}


async def test_a_job_that_never_finishes_goes_on_after_finish_all(client: Client) -> None:
    """For deadlines."""
    name = await client.submit("never-finishes")
    assert client.emulator.finish_all() == 0
    assert "done" not in (await client.get(f"/v1beta/{name}")).json


async def test_a_policy_refusal_is_a_400_that_says_503(client: Client) -> None:
    """GPTProto's table, "actual status code is 400"; nothing is accepted."""
    answer = await client.send({"prompt": "refuse-policy"})
    assert answer.status == 400
    assert answer.json["error"]["type"] == "503"
    assert len(client.emulator.bill) == 0


@pytest.mark.parametrize("key", [None, "wrong"])
@pytest.mark.parametrize("style", ["google", "gptproto"])
async def test_a_missing_or_wrong_key_is_401(key: str | None, style: str) -> None:
    """In the asked dress; also for downloads."""
    options: dict[str, Any] = {"error_style": style}
    async with serving(**options) as client:
        uri = video_uri(await client.finished("A boat"))
        for path in (uri, f"/v1beta/models/{MODEL}/operations/x"):
            answer = await client.get(path, key=key)
            assert answer.status == 401
        error = answer.json["error"]
        if style == "gptproto":
            assert error == {"message": "Invalid signature", "type": "401"}
        else:
            assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")


async def test_a_key_in_the_url_does_not_count_and_is_not_logged(client: Client) -> None:
    """Keys in URLs land in logs: refused, and blotted out in ours."""
    answer = await client.get(f"/v1beta/models/{MODEL}/operations/x?key={client.emulator.key}", key=None)
    assert answer.status == 401
    (received,) = client.emulator.requests
    assert received.key_in_url
    assert client.emulator.key not in repr(received)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("imagen-4", "is not found for API version v1beta, or is not supported for predictLongRunning"),
        (RETIRED_MODEL, "is no longer available"),
    ],
)
async def test_unknown_and_retired_models_are_404(client: Client, model: str, words: str) -> None:
    """In the live service's words."""
    answer = await client.send({"prompt": "A boat"}, model)
    assert answer.status == 404
    assert words in answer.json["error"]["message"]


async def test_an_operation_is_only_found_under_its_own_model(client: Client) -> None:
    """And what has no route is a JSON 404 as well."""
    name = await client.submit("A boat")
    answer = await client.get("/v1beta/" + name.replace(MODEL, "veo-3.1"))
    assert (answer.status, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert (await client.get("/elsewhere")).json["error"]["code"] == 404
    assert client.emulator.requests.count("other") == 1


async def test_quotas_answer_429_with_every_hint() -> None:
    """Retry-After in whole seconds, RetryInfo exactly; room again when the window has passed."""
    clock = Clock()
    async with serving(submits_per_minute=2, checks_per_second=1, clock=clock) as client:
        name = await client.submit("A")
        clock.now += 10.5
        await client.submit("B")
        answer = await client.send({"prompt": "C"})
        assert answer.status == 429
        assert answer.headers["retry-after"] == "50"
        error = answer.json["error"]
        assert error["status"] == "RESOURCE_EXHAUSTED"
        assert error["details"][1]["retryDelay"] == "49.50s"
        assert "Please retry in 49.50s" in error["message"]
        clock.now += 49.5
        await client.submit("C")
        statuses = [(await client.get(f"/v1beta/{name}")).status for _ in range(2)]
        assert statuses == [200, 429]
        assert len(client.emulator.bill) == 3


async def test_a_sub_one_rate_stretches_its_window() -> None:
    """Half a check a second is one in two seconds."""
    clock = Clock()
    async with serving(checks_per_second=0.5, clock=clock) as client:
        name = await client.submit("A")
        statuses: list[int] = []
        for _ in range(3):
            statuses.append((await client.get(f"/v1beta/{name}")).status)
            clock.now += 1.0
        assert statuses == [200, 429, 200]
