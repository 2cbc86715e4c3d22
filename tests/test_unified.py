"""The unified video format: its body, its many words, and where its answers hide what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.surfaces import TASK, answer, body_of
from veo_async.answers import Accepted, Empty, Finished, Missing, RefusalKind, Refused, Running, Unreadable
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.unified import UnifiedDialect
from veo_async.models import Failed, Succeeded, Video, VideoRequest
from veo_async.wire import Request

BASE = "https://api.chainhub.tech"
PICTURE, OTHER = "https://h/a.png", "https://h/b.png"
URL = "https://cdn.example/a.mp4"
PLAIN = VideoRequest("a")
LARGE = VideoRequest("a", resolution="1080p")

dialect: Dialect = UnifiedDialect(base_url=BASE, status_base_url=BASE)


def task(word: str, url: object = None, **members: object) -> dict[str, object]:
    return {"id": TASK, "status": word, "video_url": url, "enhanced_prompt": "```\na\n```", **members}


def succeeded(body: dict[str, object], request: VideoRequest | None = None) -> Succeeded:
    finished = dialect.read_check(answer(body), TASK, request)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Succeeded)
    return finished.outcome


# Submits --------------------------------------------------------------------------------------------------


def test_the_smallest_submit() -> None:
    """Model and prompt."""
    assert dialect.submit(VideoRequest("a boat"), "veo3.1-fast") == Request(
        method="POST",
        url=f"{BASE}/v1/video/create",
        headers={"Accept": "application/json", "Content-Type": "application/json"},
        body=(b'{"prompt": "a boat", "model": "veo3.1-fast"}',),
    )


@pytest.mark.parametrize(
    ("request_", "members"),
    [
        (VideoRequest("a", image=PICTURE), {"images": [PICTURE]}),
        (VideoRequest("a", image=PICTURE, last_frame=OTHER), {"images": [PICTURE, OTHER]}),
        (VideoRequest("a", reference_images=(OTHER, PICTURE)), {"images": [OTHER, PICTURE]}),
        (
            VideoRequest("a", enhance_prompt=True, aspect_ratio="9:16"),
            {"enhance_prompt": True, "aspect_ratio": "9:16"},
        ),
        (VideoRequest("a", resolution="720p", duration_seconds=8, sample_count=1), {}),
        (VideoRequest("a", resolution="1080p"), {"enable_upsample": True}),
        (VideoRequest("a", resolution="1080p", extra={"enable_upsample": False}), {"enable_upsample": False}),
    ],
)
def test_members_of_the_body(request_: VideoRequest, members: dict[str, Any]) -> None:
    """Pictures are URLs; 720p is made, 1080p is what enlarging makes of it."""
    assert list(dialect.problems(request_, "veo3.1")) == []
    assert body_of(dialect.submit(request_, "veo3.1")) == {"prompt": "a", "model": "veo3.1", **members}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (VideoRequest("a", seed=3), "seed"),
        (VideoRequest("a", resolution="4k"), "resolution"),
        (VideoRequest("a", duration_seconds=6), "duration_seconds"),
        (VideoRequest("a", negative_prompt="rain"), "negative_prompt"),
    ],
)
def test_what_has_no_field_is_named_with_the_way_out(request_: VideoRequest, field: str) -> None:
    """A provider's own field goes by `extra`."""
    (problem,) = dialect.problems(request_, "veo3.1")
    assert problem.field == field
    assert "extra={" in problem.message


# Checks: the table of words -------------------------------------------------------------------------------

RUNNING = (
    *("pending", "queued", "image_downloading", "video_generating", "processing", "in_progress"),
    "video_upsampling",
)


@pytest.mark.parametrize("word", RUNNING)
@pytest.mark.parametrize("url", [None, URL])
def test_running(word: str, url: str | None) -> None:
    """Also with a URL: the word decides."""
    assert dialect.read_check(answer(task(word, url)), TASK, PLAIN) == Running()


@pytest.mark.parametrize("word", ["completed", "succeed", "succeeded", "success", "finished", " SUCCESS "])
def test_done(word: str) -> None:
    """With its URL; the enlarged prompt is kept as it came."""
    result = succeeded(task(word, URL, thumbnail_url="https://h/a.jpg", progress=100)).result
    assert result.videos == (Video(uri=URL),)
    assert (result.enhanced_prompt, result.thumbnails) == ("```\na\n```", ("https://h/a.jpg",))


def test_the_url_may_stand_in_detail() -> None:
    """Where `video_url` is null."""
    assert succeeded(task("completed", detail={"video_url": URL})).result.videos == (Video(uri=URL),)


@pytest.mark.parametrize("detail", [None, {}, {"video_url": None}, "x", {"video_url": ""}])
def test_done_without_a_url_is_empty(detail: object) -> None:
    """Asked again a few times, then a failure."""
    empty = dialect.read_check(answer(task("completed", detail=detail)), TASK)
    assert isinstance(empty, Empty)
    assert empty.outcome.reason == "empty"


@pytest.mark.parametrize("word", ["failed", "error", "cancelled", "video_generation_failed"])
@pytest.mark.parametrize(
    ("members", "message", "code"),
    [
        ({"detail": {"error": "no luck"}}, "no luck", None),
        ({"detail": {"error": {"message": "no luck", "code": "x"}}}, "no luck", "x"),
        ({"detail": "no luck"}, "no luck", None),
        ({"error": "no luck"}, "no luck", None),
        ({"error": {"message": "no luck", "code": 13}}, "no luck", 13),
        ({"fail_reason": "no luck"}, "no luck", None),
        ({"message": "no luck"}, "no luck", None),
        ({"error": {"message": ["odd"]}}, "", None),
        ({}, "", None),
    ],
)
def test_failed(word: str, members: dict[str, object], message: str, code: object) -> None:
    """In the words of whichever place holds some; however oddly it is said, it has failed."""
    finished = dialect.read_check(answer(task(word, **members)), TASK)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Failed)
    assert (finished.outcome.message, finished.outcome.code) == (message, code)
    assert (finished.outcome.reason, finished.outcome.billed) == ("error", "unknown")


def test_failed_for_its_content() -> None:
    """Not billed."""
    finished = dialect.read_check(answer(task("failed", error="violates our content_policy")), TASK)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Failed)
    assert (finished.outcome.reason, finished.outcome.billed) == ("content", "no")


@pytest.mark.parametrize(
    ("request_", "is_done"),
    [
        (PLAIN, True),
        (VideoRequest("a", extra={"enable_upsample": False}), True),
        (VideoRequest("a", resolution="1080p", extra={"enable_upsample": False}), True),
        (LARGE, False),
        (VideoRequest("a", extra={"enable_upsample": True}), False),
        (None, False),
    ],
)
def test_the_makings_end_is_the_tasks_only_where_no_more_was_asked(
    request_: VideoRequest | None, is_done: bool
) -> None:
    """With a URL; where it is not known what was asked, the next word will tell."""
    body = answer(task("video_generation_completed", URL))
    assert isinstance(dialect.read_check(body, TASK, request_), Finished if is_done else Running)
    bare = answer(task("video_generation_completed"))
    assert dialect.read_check(bare, TASK, request_) == Running()


def test_the_enlarged_video() -> None:
    """Done if it is there, else running."""
    assert succeeded(task("video_upsampling_completed", URL), LARGE).result.videos == (Video(uri=URL),)
    assert dialect.read_check(answer(task("video_upsampling_completed")), TASK, LARGE) == Running()


def test_an_enlarging_that_failed() -> None:
    """The smaller video is handed out, marked so; without one it is a failure."""
    smaller = succeeded(task("video_upsampling_failed", URL), LARGE).result.videos
    assert smaller == (Video(uri=URL, degraded=True),)
    finished = dialect.read_check(answer(task("video_upsampling_failed", error="no")), TASK, LARGE)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Failed)


def test_any_other_word_is_running() -> None:
    """With a flag, once told."""
    running = dialect.read_check(answer(task("NOT_START", URL)), TASK)
    assert running == Running(flags=("unknown status word 'NOT_START'",))


@pytest.mark.parametrize(
    ("given_", "progress"),
    [
        (45, 0.45),
        ("45%", 0.45),
        ("45", 0.45),
        (0.45, 0.45),
        (100, 1.0),
        (250, 1.0),
        (None, None),
        ("x", None),
    ],
)
def test_progress(given_: object, progress: float | None) -> None:
    """However it is written; what is no number is none."""
    running = dialect.read_check(answer(task("processing", progress=given_)), TASK)
    assert running == Running(progress=progress)


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [(1750323167003, 1750323167.003), (1750323167, 1750323167.0), ("x", None), (True, None)],
)
def test_times(given_: object, seconds: float | None) -> None:
    """Milliseconds in seed 002, seconds elsewhere."""
    running = dialect.read_check(answer(task("pending", status_update_time=given_)), TASK)
    assert running == Running(updated_at=seconds)


# Errors of the request ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize(
    "body",
    [
        {
            "error": {
                "message": "Incorrect API key",
                "type": "invalid_request_error",
                "code": "invalid_api_key",
            }
        },
        {"detail": {"error": {"message": "Incorrect API key", "code": 401}}},
        {"code": 401, "message": "Incorrect API key"},
        {"error": "Incorrect API key", "code": "invalid_api_key"},
    ],
)
def test_an_error_under_200_means_what_it_says(body: dict[str, object], status: int) -> None:
    """By its code, a number or a word."""
    for refused in (
        dialect.read_submit(answer(body, status), "veo3.1"),
        dialect.read_check(answer(body, status), TASK),
    ):
        assert isinstance(refused, Refused)
        assert (refused.kind, refused.message) == (RefusalKind.AUTHENTICATION, "Incorrect API key")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("Insufficient balance", RefusalKind.BALANCE),
        ("用户额度不足", RefusalKind.BALANCE),
        ("it violates the content policy", RefusalKind.CONTENT),
        ("Invalid signature", RefusalKind.AUTHENTICATION),
        ({"code": "insufficient_user_quota", "message": "x"}, RefusalKind.BALANCE),
        ({"type": "rate_limit_error", "message": "x"}, RefusalKind.RATE_LIMIT),
        ({"code": "content_policy_violation", "message": "x"}, RefusalKind.CONTENT),
        ({"type": "server_error", "message": "x"}, RefusalKind.SERVER),
        ({"type": "invalid_request_error", "message": "x"}, RefusalKind.INVALID),
    ],
)
def test_words_of_errors_under_200(error: object, kind: RefusalKind) -> None:
    """Words that are known count as much as numbers."""
    refused = dialect.read_submit(answer({"error": error}), "veo3.1")
    assert isinstance(refused, Refused)
    assert refused.kind is kind


def test_an_error_under_200_that_says_nothing_known() -> None:
    """A paid job may run: unknown, never refused."""
    assert isinstance(dialect.read_submit(answer({"error": "oops"}), "veo3.1"), Unreadable)
    assert isinstance(dialect.read_submit(answer({"message": "oops"}), "veo3.1"), Unreadable)


def test_a_task_that_is_not_known() -> None:
    """By HTTP, or by an error under 200."""
    assert dialect.read_check(answer(b"", 404), TASK) == Missing()
    body = {"error": {"message": "no task", "code": "not_found"}}
    assert dialect.read_check(answer(body), TASK) == Missing(message="no task")


def test_accepted() -> None:
    """With a message beside it too: a good id is a job."""
    body = {"id": TASK, "status": "pending", "status_update_time": 1, "message": "ok"}
    assert dialect.read_submit(answer(body), "veo3.1") == Accepted(operation=TASK, raw=body)


@pytest.mark.parametrize("name", [None, "", 7, "../a", "a b"])
def test_a_submit_without_a_usable_id_is_unreadable(name: object) -> None:
    """Nothing is made up."""
    assert isinstance(dialect.read_submit(answer({"id": name, "status": "pending"}), "veo3.1"), Unreadable)


@pytest.mark.parametrize(
    "body",
    [{}, {"id": "another", "status": "completed", "video_url": URL}, task("completed", 7), {"status": 7}],
)
def test_answers_that_say_nothing_of_the_job(body: dict[str, object]) -> None:
    """They never resolve it."""
    assert isinstance(dialect.read_check(answer(body), TASK), Unreadable)


def test_a_download_is_public() -> None:
    """Without the key."""
    (request,) = dialect.download(URL)
    assert (request.url, request.keyless) == (URL, True)
