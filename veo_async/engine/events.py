"""What the scheduler is told (past tense) and what it tells the session to do (imperative)."""

from __future__ import annotations

from typing import NamedTuple

from attrs import field, frozen

from veo_async.answers import (
    CheckAnswer,
    Listed,
    Lost,
    NotSent,
    RefusalKind,
    Refused,
    SubmitAnswer,
    Unreadable,
)
from veo_async.models import Expired, Failed, Filtered, JobId, Priority, Rejected, Succeeded

__all__ = [
    "CHECKS",
    "SUBMITS",
    "Action",
    "Announce",
    "Check",
    "CheckEnded",
    "CheckList",
    "CheckReturned",
    "Decision",
    "Event",
    "Hinted",
    "KeyRenewed",
    "Lift",
    "ListEnded",
    "ListReturned",
    "OperationDropped",
    "OperationKey",
    "OperationNotified",
    "OperationOpened",
    "OperationParent",
    "Pause",
    "Profile",
    "Quota",
    "Resolve",
    "Resumed",
    "Stall",
    "Submit",
    "SubmitEnded",
    "SubmitQueued",
    "SubmitWithdrawn",
    "Tell",
    "Unhindered",
]


class OperationKey(NamedTuple):
    """An operation, the same for all jobs that wait for it."""

    provider: str
    name: str


class OperationParent(NamedTuple):
    """Whose list an operation is in."""

    provider: str
    name: str | None
    """The model, as it stands in operation names; None where one list holds all."""


class Profile(NamedTuple):
    """What the waiting time depends on."""

    model: str
    resolution: str | None = None
    duration_seconds: int | str | None = None
    has_image: bool = False


class Quota(NamedTuple):
    """What a rate, a hint or a pause holds for; the provider and its credential are the session's one."""

    kind: str


SUBMITS = Quota("submits")
CHECKS = Quota("checks")


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


@frozen
class SubmitQueued:
    """A job is durable and may be sent."""

    job_id: JobId
    priority: Priority = "normal"
    group: str | None = None
    """Whose job it is: groups have their turns one after the other."""


@frozen
class SubmitWithdrawn:
    """A job was taken back before it was sent."""

    job_id: JobId


@frozen
class SubmitEnded:
    """An attempt to send a job came to its end."""

    job_id: JobId
    answer: SubmitAnswer | NotSent | Lost
    sent_at: float | None = None
    """When its first byte could leave; None when none did."""
    again: bool = False
    """The answer proves that nothing was started, and the job is queued again. `NotSent` without it: we took
    the job back, which says nothing of the provider."""
    reset_in: float | None = None
    """Seconds until a day's quota is likely to be given anew, for a refusal that has no hint itself."""


@frozen
class OperationOpened:
    """The provider has an operation that somebody waits for."""

    key: OperationKey
    profile: Profile
    age: float = 0.0
    """Seconds since it was accepted, as far as is known."""
    restored: bool = False
    """True when it comes from the ledger or from elsewhere: first checks of many such are spread out."""
    following: int = 0
    """How many more such ones come in later turns, none of them older: they are spread out together."""
    priority: Priority = "normal"
    """Who is checked first where there is no room for all."""


@frozen
class OperationDropped:
    """Nobody waits for an operation any more."""

    key: OperationKey


@frozen
class OperationNotified:
    """Somebody says that an operation may have ended. A hint, which only a check can prove."""

    key: OperationKey


@frozen
class CheckEnded:
    """A status check came to its end."""

    key: OperationKey
    answer: CheckAnswer | NotSent | Lost
    sent_at: float | None = None
    """When its first byte could leave; None when none did."""


@frozen
class CheckReturned:
    """A check was not sent after all: what came back meanwhile makes it wait its turn anew."""

    key: OperationKey


@frozen
class ListEnded:
    """A request for a page of operations came to its end."""

    parent: OperationParent
    answer: Listed | Refused | Unreadable | NotSent | Lost
    sent_at: float | None = None
    """When its first byte could leave; None when none did."""


@frozen
class ListReturned:
    """A page was not asked for after all."""

    parent: OperationParent


@frozen
class Hinted:
    """A server asked for a pause. Told at once: the answer itself is told when it is on record."""

    quota: Quota
    seconds: float


@frozen
class Resumed:
    """The operator says that key, balance or quota were seen to: pauses end."""


@frozen
class KeyRenewed:
    """There is another key than the one that was refused: pauses for key or money end."""


@frozen
class Unhindered:
    """What kept submits from leaving this machine (a money limit, say) is out of the way."""


Event = (
    SubmitQueued
    | SubmitWithdrawn
    | SubmitEnded
    | OperationOpened
    | OperationDropped
    | OperationNotified
    | CheckEnded
    | CheckReturned
    | ListEnded
    | ListReturned
    | Hinted
    | Resumed
    | KeyRenewed
    | Unhindered
)
"""Whatever the scheduler can be told."""


# ── actions ─────────────────────────────────────────────────────────────────────────────────────────────


@frozen
class Submit:
    """Send these jobs, each once."""

    job_ids: tuple[JobId, ...]


@frozen
class Check:
    """Ask for the status of these operations, in this order."""

    keys: tuple[OperationKey, ...]


@frozen
class CheckList:
    """Ask for a page of the operations of one parent: it answers for many checks."""

    parent: OperationParent
    page_token: str | None = None


Decision = Succeeded | Filtered | Failed | Expired | Rejected
"""How an accepted operation can end."""


@frozen
class Resolve:
    """An operation is decided: record it, then tell all who wait."""

    key: OperationKey
    outcome: Decision
    lag: float | None = field(default=None, eq=False)
    """Seconds that it had been decided before a check found it so, as far as is known: half the time since it
    was last seen running. None where it was not watched for."""


@frozen
class Stall:
    """An operation is past its deadline: tell all who wait; it goes on."""

    key: OperationKey


@frozen
class Tell:
    """Checks of an operation keep failing for a reason of its own: tell all who wait; it goes on."""

    key: OperationKey
    answer: Refused | Unreadable


@frozen
class Pause:
    """Why a quota stands still."""

    kind: RefusalKind | None
    """What the provider refused; None when it cannot be reached."""
    answer: Refused | NotSent


@frozen
class Announce:
    """A quota stands still until something outside changes: tell all who wait on it, now and later."""

    quota: Quota
    pause: Pause


@frozen
class Lift:
    """A quota goes on."""

    quota: Quota


Action = Submit | Check | CheckList | Resolve | Stall | Tell | Announce | Lift
"""Whatever the scheduler can ask for."""
