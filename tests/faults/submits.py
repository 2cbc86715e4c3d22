"""The money rows: what may become of a paid submit, and what it must cost."""

from __future__ import annotations

import time
from typing import Any, Final

from attrs import evolve

from tests.faults.cells import LOST, SUCCEEDED, UNREADABLE, Cell, Ending, Phase, cells_at, cells_of
from tests.faults.modes import (
    BAD_JSON,
    BROKEN,
    COMPRESSED,
    GARBAGE_AFTER,
    HARMLESS,
    HINT_S,
    HINTED,
    NO_ANSWER,
    PADDED,
    SERVER_PAGES,
    UNHINTED,
    WORDLESS,
    elsewhere,
)
from veo_async import (
    AuthenticationError,
    ContentBlockedError,
    InsufficientBalanceError,
    NotSentError,
    QuotaExhaustedError,
    RejectedError,
)
from veo_async.emulator import Fault
from veo_async.engine.lifecycle import State

__all__ = ["SUBMITS"]

_NOT_SENT: Final = Ending(error=NotSentError, billed="no", state=State.QUEUED)
_REDIRECTED: Final = Ending(error=RejectedError, reason="redirect", billed="no", state=State.REJECTED)
_BLOCKED: Final = Ending(error=ContentBlockedError, reason="content", billed="no", state=State.REJECTED)


def _rejected(reason: str, billed: Any = "no") -> Ending:
    return Ending(error=RejectedError, reason=reason, billed=billed, state=State.REJECTED)


def _kept(error: type[RejectedError], reason: str) -> Ending:
    """Return that the job waits in the queue for somebody to mend what is wrong."""
    return Ending(error=error, reason=reason, billed="no", state=State.QUEUED)


def _named(name: object) -> Fault:
    return Fault.edit(lambda answer: answer.update(name=name))


_POLICY_UNDER_200: Final = {"error": {"message": "This violates our content policy.", "type": "503"}}

SUBMITS: Final[list[Cell]] = [
    # 1.1: before a byte leaves.
    *cells_at(Phase.SUBMIT, _NOT_SENT, "refused", "alert", "stranger's certificate"),
    # 1.2: sent, and no readable answer. Whether it was accepted cannot be known, so both are tried.
    *cells_at(Phase.SUBMIT, LOST, "late alert"),
    *cells_of(
        Phase.SUBMIT,
        LOST,
        {f"{name}, not accepted": evolve(fault, accepted=False) for name, fault in BROKEN.items()},
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        LOST,
        {f"{name}, accepted": evolve(fault, accepted=True) for name, fault in NO_ANSWER.items()},
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        LOST,
        {
            "silence, accepted": Fault.silence(accepted=True),
            "a drip that is too slow": Fault.drip(bytes_per_second=20),
            "a gzip bomb": Fault.gzip_bomb(4 * 2**20, accepted=True),
            "8 MB that are of no use": PADDED,
            **COMPRESSED,
        },
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        UNREADABLE,
        {
            **WORDLESS,
            **BAD_JSON,
            **SERVER_PAGES,
            "an HTML page after acceptance": Fault.html(504, accepted=True),
            "no name": Fault.edit(lambda answer: answer.pop("name") and answer),
            "the name null": _named(None),
            "the name a number": _named(7),
            "the name a list": _named(["models/veo/operations/1"]),
            "an empty name": _named(""),
            "a name of another kind": _named("projects/x/jobs/1"),
            "an error under 200 that says nothing": Fault.answer(200, {"error": {}}, accepted=True),
        },
        asked=1,
    ),
    # 1.3: definite answers.
    *cells_of(
        Phase.SUBMIT,
        _REDIRECTED,
        {
            **elsewhere(301, 302, 303, 307, 308),
            "a redirect 307 in a circle": lambda scene: Fault.redirect(scene.loop, 307),
            "a redirect 308 to file:": Fault.redirect("file:///etc/passwd", 308),
        },
        asked=1,
    ),
    *cells_of(Phase.SUBMIT, _rejected("invalid"), {"a 400": Fault.gptproto(400, "bad prompt")}, asked=1),
    *cells_of(Phase.SUBMIT, _rejected("invalid"), {"a 422": Fault.gptproto(422, "bad prompt")}, asked=1),
    *cells_of(
        Phase.SUBMIT,
        _rejected("not_found"),
        {"a 404": Fault.not_found(), "a 410": Fault.not_found(410)},
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT, _rejected("unsupported"), {"a 405": Fault.gptproto(405, "method not allowed")}, asked=1
    ),
    *cells_of(
        Phase.SUBMIT,
        _BLOCKED,
        {
            "policy as a 400": Fault.policy(400),
            "policy as a 503": Fault.policy(503),
            "policy under 200": Fault.answer(200, _POLICY_UNDER_200),
        },
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        _kept(AuthenticationError, "authentication"),
        {"a 401": Fault.unauthorized(), "a 403 about permission": Fault.forbidden()},
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        _kept(InsufficientBalanceError, "balance"),
        {"a 403 about the balance": Fault.insufficient_balance()},
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        _kept(QuotaExhaustedError, "quota"),
        {"a 429 of the day": Fault.daily_quota()},
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        _rejected("server", "unknown"),
        {
            "a 500 of the provider's": Fault.internal_error(),
            "a 500 of the provider's after acceptance": Fault.internal_error(accepted=True),
        },
        asked=1,
    ),
    *cells_of(
        Phase.SUBMIT,
        _rejected("overloaded", "unknown"),
        {
            "a 503 of the provider's": Fault.overloaded(),
            "a 503 of the provider's after acceptance": Fault.overloaded(accepted=True),
        },
        asked=1,
    ),
    # 1.3, row 29: a 429 is proof that nothing was started.
    *cells_of(Phase.SUBMIT, SUCCEEDED, HINTED, asked=2, gap=HINT_S),
    *cells_of(
        Phase.SUBMIT,
        SUCCEEDED,
        {"429 until a date": lambda _: Fault.rate_limited_until(time.time() + 5)},
        asked=2,
        gap=HINT_S,
    ),
    *cells_of(Phase.SUBMIT, SUCCEEDED, UNHINTED, asked=2),
    *cells_of(Phase.SUBMIT, SUCCEEDED, {"429 three times": Fault.rate_limited(None)}, times=3, asked=4),
    # Odd, and an answer all the same.
    *cells_of(Phase.SUBMIT, SUCCEEDED, {**HARMLESS, **GARBAGE_AFTER}, asked=1),
]
