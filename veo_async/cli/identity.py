"""Which line of a batch is which job: by its id, else by what it asks for, never by its number.

The ledger keeps one job a key. A line's first job has the line's own key; each further one, made only because
the user asked to send a failed line again, has a key that names the attempt; one that replaces an unknown job
takes over its key. So the same command finds what it did before, and a line that moved within its file is
still the same line.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from veo_async.engine.lifecycle import State
from veo_async.ledger.records import JobRecord

__all__ = [
    "UNSURE",
    "Again",
    "Step",
    "Todo",
    "attempt_key",
    "id_in",
    "plan_step",
    "same_as_before",
    "unnamed_keys",
]

_ENDED_WITHOUT_VIDEO = frozenset({State.FAILED, State.FILTERED, State.EXPIRED, State.REJECTED})
UNSURE = frozenset({State.UNKNOWN, State.ARMED})
"""A job seen as armed by a process that does not send it was left so by a crash."""
_OF_ID = re.compile(r"(?:retry-[0-9]+:)?id:(?P<id>.+)")
_OPEN = frozenset({State.QUEUED, State.RUNNING})


def unnamed_keys(digests: Iterable[str]) -> list[str]:
    """Return keys for lines without an id: what is asked for, and the how-manieth time in this file."""
    seen: Counter[str] = Counter()
    keys: list[str] = []
    for digest in digests:
        seen[digest] += 1
        keys.append(f"sha256:{digest}#{seen[digest]}")
    return keys


def attempt_key(key: str, attempt: int) -> str:
    """Return the ledger's key for an attempt; 0 is the first.

    A line's key begins with "id:" or "sha256:", so no id can look like the second attempt of another line.
    """
    return key if attempt == 0 else f"retry-{attempt}:{key}"


def id_in(key: str | None) -> str | None:
    """Return the line's id that a ledger's key was made of; None where there was none."""
    found = _OF_ID.fullmatch(key or "")
    return found["id"] if found else None


@frozen(kw_only=True)
class Again:
    """What the user allows to be sent once more."""

    failed: bool = False
    """Requests that ended without a video."""
    unknown: bool = False
    """Requests that may be running already: each may be paid twice."""


class Todo(enum.StrEnum):
    """What a run does about one request."""

    SEND = "send"
    RESUME = "resume"
    KEEP = "keep"


@frozen(kw_only=True)
class Step:
    """What a run does about one request, and under which key."""

    todo: Todo
    attempt: int
    record: JobRecord | None = None
    """The job of that attempt, when there is one."""
    replaces: JobRecord | None = None
    """The job that ended without a video, or is unknown, when the request is sent again."""


def plan_step(key: str, jobs: Mapping[str, JobRecord], again: Again) -> Step:
    """Return what to do about the request under `key`, given the ledger's jobs by their keys."""
    attempts = attempts_of(key, jobs)
    if not attempts:
        return Step(todo=Todo.SEND, attempt=0)
    last = attempts[-1]
    if again.unknown and last.state in UNSURE:
        # The ledger hands the unknown job's key to the one that replaces it: no new attempt of the line.
        return Step(todo=Todo.SEND, attempt=len(attempts) - 1, replaces=last)
    if _goes_again(last.state, again):
        return Step(todo=Todo.SEND, attempt=len(attempts), replaces=last)
    todo = Todo.RESUME if last.state in _OPEN else Todo.KEEP
    return Step(todo=todo, attempt=len(attempts) - 1, record=last)


def attempts_of(key: str, jobs: Mapping[str, JobRecord]) -> Sequence[JobRecord]:
    """Return the jobs of one request, first attempt first."""
    attempts: list[JobRecord] = []
    while (job := jobs.get(attempt_key(key, len(attempts)))) is not None:
        attempts.append(job)
    return attempts


def _goes_again(state: State, again: Again) -> bool:
    if state is State.WITHDRAWN:
        return True  # taken back before anything was sent: sending it is no second time
    return again.failed and state in _ENDED_WITHOUT_VIDEO


def same_as_before(step: Step, digest: str) -> bool:
    """Return whether the line still asks for what its job was made for."""
    earlier = step.record or step.replaces
    return earlier is None or earlier.digest in {"", digest}
