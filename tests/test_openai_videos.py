"""OpenAI-style videos: what is written, what answers are read as, wrapped or not, and the list."""

from __future__ import annotations

import pytest

from tests.surfaces import TASK, answer
from veo_async.answers import (
    Accepted,
    Finished,
    Listed,
    Missing,
    RefusalKind,
    Refused,
    Running,
    Unreadable,
)
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.openai_videos import OpenAIVideosDialect
from veo_async.models import Failed, Media, Succeeded, Video
from veo_async.wire import Request

BASE, STATUS = "https://gateway.example", "https://status.example"
ID = "video_1"
CONTENT = f"{STATUS}/v1/videos/{ID}/content"
PICTURE = Media(sha256="0" * 64, size=3, mime_type="image/jpeg")

dialect: Dialect = OpenAIVideosDialect(base_url=BASE, status_base_url=STATUS)


def video(word: str, **members: object) -> dict[str, object]:
    return {"id": ID, "object": "video", "status": word, **members}


def wrapped(word: str, **members: object) -> dict[str, object]:
    return {"code": "success", "message": "", "data": {"task_id": ID, "status": word, **members}}


# Answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [video("queued"), wrapped("QUEUED"), wrapped("NOT_START"), {"id": ID}])
def test_accepted(body: dict[str, object]) -> None:
    """The id is the operation's name."""
    assert dialect.read_submit(answer(body), "m") == Accepted(operation=ID, raw=body)


def test_a_check() -> None:
    """A GET without a body."""
    assert dialect.check(TASK) == Request(
        method="GET",
        url=f"{STATUS}/v1/videos/veo3.1-fast%3A1760545785-euexscdeL8",
        headers={"Accept": "application/json"},
    )


@pytest.mark.parametrize("word", ["queued", "in_progress", "IN_PROGRESS"])
def test_running(word: str) -> None:
    """With its progress in percent."""
    assert dialect.read_check(answer(video(word, progress=1)), ID) == Running(progress=0.01)
    assert dialect.read_check(answer(wrapped(word, progress="30%")), ID) == Running(progress=0.3)


@pytest.mark.parametrize(
    "body",
    [
        video("completed", url="https://evil.example/a"),
        wrapped("SUCCEEDED", fail_reason=""),
        {"status": "completed"},
        wrapped("SUCCESS"),
    ],
)
def test_finished(body: dict[str, object]) -> None:
    """Its bytes are under its id, at the service that was asked."""
    finished = dialect.read_check(answer(body), ID)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Succeeded)
    assert finished.outcome.result.videos == (Video(uri=CONTENT),)
    assert dialect.download(CONTENT) == [Request(method="GET", url=CONTENT, headers={"Accept": "*/*"})]


@pytest.mark.parametrize(
    ("body", "message", "code", "reason"),
    [
        (video("failed", error={"code": "x", "message": "no luck"}), "no luck", "x", "error"),
        (
            video("failed", error={"code": "content_policy_violation", "message": "no"}),
            "no",
            "content_policy_violation",
            "content",
        ),
        (wrapped("FAILURE", fail_reason="no luck"), "no luck", None, "error"),
        ({**wrapped("FAILED"), "code": "fail", "message": "no luck"}, "", None, "error"),
        (video("failed", error=None), "", None, "error"),
    ],
)
def test_failed(body: dict[str, object], message: str, code: object, reason: str) -> None:
    """The job's own end."""
    finished = dialect.read_check(answer(body), ID)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Failed)
    outcome = finished.outcome
    assert (outcome.message, outcome.code, outcome.reason) == (message, code, reason)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": {"message": "x", "type": "invalid_request_error"}}, RefusalKind.AUTHENTICATION),
        (200, {"error": {"message": "x", "code": "invalid_api_key"}}, RefusalKind.AUTHENTICATION),
        (400, {"error": {"message": "x", "code": "content_policy_violation"}}, RefusalKind.CONTENT),
        (400, {"error": {"message": "x", "code": "moderation_blocked"}}, RefusalKind.CONTENT),
        (429, {"error": {"message": "x", "code": "insufficient_quota"}}, RefusalKind.QUOTA),
        (429, {"error": {"message": "x", "code": "rate_limit_exceeded"}}, RefusalKind.RATE_LIMIT),
        (403, {"error": {"message": "x", "code": "insufficient_user_quota"}}, RefusalKind.BALANCE),
        (500, {"error": {"message": "x", "type": "server_error", "code": None}}, RefusalKind.SERVER),
        (200, {"code": "invalid_api_key", "message": "x", "data": None}, RefusalKind.AUTHENTICATION),
        (200, {"code": 429, "message": "x", "data": {}}, RefusalKind.RATE_LIMIT),
    ],
)
def test_refused(status: int, body: dict[str, object], kind: RefusalKind) -> None:
    """In OpenAI's words, or by a wrapped answer's code; on a submit and on a check."""
    for refused in (
        dialect.read_submit(answer(body, status), "m"),
        dialect.read_check(answer(body, status), ID),
    ):
        assert isinstance(refused, Refused)
        assert refused.kind is kind


def test_a_video_that_is_not_known() -> None:
    """By status, or by a word under 200."""
    assert dialect.read_check(answer(b"<html>", 404), ID) == Missing()
    assert isinstance(dialect.read_check(answer({"error": {"code": "not_found"}}), ID), Missing)


@pytest.mark.parametrize(
    "body", [{}, {"object": "list", "data": []}, {"status": 7}, video("completed", id="no")]
)
def test_answers_that_say_nothing_of_the_job(body: dict[str, object]) -> None:
    """They never resolve it."""
    assert isinstance(dialect.read_check(answer(body), ID), Unreadable)


# Lists ----------------------------------------------------------------------------------------------------


def test_a_page_of_a_list() -> None:
    """The largest page, after an id; off unless asked for."""
    assert not dialect.capabilities.can_list
    assert dialect.list_page("m", None).url == f"{STATUS}/v1/videos?limit=100"
    assert dialect.list_page("m", "a b&c").url == f"{STATUS}/v1/videos?limit=100&after=a%20b%26c"


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_reading_a_list(is_wrapped: bool) -> None:
    """By id; entries that cannot be read are left out."""
    entries: list[object] = [
        video("queued"),
        video("completed", id="b"),
        {"status": 7},
        {"id": "c"},
        {"id": "a b"},
    ]
    page: dict[str, object] = {"object": "list", "data": entries, "has_more": True, "last_id": "c"}
    listed = dialect.read_list(answer({"code": "success", "data": page} if is_wrapped else page), "m")
    assert isinstance(listed, Listed)
    kinds = {name: type(entry) for name, entry in listed.answers.items()}
    assert kinds == {ID: Running, "b": Finished, "c": Running}
    assert listed.next_page_token == "c"


def test_the_last_page() -> None:
    """No more, whatever its last id."""
    assert dialect.read_list(answer({"data": [], "has_more": False, "last_id": "c"}), "m") == Listed(
        answers={}
    )


def test_a_server_that_does_not_list() -> None:
    """It says so, and is believed."""
    refused = dialect.read_list(answer({"error": {"message": "x", "code": "unknown_url"}}, 404), "m")
    assert isinstance(refused, Refused)
    assert isinstance(dialect.read_list(answer({"data": 7}), "m"), Unreadable)
