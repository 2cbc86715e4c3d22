"""What follows from an answer, kind by kind."""

import itertools

import pytest

from veo_async.answers import Accepted, Lost, NotSent, RefusalKind, Refused, SubmitAnswer, Unreadable
from veo_async.engine.lifecycle import Move
from veo_async.engine.retries import (
    RULES,
    SERVER_ERROR_RESUBMITS,
    CheckStep,
    Silence,
    ceilings,
    has_no_lists,
    holds_for_all,
    rejection,
    rule_for,
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


def test_every_kind_of_answer_has_a_rule() -> None:
    """A new kind cannot be forgotten."""
    assert set(RULES) == {*RefusalKind, *Silence}


UNREADABLE = Unreadable(message="HTML", status=200)
K, M, S = RefusalKind, Move, CheckStep


def r(kind: RefusalKind) -> Refused:
    return Refused(kind=kind)


@pytest.mark.parametrize(
    ("answer", "submit", "check"),
    [
        pytest.param(NotSent(reason="refused"), None, S.RETRY, id="not armed: tried again"),
        pytest.param(NotSent(reason="TLS", permanent=True), None, S.PAUSE, id="certificate: stop, park"),
        pytest.param(Lost(reason="reset"), M.SILENCED, S.RETRY, id="armed, no answer: unknown, retry"),
        pytest.param(UNREADABLE, M.SILENCED, S.TELL_LATE, id="unreadable 2xx: unknown, 10 in a row"),
        pytest.param(r(K.REDIRECT), M.DECLINED, S.TELL, id="3xx: rejected, refused"),
        pytest.param(r(K.INVALID), M.DECLINED, S.TELL, id="400: rejected, told after 3"),
        pytest.param(r(K.CONTENT), M.DECLINED, S.REJECT, id="policy: rejected, at once"),
        pytest.param(r(K.AUTHENTICATION), M.NOT_STARTED, S.PAUSE, id="401: pause"),
        pytest.param(r(K.BALANCE), M.NOT_STARTED, S.PAUSE, id="403 balance: pause, rows stay queued"),
        pytest.param(r(K.NOT_FOUND), M.DECLINED, S.TELL, id="404: rejected"),
        pytest.param(r(K.SERVER), M.DECLINED, S.RETRY, id="500 well-formed: rejected, retry"),
        pytest.param(
            Unreadable(message="HTML", status=502), M.SILENCED, S.RETRY, id="502 HTML: unknown, retry"
        ),
        pytest.param(r(K.OVERLOADED), M.DECLINED, S.RETRY, id="503 well-formed: rejected, retry"),
        pytest.param(Unreadable(message="", status=503), M.SILENCED, S.RETRY, id="503 bare: unknown, retry"),
        pytest.param(r(K.RATE_LIMIT), M.NOT_STARTED, S.SLOW, id="429 minute: requeued, widened"),
        pytest.param(r(K.QUOTA), M.NOT_STARTED, S.SLOW, id="429 day: queued, slow"),
    ],
)
def test_the_retry_matrix(
    answer: Refused | Unreadable | Lost | NotSent, submit: Move | None, check: CheckStep
) -> None:
    """One line a class of faults, submit and check beside each other."""
    assert rule_for(answer) == (submit, check)


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


@pytest.mark.parametrize("kind", [RefusalKind.SERVER, RefusalKind.OVERLOADED])
def test_server_errors_are_sent_again_three_times_at_most(kind: RefusalKind) -> None:
    """Each may be one more job to pay for."""
    policy = RetryPolicy(resubmit_server_errors=True)
    moves = [submit_move(Refused(kind=kind), policy, attempts) for attempts in (1, 2, 3, 4, 5)]
    assert moves == [Move.NOT_STARTED] * SERVER_ERROR_RESUBMITS + [Move.DECLINED] * 2


@pytest.mark.parametrize(
    ("answer", "move"),
    [
        (Accepted(operation="op"), Move.STARTED),
        (Lost(reason="reset"), Move.SILENCED),
        (Unreadable(message="HTML", status=200), Move.SILENCED),
        (Unreadable(message="HTML", status=503), Move.SILENCED),
        (Unreadable(message="HTML", status=429, throttled=True), Move.NOT_STARTED),
        (Unreadable(message="HTML", status=521, unreached=True), Move.NOT_STARTED),
    ],
)
def test_silence_is_never_taken_for_not_started(answer: SubmitAnswer | Lost, move: Move) -> None:
    """Only a 429, however worded, and the word of the service's edge prove that nothing was started."""
    assert submit_move(answer, RetryPolicy(resubmit_server_errors=True)) is move


def test_ceilings_double_up_to_the_cap() -> None:
    """1, 2, 4, 8, 16 and then 20 seconds for ever."""
    assert list(itertools.islice(ceilings(RetryPolicy()), 8)) == [1, 2, 4, 8, 16, 20, 20, 20]


def test_ceilings_are_the_policys() -> None:
    """The first one, and the largest."""
    waits = ceilings(RetryPolicy(base=0.5, cap=3))
    assert list(itertools.islice(waits, 5)) == [0.5, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("status", "check"),
    [(499, CheckStep.TELL_LATE), (500, CheckStep.RETRY), (501, CheckStep.RETRY), (None, CheckStep.TELL_LATE)],
)
def test_what_cannot_be_read_passes_where_its_status_is_500_or_more(
    status: int | None, check: CheckStep
) -> None:
    """The server, or what stands before it, is out of order for a while."""
    assert rule_for(Unreadable(message="HTML", status=status)).check is check


def test_a_job_is_taken_for_sent_once_where_nothing_else_is_said() -> None:
    """So the explicit word counts for the first server error."""
    policy = RetryPolicy(resubmit_server_errors=True)
    assert submit_move(Refused(kind=RefusalKind.SERVER), policy) is Move.NOT_STARTED


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
    assert unknown(Lost(reason="reset")) == Unknown(reason="lost", message="reset", raw=None)
    cut = Lost(reason="reset", excerpt='{"name": "op')
    assert unknown(cut) == Unknown(reason="lost", message="reset", raw='{"name": "op')
    empty = Unreadable(message="no body")
    assert unknown(empty) == Unknown(reason="unreadable_ack", message="no body", raw=None)
    unread = Unreadable(message="HTML", excerpt="<html>")
    assert unknown(unread) == Unknown(reason="unreadable_ack", message="HTML", raw="<html>")


FOR_ALL = {K.RATE_LIMIT, K.QUOTA, K.AUTHENTICATION, K.BALANCE}
NO_LISTS = {K.NOT_FOUND, K.UNSUPPORTED, K.INVALID, K.REDIRECT}


@pytest.mark.parametrize("kind", list(RefusalKind))
def test_what_a_refusal_says_of_the_quota_and_of_lists(kind: RefusalKind) -> None:
    """Pace, key and money hold for all of a quota; what is not there will not be there later."""
    assert holds_for_all(r(kind)) is (kind in FOR_ALL)
    assert has_no_lists(r(kind)) is (kind in NO_LISTS)


@pytest.mark.parametrize(
    ("answer", "for_all", "no_lists"),
    [
        (Unreadable(message="", status=429, throttled=True), True, False),
        (Unreadable(message="", status=429), False, False),
        (Unreadable(message="", status=400), False, True),
        (Unreadable(message="", status=404), False, True),
        (Unreadable(message="", status=405), False, True),
        (Unreadable(message="", status=501), False, True),
        (Unreadable(message="", status=500), False, False),
        (Unreadable(message="", status=200), False, False),
        (Lost(reason="reset"), False, False),
        (NotSent(reason="refused"), False, False),
    ],
    ids=str,
)
def test_what_other_answers_say_of_the_quota_and_of_lists(
    answer: Unreadable | Lost | NotSent, for_all: bool, no_lists: bool
) -> None:
    assert (holds_for_all(answer), has_no_lists(answer)) == (for_all, no_lists)
