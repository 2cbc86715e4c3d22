"""What all gateways' tasks share: words, progress, and what is said of an answer that is none."""

from __future__ import annotations

import pytest

from tests.surfaces import TASK, answer
from veo_async.answers import Empty, Finished, Missing, RefusalKind, Refused, Running, Unreadable
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.tasks import fraction
from veo_async.dialects.unified import UnifiedDialect
from veo_async.errors import InvalidRequestError
from veo_async.models import Failed, Succeeded

BASE = "https://api.chainhub.tech"
dialect: Dialect = UnifiedDialect(base_url=BASE, status_base_url=BASE)


@pytest.mark.parametrize(
    ("value", "share"),
    [
        (0, 0.0),
        (45, 0.45),
        (1, 0.01),
        (100, 1.0),
        (250, 1.0),
        (-3, 0.0),
        ("45%", 0.45),
        (" 45 ", 0.45),
        ("1", 0.01),
        (0.45, 0.45),
        (1.0, 1.0),  # a fraction, where 1 is a per cent
        (1.5, 0.015),
        (45.0, 0.45),
        ("NaN", None),
        ("soon", None),
        (True, None),
        (None, None),
        ([], None),
        (10**400, None),
    ],
)
def test_progress(value: object, share: float | None) -> None:
    """Per cent or a fraction, between nothing and all."""
    assert fraction(value) == (None if share is None else pytest.approx(share))


def test_a_done_task_without_a_video_says_so() -> None:
    """Beside the answer as it came."""
    body: dict[str, object] = {"id": TASK, "status": "completed"}
    empty = dialect.read_check(answer(body), TASK, None)
    assert isinstance(empty, Empty)
    message = "the task is done and has neither a video nor an error"
    assert empty.outcome == Failed(reason="empty", message=message, raw=body)


def test_a_failed_task_keeps_the_answer() -> None:
    """For whoever has to find out why."""
    body: dict[str, object] = {"id": TASK, "status": "failed", "error": "out of memory"}
    finished = dialect.read_check(answer(body), TASK, None)
    assert isinstance(finished, Finished)
    assert finished.outcome.raw == body


def test_an_unknown_word_is_running_and_told() -> None:
    """Cut, where it is a page."""
    running = dialect.read_check(answer({"id": TASK, "status": "x" * 200}), TASK, None)
    assert isinstance(running, Running)
    (flag,) = running.flags
    assert flag.startswith("unknown status word 'xxx")
    assert len(flag) == len("unknown status word ''") + 80


def test_videos_are_numbered() -> None:
    """In their order."""
    body: dict[str, object] = {"id": TASK, "status": "completed", "video_url": "https://h/a"}
    finished = dialect.read_check(answer(body), TASK, None)
    assert isinstance(finished, Finished)
    assert isinstance(finished.outcome, Succeeded)
    assert [video.index for video in finished.outcome.result.videos] == [0]


def test_a_submit_without_an_id() -> None:
    """It may have started something, so what was expected is told."""
    unreadable = dialect.read_submit(answer({"status": "queued"}), "veo3.1")
    assert isinstance(unreadable, Unreadable)
    assert (unreadable.message, unreadable.path) == ("the answer has no task id", "$.id")


def test_an_error_that_says_nothing_known() -> None:
    """Under status 200 no rule may fit; the words are told, cut."""
    unreadable = dialect.read_submit(answer({"error": {"message": "y" * 300}}), "veo3.1")
    assert isinstance(unreadable, Unreadable)
    start = "an error under status 200 that says nothing known: "
    assert unreadable.message.startswith(f"{start}yyy")
    assert len(unreadable.message) == len(start) + 120
    assert unreadable.path == "$.error"


def test_what_is_no_id() -> None:
    """The words are cut, the field is named."""
    with pytest.raises(InvalidRequestError, match="is no task id") as raised:
        dialect.operation_name("a b" * 100, None)
    assert raised.value.field == "operation"
    assert len(raised.value.message) < 220


def test_there_is_no_list() -> None:
    """It is refused in the words of the caller."""
    with pytest.raises(InvalidRequestError, match=r"^this surface has no list of operations: check them one"):
        dialect.list_page("veo3.1", None)


def test_a_refused_check_is_what_it_was() -> None:
    """An error of its own kind, not a missing task."""
    refused = dialect.read_check(answer({"error": {"message": "no", "code": 401}}, status=401), TASK, None)
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.AUTHENTICATION


@pytest.mark.parametrize(("status", "gone"), [(404, False), (410, True)])
def test_a_missing_task_is_told_in_the_services_words(status: int, gone: bool) -> None:
    """Where it has any."""
    words = answer({"error": {"message": "no such task", "code": status}}, status=status)
    assert dialect.read_check(words, TASK, None) == Missing(message="no such task", gone=gone)
    page = answer(b"<html>", status=status)
    assert dialect.read_check(page, TASK, None) == Missing(message="", gone=gone)


def test_an_answer_about_another_task_is_none() -> None:
    """Both are named, the foreign one cut."""
    other = dialect.read_check(answer({"id": "x" * 300, "status": "queued"}), TASK, None)
    assert isinstance(other, Unreadable)
    assert (other.path, other.status) == ("$.id", 200)
    words, cut, rest = other.message.partition("xx")
    assert (words, cut) == ("the answer is about '", "xx")
    assert rest.endswith(f"', not {TASK!r}")
    assert len(other.message) == len(f"the answer is about '', not {TASK!r}") + 120


def test_a_page_of_operations_that_nobody_can_ask_for_is_unreadable() -> None:
    """The answer is told of, and its status."""
    page = dialect.read_list(answer({"data": []}, status=404), "veo3.1")
    assert isinstance(page, Unreadable)
    assert (page.message, page.status) == ("this surface has no list of operations", 404)
