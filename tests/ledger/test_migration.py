"""A ledger of an earlier version: opened, it becomes one of this version, whole or not at all."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from veo_async.codec import request_digest
from veo_async.engine.lifecycle import Move, State
from veo_async.errors import LedgerError
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import JobId, Unknown, VideoRequest

from .samples import job, move

pytestmark = pytest.mark.anyio

# As version 1 wrote it, to the letter: never to be changed.
VERSION_1 = (
    """CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        request TEXT,
        digest TEXT NOT NULL,
        idempotency_key TEXT,
        provider TEXT NOT NULL,
        origin TEXT NOT NULL,
        model TEXT NOT NULL,
        operation TEXT,
        outcome TEXT,
        attempts INTEGER NOT NULL,
        cost_estimate REAL,
        created_at REAL NOT NULL,
        armed_at REAL,
        accepted_at REAL,
        finished_at REAL,
        moves TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE UNIQUE INDEX jobs_key ON jobs (idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE UNIQUE INDEX jobs_operation ON jobs (operation, provider) WHERE operation IS NOT NULL",
    """CREATE TABLE files (
        job_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        path TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        size INTEGER NOT NULL,
        stored_at REAL NOT NULL,
        PRIMARY KEY (job_id, position)
    ) WITHOUT ROWID""",
    """CREATE TABLE needs (
        sha256 TEXT NOT NULL,
        job_id TEXT NOT NULL,
        PRIMARY KEY (sha256, job_id)
    ) WITHOUT ROWID""",
    f"PRAGMA application_id = {0x76656F31}",
    "PRAGMA user_version = 1",
)
# What version 2 added to it, to the letter as well.
VERSION_2 = (
    "ALTER TABLE jobs ADD COLUMN replaces TEXT",
    "ALTER TABLE jobs ADD COLUMN adopted TEXT",
    "CREATE UNIQUE INDEX jobs_replaces ON jobs (replaces) WHERE replaces IS NOT NULL",
    "PRAGMA user_version = 2",
)
REQUEST = VideoRequest("A paper boat", model="veo-3.1-fast")
OUTCOMES = {
    "succeeded": {
        "state": "succeeded",
        "billed": "yes",
        "result": {"videos": [{"uri": "https://v.example/1"}]},
    },
    "unknown": {"state": "unknown", "billed": "unknown", "reason": "lost"},
}


def row(number: int, state: str, **facts: Any) -> dict[str, Any]:
    """Return a row as version 1 wrote it."""
    outcome = OUTCOMES.get(state)
    defaults: dict[str, Any] = {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "state": state,
        "request": json.dumps({"prompt": "A paper boat", "model": "veo-3.1-fast"}),
        "digest": request_digest(REQUEST),
        "provider": "gptproto",
        "origin": "https://gptproto.example",
        "model": "veo-3.1-fast-generate-preview",
        "outcome": None if outcome is None else json.dumps(outcome),
        "attempts": 1,
        "cost_estimate": 1.2,
        "created_at": 1000.25,
        "moves": "armed 1001.5\n",
    }
    return defaults | facts


ROWS = (
    row(1, "queued", idempotency_key="scene-1", attempts=0, moves=""),
    row(2, "armed", armed_at=1001.5),
    row(3, "running", armed_at=1001.5, accepted_at=1002.5, operation="models/veo/operations/3"),
    row(4, "succeeded", armed_at=1001.5, finished_at=1003.5, operation="models/veo/operations/4"),
    row(5, "unknown", armed_at=1001.5, cost_estimate=None),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of version 1 that a dead process left."""
    path = tmp_path / "jobs.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in VERSION_1:
            connection.execute(statement)
        for facts in ROWS:
            marks = ", ".join("?" * len(facts))
            connection.execute(
                f"INSERT INTO jobs ({', '.join(facts)}) VALUES ({marks})", list(facts.values())
            )
    return path


@pytest.fixture
def second(path: Path) -> Path:
    """The same, as version 2 left it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in VERSION_2:
            connection.execute(statement)
    return path


def asked(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def tables(path: Path) -> dict[str, Any]:
    """Return what each table and each index is made of."""
    names = asked(path, "SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL")
    return {name: asked(path, f"PRAGMA {kind}_xinfo({name})") for kind, name in names}


async def opened(path: Path) -> list[JobRecord]:
    ledger = SqliteLedger(path)
    await ledger.open()
    try:
        return list(await ledger.select())
    finally:
        await ledger.close()


async def test_an_earlier_ledger_is_read_whole_and_goes_on(path: Path) -> None:
    ledger = SqliteLedger(path)
    await ledger.open()
    records = list(await ledger.select())
    assert [record.state for record in records] == ["queued", "unknown", "running", "succeeded", "unknown"]
    assert records[0] == JobRecord(
        id=JobId(ROWS[0]["id"]),
        state=State.QUEUED,
        request=REQUEST,
        digest=request_digest(REQUEST),
        idempotency_key="scene-1",
        provider="gptproto",
        origin="https://gptproto.example",
        model="veo-3.1-fast-generate-preview",
        cost_estimate=1.2,
        created_at=1000.25,
    )
    assert [entry.move for entry in await ledger.moves(records[1].id)] == [Move.ARMED, Move.SILENCED]
    assert await ledger.find("gptproto", "models/veo/operations/3") == records[2]
    # And what only this version can do.
    again = await ledger.add(job(digest=records[4].digest, replaces=records[4].id))
    adopted = move(records[4], Move.STARTED, name="models/veo/operations/5")
    assert (await ledger.apply(adopted)).operation == "models/veo/operations/5"
    await ledger.close()
    assert {record.replaces for record in await opened(path)} == {None, records[4].id}
    assert again.id in {record.id for record in await opened(path)}


async def test_an_earlier_ledger_becomes_the_same_as_a_new_one(path: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    await opened(path)
    await opened(new)
    assert tables(path) == tables(new)
    assert asked(path, "PRAGMA user_version") == asked(new, "PRAGMA user_version") == [(3,)]


async def test_a_ledger_of_version_2_becomes_the_same_as_a_new_one(second: Path, tmp_path: Path) -> None:
    """What was learned of waiting times can be kept in it from then on."""
    new = tmp_path / "new.db"
    assert len(await opened(second)) == len(await opened(new)) + len(ROWS)
    assert tables(second) == tables(new)
    assert asked(second, "PRAGMA user_version") == [(3,)]


async def test_a_reader_reads_a_ledger_of_version_2_and_leaves_it_so(second: Path) -> None:
    reader = SqliteLedger.read_only(second)
    await reader.open()
    assert [record.state for record in await reader.select()] == [facts["state"] for facts in ROWS]
    assert await reader.waiting_times("gptproto") == []
    await reader.close()
    assert asked(second, "PRAGMA user_version") == [(2,)]


async def test_what_stands_in_the_way_leaves_the_earlier_ledger_as_it_was(path: Path) -> None:
    """Half of the change is made already when it fails."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs_replaces (x)")
    before = tables(path), asked(path, "SELECT * FROM jobs")
    with pytest.raises(LedgerError, match="jobs_replaces"):
        await opened(path)
    assert (tables(path), asked(path, "SELECT * FROM jobs")) == before
    assert asked(path, "PRAGMA user_version") == [(1,)]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE jobs_replaces")
    assert len(await opened(path)) == len(ROWS)


async def test_a_reader_reads_an_earlier_ledger_and_leaves_it_so(path: Path) -> None:
    reader = SqliteLedger.read_only(path)
    await reader.open()
    found = list(await reader.select())
    assert [record.state for record in found] == [facts["state"] for facts in ROWS]
    assert all((record.replaces, record.adopted) == (None, None) for record in found)
    assert await reader.get(found[2].id) == found[2]
    outcome = found[4].outcome
    assert isinstance(outcome, Unknown)
    await reader.close()
    assert asked(path, "PRAGMA user_version") == [(1,)]


async def test_a_reader_goes_on_while_the_owner_makes_it_a_new_one(path: Path) -> None:
    reader = SqliteLedger.read_only(path)
    await reader.open()
    await opened(path)
    assert [record.state for record in await reader.select()][1] is State.UNKNOWN
    await reader.close()
