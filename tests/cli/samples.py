"""Jobs and entries to test with."""

from __future__ import annotations

from veo_async.cli.entries import Entry
from veo_async.engine.lifecycle import State
from veo_async.ledger.records import JobRecord
from veo_async.models import (
    Expired,
    Failed,
    Filtered,
    JobId,
    Outcome,
    Rejected,
    Result,
    Succeeded,
    Unknown,
    Video,
    VideoRequest,
    Withdrawn,
)

OUTCOMES: dict[State, Outcome] = {
    State.SUCCEEDED: Succeeded(
        result=Result(videos=(Video(uri="https://h/v?key=secret"),)), raw={"big": "answer"}
    ),
    State.FILTERED: Filtered(reasons=("a reason",)),
    State.FAILED: Failed(message="internal error", code=13),
    State.EXPIRED: Expired(),
    State.REJECTED: Rejected(message="no"),
    State.WITHDRAWN: Withdrawn(),
    State.UNKNOWN: Unknown(message="reset"),
}


def job(key: str | None, state: State, *, digest: str = "d", prompt: str = "a boat") -> JobRecord:
    """A ledger's row that stands so."""
    sent = state not in (State.QUEUED, State.WITHDRAWN)
    return JobRecord(
        id=JobId(f"job-of-{key}"),
        state=state,
        request=VideoRequest(prompt),
        digest=digest,
        idempotency_key=key,
        provider="emulator",
        origin="http://127.0.0.1:1",
        model="veo-3.1-fast-generate-preview",
        operation="models/m/operations/o1" if sent and state is not State.UNKNOWN else None,
        outcome=OUTCOMES.get(state),
        cost_estimate=0.8,
        created_at=1_000_000.0,
        armed_at=1_000_001.0 if sent else None,
        accepted_at=1_000_002.0 if sent else None,
        finished_at=1_000_012.5 if state in OUTCOMES else None,
    )


def entry(state: State, *, place: int = 1, key: str = "id:a") -> Entry:
    """A request whose job stands so."""
    record = job(key, state)
    return Entry(
        place=place, line_id="a", key=key, request=record.request, digest="d", record=record, price=0.8
    )
