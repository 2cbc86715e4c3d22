"""The vendors' own answers, word for word, and what each must come to on a submit and on a check.

The samples: the operation and error of GPTProto's page "Query Task" for its Google format, the errors of its
page for the GPTProto format, and the statuses of the table on its page for Veo 3.1.
"""

from __future__ import annotations

import json

import pytest

from tests.seeds import ERRORS, SAMPLES, sample
from veo_async.answers import Accepted, Finished, Missing, RefusalKind, Refused, Running, Unreadable
from veo_async.models import Succeeded, Video, VideoRequest
from veo_async.providers import Provider
from veo_async.wire import Response

MODEL = "veo-3.1-generate-preview"
OPERATION = "models/veo-3.1-generate-preview/operations/mg3pt9cbmvr1"
VIDEO_URI = "https://generativelanguage.googleapis.com/v1beta/files/generated-video-id:download?alt=media"

dialect = Provider.gptproto(api_key="sk-test-test-test").dialect


def test_a_finished_operation_on_a_check() -> None:
    """Seed 001, "Success": its short name is the asked one, its sample stands right under `response`."""
    answer = dialect.read_check(sample("gptproto_operation_done.json"), OPERATION)
    assert isinstance(answer, Finished)
    assert isinstance(answer.outcome, Succeeded)
    assert answer.outcome.result.videos == (Video(uri=VIDEO_URI, index=0),)
    assert answer.outcome.result.filtered == 0
    assert answer.outcome.billed == "yes"
    assert answer.outcome.raw == json.loads((SAMPLES / "gptproto_operation_done.json").read_text())


def test_a_running_operation_on_a_check() -> None:
    """Seed 001, "In Progress"."""
    assert dialect.read_check(sample("gptproto_operation_running.json"), OPERATION) == Running()


def test_a_running_operation_on_a_submit() -> None:
    """A short name is completed by the model that was submitted to."""
    answer = dialect.read_submit(sample("gptproto_operation_running.json"), MODEL)
    assert isinstance(answer, Accepted)
    assert answer.operation == OPERATION
    assert answer.finished is None


def test_a_finished_operation_on_a_submit() -> None:
    """An operation that is done at once is accepted, and needs no check."""
    answer = dialect.read_submit(sample("gptproto_operation_done.json"), MODEL)
    assert isinstance(answer, Accepted)
    assert answer.operation == OPERATION
    assert isinstance(answer.finished, Finished)
    assert isinstance(answer.finished.outcome, Succeeded)
    assert answer.finished.outcome.result.videos == (Video(uri=VIDEO_URI, index=0),)


def test_the_finished_video_is_asked_from_the_gateway() -> None:
    """The answer names Google's host, which GPTProto's key cannot open; seed 003 names the gateway's path."""
    assert [request.url for request in dialect.download(VIDEO_URI)] == [
        "https://gptproto.com/v1beta/files/generated-video-id:download?alt=media",
        "https://gptproto.com/upload/v1beta/files/generated-video-id:download?alt=media",
    ]


@pytest.mark.parametrize(("error", "status", "kind"), ERRORS)
def test_errors_on_a_submit(error: tuple[str, str, str], status: int, kind: RefusalKind) -> None:
    """Seeds 000, 001 and 003: the provider's own word, with its words and code as they came."""
    name, message, code = error
    answer = dialect.read_submit(sample(name, status), MODEL)
    assert answer == Refused(
        kind=kind, message=message, status=status, code=code, raw=json.loads((SAMPLES / name).read_text())
    )


@pytest.mark.parametrize(("error", "status", "kind"), ERRORS)
def test_errors_on_a_check(error: tuple[str, str, str], status: int, kind: RefusalKind) -> None:
    """Seed 000 documents them on the query: there they mean the same."""
    name, message, code = error
    answer = dialect.read_check(sample(name, status), OPERATION)
    assert isinstance(answer, Refused)
    assert (answer.kind, answer.message, answer.code, answer.status) == (kind, message, code, status)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, RefusalKind.AUTHENTICATION),
        (403, RefusalKind.AUTHENTICATION),
        (429, RefusalKind.RATE_LIMIT),
        (500, RefusalKind.SERVER),
        (503, RefusalKind.OVERLOADED),
    ],
)
def test_statuses_of_the_table(status: int, kind: RefusalKind) -> None:
    """Seed 003's table, where the error's text says nothing of its own."""
    body = json.dumps({"error": {"message": "no", "type": str(status)}}).encode()
    response = Response(status=status, headers={}, body=body)
    for answer in (dialect.read_submit(response, MODEL), dialect.read_check(response, OPERATION)):
        assert isinstance(answer, Refused)
        assert answer.kind is kind


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"<html><title>Bad gateway</title></html>", b"upstream failed"])
def test_a_status_without_the_shape_is_no_word_of_the_provider(status: int, body: bytes) -> None:
    """A box on the way says nothing about the job; only a 429 still says something about the pace."""
    response = Response(status=status, headers={"retry-after": "7"}, body=body)
    for answer in (dialect.read_submit(response, MODEL), dialect.read_check(response, OPERATION)):
        assert isinstance(answer, Unreadable)
        assert (answer.status, answer.throttled, answer.retry_after) == (status, status == 429, 7.0)


def test_an_operation_that_is_not_known() -> None:
    """A 404 is about the operation on a check, and about the model on a submit."""
    body = b'{"error": {"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}}'
    response = Response(status=404, headers={}, body=body)
    assert dialect.read_check(response, OPERATION) == Missing(message="models/x is not found")
    refused = dialect.read_submit(response, MODEL)
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.NOT_FOUND
    assert "retired or misspelt" in refused.message


def test_requests_are_those_of_the_pages() -> None:
    """Seed 003 submits to one host and queries at the other; seed 001 shows the query's path."""
    submit = dialect.submit(VideoRequest("a"), MODEL)
    assert (submit.method, submit.url) == (
        "POST",
        "https://gptproto.com/v1beta/models/veo-3.1-generate-preview:predictLongRunning",
    )
    check = dialect.check(OPERATION)
    assert (check.method, check.url) == (
        "GET",
        "https://api.gptproto.com/v1beta/models/veo-3.1-generate-preview/operations/mg3pt9cbmvr1",
    )
