"""What can still be read of a torn ledger: every operation name whose bytes are whole."""

import random
import shutil
from pathlib import Path

import pytest

from veo_async.engine.lifecycle import Move
from veo_async.ledger.records import JobRecord
from veo_async.ledger.salvage import Salvaged, find_operations, salvage
from veo_async.ledger.sqlite import SqliteLedger

from .samples import SUCCEEDED, job, move

pytestmark = pytest.mark.anyio

VERTEX = "projects/p-1/locations/us-central1/publishers/google/models/veo-3.1/operations/{}-8c42"
NAMES = ("models/veo-3.1/operations/{}abc", "task_{}_x", "video_{}", "{}", VERTEX)
"""As the surfaces give them; an id alone has no shape to be known by."""


def name(number: int) -> str:
    return NAMES[number % len(NAMES)].format(number + 1000)


async def fill(ledger: SqliteLedger, jobs: int, prompt: str = "A paper boat") -> list[JobRecord]:
    """Return jobs that run or ended; some are queued and have no operation."""
    records = [job(prompt) for _ in range(jobs + 5)]
    await ledger.add_many(records)
    for number, record in enumerate(records[:jobs]):
        await ledger.apply(move(record, Move.ARMED))
        await ledger.apply(move(record, Move.STARTED, name=name(number)))
        if number % 3 == 0:
            await ledger.apply(move(record, Move.SUCCEEDED, outcome=SUCCEEDED))
    return records[:jobs]


def told(records: list[JobRecord]) -> set[Salvaged]:
    return {Salvaged(name(number), "gptproto", record.id) for number, record in enumerate(records)}


@pytest.mark.parametrize("prompt", ["A paper boat", "A long story. " * 1000])
async def test_every_operation_is_found_with_its_job(sqlite: SqliteLedger, prompt: str) -> None:
    """Of a file that is open, its log still full, and of one that is closed; rows on one page or on many."""
    records = await fill(sqlite, 60, prompt)
    assert set(find_operations(sqlite.path)) == told(records)
    await sqlite.close()
    assert set(find_operations(sqlite.path)) == told(records)
    assert sorted(salvage(sqlite.path)) == sorted(map(name, range(60)))


async def test_what_was_spilled_is_found(sqlite: SqliteLedger) -> None:
    record = await sqlite.add(job())
    await sqlite.apply(move(record, Move.ARMED))
    await sqlite.spill(move(record, Move.STARTED, name="task_1"))
    assert salvage(sqlite.path) == ["task_1"]


async def test_the_log_alone_is_enough(sqlite: SqliteLedger) -> None:
    records = await fill(sqlite, 20)
    shutil.copy(f"{sqlite.path}-wal", sqlite.path.with_name("torn.db-wal"))
    sqlite.path.with_name("torn.db").write_bytes(b"")
    assert set(find_operations(sqlite.path.with_name("torn.db"))) == told(records)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut a file, flip bytes in it, or write over a part."""
    kind = chance.choice(["cut", "head", "flip", "over", "zero"])
    start = chance.randrange(len(content))
    if kind == "cut":
        return content[:start]
    if kind == "head":
        return content[start:]
    if kind == "flip":
        torn = bytearray(content)
        for _ in range(chance.randrange(1, 3000)):
            torn[chance.randrange(len(torn))] ^= 1 << chance.randrange(8)
        return bytes(torn)
    size = chance.randrange(1, 20_000)
    garbage = bytes(size) if kind == "zero" else chance.randbytes(size)
    return content[:start] + garbage + content[start + size :]


async def test_every_name_whose_bytes_are_whole_is_found_whatever_else_is_not(
    sqlite: SqliteLedger, tmp_path: Path
) -> None:
    await fill(sqlite, 150)
    await sqlite.close()
    content, chance = sqlite.path.read_bytes(), random.Random(7)
    torn = tmp_path / "torn.db"
    entries = {name(number): entry_of(content, name(number)) for number in range(150)}
    lost = 0
    for _ in range(30):
        torn.write_bytes(damaged(content, chance))
        whole, found = torn.read_bytes(), set(salvage(torn))
        readable = {each for each in entries if entries[each] in whole or shape_in(whole, each)}
        assert readable <= found
        lost += len(entries) - len(readable)
    assert lost > 50  # or nothing was torn


def entry_of(content: bytes, operation: str) -> bytes:
    """Return the entry of an operation in the index: header, name, provider, `seq`."""
    text = f"{operation}gptproto".encode()
    start = content.index(text)
    header = 5 if len(operation) > 57 else 4
    return content[start - header : start + len(text) + 1]


def shape_in(content: bytes, operation: str) -> bool:
    """Whether a name that can be known by its shape stands somewhere, with its end to be seen."""
    return "/operations/" in operation and operation.encode() + b'"' in content


async def test_other_bytes_hold_no_operations(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_bytes(random.Random(1).randbytes(1 << 20))
    assert salvage(path) == []


async def test_looking_writes_nothing(sqlite: SqliteLedger) -> None:
    await fill(sqlite, 5)
    await sqlite.close()
    before = {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sqlite.path.parent.glob("jobs.db*")
    }
    salvage(sqlite.path)
    after = {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sqlite.path.parent.glob("jobs.db*")
    }
    assert after == before


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        salvage(tmp_path / "jobs.db")
