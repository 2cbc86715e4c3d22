"""What follows from an answer, as one table for each phase. No answer is judged anywhere else."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Final, cast

import backoff

from veo_async.answers import Accepted, Lost, RefusalKind, Refused, SubmitAnswer, Unreadable
from veo_async.engine.lifecycle import Move
from veo_async.errors import Billed
from veo_async.models import Rejected, Unknown
from veo_async.options import RetryPolicy

__all__ = ["CHECK_STEPS", "SUBMIT_MOVES", "CheckStep", "ceilings", "rejection", "submit_move", "unknown"]

_K = RefusalKind

SUBMIT_MOVES: Final[Mapping[RefusalKind, Move]] = {
    _K.INVALID: Move.DECLINED,
    _K.NOT_FOUND: Move.DECLINED,
    _K.UNSUPPORTED: Move.DECLINED,
    _K.CONTENT: Move.DECLINED,
    _K.REDIRECT: Move.DECLINED,
    _K.SERVER: Move.DECLINED,
    _K.OVERLOADED: Move.DECLINED,
    # Proof that nothing was started: the job goes back into the queue.
    _K.DURATION_TYPE: Move.NOT_STARTED,
    _K.AUTHENTICATION: Move.NOT_STARTED,
    _K.STALE_KEY: Move.NOT_STARTED,
    _K.BALANCE: Move.NOT_STARTED,
    _K.RATE_LIMIT: Move.NOT_STARTED,
    _K.QUOTA: Move.NOT_STARTED,
}
"""What the provider's own word on a submit does to the job."""

_RESUBMITTABLE: Final = frozenset({_K.SERVER, _K.OVERLOADED})


class CheckStep(enum.Enum):
    """What the provider's own error on a status check leads to."""

    REJECT = "it is about the job: decided"
    PAUSE = "it is about key or money: all who wait are told, the operation stays open"
    SLOW = "it is about the pace"
    RETRY = "it passes: asked again with growing waits"
    TELL = "it is about the check itself: after a few, those who wait are told"


CHECK_STEPS: Final[Mapping[RefusalKind, CheckStep]] = {
    _K.CONTENT: CheckStep.REJECT,
    _K.AUTHENTICATION: CheckStep.PAUSE,
    _K.BALANCE: CheckStep.PAUSE,
    _K.RATE_LIMIT: CheckStep.SLOW,
    _K.QUOTA: CheckStep.SLOW,
    _K.STALE_KEY: CheckStep.RETRY,
    _K.SERVER: CheckStep.RETRY,
    _K.OVERLOADED: CheckStep.RETRY,
    _K.INVALID: CheckStep.TELL,
    _K.DURATION_TYPE: CheckStep.TELL,
    _K.NOT_FOUND: CheckStep.TELL,
    _K.UNSUPPORTED: CheckStep.TELL,
    _K.REDIRECT: CheckStep.TELL,
}
"""What the provider's own word on a status check leads to."""


def submit_move(answer: SubmitAnswer | Lost, policy: RetryPolicy) -> Move:
    """Return what the answer to a request whose first byte may have left does to its job."""
    match answer:
        case Accepted():
            return Move.STARTED
        case Refused(kind=kind) if policy.resubmit_server_errors and kind in _RESUBMITTABLE:
            return Move.NOT_STARTED
        case Refused(kind=kind):
            return SUBMIT_MOVES[kind]
        case Unreadable(throttled=True):
            return Move.NOT_STARTED  # a 429 is proof of not started, whoever words it
        case Unreadable() | Lost():
            return Move.SILENCED


def rejection(refused: Refused) -> Rejected:
    """Return the outcome of a job that the provider refused."""
    billed: Billed = "unknown" if refused.kind in _RESUBMITTABLE else "no"
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
