"""Errors carry facts, survive pickling, and give each waiter an instance of its own."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from veo_async import errors
from veo_async.errors import Evidence, VeoError

ERRORS = sorted(
    (value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, VeoError)),
    key=lambda error: error.__name__,
)

FACTS: dict[str, object] = {
    "billed": "unknown",
    "code": 13,
    "evidence": Evidence(status=503, text="<html>"),
    "field": "duration_seconds",
    "job_id": "4b0f7b3a-7d5e-4f6c-9a51-0d9d4e4f6a11",
    "operation": "models/m/operations/o",
    "owner_pid": 4711,
    "path": "$.response.videos[0]",
    "permanent": True,
    "reason": "lost",
    "reasons": ("violence",),
    "retry_after": 10.68,
}
"""A value for each fact that some error takes."""


def facts_of(error: type[VeoError]) -> dict[str, object]:
    """Return a value for each fact that `error` takes."""
    return {name: FACTS[name] for name in inspect.signature(error).parameters if name != "message"}


def make(error: type[Any]) -> VeoError:
    """Return an instance with every fact set."""
    made: VeoError = error("it went wrong: do this", **facts_of(error))
    return made


@pytest.mark.parametrize("error", ERRORS)
def test_error_keeps_its_facts_through_pickle(error: type[VeoError]) -> None:
    """Type, text and every fact are the same on the other side."""
    made = make(error)
    copy = pickle.loads(pickle.dumps(made))
    assert type(copy) is error
    assert str(copy) == str(made) == "it went wrong: do this"
    assert {name: getattr(copy, name) for name in facts_of(error)} == facts_of(error)
    assert vars(copy) == vars(made)


@pytest.mark.parametrize("error", ERRORS)
def test_fresh_error_is_equal_and_has_no_traceback(error: type[VeoError]) -> None:
    """Raising one waiter's instance leaves the others as they were."""
    made = make(error)
    try:
        raise made
    except VeoError:
        copy = made.fresh()
    assert copy is not made
    assert type(copy) is error
    assert (str(copy), vars(copy)) == (str(made), vars(made))
    assert copy.__traceback__ is None
    assert copy.__context__ is None


@pytest.mark.parametrize("error", ERRORS)
def test_error_says_whether_money_was_spent(error: type[VeoError]) -> None:
    """`billed` is one of three words from the start, and every error can name its job."""
    required = {"reason": "lost"} if error is errors.DownloadError else {}
    made = error("it went wrong", **required)  # type: ignore[arg-type]
    assert made.billed in {"no", "yes", "unknown"}
    assert made.job_id is None
    assert made.operation is None
    assert made.evidence is None


@pytest.mark.parametrize("error", ERRORS)
def test_error_is_named_and_told(error: type[VeoError]) -> None:
    """Every error ends in `Error`, has a docstring, and stands in the tree of the module's docstring."""
    assert error.__name__.endswith("Error")
    assert error.__doc__
    assert errors.__doc__ is not None
    assert error.__name__ in errors.__doc__


def test_what_may_have_been_paid_is_not_safe_to_repeat() -> None:
    """No error that leaves money open invites to do the same again."""
    for error in (
        errors.OutcomeUnknownError,
        errors.OperationError,
        errors.RejectedError,
        errors.SubmitError,
    ):
        assert not error.retry_safe
    assert errors.OutcomeUnknownError("no answer").billed == "unknown"


def test_errors_are_caught_by_what_python_calls_them() -> None:
    """A timeout is a `TimeoutError`, a bad request a `ValueError`."""
    assert issubclass(errors.WaitTimeoutError, TimeoutError)
    assert issubclass(errors.InvalidRequestError, ValueError)


def test_a_fresh_error_keeps_facts_given_afterwards() -> None:
    """A job's id that is filled in on the way out is not lost."""
    made = errors.NotSentError("no connection")
    made.job_id = "a"
    assert made.fresh().job_id == "a"
