"""What a run does about each request follows from the ledger alone."""

from __future__ import annotations

import attrs
import pytest

from veo_async.cli.entries import Entry
from veo_async.cli.identity import Again, Todo, attempt_key
from veo_async.cli.planning import BrokenLinesError, plan_batch, plan_resume, plan_single
from veo_async.engine.lifecycle import State
from veo_async.errors import ConfigurationError
from veo_async.models import VideoRequest
from veo_async.providers import Provider

from .samples import job

HERE = Provider.gemini(name="emulator", api_key="k", base_url="http://127.0.0.1:2")
ELSEWHERE = Provider.gemini(name="gemini", api_key="k", base_url="https://host.example")


def line(key: str = "id:a", digest: str = "d") -> Entry:
    return Entry(place=1, line_id=key.removeprefix("id:"), key=key, request=VideoRequest("p"), digest=digest)


def test_a_changed_line_under_an_old_id_is_refused() -> None:
    with pytest.raises(BrokenLinesError) as caught:
        plan_batch([line(digest="e")], [job("id:a", State.SUCCEEDED)], HERE, again=Again(), keep_going=False)
    assert "give the changed line a new id" in caught.value.troubles[0].message


def test_with_keep_going_a_changed_line_is_left_out() -> None:
    [entry] = plan_batch(
        [line(digest="e")], [job("id:a", State.FAILED)], HERE, again=Again(), keep_going=True
    )
    assert entry.state == "invalid"
    assert entry.settled


def test_open_jobs_of_another_provider_are_not_asked_for_here() -> None:
    with pytest.raises(ConfigurationError, match="go on there"):
        plan_batch([line()], [job("id:a", State.RUNNING)], ELSEWHERE, again=Again(), keep_going=False)


def test_decided_jobs_of_another_provider_are_kept() -> None:
    [entry] = plan_batch([line()], [job("id:a", State.FILTERED)], ELSEWHERE, again=Again(), keep_going=False)
    assert entry.todo is Todo.KEEP


def single(*states: State) -> Entry:
    jobs = [job(f"sha256:d#{number}", state) for number, state in enumerate(states, 1)]
    [entry] = plan_single(Entry(place=0, request=VideoRequest("p"), digest="d"), jobs, HERE)
    return entry


@pytest.mark.parametrize(
    ("states", "key", "todo"),
    [
        ((), "sha256:d#1", Todo.SEND),
        ((State.RUNNING,), "sha256:d#1", Todo.RESUME),
        ((State.SUCCEEDED,), "sha256:d#2", Todo.SEND),
        ((State.SUCCEEDED, State.QUEUED), "sha256:d#2", Todo.RESUME),
        ((State.UNKNOWN,), "sha256:d#1", Todo.KEEP),
    ],
)
def test_a_single_prompt_goes_on_or_begins_anew(states: tuple[State, ...], key: str, todo: Todo) -> None:
    entry = single(*states)
    assert (entry.key, entry.todo) == (key, todo)


def test_resume_takes_the_last_attempts_and_the_manifests_names() -> None:
    first, second = job("id:a", State.FAILED), job(attempt_key("id:a", 1), State.RUNNING)
    foreign = job(None, State.SUCCEEDED)
    manifest = [{"job_id": second.id, "line": 7, "id": "a", "key": "id:a", "attempt": 1}]
    entries = plan_resume(manifest, [first, second, foreign], HERE)
    assert [(entry.place, entry.line_id, entry.attempt, entry.todo) for entry in entries] == [
        (7, "a", 1, Todo.RESUME),
        (3, None, 0, Todo.KEEP),
    ]


def test_resume_goes_on_with_what_the_session_is_sending_already() -> None:
    """It takes the ledger's jobs up before they are read here."""
    [entry] = plan_resume([], [job("id:a", State.ARMED)], HERE)
    assert entry.todo is Todo.RESUME


def test_resume_leaves_a_job_alone_that_was_sent_again() -> None:
    """The job that replaces it has its key, and its line of the manifest."""
    old = attrs.evolve(job("old", State.UNKNOWN), idempotency_key=None)
    new = attrs.evolve(job("id:a", State.RUNNING), replaces=old.id)
    manifest = [{"job_id": old.id, "line": 7, "id": "a", "key": "id:a", "attempt": 0}]
    [entry] = plan_resume(manifest, [old, new], HERE)
    assert (entry.record, entry.place, entry.line_id) == (new, 7, "a")


def test_resume_finds_the_line_of_a_job_that_a_killed_run_did_not_write_down() -> None:
    """By its key."""
    line = {"job_id": None, "line": 7, "id": "a", "key": "id:a", "attempt": 1}
    [entry] = plan_resume([line], [job(attempt_key("id:a", 1), State.RUNNING)], HERE)
    assert (entry.place, entry.line_id, entry.attempt) == (7, "a", 1)


def test_resume_leaves_other_providers_jobs_alone() -> None:
    assert plan_resume([], [job("id:a", State.RUNNING)], ELSEWHERE) == []
