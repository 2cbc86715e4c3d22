"""The library with one of its safeguards taken out: each must be seen, or the proof proves nothing.

All of them are put between the session and its SQLite ledger, in the process that calls `take_out`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from veo_async.engine.lifecycle import Move
from veo_async.ledger import sqlite_file, sqlite_store
from veo_async.ledger.records import Change, JobRecord
from veo_async.ledger.rules import moved
from veo_async.ledger.sqlite import SqliteLedger

__all__ = ["Variant", "take_out"]

Variant = Literal[
    "whole", "no intent record", "resend when unsure", "arm not awaited", "told before recorded", "no fsync"
]

LATE_S: Final = 0.02
"""How much later a write comes that nobody waits for."""

Apply = Callable[..., Awaitable[JobRecord]]


def take_out(variant: Variant) -> None:
    """Change the library of this process for good."""
    match variant:
        case "whole":
            pass
        case "no intent record":
            _replace_apply(_without_intent)
        case "resend when unsure":
            sqlite_store.crashed = _never_sent  # type: ignore[attr-defined]
        case "arm not awaited":
            _replace_apply(_late(Move.ARMED))
        case "told before recorded":
            _replace_apply(_late(Move.STARTED))
        case "no fsync":
            sqlite_file._DURABLE = ("PRAGMA synchronous = OFF",)  # type: ignore[misc, assignment]


def _replace_apply(change_apply: Callable[[Apply], Apply]) -> None:
    SqliteLedger.apply = change_apply(SqliteLedger.apply)  # type: ignore[method-assign, assignment]


def _never_sent(record: JobRecord, at: float) -> Change:
    return Change(job_id=record.id, move=Move.NOT_STARTED, at=at)


def _without_intent(apply: Apply) -> Apply:
    """Write that a job was armed only together with its answer."""
    armed: dict[str, Change] = {}

    async def applied(self: SqliteLedger, change: Change, *rest: Any) -> JobRecord:
        if change.move is Move.ARMED:
            armed[change.job_id] = change
            return moved(await _record(self, change), change)
        if change.job_id in armed:
            await apply(self, armed.pop(change.job_id))
        return await apply(self, change, *rest)

    return applied


def _late(move: Move) -> Callable[[Apply], Apply]:
    """Write a move some time after it was told."""

    def change_apply(apply: Apply) -> Apply:
        writing: set[asyncio.Task[Any]] = set()

        async def write(self: SqliteLedger, change: Change, *rest: Any) -> None:
            await asyncio.sleep(LATE_S)
            await apply(self, change, *rest)

        async def applied(self: SqliteLedger, change: Change, *rest: Any) -> JobRecord:
            if change.move is not move:
                await asyncio.gather(*writing)
                return await apply(self, change, *rest)
            record = moved(await _record(self, change), change)
            task = asyncio.create_task(write(self, change, *rest))
            writing.add(task)
            task.add_done_callback(writing.discard)
            return record

        return applied

    return change_apply


async def _record(ledger: SqliteLedger, change: Change) -> JobRecord:
    record = await ledger.get(change.job_id)
    assert record is not None
    return record
