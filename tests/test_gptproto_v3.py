"""GPTProto's v3 format: what is written, and what answers are read as."""

from __future__ import annotations

from typing import Any

import pytest

from tests.surfaces import TASK, answer, body_of
from veo_async.answers import Accepted, Empty, Finished, Missing, RefusalKind, Refused, Running, Unreadable
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.gptproto_v3 import GPTProtoV3Dialect
from veo_async.errors import InvalidRequestError
from veo_async.models import Failed, Media, Succeeded, Video, VideoRequest
from veo_async.wire import Request

BASE = "https://gptproto.com"
PICTURE, OTHER = "https://h/a.png", "https://h/b.png"
URL = "https://cdn.example/a.mp4"

dialect: Dialect = GPTProtoV3Dialect(base_url=BASE, status_base_url="https://status.example")


def envelope(**data: object) -> dict[str, object]:
    return {"code": 200, "message": "success", "data": {"id": TASK, **data}}


# Submits --------------------------------------------------------------------------------------------------


def test_the_smallest_submit() -> None:
    """A prompt alone: text to video."""
    assert dialect.submit(VideoRequest("a boat", labels={"a": "b"}), "veo3.1-fast") == Request(
        method="POST",
        url=f"{BASE}/api/v3/google/veo3.1-fast/text-to-video",
        headers={"Accept": "application/json", "Content-Type": "application/json"},
        body=(b'{"prompt": "a boat"}',),
    )


@pytest.mark.parametrize(
    ("request_", "scene", "members"),
    [
        (VideoRequest("a"), "text-to-video", {}),
        (VideoRequest("a", image=PICTURE), "image-to-video", {"image": PICTURE}),
        (
            VideoRequest("a", image=PICTURE, last_frame=OTHER),
            "image-to-video",
            {"image": PICTURE, "last_image": OTHER},
        ),
        (
            VideoRequest("a", reference_images=(PICTURE, OTHER)),
            "reference-to-video",
            {"images": [PICTURE, OTHER]},
        ),
    ],
)
def test_the_scene_follows_from_the_pictures(
    request_: VideoRequest, scene: str, members: dict[str, Any]
) -> None:
    """Three scenes are documented; pictures are URLs."""
    submit = dialect.submit(request_, "veo3.1")
    assert submit.url == f"{BASE}/api/v3/google/veo3.1/{scene}"
    assert body_of(submit) == {"prompt": "a", **members}


def test_all_fields() -> None:
    """What is set and nothing else; `extra` is the caller's last word."""
    request = VideoRequest(
        "a",
        aspect_ratio="9:16",
        resolution="1080p",
        enhance_prompt=False,
        duration_seconds=8,
        extra={"enable_upsample": True, "resolution": "4k"},
    )
    assert list(dialect.problems(request, "veo3.1")) == []
    assert body_of(dialect.submit(request, "veo3.1")) == {
        "prompt": "a",
        "aspect_ratio": "9:16",
        "resolution": "4k",
        "enhance_prompt": False,
        "enable_upsample": True,
    }


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (VideoRequest("a", seed=3), "seed"),
        (VideoRequest("a", duration_seconds=4), "duration_seconds"),
        (VideoRequest("a", negative_prompt="rain"), "negative_prompt"),
        (VideoRequest("a", generate_audio=False), "generate_audio"),
        (VideoRequest("a", sample_count=2), "sample_count"),
        (VideoRequest("a", person_generation="allow_all"), "person_generation"),
        (VideoRequest("a", storage_uri="gs://b"), "storage_uri"),
    ],
)
def test_what_has_no_field_is_named_with_the_way_out(request_: VideoRequest, field: str) -> None:
    """A provider's own field goes by `extra`."""
    (problem,) = dialect.problems(request_, "veo3.1")
    assert problem.field == field
    assert f'extra={{"{field}": ' in problem.message


def test_a_service_that_takes_more() -> None:
    """A table says so, as a provider file's does."""
    more = GPTProtoV3Dialect(
        base_url=BASE, status_base_url=BASE, fields={"duration_seconds": "duration", "seed": "seed"}
    )
    request = VideoRequest("a", duration_seconds=4, seed=0)
    assert list(more.problems(request, "veo3.1")) == []
    assert body_of(more.submit(request, "veo3.1")) == {"prompt": "a", "duration": 4, "seed": 0}
    again = more.submit(request, "veo3.1", duration_as_string=True)
    assert body_of(again) == {"prompt": "a", "duration": "4", "seed": 0}


def test_media_that_have_no_place() -> None:
    """Videos are not extended here, and buckets are no URLs that a gateway can fetch."""
    fields = [p.field for p in dialect.problems(VideoRequest("a", video="https://h/a.mp4"), "veo3.1")]
    assert fields == ["video"]
    fields = [p.field for p in dialect.problems(VideoRequest("a", image="gs://b/a.png"), "veo3.1")]
    assert fields == ["image"]


def test_a_picture_of_this_machine_is_for_the_session() -> None:
    """It has the provider's `upload=`; the dialect only says that it needs URLs."""
    assert dialect.capabilities.url_only_media
    assert list(dialect.problems(VideoRequest("a", image=Media.from_bytes(b"x")), "veo3.1")) == []


# Answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        envelope(status="created"),
        {"status": "success", "result": {"id": TASK, "status": "processing"}},
        {"code": 0, "data": {"id": TASK}},
        {"code": "success", "data": {"task_id": TASK, "status": "created"}},
    ],
)
def test_accepted(body: dict[str, object]) -> None:
    """The task's id is the operation's name."""
    assert dialect.read_submit(answer(body), "veo3.1") == Accepted(operation=TASK, raw=body)


def test_done_at_once() -> None:
    """An answer to a submit may be final."""
    done = dialect.read_submit(answer(envelope(status="completed", outputs=[URL])), "veo3.1")
    assert isinstance(done, Accepted)
    assert isinstance(done.finished, Finished)


@pytest.mark.parametrize("name", [None, "", 7, [], "../a", "a b", "a" * 300, "a/b", "%2e"])
def test_a_submit_without_a_usable_id_is_unreadable(name: object) -> None:
    """A paid job may run under it, so nothing is made up."""
    for body in ({"code": 200, "data": {"id": name}}, {"status": "success", "result": {"id": name}}):
        assert isinstance(dialect.read_submit(answer(body), "veo3.1"), Unreadable)


@pytest.mark.parametrize("word", ["created", "processing", "running", "Processing ", "RUNNING"])
def test_running(word: str) -> None:
    """By the job's own word, whatever the request's "success" says."""
    trap: dict[str, object] = {"status": "success", "result": {"id": TASK, "status": word, "outputs": None}}
    assert dialect.read_check(answer(trap), TASK) == Running()
    assert dialect.read_check(answer(envelope(status=word)), TASK) == Running()
    with_url = {"status": "success", "result": {"id": TASK, "status": word, "outputs": [URL]}}
    assert dialect.read_check(answer(with_url), TASK) == Running()


def test_a_word_that_is_not_known_is_running() -> None:
    """With a flag: a paid job is never given up for a word."""
    running = dialect.read_check(answer(envelope(status="NOT_START")), TASK)
    assert running == Running(flags=("unknown status word 'NOT_START'",))


@pytest.mark.parametrize(
    "body",
    [
        envelope(status="completed", outputs=[URL]),
        envelope(status="succeeded", outputs=[URL, URL]),
        {"status": "success", "result": {"status": "completed", "outputs": [URL]}},
        {"status": "success", "result": {"outputs": [URL]}},
        {"status": "success", "data": {"id": TASK, "outputs": ["", URL]}},
    ],
)
def test_finished(body: dict[str, object]) -> None:
    """By the job's word; only where there is none by the request's, with a URL."""
    finished = dialect.read_check(answer(body), TASK)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Succeeded)
    assert finished.outcome.result.videos == (Video(uri=URL),)
    assert finished.outcome.raw == body


@pytest.mark.parametrize(
    "body",
    [
        {"status": "success", "result": {}},
        {"status": "success", "result": {"outputs": []}},
        envelope(status="completed"),
        envelope(status="completed", outputs=None),
    ],
)
def test_empty(body: dict[str, object]) -> None:
    """Done with nothing is asked again, then a failure."""
    empty = dialect.read_check(answer(body), TASK)
    assert isinstance(empty, Empty)
    assert empty.outcome.reason == "empty"


@pytest.mark.parametrize(
    ("body", "reason", "billed"),
    [
        (envelope(status="failed", error="Internal error"), "error", "unknown"),
        (envelope(status="error", error={"message": "Internal error", "code": 13}), "error", "unknown"),
        ({**envelope(status="failed", error="Internal error"), "code": 500}, "error", "unknown"),
        (envelope(status="failed", error="It may violate our usage guidelines."), "content", "no"),
        (envelope(status="failed"), "error", "unknown"),
    ],
)
def test_failed(body: dict[str, object], reason: str, billed: str) -> None:
    """The job's own end, whatever number the envelope has."""
    finished = dialect.read_check(answer(body), TASK)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Failed)
    assert (finished.outcome.reason, finished.outcome.billed) == (reason, billed)


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (401, "Invalid signature", RefusalKind.AUTHENTICATION),
        ("401", "Invalid signature", RefusalKind.AUTHENTICATION),
        (403, "Insufficient balance", RefusalKind.BALANCE),
        (429, "slow down", RefusalKind.RATE_LIMIT),
        (500, "oops", RefusalKind.SERVER),
        (503, "Input may not meet the guidelines.", RefusalKind.CONTENT),
        (400, "Input may not meet the guidelines.", RefusalKind.CONTENT),
        (422, "bad field", RefusalKind.INVALID),
    ],
)
@pytest.mark.parametrize("data", [None, {}, {"id": TASK, "status": "processing"}])
def test_the_envelopes_code_decides_under_status_200(
    code: object, message: str, kind: RefusalKind, data: object
) -> None:
    """On a submit and on a check."""
    body = answer({"code": code, "message": message, "data": data})
    for refused in (dialect.read_submit(body, "veo3.1"), dialect.read_check(body, TASK)):
        assert isinstance(refused, Refused)
        assert (refused.kind, refused.message, refused.status, refused.code) == (kind, message, 200, code)


def test_a_task_that_is_not_known() -> None:
    """By HTTP or by the envelope; on a submit it is the model."""
    for body in (answer(b"", 404), answer({"code": 404, "message": "", "data": None})):
        assert dialect.read_check(body, TASK) == Missing()
    assert dialect.read_check(answer(b"<html>", 410), TASK) == Missing(gone=True)
    refused = dialect.read_submit(answer({"code": 404, "message": "no model"}), "veo3.1")
    assert isinstance(refused, Refused)
    assert "retired or misspelt" in refused.message


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "success"},
        {"status": "failed"},
        {"code": 1234, "message": "says nothing known"},
        {"data": []},
        envelope(status=7),
        envelope(status="completed", outputs="https://h/a"),
        {"code": True},
        {"code": 200, "data": {"id": "another", "status": "completed", "outputs": [URL]}},
    ],
)
def test_answers_that_say_nothing_of_the_job(body: dict[str, object]) -> None:
    """They never resolve it."""
    assert isinstance(dialect.read_check(answer(body), TASK), Unreadable)


# Names, lists, downloads ----------------------------------------------------------------------------------


def test_names() -> None:
    """An id is the whole name; no model is in it, none is needed."""
    assert dialect.operation_name("abc-1", None) == "abc-1"
    assert dialect.model_of("abc-1") is None
    for given_ in ("", "a b", "a/b", "../a"):
        with pytest.raises(InvalidRequestError, match="no task id"):
            dialect.operation_name(given_, None)
        with pytest.raises(InvalidRequestError, match="no task id"):
            dialect.check(given_)


def test_there_is_no_list() -> None:
    """And it says so."""
    assert not dialect.capabilities.can_list
    with pytest.raises(InvalidRequestError, match="one by one"):
        dialect.list_page("veo3.1", None)


def test_a_download() -> None:
    """A public URL, fetched without the key; a rule of the caller's replaces it."""
    (request,) = dialect.download(URL)
    assert (request.url, request.keyless) == (URL, True)
    ruled = GPTProtoV3Dialect(base_url=BASE, status_base_url=BASE, rewrite_uri=lambda uri: f"{uri}?x")
    assert [request.url for request in ruled.download(URL)] == [f"{URL}?x"]
