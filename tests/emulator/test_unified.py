"""The unified video format of gateways: seed 002's query, its many words, and where its video may be."""

import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from veo_async.emulator import UnifiedShape

from .client import Answer, Client, Clock, serving

pytestmark = pytest.mark.anyio

MODEL = "veo3.1-fast"
PICTURE = "https://pictures.example/boat.png"


async def submit(client: Client, prompt: str = "A boat", **fields: Any) -> Answer:
    body = {"model": MODEL, "prompt": prompt} | fields
    return await client.bearer("POST", "/v1/video/create", json=body)


async def query(client: Client, task: str, **more: Any) -> Answer:
    return await client.bearer("GET", f"/v1/video/query?id={quote(task, safe='')}", **more)


async def finished(client: Client, prompt: str = "A boat", **fields: Any) -> Any:
    task = (await submit(client, prompt, **fields)).json["id"]
    client.emulator.finish_all()
    return (await query(client, task)).json


async def story(clock: Clock, client: Client, **fields: Any) -> list[str]:
    """All words of a task that takes 60 s, looked at each second."""
    task = (await submit(client, **fields)).json["id"]
    words: list[str] = []
    for _ in range(62):
        answer = (await query(client, task)).json
        if answer["status"] not in words:
            words.append(answer["status"])
        assert (answer["video_url"] is None) == (answer["status"] != "completed")
        clock.now += 1
    return words


async def test_a_task_is_accepted_and_ends_with_a_public_video() -> None:
    """Ids hold the model, the time and a colon; the URL wants no key."""
    clock = Clock()
    async with serving(waiting=0.0, clock=clock) as client:
        accepted = (await submit(client, enhance_prompt=True)).json
        assert set(accepted) == {"id", "status", "status_update_time", "enhanced_prompt"}
        assert re.fullmatch(r"veo3\.1-fast:1000000-[A-Za-z0-9]{10}", accepted["id"])
        assert (accepted["status"], accepted["status_update_time"]) == ("pending", 1_000_000_000)
        assert accepted["enhanced_prompt"] == "```\n\nA boat\n\n```"
        done = (await query(client, accepted["id"])).json
        assert (done["id"], done["status"]) == (accepted["id"], "completed")
        assert (await client.get(done["video_url"], key=None)).body[4:8] == b"ftyp"
        (entry,) = client.emulator.bill
        assert (entry.surface, entry.operation, entry.operation_id) == ("unified", done["id"], done["id"])


async def test_the_seeds_query_runs_as_described() -> None:
    """All parameters of seed 002, the odd ones too: an empty form as the body and a forwarded host."""
    shape = UnifiedShape(ids="uuid", wants_json_headers=True)
    async with serving(waiting=60.0, unified=shape) as client:
        task = (await submit(client)).json["id"]
        assert str(uuid.UUID(task)) == task
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        odd = {"X-Forwarded-Host": "localhost:5173"}
        answer = await query(client, task, headers=headers | odd, data=aiohttp.FormData())
        assert set(answer.json) == {"id", "status", "video_url", "enhanced_prompt", "status_update_time"}
        assert (answer.json["status"], answer.json["video_url"]) == ("pending", None)
        assert (await query(client, task)).status == 400


async def test_videos_may_lie_at_another_origin() -> None:
    """Then a key sent along shows in the log."""
    async with serving(waiting=0.0, redirect_downloads=True) as client:
        url = (await finished(client))["video_url"]
        assert url.startswith(client.emulator.storage_url)
        assert (await client.get(url, key=None)).status == 200
        assert [entry.key_sent for entry in client.emulator.requests.of("storage")] == [False]


async def test_the_words_of_a_task_with_pictures_and_upsampling() -> None:
    """Two of them look like an end and are none: no URL comes with them."""
    clock = Clock()
    async with serving(waiting=60.0, clock=clock) as client:
        plain = ["pending", "video_generating", "video_generation_completed", "completed"]
        assert await story(clock, client) == plain
        whole = await story(clock, client, images=[PICTURE], enable_upsample=True)
        assert whole == [
            "pending",
            "image_downloading",
            "video_generating",
            "video_generation_completed",
            "video_upsampling",
            "video_upsampling_completed",
            "completed",
        ]


async def test_other_words_can_be_chosen() -> None:
    """All of the table, and any other."""
    clock = Clock()
    words = ("queued", "processing", "in_progress")
    shape = UnifiedShape(running=words, succeeded="succeed", failed="cancelled")
    async with serving(waiting=60.0, clock=clock, unified=shape) as client:
        task = (await submit(client)).json
        seen = [task["status"]]
        for _ in range(3):
            seen.append((await query(client, task["id"])).json["status"])
            clock.now += 25
        assert seen == ["queued", *words]
        assert (await query(client, task["id"])).json["status"] == "succeed"
        assert (await finished(client, "fail-internal"))["status"] == "cancelled"
    with pytest.raises(ValueError, match="running"):
        UnifiedShape(running=())


async def test_upsampling_may_fail_and_leave_a_720p_video() -> None:
    """Only where it was asked for; the video is there and billed."""
    async with serving(waiting=0.0) as client:
        answer = await finished(client, "fail-upsampling", enable_upsample=True)
        assert answer["status"] == "video_upsampling_failed"
        assert answer["video_url"]
        assert client.emulator.bill.entries[0].billed == "yes"
        assert (await finished(client, "fail-upsampling"))["status"] == "completed"


async def test_the_url_may_come_late_or_elsewhere() -> None:
    """``completed`` and ``video_url: null``, then filled, in ``detail`` if asked for; or never."""
    shape = UnifiedShape(checks_without_url=2, url_in_detail=True)
    async with serving(waiting=0.0, unified=shape) as client:
        task = (await submit(client)).json["id"]
        answers = [(await query(client, task)).json for _ in range(4)]
        assert {(answer["status"], answer["video_url"]) for answer in answers} == {("completed", None)}
        assert ["detail" in answer for answer in answers] == [False, False, True, True]
        assert answers[3]["detail"]["video_url"].startswith("http")
        empty = await finished(client, "empty-result")
        assert (empty["status"], empty["video_url"]) == ("completed", None)


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ("detail", ("detail", "error")),
        ("error", ("error",)),
        ("error_object", ("error", "message")),
        ("fail_reason", ("fail_reason",)),
        ("message", ("message",)),
    ],
)
async def test_failed_tasks_say_why_at_each_place(place: Any, keys: tuple[str, ...]) -> None:
    """Filtered ones fail too: the format has no word of its own for them."""
    async with serving(waiting=0.0, unified=UnifiedShape(error_place=place)) as client:
        answer = await finished(client, "forbidden")
        assert (answer["status"], answer["video_url"]) == ("failed", None)
        found: Any = answer
        for key in keys:
            found = found[key]
        assert "Responsible AI" in found


@pytest.mark.parametrize("inside", [False, True])
async def test_refusals_have_a_status_or_hide_in_200(inside: bool) -> None:
    """Key, policy, unknown task, unknown model: the same error object either way."""
    async with serving(unified=UnifiedShape(errors_in_200=inside)) as client:
        answers = [
            (401, "invalid_api_key", await client.bearer("GET", "/v1/video/query?id=x", token="wrong")),
            (400, "content_policy_violation", await submit(client, "refuse-policy")),
            (404, "not_found", await query(client, "veo3.1:1-x")),
            (404, "not_found", await submit(client, model="sora-2")),
        ]
        for status, code, answer in answers:
            assert answer.status == (200 if inside else status)
            assert answer.json["error"]["code"] == code
        assert len(client.emulator.bill) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"images": "boat.png"},
        {"images": ["data:image/png;base64,AAAA"]},
        {"images": [PICTURE] * 4},
        {"aspect_ratio": "1:1"},
        {"enable_upsample": "yes"},
        {"model": None},
        {"prompt": 3},
    ],
)
async def test_wrong_fields_are_refused(fields: dict[str, Any]) -> None:
    """Images above all: URLs only."""
    async with serving() as client:
        answer = await submit(client, **fields)
        assert answer.status == 400
        assert next(iter(fields)) in answer.json["error"]["message"]


async def test_times_may_be_in_seconds() -> None:
    """As at other gateways than seed 002's."""
    async with serving(clock=Clock(), unified=UnifiedShape(seconds=True)) as client:
        assert (await submit(client)).json["status_update_time"] == 1_000_000


async def test_tasks_survive_a_restart_and_end_with_their_retention(tmp_path: Path) -> None:
    """By the same id, from the state file."""
    clock = Clock()
    options: dict[str, Any] = {"state": tmp_path / "state.db", "clock": clock, "retention": 100.0}
    async with serving(**options) as client:
        task = (await submit(client)).json["id"]
    async with serving(**options) as client:
        client.emulator.finish_all()
        assert (await query(client, task)).json["status"] == "completed"
        assert client.emulator.bill.operations == (task,)
        clock.now += 101
        assert (await query(client, task)).status == 404
