"""What a run does about each request, given what the ledger has of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from veo_async.cli.entries import Entry
from veo_async.cli.identity import Again, Todo, attempt_key, plan_step, same_as_before, unnamed_keys
from veo_async.cli.rows import Trouble
from veo_async.engine.lifecycle import FINAL, State
from veo_async.errors import ConfigurationError
from veo_async.ledger.records import JobRecord
from veo_async.providers import Provider

__all__ = ["BrokenLinesError", "plan_batch", "plan_resume", "plan_single"]

_OPEN = frozenset({State.QUEUED, State.ARMED, State.RUNNING})
"""What a session that has taken up the ledger's jobs is about to bring to an end."""


class BrokenLinesError(Exception):
    """Some lines cannot be sent as they are."""

    def __init__(self, troubles: Sequence[Trouble]) -> None:
        super().__init__(troubles)
        self.troubles = troubles


def plan_batch(
    entries: Sequence[Entry],
    records: Sequence[JobRecord],
    provider: Provider,
    *,
    again: Again,
    keep_going: bool,
) -> Sequence[Entry]:
    """Decide about the lines of a file.

    Raises:
        BrokenLinesError: an id stands for another request in the ledger, and no line may be left out.
        ConfigurationError: the ledger's jobs are another provider's.
    """
    jobs = _by_key(records)
    changed = [
        trouble for entry in entries if entry.key and (trouble := _plan(entry, jobs, again)) is not None
    ]
    if changed and not keep_going:
        raise BrokenLinesError(changed)
    _refuse_foreign(entries, provider)
    return entries


def _plan(entry: Entry, jobs: Mapping[str, JobRecord], again: Again) -> Trouble | None:
    assert entry.key is not None
    step = plan_step(entry.key, jobs, again)
    entry.todo, entry.attempt, entry.record, entry.replaces = (
        step.todo,
        step.attempt,
        step.record,
        step.replaces,
    )
    if same_as_before(step, entry.digest):
        return None
    entry.trouble = (
        f'id: "{entry.line_id}" already stands for another request in this folder: '
        "give the changed line a new id"
    )
    entry.record, entry.settled = None, True
    return Trouble(line=entry.place, message=entry.trouble)


def _by_key(records: Iterable[JobRecord]) -> dict[str, JobRecord]:
    return {record.idempotency_key: record for record in records if record.idempotency_key is not None}


def _refuse_foreign(entries: Iterable[Entry], provider: Provider) -> None:
    """An operation is only known where it was started: asking elsewhere would find nothing."""
    for entry in entries:
        record = entry.record
        if record is None or entry.todo is not Todo.RESUME or provider.serves(record.provider, record.origin):
            continue
        raise ConfigurationError(
            f"line {entry.place} was given to {record.provider} at {record.origin} and is not decided: "
            "go on there (--provider, --base-url), or take another --out"
        )


def plan_single(entry: Entry, records: Sequence[JobRecord], provider: Provider) -> Sequence[Entry]:
    """Decide about a single prompt: an open job of the request is gone on with, a decided one made anew.

    Raises:
        ConfigurationError: the open job is another provider's.
    """
    jobs = _by_key(records)
    taken = 1
    while True:
        entry.key = unnamed_keys([entry.digest] * taken)[-1]
        _plan(entry, jobs, Again())
        if entry.record is None or entry.record.state not in FINAL:
            break
        taken += 1
    _refuse_foreign([entry], provider)
    return [entry]


def plan_resume(
    manifest: Sequence[Mapping[str, Any]], records: Sequence[JobRecord], provider: Provider
) -> Sequence[Entry]:
    """Decide about all jobs of a ledger: open ones are gone on with, missing videos are fetched."""
    by_id = {line.get("job_id"): line for line in manifest}
    # A run that was killed left lines that know of no job yet.
    by_key = {_key_of(line): line for line in manifest if isinstance(line.get("key"), str)}
    replaced = _replaced(records)
    mine = [record for record in records if provider.serves(record.provider, record.origin)]
    return [
        _resumed(place, record, by_id.get(record.id) or by_key.get(record.idempotency_key or "") or {})
        for place, record in enumerate(mine, 1)
        if record.id not in replaced and record.state is not State.WITHDRAWN
    ]


def _key_of(line: Mapping[str, Any]) -> str:
    return attempt_key(line["key"], line.get("attempt", 0))


def _replaced(records: Sequence[JobRecord]) -> set[str]:
    """Return the jobs whose request was sent again by a later one."""
    jobs = _by_key(records)
    replaced: set[str] = {record.replaces for record in records if record.replaces is not None}
    for key in jobs:
        if key.startswith("retry-"):
            number, _, line = key.removeprefix("retry-").partition(":")
            before = line if number == "1" else f"retry-{int(number) - 1}:{line}"
            replaced |= {jobs[before].id} if before in jobs else set()
    return replaced


def _resumed(place: int, record: JobRecord, line: Mapping[str, Any]) -> Entry:
    return Entry(
        place=line.get("line", place),
        line_id=line.get("id"),
        key=line.get("key"),
        attempt=line.get("attempt", 0),
        todo=Todo.RESUME if record.state in _OPEN else Todo.KEEP,
        request=record.request and attrs.evolve(record.request, idempotency_key=None),
        digest=record.digest,
        record=record,
    )
