"""The one table of a job's states: what is in it, and that nothing else is."""

import itertools
import re

import pytest

from veo_async.engine import lifecycle
from veo_async.engine.lifecycle import (
    FINAL,
    TRANSITIONS,
    IllegalTransitionError,
    Move,
    State,
    advance,
    move_for,
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

LEGAL = {
    (State.QUEUED, Move.ARMED): State.ARMED,
    (State.QUEUED, Move.TAKEN_BACK): State.WITHDRAWN,
    (State.QUEUED, Move.DECLINED): State.REJECTED,
    (State.QUEUED, Move.SILENCED): State.UNKNOWN,
    (State.ARMED, Move.STARTED): State.RUNNING,
    (State.ARMED, Move.DECLINED): State.REJECTED,
    (State.ARMED, Move.NOT_STARTED): State.QUEUED,
    (State.ARMED, Move.SILENCED): State.UNKNOWN,
    (State.RUNNING, Move.SUCCEEDED): State.SUCCEEDED,
    (State.RUNNING, Move.FILTERED): State.FILTERED,
    (State.RUNNING, Move.FAILED): State.FAILED,
    (State.RUNNING, Move.EXPIRED): State.EXPIRED,
    (State.RUNNING, Move.DECLINED): State.REJECTED,
    (State.UNKNOWN, Move.STARTED): State.RUNNING,
    (State.UNKNOWN, Move.DECLINED): State.REJECTED,
    (State.UNKNOWN, Move.FAILED): State.FAILED,
}


@pytest.mark.parametrize(("state", "move"), list(itertools.product(State, Move)))
def test_a_pair_leads_where_the_table_says_and_no_other_pair_leads_anywhere(state: State, move: Move) -> None:
    """Every pair of a state and a move is either listed here or an error."""
    if (state, move) in LEGAL:
        assert advance(state, move) is LEGAL[state, move]
    else:
        with pytest.raises(IllegalTransitionError, match=f"{state}.*{move}"):
            advance(state, move)


def test_every_state_has_a_row() -> None:
    """A state without a row would fail only when a job met it."""
    assert set(TRANSITIONS) == set(State)


def test_final_states_are_the_promised_ones() -> None:
    """Unknown may move later, the other outcomes never."""
    assert {
        State.SUCCEEDED,
        State.FILTERED,
        State.FAILED,
        State.EXPIRED,
        State.REJECTED,
        State.WITHDRAWN,
    } == FINAL


def test_no_path_leads_from_a_sent_job_to_a_second_send_but_over_a_proof_of_not_started() -> None:
    """A job gets back into the queue by NOT_STARTED alone."""
    back = {
        (state, move) for state, moves in TRANSITIONS.items() for move in moves if moves[move] == "queued"
    }
    assert back == {(State.ARMED, Move.NOT_STARTED)}


def test_the_diagram_shows_the_table() -> None:
    """What the docstring draws and what the table says are the same."""
    drawing = lifecycle.__doc__ or ""
    drawn = {
        (State[source], Move(move)): State[target]
        for source, move, target in re.findall(r"(?=\b([A-Z]+) ──(\w+)──▶ ([A-Z]+))", drawing)
    }
    drawn |= {
        (State[source], Move(move)): State[target]
        for target, move, source in re.findall(r"(?=\b([A-Z]+) ◀──(\w+)── ([A-Z]+))", drawing)
    }
    assert drawn == LEGAL


@pytest.mark.parametrize(
    ("outcome", "before", "after"),
    [
        (Succeeded(result=Result(videos=(Video(),))), State.RUNNING, State.SUCCEEDED),
        (Filtered(), State.RUNNING, State.FILTERED),
        (Failed(), State.RUNNING, State.FAILED),
        (Expired(), State.RUNNING, State.EXPIRED),
        (Rejected(), State.ARMED, State.REJECTED),
        (Withdrawn(), State.QUEUED, State.WITHDRAWN),
        (Unknown(), State.ARMED, State.UNKNOWN),
    ],
)
def test_an_outcome_has_the_move_that_leads_to_it(outcome: Outcome, before: State, after: State) -> None:
    """Each outcome moves a job to the state of its name."""
    assert advance(before, move_for(outcome)) is after
