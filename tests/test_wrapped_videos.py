"""OpenAI-style videos in an envelope: whose word `code` is, and where the task says what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.surfaces import TASK, URL, answer, body_of
from veo_async import gateways
from veo_async.answers import (
    Accepted,
    Empty,
    Finished,
    Missing,
    RefusalKind,
    Refused,
    Running,
    SubmitAnswer,
    Unreadable,
)
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.wrapped_videos import WrappedVideosDialect
from veo_async.errors import InvalidRequestError
from veo_async.models import Failed, Succeeded, Video, VideoRequest
from veo_async.providers import Provider
from veo_async.wire import Request

BASE, STATUS = "https://gateway.example", "https://status.example"
MODEL = "veo3.1"

dialect: Dialect = WrappedVideosDialect(base_url=BASE, status_base_url=STATUS)


def wrapped(code: object, data: object, message: object = "") -> dict[str, object]:
    return {"code": code, "message": message, "data": data}


def task(word: object, **members: object) -> dict[str, object]:
    return wrapped("success", {"task_id": TASK, "status": word, **members})


def submitted(body: object, status: int = 200) -> SubmitAnswer:
    return dialect.read_submit(answer(body, status), MODEL)


def ended(body: object) -> Succeeded | Failed:
    finished = dialect.read_check(answer(body), TASK)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Succeeded | Failed)
    return finished.outcome


# Requests -------------------------------------------------------------------------------------------------


def test_a_check() -> None:
    """A GET without a body, at the status host."""
    assert dialect.check(TASK) == Request(
        method="GET",
        url=f"{STATUS}/v1/videos/veo3.1-fast%3A1760545785-euexscdeL8",
        headers={"Accept": "application/json"},
    )


def test_a_video_may_be_at_the_service_itself() -> None:
    """Then it wants the key, which the transport gives to the service's own origins only."""
    assert dialect.download(URL) == [Request(method="GET", url=URL, headers={"Accept": "*/*"})]


def test_there_is_no_list() -> None:
    """And it says so."""
    assert not dialect.capabilities.can_list
    with pytest.raises(InvalidRequestError, match="one by one"):
        dialect.list_page(MODEL, None)


# Tasks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        task("NOT_START"),
        task("SUBMITTED", id=1235905),  # the number of a row in the gateway's table
        wrapped("success", {"id": TASK, "status": "QUEUED"}),
        wrapped(200, {"task_id": TASK}),
        wrapped(0, {"task_id": TASK, "id": "another"}),
        {"data": {"task_id": TASK}},
        {**wrapped("success", {"task_id": TASK}), "id": "the-requests"},
        {"task_id": TASK},
        {"id": TASK, "task_id": TASK, "object": "video", "status": "queued", "data": {"id": "upstream"}},
    ],
)
def test_accepted(body: dict[str, object]) -> None:
    """By the task's id, in the envelope or, where a gateway wraps checks only, without one."""
    assert submitted(body) == Accepted(operation=TASK, raw=body)


def test_done_at_once() -> None:
    """The answer to a submit may be final."""
    done = submitted(task("SUCCESS", result_url=URL))
    assert isinstance(done, Accepted)
    assert isinstance(done.finished, Finished)


@pytest.mark.parametrize("word", ["NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS", "in_progress "])
def test_running(word: str) -> None:
    """By the job's own word, whatever the request's "success" and a URL say."""
    running = dialect.read_check(answer(task(word, progress="42%", video_url=URL)), TASK)
    assert running == Running(progress=0.42)


@pytest.mark.parametrize(("given_", "shown"), [("UNKNOWN", "UNKNOWN"), (None, "")])
def test_a_word_that_is_not_known_is_running(given_: object, shown: str) -> None:
    """With a flag: a paid job is never given up for a word."""
    running = dialect.read_check(answer(task(given_, fail_reason="?")), TASK)
    assert running == Running(flags=(f"unknown status word {shown!r}",))


@pytest.mark.parametrize("word", ["SUCCESS", "SUCCEEDED", "succeeded"])
@pytest.mark.parametrize(
    "members",
    [
        {"video_url": URL},
        {"result_url": URL, "fail_reason": "https://other.example/b"},
        {"url": URL},
        {"video_url": "", "result_url": None, "fail_reason": URL},  # where older gateways put it
        {"video_url": URL, "result_url": "https://other.example/b", "url": "https://other.example/c"},
    ],
)
def test_finished(word: str, members: dict[str, object]) -> None:
    """With its URL, wherever that stands."""
    body = task(word, progress="100%", **members)
    outcome = ended(body)
    assert isinstance(outcome, Succeeded)
    assert outcome.result.videos == (Video(uri=URL),)
    assert outcome.raw == body


@pytest.mark.parametrize("members", [{}, {"video_url": ""}, {"fail_reason": "none"}, {"result_url": None}])
def test_done_without_a_url_is_empty(members: dict[str, object]) -> None:
    """Asked again a few times, then a failure; words are no URL."""
    empty = dialect.read_check(answer(task("SUCCESS", **members)), TASK)
    assert isinstance(empty, Empty)
    assert empty.outcome.reason == "empty"


@pytest.mark.parametrize("word", ["FAILURE", "FAILED"])
@pytest.mark.parametrize(
    ("members", "message", "reason"),
    [
        ({"fail_reason": "no luck"}, "no luck", "error"),
        ({"fail_reason": "it violates the content policy"}, "it violates the content policy", "content"),
        ({"error": {"code": "x", "message": "no luck"}}, "no luck", "error"),
        ({"fail_reason": URL, "video_url": URL}, URL, "error"),
        ({}, "", "error"),
    ],
)
def test_failed(word: str, members: dict[str, object], message: str, reason: str) -> None:
    """In its own words; a URL beside the failure is no video."""
    outcome = ended(task(word, **members))
    assert isinstance(outcome, Failed)
    assert (outcome.message, outcome.reason) == (message, reason)


@pytest.mark.parametrize("code", ["fail", 500, 401])
def test_a_failed_task_has_ended_whatever_the_code(code: object) -> None:
    """As long as it says which task it is."""
    data = {"task_id": TASK, "status": "FAILURE", "fail_reason": "no luck"}
    outcome = ended(wrapped(code, data))
    assert isinstance(outcome, Failed)
    assert outcome.message == "no luck"
    unnamed = dialect.read_check(answer(wrapped(code, {"status": "FAILURE"})), TASK)
    assert isinstance(unnamed, Refused | Unreadable)


# Errors of the request ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (401, "x", RefusalKind.AUTHENTICATION),
        ("invalid_api_key", "x", RefusalKind.AUTHENTICATION),
        ("insufficient_user_quota", "x", RefusalKind.BALANCE),
        ("quota_not_enough", "user quota is not enough", RefusalKind.BALANCE),
        ("rate_limit_exceeded", "x", RefusalKind.RATE_LIMIT),
        (503, "Input may not meet the guidelines.", RefusalKind.CONTENT),
        ("invalid_request_error", "x", RefusalKind.INVALID),
        (500, "x", RefusalKind.SERVER),
    ],
)
@pytest.mark.parametrize("data", [None, {}, [], "x", {"task_id": TASK, "status": "SUCCESS", "url": URL}])
@pytest.mark.parametrize("status", [200, 400])
def test_the_envelopes_code_is_about_the_request(
    code: object, message: str, kind: RefusalKind, data: object, status: int
) -> None:
    """On a submit and on a check, whatever `data` holds."""
    body = answer(wrapped(code, data, message), status)
    for refused in (dialect.read_submit(body, MODEL), dialect.read_check(body, TASK)):
        assert isinstance(refused, Refused)
        assert (refused.kind, refused.message, refused.code) == (kind, message, code)


def test_a_code_that_nobody_knows_says_nothing() -> None:
    """A paid job may run: unknown, never refused; and a long code is cut before it is shown."""
    assert isinstance(submitted(wrapped("oops", None, "oops")), Unreadable)
    refused = submitted(wrapped("c" * 600 + "\n", None, "Insufficient balance"))
    assert isinstance(refused, Refused)
    assert refused.code == "c" * 79 + "…"


def test_data_of_a_wrong_type_is_no_missing_data() -> None:
    """It is named, and the error beside it is not believed."""
    unreadable = submitted({"data": [], "error": {"message": "x", "code": "invalid_api_key"}})
    assert isinstance(unreadable, Unreadable)
    assert unreadable.message == "$.data must be an object, not a list"


def test_an_error_without_an_envelope() -> None:
    """In OpenAI's shape, under 200 as well."""
    error = {"error": {"message": "x", "code": "invalid_api_key"}}
    for status in (200, 401):
        refused = submitted(error, status)
        assert isinstance(refused, Refused)
        assert refused.kind is RefusalKind.AUTHENTICATION


def test_success_with_nothing_in_it_is_no_error() -> None:
    """What stands beside a "success" refuses nothing: a paid job may run."""
    for beside in ({}, {"error": "Insufficient balance"}, {"message": "Insufficient balance"}):
        unreadable = submitted({"code": "success", "data": None, **beside})
        assert isinstance(unreadable, Unreadable)
        assert unreadable.path == "$.data"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 404),
        (wrapped("task_not_exist", None, "task_not_exist"), 400),
        (wrapped("task_not_exist", None, "task_not_exist"), 200),
    ],
)
def test_a_task_that_is_not_known(body: object, status: int) -> None:
    """By status, or by new-api's word under 400."""
    assert isinstance(dialect.read_check(answer(body, status), TASK), Missing)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.data"),
        (wrapped("success", None), "$.data"),
        (wrapped("success", {}), "$.data"),
        (wrapped("success", []), "$.data"),
        (wrapped("success", TASK), "$.data"),
        (wrapped(True, {}), "$.code"),
        (wrapped(1.5, {}), "$.code"),
        (wrapped("success", {"task_id": TASK, "status": 7}), "$.data.status"),
        (wrapped("success", {"id": 7, "status": "SUCCESS"}), "$.data.id"),
        ({"task_id": 7}, "$.task_id"),
        (task("SUCCESS", video_url=[URL]), "$.data.video_url"),
        (task("SUCCESS", fail_reason=7), "$.data.fail_reason"),
        (wrapped("success", {"task_id": "another", "status": "SUCCESS", "url": URL}), "$.id"),
    ],
)
def test_answers_that_say_nothing_of_the_job(body: dict[str, object], path: str) -> None:
    """They never resolve it, and the place is named."""
    unreadable = dialect.read_check(answer(body), TASK)
    assert isinstance(unreadable, Unreadable)
    assert unreadable.path == path


@pytest.mark.parametrize("name", [None, "", "../a", "a b", "a" * 300])
def test_a_submit_without_a_usable_id_is_unreadable(name: object) -> None:
    """Nothing is made up."""
    assert isinstance(submitted(wrapped("success", {"task_id": name, "status": "QUEUED"})), Unreadable)


# As a provider file has it --------------------------------------------------------------------------------


def test_a_file_makes_it_another_gateways(tmp_path: Path) -> None:
    """Paths, words, fields, errors and options are the file's to say."""
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        name = "mine"
        shape = "wrapped-videos"
        base_url = "https://mine.example"
        [options]
        seconds_as_number = true
        [paths]
        submit = "/v1/video/generations"
        check = "/v1/video/generations/{id}"
        [fields]
        seed = "seed"
        [status_words]
        BAKED = "done"
        [[errors]]
        kind = "content"
        code = "bad_prompt"
        """
    )
    provider = Provider.from_file(file, api_key="sk-0123456789abcdef", environ={})
    submit = provider.dialect.submit(VideoRequest("a", duration_seconds=8, seed=1), MODEL)
    assert submit.url == "https://mine.example/v1/video/generations"
    assert body_of(submit) == {"prompt": "a", "model": MODEL, "seconds": 8, "seed": 1}
    assert provider.dialect.check("a").url == "https://mine.example/v1/video/generations/a"
    assert isinstance(provider.dialect.read_check(answer(task("BAKED", url=URL)), TASK), Finished)
    assert provider.dialect.read_check(answer(task("QUEUED")), TASK) == Running()
    refused = provider.dialect.read_check(answer(wrapped("bad_prompt", None, "x")), TASK)
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.CONTENT


def test_a_shape_costs_one_file_and_one_line() -> None:
    """Nothing else in the package knows of it but the line in `SHAPES`."""
    package = Path(gateways.__file__).parent
    own = package / "dialects" / "wrapped_videos.py"
    lines = [
        (path.relative_to(package).as_posix(), line.strip())
        for path in sorted(package.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if path != own and re.search("wrapped[-_ ]?videos", line, re.IGNORECASE)
    ]
    assert lines == [("gateways.py", '_shape("wrapped_videos"),')]
