"""How outcomes read as errors: the right class, the money, and what to do next."""

from __future__ import annotations

import pickle

import pytest

from veo_async.answers import NotSent, RefusalKind, Refused, Unreadable
from veo_async.endings import error_of, pause_error, tell_error
from veo_async.engine.events import CHECKS, SUBMITS, Pause
from veo_async.errors import (
    AuthenticationError,
    ContentBlockedError,
    InsufficientBalanceError,
    NotSentError,
    OperationExpiredError,
    OperationFailedError,
    OperationFilteredError,
    OutcomeUnknownError,
    ProtocolError,
    QuotaExhaustedError,
    RateLimitError,
    RejectedError,
    VeoError,
)
from veo_async.models import (
    Expired,
    Failed,
    Filtered,
    Outcome,
    Rejected,
    Result,
    Succeeded,
    Unknown,
    Video,
    Withdrawn,
)

CASES: list[tuple[Outcome, type[VeoError], str]] = [
    (Filtered(reasons=("no children",)), OperationFilteredError, "no children"),
    (Failed(code=13, message="Internal error.", billed="no"), OperationFailedError, "code 13"),
    (Failed(reason="empty"), OperationFailedError, "without a video"),
    (
        Failed(reason="lost", message="one row"),
        OperationFailedError,
        "cannot be found: one row. A new",
    ),
    (
        Rejected(reason="not_billed", message="no row"),
        RejectedError,
        "nothing was started, as the",
    ),
    (Expired(message="404"), OperationExpiredError, "no longer knows"),
    (Rejected(reason="invalid", message="seed"), RejectedError, "seed"),
    (Rejected(reason="content"), ContentBlockedError, "change the prompt"),
    (Rejected(reason="authentication"), AuthenticationError, "check the key"),
    (Rejected(reason="balance"), InsufficientBalanceError, "top up"),
    (Rejected(reason="rate_limit"), RateLimitError, "rate_limit"),
    (Rejected(reason="quota"), QuotaExhaustedError, "reset"),
    (Rejected(reason="server", billed="unknown"), RejectedError, "not sent again by itself"),
    (Withdrawn(), NotSentError, "withdrawn"),
    (Unknown(message="the connection was reset"), OutcomeUnknownError, "connection was reset"),
]


@pytest.mark.parametrize(("outcome", "kind", "words"), CASES)
def test_each_outcome_reads_as_its_error(outcome: Outcome, kind: type[VeoError], words: str) -> None:
    """With the money and the job in it, and fit to be pickled."""
    error = error_of(outcome, "job", "operation")
    assert error is not None
    assert type(error) is kind
    assert words in str(error)
    assert (error.billed, error.job_id) == (outcome.billed, "job")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_success_is_no_error() -> None:
    """There is nothing to raise."""
    assert error_of(Succeeded(result=Result(videos=(Video(uri="u"),))), "job", "operation") is None


def test_a_pause_on_checks_may_have_cost_money_and_one_on_submits_not() -> None:
    """Operations that cannot be checked run on."""
    pause = Pause(RefusalKind.AUTHENTICATION, Refused(kind=RefusalKind.AUTHENTICATION, status=401))
    assert pause_error(CHECKS, pause).billed == "unknown"
    assert pause_error(SUBMITS, pause).billed == "no"


def test_no_connection_reads_as_not_sent() -> None:
    """It says whether trying again can help."""
    error = pause_error(SUBMITS, Pause(None, NotSent(reason="certificate expired", permanent=True)))
    assert isinstance(error, NotSentError)
    assert error.permanent
    assert "certificate expired" in str(error)


def test_an_unreadable_status_names_the_path() -> None:
    """The operation stays open."""
    error = tell_error(Unreadable(message="done is no bool", path="$.done", status=200), "op")
    assert isinstance(error, ProtocolError)
    assert (error.path, error.operation, error.billed) == ("$.done", "op", "unknown")
