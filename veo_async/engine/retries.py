"""What follows from an answer, as one table for submits and checks. No answer is judged anywhere else.

Downloads have a table of their own beside them, since all they can lose is time.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, cast

import backoff

from veo_async.answers import Accepted, Lost, NotSent, RefusalKind, Refused, SubmitAnswer, Unreadable
from veo_async.engine.lifecycle import Move
from veo_async.errors import Billed
from veo_async.models import Rejected, Unknown
from veo_async.options import RetryPolicy

__all__ = [
    "NO_LISTS_STATUSES",
    "RULES",
    "SERVER_ERROR_RESUBMITS",
    "CheckStep",
    "Rule",
    "Silence",
    "ceilings",
    "has_no_lists",
    "holds_for_all",
    "rejection",
    "rule_for",
    "submit_move",
    "unknown",
]

_K = RefusalKind

_SERVER_ERRORS = 500


class Silence(enum.Enum):
    """What came back in place of the provider's own word."""

    UNSENT = "no connection: DNS, connect, TLS time-out"
    CERTIFICATE = "a certificate that does not hold"
    LOST = "no whole answer after the first byte may have left"
    UNREADABLE = "an answer of another shape: HTML, empty, cut"
    UNREADABLE_5XX = "the same with a status of 500 or more"
    UNREADABLE_429 = "the same with a status of 429"
    UNREACHED = "the word of the service's edge that it could not reach the service"


class CheckStep(enum.Enum):
    """What the answer to a status check leads to."""

    REJECT = "it is about the job: decided"
    PAUSE = "it is about key, money or certificate: all who wait are told, the operation stays open"
    SLOW = "it is about the pace"
    RETRY = "it passes: asked again with growing waits"
    TELL = "it is about the check itself: after 3 in a row those who wait are told; asked again"
    TELL_LATE = "the same after 10 in a row"


_S = CheckStep


class Rule(NamedTuple):
    """What one kind of answer leads to."""

    submit: Move | None
    """What becomes of the job; None: it was not armed and stays queued."""
    check: CheckStep
    """What becomes of the check; the operation's fate is untouched by all but REJECT."""


RULES: Final[Mapping[RefusalKind | Silence, Rule]] = {
    # what came back                  a paid submit              a status check
    Silence.UNSENT:              Rule(None,                      _S.RETRY),
    Silence.CERTIFICATE:         Rule(None,                      _S.PAUSE),
    Silence.LOST:                Rule(Move.SILENCED,             _S.RETRY),
    Silence.UNREADABLE:          Rule(Move.SILENCED,             _S.TELL_LATE),
    Silence.UNREADABLE_5XX:      Rule(Move.SILENCED,             _S.RETRY),
    Silence.UNREADABLE_429:      Rule(Move.NOT_STARTED,          _S.SLOW),  # proof, whoever words it
    Silence.UNREACHED:           Rule(Move.NOT_STARTED,          _S.RETRY),
    _K.REDIRECT:                 Rule(Move.DECLINED,             _S.TELL),
    _K.INVALID:                  Rule(Move.DECLINED,             _S.TELL),
    _K.UNSUPPORTED:              Rule(Move.DECLINED,             _S.TELL),
    _K.DURATION_TYPE:            Rule(Move.NOT_STARTED,          _S.TELL),  # encoded anew, once
    _K.CONTENT:                  Rule(Move.DECLINED,             _S.REJECT),
    _K.AUTHENTICATION:           Rule(Move.NOT_STARTED,          _S.PAUSE),
    _K.STALE_KEY:                Rule(Move.NOT_STARTED,          _S.RETRY),
    _K.BALANCE:                  Rule(Move.NOT_STARTED,          _S.PAUSE),
    _K.NOT_FOUND:                Rule(Move.DECLINED,             _S.TELL),  # of an operation: `Missing`
    _K.SERVER:                   Rule(Move.DECLINED,             _S.RETRY),  # billed unknown
    _K.OVERLOADED:               Rule(Move.DECLINED,             _S.RETRY),  # billed unknown
    _K.RATE_LIMIT:               Rule(Move.NOT_STARTED,          _S.SLOW),
    _K.QUOTA:                    Rule(Move.NOT_STARTED,          _S.SLOW),
}  # fmt: skip
"""What each kind of answer leads to. Only what is `None` or NOT_STARTED is ever sent again: it proves that
nothing was started."""

_MAY_HAVE_STARTED: Final = frozenset({_K.SERVER, _K.OVERLOADED})
"""The provider's own words, and yet it may run: sent again on the caller's explicit word only."""

SERVER_ERROR_RESUBMITS: Final = 3
"""How often at most, once that word is given: each may be one more job to pay for."""


def rule_for(answer: Refused | Unreadable | Lost | NotSent) -> Rule:
    """Return what an answer that is no good news leads to."""
    return RULES[_kind_of(answer)]


def _kind_of(answer: Refused | Unreadable | Lost | NotSent) -> RefusalKind | Silence:
    match answer:
        case Refused(kind=kind):
            return kind
        case Unreadable(throttled=True):
            return Silence.UNREADABLE_429
        case Unreadable(unreached=True):
            return Silence.UNREACHED
        case Unreadable(status=int(status)) if status >= _SERVER_ERRORS:
            return Silence.UNREADABLE_5XX
        case Unreadable():
            return Silence.UNREADABLE
        case Lost():
            return Silence.LOST
        case NotSent(permanent=permanent):
            return Silence.CERTIFICATE if permanent else Silence.UNSENT


_FOR_ALL: Final = frozenset({_K.RATE_LIMIT, _K.QUOTA, _K.AUTHENTICATION, _K.BALANCE})


def holds_for_all(answer: object) -> bool:
    """Return whether an answer asks that nothing of its quota be sent for now."""
    if isinstance(answer, Refused):
        return answer.kind in _FOR_ALL
    return isinstance(answer, Unreadable) and answer.throttled


_NO_LISTS: Final = frozenset({_K.NOT_FOUND, _K.UNSUPPORTED, _K.INVALID, _K.REDIRECT})
NO_LISTS_STATUSES: Final = frozenset({400, 404, 405, 501})
"""What a list that is not there is answered with, whatever the body."""


def has_no_lists(answer: object) -> bool:
    """Return whether the answer to a list request says that there are no lists, now or later."""
    if isinstance(answer, Refused):
        return answer.kind in _NO_LISTS
    return isinstance(answer, Unreadable) and answer.status in NO_LISTS_STATUSES


def submit_move(answer: SubmitAnswer | Lost, policy: RetryPolicy, attempts: int = 1) -> Move:
    """Return what the answer to a request whose first byte may have left does to its job.

    Args:
        answer: The answer.
        policy: Whether a server error may be sent again.
        attempts: How often the job was sent by now.
    """
    if isinstance(answer, Accepted):
        return Move.STARTED
    if isinstance(answer, Refused) and answer.kind in _MAY_HAVE_STARTED:
        again = policy.resubmit_server_errors and attempts <= SERVER_ERROR_RESUBMITS
        return Move.NOT_STARTED if again else Move.DECLINED
    move = rule_for(answer).submit
    assert move is not None  # only what never left has none
    return move


def rejection(refused: Refused) -> Rejected:
    """Return the outcome of a job that the provider refused."""
    billed: Billed = "unknown" if refused.kind in _MAY_HAVE_STARTED else "no"
    return Rejected(
        reason=refused.kind.value,
        code=refused.code,
        status=refused.status,
        message=refused.message,
        billed=billed,
        raw=refused.raw,
    )


def unknown(answer: Unreadable | Lost) -> Unknown:
    """Return the outcome of a job that was sent and got no readable answer."""
    if isinstance(answer, Lost):
        return Unknown(reason="lost", message=answer.reason, raw=answer.excerpt or None)
    return Unknown(reason="unreadable_ack", message=answer.message, raw=answer.excerpt or None)


def ceilings(policy: RetryPolicy) -> Iterator[float]:
    """Yield the growing ceilings of fully jittered waits, in seconds, without end."""
    generator = backoff.expo(base=2, factor=policy.base, max_value=policy.cap)
    waits = cast("Iterator[float | None]", generator)
    first = next(waits)
    if first is not None:  # backoff 2 yields None first, to be primed; its live fork yields a wait
        yield first
    for wait in waits:
        assert wait is not None
        yield wait
