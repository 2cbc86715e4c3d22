"""The accounts of a ledger and the caps on them: every job counted once, no cap passed."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.engine.lifecycle import TRANSITIONS, Move, State
from veo_async.errors import BudgetExceededError, ConfigurationError
from veo_async.ledger.money import Account, Accounts, Caps, accounts, billed, check_caps
from veo_async.ledger.records import JobRecord
from veo_async.ledger.rules import moved
from veo_async.models import Expired, Failed, Filtered, Outcome, Rejected, Withdrawn

from .samples import SUCCEEDED, UNKNOWN, job, move

OUTCOMES: dict[Move, list[Outcome | None]] = {
    Move.SUCCEEDED: [SUCCEEDED],
    Move.FILTERED: [Filtered(), Filtered(billed="unknown")],
    Move.FAILED: [Failed(), Failed(billed="no"), Failed(billed="yes")],
    Move.EXPIRED: [Expired()],
    Move.DECLINED: [Rejected(), Rejected(billed="unknown")],
    Move.SILENCED: [UNKNOWN],
    Move.TAKEN_BACK: [None, Withdrawn()],
}


def in_state(state: State, **facts: Any) -> JobRecord:
    outcome = {State.SUCCEEDED: SUCCEEDED, State.UNKNOWN: UNKNOWN, State.FAILED: Failed(billed="no")}.get(
        state
    )
    defaults: dict[str, Any] = {"state": state, "outcome": outcome}
    return job(**(defaults | facts))


def parts(sums: Accounts) -> dict[Any, Account]:
    return {place: account for place, account in sums.parts.items() if account != Account()}


def test_every_state_is_counted_once() -> None:
    """The identity that an audit prints: asked = queued + armed + running + final + unknown."""
    sums = accounts(in_state(state, cost_estimate=price) for state in State for price in (0.4, None))
    assert sums.balanced
    assert sums.asked == Account(20, 4_000_000, 10)
    assert sums.asked.usd == 4.0
    assert (sums.queued, sums.armed, sums.running, sums.unknown) == (Account(2, 400_000, 1),) * 4
    assert sums.final == Account(12, 2_400_000, 6)
    assert sums.of(State.FAILED, State.EXPIRED).jobs == 4


def test_a_job_that_is_lost_is_seen() -> None:
    """The total is counted apart from the rest, so that they can disagree."""
    sums = accounts([job(), in_state(State.RUNNING)])
    torn = Accounts(sums.asked, {place: part for place, part in sums.parts.items() if place[0] == "queued"})
    assert not torn.balanced


@pytest.mark.parametrize(
    ("state", "facts", "word"),
    [
        (State.QUEUED, {}, "no"),
        (State.WITHDRAWN, {"outcome": None}, "no"),
        (State.ARMED, {}, "unknown"),
        (State.RUNNING, {}, "unknown"),
        (State.UNKNOWN, {}, "unknown"),
        (State.SUCCEEDED, {}, "yes"),
        (State.FAILED, {}, "no"),
        (State.FAILED, {"outcome": None}, "unknown"),
        (State.REJECTED, {"outcome": Rejected(billed="unknown")}, "unknown"),
    ],
)
def test_what_was_sent_may_be_billed_until_it_is_known_better(
    state: State, facts: dict[str, Any], word: str
) -> None:
    assert billed(in_state(state, **facts)) == word


def test_money_does_not_depend_on_the_order_in_which_it_is_added() -> None:
    prices = [0.1, 0.2, 0.3, 1e-3, 33.33]
    sums = {
        accounts(job(cost_estimate=price) for price in order).asked
        for order in itertools.permutations(prices)
    }
    assert len(sums) == 1


@given(data=st.data())
def test_sums_that_move_with_each_job_are_those_of_a_recount(data: st.DataObject) -> None:
    records = list[JobRecord]()
    sums = Accounts()
    for _ in range(data.draw(st.integers(0, 20))):
        if not records or data.draw(st.booleans()):
            records.append(job(cost_estimate=data.draw(st.sampled_from([None, 0.1, 0.7, 3.2]))))
            sums = sums.with_new(records[-1])
            continue
        place = data.draw(st.integers(0, len(records) - 1))
        before = records[place]
        if not TRANSITIONS[before.state]:
            continue
        what = data.draw(st.sampled_from(sorted(TRANSITIONS[before.state])))
        outcome = data.draw(st.sampled_from(OUTCOMES.get(what, [None])))
        records[place] = after = moved(
            before, move(before, what, name="1" if what is Move.STARTED else None, outcome=outcome)
        )
        sums = sums.with_moved(before, after)
    again = accounts(records)
    assert sums.asked == again.asked
    assert parts(sums) == parts(again)


# Caps


def refused(caps: Caps, record: JobRecord, *others: JobRecord) -> BudgetExceededError | None:
    try:
        check_caps(caps, record, accounts([record, *others]))
    except BudgetExceededError as error:
        return error
    return None


def said(caps: Caps, record: JobRecord, *others: JobRecord) -> str:
    """Return what the refusal says."""
    error = refused(caps, record, *others)
    assert error is not None
    assert (error.job_id, error.billed) == (record.id, "no")
    return str(error)


def test_no_cap_refuses_nothing() -> None:
    assert refused(Caps(), job(cost_estimate=None), in_state(State.UNKNOWN, cost_estimate=None)) is None


def test_a_cap_counts_all_that_is_or_may_be_billed() -> None:
    """Each of the others costs 1.20, and so does the one to send."""
    caps = Caps(max_cost=3.0)
    counted = [State.ARMED, State.RUNNING, State.UNKNOWN, State.SUCCEEDED]
    free = [State.QUEUED, State.WITHDRAWN, State.FAILED]  # this one says that it was not billed
    for state in counted:
        assert refused(caps, job(), in_state(state)) is None
        words = said(caps, job(), in_state(state), in_state(state))
        assert "$1.20 on top of $2.40" in words
        assert "max_cost=$3.00" in words
    for state in free:
        assert refused(caps, job(), *[in_state(state)] * 9) is None


def test_a_cap_is_met_to_the_cent() -> None:
    others = [in_state(State.RUNNING, cost_estimate=0.1) for _ in range(9)]
    assert refused(Caps(max_cost=1.0), job(cost_estimate=0.1), *others) is None
    assert refused(Caps(max_cost=0.99), job(cost_estimate=0.1), *others) is not None
    assert refused(Caps(max_cost=0), job(cost_estimate=0.0)) is None


@pytest.mark.parametrize("price", [None, float("nan"), float("inf")])
def test_a_cap_cannot_hold_without_a_price(price: float | None) -> None:
    words = said(Caps(max_cost=100.0), job(cost_estimate=price))
    assert "no price is known" in words


def test_operations_of_others_without_a_price_do_not_stop_our_own() -> None:
    attached = in_state(State.RUNNING, request=None, cost_estimate=None)
    assert refused(Caps(max_cost=2.0), job(), attached) is None


def test_unknown_jobs_hold_back_the_others_past_their_cap() -> None:
    caps = Caps(max_unknown_cost=2.4)
    unknown = in_state(State.UNKNOWN)
    assert refused(caps, job(), unknown, unknown) is None
    words = said(caps, job(), unknown, unknown, in_state(State.UNKNOWN, cost_estimate=0.01))
    assert "3 unknown jobs may cost $2.41" in words
    assert refused(caps, job(cost_estimate=None), *[in_state(State.RUNNING)] * 9) is None


def test_an_unknown_job_without_a_price_is_past_every_cap() -> None:
    words = said(Caps(max_unknown_cost=1e9), job(), in_state(State.UNKNOWN, cost_estimate=None))
    assert "1 without a known price" in words
    assert refused(Caps(max_unknown_cost=float("inf")), job(), in_state(State.UNKNOWN)) is None


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
@pytest.mark.parametrize("name", ["max_cost", "max_unknown_cost"])
def test_a_cap_below_nothing_is_refused(name: str, limit: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be 0 or more"):
        Caps(**{name: limit})
