"""A job's states and the one transition table.

Rule 1: whatever moves a job is in this file.
Rule 2: nothing here knows the dialect, the transport or the time.
Rule 3: a pair that is not in the table is a bug of ours: it raises and changes nothing.

::

    QUEUED ──armed──▶ ARMED ──started──▶ RUNNING ──succeeded──▶ SUCCEEDED
                                         RUNNING ──filtered──▶ FILTERED
                                         RUNNING ──failed──▶ FAILED
                                         RUNNING ──expired──▶ EXPIRED
                                         RUNNING ──declined──▶ REJECTED (policy, told on a check)
    QUEUED ◀──not_started── ARMED ──silenced──▶ UNKNOWN ──started──▶ RUNNING (adopted)
                            ARMED ──declined──▶ REJECTED
    QUEUED ──taken_back──▶ WITHDRAWN
    QUEUED ──declined──▶ REJECTED (found unsendable)
    QUEUED ──silenced──▶ UNKNOWN (a restored backup: what was sent since it was made is not in it)
    UNKNOWN ──declined──▶ REJECTED (settled: proven never started)
    UNKNOWN ──failed──▶ FAILED (settled: billed, and its operation cannot be found)

Stalled is not a state: a job past its deadline still runs, and may still succeed.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from veo_async.models import Expired, Failed, Filtered, Outcome, Rejected, Succeeded, Unknown, Withdrawn

__all__ = ["FINAL", "TRANSITIONS", "IllegalTransitionError", "Move", "State", "advance", "move_for"]


class State(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    """Durable; provably nothing sent."""
    ARMED = "armed"
    """Connected and about to send, or sent: a crash from here on means UNKNOWN."""
    RUNNING = "running"
    """The provider has it."""
    SUCCEEDED = "succeeded"
    FILTERED = "filtered"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    """Sent, no readable answer; never sent again by itself."""


class Move(enum.StrEnum):
    """What happened to a job."""

    ARMED = "armed"
    NOT_STARTED = "not_started"
    """Proof that the sent request started nothing (429, a refused key)."""
    STARTED = "started"
    DECLINED = "declined"
    SILENCED = "silenced"
    """No readable answer after the first byte may have left, in this process or in one before it."""
    TAKEN_BACK = "taken_back"
    SUCCEEDED = "succeeded"
    FILTERED = "filtered"
    FAILED = "failed"
    EXPIRED = "expired"


_ENDINGS: Final[Mapping[Move, State]] = {
    Move.SUCCEEDED: State.SUCCEEDED,
    Move.FILTERED: State.FILTERED,
    Move.FAILED: State.FAILED,
    Move.EXPIRED: State.EXPIRED,
    Move.DECLINED: State.REJECTED,
}

TRANSITIONS: Final[Mapping[State, Mapping[Move, State]]] = {
    State.QUEUED: {
        Move.ARMED: State.ARMED,
        Move.TAKEN_BACK: State.WITHDRAWN,
        Move.DECLINED: State.REJECTED,  # found unsendable before the first byte (its media are gone, say)
        Move.SILENCED: State.UNKNOWN,  # a backup does not know what was sent after it was made
    },
    State.ARMED: {
        Move.STARTED: State.RUNNING,
        Move.DECLINED: State.REJECTED,
        Move.NOT_STARTED: State.QUEUED,
        Move.SILENCED: State.UNKNOWN,
    },
    State.RUNNING: _ENDINGS,
    State.UNKNOWN: {
        Move.STARTED: State.RUNNING,
        Move.DECLINED: State.REJECTED,
        Move.FAILED: State.FAILED,
    },
    State.SUCCEEDED: {},
    State.FILTERED: {},
    State.FAILED: {},
    State.EXPIRED: {},
    State.REJECTED: {},
    State.WITHDRAWN: {},
}

FINAL: Final = frozenset(state for state, moves in TRANSITIONS.items() if not moves)
"""States that never change again. UNKNOWN is not one: it may be adopted or settled."""


class IllegalTransitionError(Exception):
    """A bug of ours: an event met a job in a state it cannot meet."""


def advance(state: State, move: Move) -> State:
    """Return the state that follows; raise `IllegalTransitionError` where the table has no such pair."""
    try:
        return TRANSITIONS[state][move]
    except KeyError:
        raise IllegalTransitionError(f"a job that is {state} cannot meet {move}") from None


_MOVES: Final[Mapping[type, Move]] = {
    Succeeded: Move.SUCCEEDED,
    Filtered: Move.FILTERED,
    Failed: Move.FAILED,
    Expired: Move.EXPIRED,
    Rejected: Move.DECLINED,
    Withdrawn: Move.TAKEN_BACK,
    Unknown: Move.SILENCED,
}


def move_for(outcome: Outcome) -> Move:
    """Return the move that brings a job to `outcome`."""
    return _MOVES[type(outcome)]
