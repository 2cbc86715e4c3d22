"""What may become of a status check: the job's fate is the operation's, never the network's."""

from __future__ import annotations

import time
from typing import Any, Final

from tests.faults.cells import RUNNING_ON, SUCCEEDED, TOLD, Cell, Ending, Phase, cells_at, cells_of
from tests.faults.modes import (
    BAD_JSON,
    BROKEN,
    COMPRESSED,
    GARBAGE_AFTER,
    HARMLESS,
    HINT_S,
    HINTED,
    SERVER_PAGES,
    UNHINTED,
    WORDLESS,
    elsewhere,
)
from veo_async import (
    AuthenticationError,
    ContentBlockedError,
    InsufficientBalanceError,
    OperationError,
    OperationExpiredError,
    OperationFailedError,
    VeoError,
)
from veo_async.emulator import Fault
from veo_async.engine.lifecycle import State

__all__ = ["CHECKS"]


def _says(**members: object) -> Fault:
    return Fault.edit(lambda answer: answer.update(members))


def _bare(**members: object) -> Fault:
    """Say only this, beside the operation's true name."""
    return Fault.edit(lambda answer: {"name": answer["name"], **members})


def _not_done(answer: dict[str, Any]) -> dict[str, Any]:
    return {"name": answer["name"], "done": False}


_PASSING: Final[dict[str, Fault]] = {
    **BROKEN,
    "a drip that is too slow": Fault.drip(bytes_per_second=20),
    **COMPRESSED,
    **WORDLESS,
    **GARBAGE_AFTER,
    **BAD_JSON,
    **SERVER_PAGES,
    "a 500 of the provider's": Fault.internal_error(),
    "a 503 of the provider's": Fault.overloaded(),
    "a redirect": Fault.redirect("/elsewhere", 302),
    "a 404 at the beginning": Fault.not_found(),
    "a 410 at the beginning": Fault.not_found(410),
    "done as the word false": _says(done="false"),
    "done as the word true": _says(done="true"),
    "done as a number": _says(done=1),
    "done null": _bare(done=None),
    "an error that is a string": _bare(done=True, error="it failed"),
    "another operation's name": _says(name="models/veo-3.1-generate-preview/operations/other"),
    "the name null": _bare(name=None),
    "the response a list": _bare(done=True, response=["video"]),
    "done with nothing": _bare(done=True),
    "done without a link": _bare(done=True, response={"generatedSamples": [{"video": {"uri": None}}]}),
    "not done yet": Fault.edit(_not_done),
}
"""Once: the next check tells. The job's own state is not touched."""


def _paused(error: type[VeoError], reason: str) -> Ending:
    return Ending(error=error, reason=reason, billed="unknown", state=State.RUNNING)


_PARKED: Final = Ending(error=OperationError, billed="unknown", state=State.RUNNING)

CHECKS: Final[list[Cell]] = [
    *cells_of(Phase.CHECK, SUCCEEDED, _PASSING, asked=2),
    *cells_of(Phase.CHECK, SUCCEEDED, {"a gzip bomb": Fault.gzip_bomb(65 * 2**20)}, asked=2),
    *cells_of(Phase.CHECK, SUCCEEDED, HARMLESS, asked=1),
    *cells_of(Phase.CHECK, SUCCEEDED, HINTED, asked=2, gap=HINT_S),
    *cells_of(
        Phase.CHECK,
        SUCCEEDED,
        {"429 until a date": lambda _: Fault.rate_limited_until(time.time() + 5)},
        asked=2,
        gap=HINT_S,
    ),
    *cells_of(Phase.CHECK, SUCCEEDED, {**UNHINTED, "a 429 of the day": Fault.daily_quota()}, asked=2),
    # Again and again.
    *cells_of(Phase.CHECK, SUCCEEDED, {"a reset, five times": Fault.reset_after_reading()}, times=5, asked=6),
    *cells_of(Phase.CHECK, SUCCEEDED, {"an HTML 502, twelve times": Fault.html(502)}, times=12, asked=13),
    *cells_of(
        Phase.CHECK,
        TOLD,
        elsewhere(301, 302, 303, 307, 308),
        lasts=True,
        asked=3,
    ),
    *cells_of(
        Phase.CHECK, TOLD, {"a 400 each time": Fault.gptproto(400, "no such field")}, lasts=True, asked=3
    ),
    *cells_of(
        Phase.CHECK,
        TOLD,
        {"an HTML page under 200 each time": Fault.html(200), "NaN each time": BAD_JSON["NaN"]},
        lasts=True,
        asked=10,
    ),
    *cells_of(
        Phase.CHECK,
        Ending(error=OperationFailedError, reason="empty", billed="unknown", state=State.FAILED),
        {"done with nothing each time": _bare(done=True)},
        lasts=True,
        asked=4,
    ),
    *cells_of(
        Phase.CHECK,
        Ending(error=OperationExpiredError, billed="unknown", state=State.EXPIRED),
        {"a 404 each time": Fault.not_found(), "a 410 each time": Fault.not_found(410)},
        lasts=True,
    ),
    Cell(
        phase=Phase.CHECK,
        name="flapping: done with nothing, not done, done with nothing",
        faults=(_bare(done=True), Fault.edit(_not_done), _bare(done=True)),
        ending=SUCCEEDED,
        asked=4,
    ),
    Cell(
        phase=Phase.CHECK,
        name="done, and not done in every later answer",
        faults=(Fault.edit(lambda answer: answer), Fault.edit(_not_done)),
        lasts=True,
        ending=SUCCEEDED,
        asked=1,
    ),
    # About the job.
    *cells_of(
        Phase.CHECK,
        Ending(error=ContentBlockedError, reason="content", billed="no", state=State.REJECTED),
        {"policy as a 400": Fault.policy(400), "policy as a 503": Fault.policy(503)},
        asked=1,
    ),
    *cells_of(
        Phase.CHECK,
        Ending(error=OperationFailedError, reason="error", billed="unknown", state=State.FAILED),
        {
            "done with an error": _bare(done=True, error={"code": 13, "message": "internal"}),
            "done with an error and a response": _says(error={"code": 13, "message": "internal"}),
        },
        asked=1,
    ),
    # About the key: awaiters are told, the operation stays open.
    *cells_of(
        Phase.CHECK,
        _paused(AuthenticationError, "authentication"),
        {"a 401": Fault.unauthorized(), "a 403 about permission": Fault.forbidden()},
        asked=1,
    ),
    *cells_of(
        Phase.CHECK,
        _paused(InsufficientBalanceError, "balance"),
        {"a 403 about the balance": Fault.insufficient_balance()},
        asked=1,
    ),
    # No connection.
    *cells_at(Phase.CHECK, RUNNING_ON, "refused", "alert", "late alert", patience=0.4),
    *cells_at(Phase.CHECK, _PARKED, "stranger's certificate"),
]
