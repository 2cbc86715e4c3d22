"""What follows from an answer, kind by kind."""

import itertools

import pytest

from veo_async.answers import Accepted, Lost, RefusalKind, Refused, SubmitAnswer, Unreadable
from veo_async.engine.lifecycle import Move
from veo_async.engine.retries import (
    CHECK_STEPS,
    SUBMIT_MOVES,
    CheckStep,
    ceilings,
    rejection,
    submit_move,
    unknown,
)
from veo_async.models import Rejected, Unknown
from veo_async.options import RetryPolicy

NOT_STARTED = {
    RefusalKind.DURATION_TYPE,
    RefusalKind.AUTHENTICATION,
    RefusalKind.STALE_KEY,
    RefusalKind.BALANCE,
    RefusalKind.RATE_LIMIT,
    RefusalKind.QUOTA,
}


def test_every_kind_of_refusal_has_a_place_in_both_tables() -> None:
    """A new kind cannot be forgotten."""
    assert set(SUBMIT_MOVES) == set(CHECK_STEPS) == set(RefusalKind)


@pytest.mark.parametrize("kind", list(RefusalKind))
def test_only_proof_of_not_started_puts_a_refused_submit_back(kind: RefusalKind) -> None:
    """Everything else the provider says is final: it may follow a start."""
    move = submit_move(Refused(kind=kind), RetryPolicy())
    assert move is (Move.NOT_STARTED if kind in NOT_STARTED else Move.DECLINED)


@pytest.mark.parametrize("kind", list(RefusalKind))
def test_server_errors_are_sent_again_on_explicit_word_only(kind: RefusalKind) -> None:
    """`resubmit_server_errors` widens that set by the 5xx kinds and by nothing else."""
    move = submit_move(Refused(kind=kind), RetryPolicy(resubmit_server_errors=True))
    server = {RefusalKind.SERVER, RefusalKind.OVERLOADED}
    assert move is (Move.NOT_STARTED if kind in NOT_STARTED | server else Move.DECLINED)


@pytest.mark.parametrize(
    ("answer", "move"),
    [
        (Accepted(operation="op"), Move.STARTED),
        (Lost(reason="reset"), Move.SILENCED),
        (Unreadable(message="HTML", status=200), Move.SILENCED),
        (Unreadable(message="HTML", status=503), Move.SILENCED),
        (Unreadable(message="HTML", status=429, throttled=True), Move.NOT_STARTED),
    ],
)
def test_silence_is_never_taken_for_not_started(answer: SubmitAnswer | Lost, move: Move) -> None:
    """Only a 429, however worded, proves that nothing was started."""
    assert submit_move(answer, RetryPolicy(resubmit_server_errors=True)) is move


def test_content_policy_on_a_check_is_about_the_job_and_a_key_about_all() -> None:
    """The steps on a check, by kind."""
    steps = {step: {kind for kind in RefusalKind if CHECK_STEPS[kind] is step} for step in CheckStep}
    assert steps[CheckStep.REJECT] == {RefusalKind.CONTENT}
    assert steps[CheckStep.PAUSE] == {RefusalKind.AUTHENTICATION, RefusalKind.BALANCE}
    assert steps[CheckStep.SLOW] == {RefusalKind.RATE_LIMIT, RefusalKind.QUOTA}
    assert steps[CheckStep.RETRY] == {RefusalKind.STALE_KEY, RefusalKind.SERVER, RefusalKind.OVERLOADED}


def test_ceilings_double_up_to_the_cap() -> None:
    """1, 2, 4, 8, 16 and then 20 seconds for ever."""
    assert list(itertools.islice(ceilings(RetryPolicy()), 8)) == [1, 2, 4, 8, 16, 20, 20, 20]


def test_a_rejection_keeps_the_providers_words_and_admits_what_is_not_known_of_the_bill() -> None:
    """A 5xx may follow a start."""
    refused = Refused(kind=RefusalKind.SERVER, message="boom", status=500, code=13, raw={"error": 1})
    expected = Rejected(
        reason="server", code=13, status=500, message="boom", billed="unknown", raw={"error": 1}
    )
    assert rejection(refused) == expected
    assert rejection(Refused(kind=RefusalKind.CONTENT)).billed == "no"


def test_no_readable_answer_is_unknown_with_what_there_was() -> None:
    """Lost and unreadable answers are told apart."""
    assert unknown(Lost(reason="reset")) == Unknown(reason="lost", message="reset")
    unread = Unreadable(message="HTML", excerpt="<html>")
    assert unknown(unread) == Unknown(reason="unreadable_ack", message="HTML", raw="<html>")
