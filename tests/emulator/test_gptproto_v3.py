"""GPTProto's v3 format: seed 000 to the letter, the documented envelope, and the trap in its "success"."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from veo_async.emulator import Fault, V3Shape

from .client import Answer, Client, Clock, serving

pytestmark = pytest.mark.anyio

MODEL = "veo3.1-fast"
PICTURE = "https://pictures.example/boat.png"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving(waiting=60.0) as client:
        yield client


async def submit(client: Client, scene: str = "text-to-video", **fields: Any) -> Answer:
    body = {"prompt": "A boat"} | fields
    return await client.bearer("POST", f"/api/v3/google/{MODEL}/{scene}", json=body)


async def check(client: Client, task: str) -> Answer:
    return await client.bearer("GET", f"/api/v3/predictions/{task}/result")


async def finished(client: Client, **fields: Any) -> Any:
    task = (await submit(client, **fields)).json["data"]["id"]
    client.emulator.finish_all()
    return (await check(client, task)).json


async def test_a_task_runs_and_ends_with_a_public_video() -> None:
    """The whole way: created, processing, completed, and a URL that wants no key."""
    clock = Clock()
    async with serving(waiting=60.0, clock=clock) as client:
        created = (await submit(client)).json
        task = created["data"]
        assert (created["code"], task["status"], task["model"]) == (200, "created", MODEL)
        assert task["outputs"] == []
        running = await client.bearer("GET", task["urls"]["get"])
        assert (running.json["message"], running.json["data"]["status"]) == ("success", "processing")
        clock.now += 60
        done = (await check(client, task["id"])).json["data"]
        assert (done["status"], done["error"], done["timings"]) == ("completed", "", {"inference": 60_000})
        (url,) = done["outputs"]
        assert (await client.get(url, key=None)).body[4:8] == b"ftyp"
        (entry,) = client.emulator.bill
        assert (entry.surface, entry.operation, entry.model) == ("gptproto_v3", task["id"], MODEL)
        assert entry.billed == "yes"
        assert entry.cost_estimate == pytest.approx(0.80)


@pytest.mark.parametrize(
    ("wanted", "header", "status"),
    [
        ("either", "{}", 404),
        ("either", "Bearer {}", 404),
        ("either", "Bearer wrong", 401),
        ("either", "", 401),
        ("raw", "{}", 404),
        ("raw", "Bearer {}", 401),
        ("bearer", "Bearer {}", 404),
        ("bearer", "{}", 401),
    ],
)
async def test_the_key_stands_as_the_shape_wants_it(wanted: Any, header: str, status: int) -> None:
    """Raw as in the seed, behind Bearer as on other pages; a refusal is the seed's own."""
    async with serving(gptproto_v3=V3Shape(authorization=wanted)) as client:
        headers = {"Authorization": header.format(client.emulator.key)}
        answer = await client.ask("GET", "/api/v3/predictions/x/result", headers=headers, key=None)
        assert answer.status == status
        if status == 401:
            assert answer.json == {"error": {"message": "Invalid signature", "type": "401"}}


async def test_success_around_a_running_task_is_about_the_request() -> None:
    """Seed 000's shape, with the status in its result."""
    async with serving(waiting=60.0, gptproto_v3=V3Shape(answers="result")) as client:
        task = (await submit(client)).json["data"]["id"]
        running = (await check(client, task)).json
        assert (running["status"], running["result"]["status"]) == ("success", "processing")
        client.emulator.finish_all()
        result = (await check(client, task)).json["result"]
        assert (result["status"], len(result["outputs"])) == ("completed", 1)


async def test_the_seeds_empty_result_stands_for_running_and_for_nothing() -> None:
    """``result`` is empty while the task runs, has outputs when done, and stays empty for ever if empty."""
    async with serving(waiting=60.0, gptproto_v3=V3Shape(answers="bare")) as client:
        empty: dict[str, Any] = {"status": "success", "result": {}}
        task = (await submit(client)).json["data"]["id"]
        assert (await check(client, task)).json == empty
        client.emulator.finish_all()
        assert list((await check(client, task)).json["result"]) == ["outputs"]
        assert await finished(client, prompt="empty-result") == empty
        failed = await finished(client, prompt="fail-internal")
        assert (failed["status"], failed["result"]["status"]) == ("success", "failed")


async def test_status_words_are_free() -> None:
    """All that were seen, and any other."""
    shape = V3Shape(accepted="queued", running="running", succeeded="succeeded", failed="error")
    async with serving(waiting=60.0, gptproto_v3=shape) as client:
        created = (await submit(client)).json["data"]
        assert created["status"] == "queued"
        assert (await check(client, created["id"])).json["data"]["status"] == "running"
        assert (await finished(client))["data"]["status"] == "succeeded"
        assert (await finished(client, prompt="fail-safety"))["data"]["status"] == "error"


@pytest.mark.parametrize(
    ("marker", "word", "said"),
    [
        ("forbidden", "failed", "Responsible AI"),
        ("fail-overloaded", "failed", "overloaded"),
        ("empty-result", "completed", ""),
    ],
)
async def test_markers_decide_the_end(client: Client, marker: str, word: str, said: str) -> None:
    """No outputs, and the reason in ``error``."""
    task = (await finished(client, prompt=marker))["data"]
    assert (task["status"], task["outputs"]) == (word, [])
    assert said in task["error"]
    assert client.emulator.bill.entries[0].billed == "no"


async def test_refusals_may_come_in_an_envelope_under_200() -> None:
    """The envelope's code is not 200; nothing is accepted."""
    async with serving(gptproto_v3=V3Shape(errors="envelope")) as client:
        answer = await submit(client, prompt="refuse-policy")
        assert (answer.status, answer.json["code"], answer.json["data"]) == (200, 400, None)
        answer = await client.bearer("GET", "/api/v3/predictions/x/result", token="wrong")
        assert (answer.status, answer.json["code"]) == (200, 401)
        assert len(client.emulator.bill) == 0


SEED_ERRORS: list[tuple[Fault, int, str]] = [
    (Fault.unauthorized(), 401, "Invalid signature"),
    (Fault.insufficient_balance(), 403, "Insufficient balance"),
    (Fault.internal_error(), 500, "Internal server error"),
    (Fault.policy(503), 503, "Input may not meet the guidelines. Please adjust and try again."),
]


@pytest.mark.parametrize(("fault", "status", "words"), SEED_ERRORS)
async def test_the_seeds_errors_on_submit_and_query(
    client: Client, fault: Fault, status: int, words: str
) -> None:
    """Seed 000 documents them on the query; each strikes once at either end."""
    task = (await submit(client)).json["data"]["id"]
    client.emulator.faults.add("submit", fault, times=1)
    client.emulator.faults.add("check", fault, times=1)
    for answer in (await submit(client), await check(client, task)):
        assert answer.status == status
        assert answer.json == {"error": {"message": words, "type": str(status)}}
    assert (await check(client, task)).status == 200
    assert len(client.emulator.bill) == 1


@pytest.mark.parametrize(
    ("scene", "fields", "status"),
    [
        ("image-to-video", {"image": PICTURE, "last_image": PICTURE}, 200),
        ("image-to-video", {}, 400),
        ("reference-to-video", {"images": [PICTURE] * 3}, 200),
        ("reference-to-video", {"images": [PICTURE] * 4}, 400),
        ("reference-to-video", {"images": ["boat.png"]}, 400),
        ("text-to-video", {"resolution": "4k", "aspect_ratio": "9:16", "seed": 3, "duration": 6}, 200),
        ("text-to-video", {"duration": 7}, 400),
        ("text-to-video", {"enhance_prompt": "true"}, 400),
        ("text-to-video", {"prompt": ""}, 400),
        ("text-to-video", {"unheard_of": 1}, 200),
        ("text-to-opera", {}, 404),
    ],
)
async def test_scenes_and_fields(client: Client, scene: str, fields: dict[str, Any], status: int) -> None:
    """Pictures by URL only; fields nobody knows pass, as they do at a gateway."""
    answer = await submit(client, scene, **fields)
    assert answer.status == status
    assert len(client.emulator.bill) == (status == 200)


async def test_unknown_models_and_quotas_answer_in_the_same_shape() -> None:
    """404 and 429, the type a string number."""
    async with serving(submits_per_minute=1) as client:
        answer = await client.bearer("POST", "/api/v3/google/sora/text-to-video", json={"prompt": "A boat"})
        assert (answer.status, answer.json["error"]["type"]) == (404, "404")
        limited = await submit(client)
        assert (limited.status, limited.json["error"]["type"]) == (429, "429")
        assert "retry-after" in limited.headers
