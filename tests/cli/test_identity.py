"""A line is known by its id or by what it asks for, and each further attempt has a key of its own."""

from __future__ import annotations

import pytest

from veo_async.cli.identity import Again, Todo, attempt_key, id_in, plan_step, same_as_before, unnamed_keys
from veo_async.engine.lifecycle import State

from .samples import job

KEY = "id:a"


def test_unnamed_lines_are_told_apart_by_their_occurrence_not_their_place() -> None:
    assert unnamed_keys(["d", "e", "d"]) == ["sha256:d#1", "sha256:e#1", "sha256:d#2"]
    assert unnamed_keys(["e", "d", "d"]) == ["sha256:e#1", "sha256:d#1", "sha256:d#2"]


def test_no_id_can_look_like_another_lines_second_attempt() -> None:
    assert attempt_key(KEY, 0) == KEY
    assert attempt_key(KEY, 2) == "retry-2:id:a"
    assert not attempt_key(KEY, 1).startswith("id:")


def test_an_id_is_found_in_its_key() -> None:
    assert [id_in(key) for key in ("id:a", "retry-3:id:a", "sha256:d#1", None)] == ["a", "a", None, None]


def test_what_was_never_sent_is_sent() -> None:
    step = plan_step(KEY, {}, Again())
    assert (step.todo, step.attempt, step.record) == (Todo.SEND, 0, None)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_open_jobs_are_gone_on_with(state: State) -> None:
    standing = job(KEY, state)
    step = plan_step(KEY, {KEY: standing}, Again(failed=True, unknown=True))
    assert (step.todo, step.attempt, step.record) == (Todo.RESUME, 0, standing)


@pytest.mark.parametrize("state", [State.FAILED, State.FILTERED, State.EXPIRED, State.REJECTED])
def test_ended_jobs_are_sent_again_only_when_asked(state: State) -> None:
    jobs = {KEY: job(KEY, state)}
    assert plan_step(KEY, jobs, Again(unknown=True)).todo is Todo.KEEP
    again = plan_step(KEY, jobs, Again(failed=True))
    assert (again.todo, again.attempt, again.replaces) == (Todo.SEND, 1, jobs[KEY])


@pytest.mark.parametrize("state", [State.UNKNOWN, State.ARMED])
def test_unknown_jobs_are_sent_again_only_when_the_risk_is_taken(state: State) -> None:
    jobs = {KEY: job(KEY, state)}
    assert plan_step(KEY, jobs, Again(failed=True)).todo is Todo.KEEP
    again = plan_step(KEY, jobs, Again(unknown=True))
    # It takes over the key of the job that it replaces.
    assert (again.todo, again.attempt, again.replaces) == (Todo.SEND, 0, jobs[KEY])


def test_success_is_never_sent_again() -> None:
    jobs = {KEY: job(KEY, State.SUCCEEDED)}
    assert plan_step(KEY, jobs, Again(failed=True, unknown=True)).todo is Todo.KEEP


def test_withdrawn_jobs_were_never_sent_and_are_now() -> None:
    step = plan_step(KEY, {KEY: job(KEY, State.WITHDRAWN)}, Again())
    assert (step.todo, step.attempt) == (Todo.SEND, 1)


def test_attempts_are_chained_and_the_last_one_counts() -> None:
    second = job(attempt_key(KEY, 1), State.RUNNING)
    jobs = {KEY: job(KEY, State.FAILED), attempt_key(KEY, 1): second}
    step = plan_step(KEY, jobs, Again(failed=True))
    assert (step.todo, step.attempt, step.record) == (Todo.RESUME, 1, second)
    jobs[attempt_key(KEY, 1)] = job(attempt_key(KEY, 1), State.FAILED)
    assert plan_step(KEY, jobs, Again(failed=True)).attempt == 2


def test_a_changed_line_is_seen() -> None:
    step = plan_step(KEY, {KEY: job(KEY, State.RUNNING, digest="d")}, Again())
    assert same_as_before(step, "d")
    assert not same_as_before(step, "e")
