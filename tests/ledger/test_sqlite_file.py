"""Opening a ledger file: who may, what is refused, and what each refusal says to do."""

import asyncio
import contextlib
import gc
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from veo_async.engine.lifecycle import Move, State
from veo_async.errors import ConfigurationError, LedgerError
from veo_async.ledger import open_ledger, sqlite_file
from veo_async.ledger.records import FileRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import Result, Succeeded, Video

from .samples import PNG, job, move
from .threads import file_size_limit, in_thread

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def umask(mask: int) -> Generator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in folder.rglob("*")}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def chmod(path: Path, to: int) -> None:
    path.chmod(to)


async def refusal(path: Path) -> LedgerError:
    threads = threading.active_count()
    with pytest.raises(LedgerError) as caught:
        await SqliteLedger(path).open()
    for _ in range(200):  # the thread ends by itself
        if threading.active_count() == threads:
            break
        await asyncio.sleep(0.005)
    assert threading.active_count() == threads
    assert caught.value.__cause__ is None
    return caught.value


async def filled(path: Path, jobs: int = 1) -> SqliteLedger:
    ledger = SqliteLedger(path)
    await ledger.open()
    await ledger.add_many([job() for _ in range(jobs)])
    return ledger


@pytest.mark.parametrize("mask", [0, 0o777])
async def test_files_are_for_their_owner_only_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        ledger = await filled(tmp_path / "jobs.db")
        sha256 = await ledger.keep(PNG)
    found = modes(tmp_path)
    await ledger.close()
    assert found == {
        "jobs.db": 0o600,
        "jobs.db-wal": 0o600,
        "jobs.db-shm": 0o600,
        "jobs.db.lock": 0o600,
        "jobs.db.spill": 0o600,
        "jobs.db.media": 0o700,
        sha256: 0o600,
    }


async def test_a_file_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    await (await filled(path)).close()
    chmod(path, 0o644)
    ledger = SqliteLedger(path)
    await ledger.open()
    await ledger.close()
    assert mode(path) == 0o600


async def test_a_folder_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    chmod(tmp_path, 0o777)
    assert "chmod o-w" in str(await refusal(tmp_path / "jobs.db"))
    assert names(tmp_path) == []
    chmod(tmp_path, 0o1777)  # as /tmp is: nobody can replace another's file
    await (await filled(tmp_path / "jobs.db")).close()


async def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "make it first" in str(await refusal(tmp_path / "nowhere" / "jobs.db"))


async def test_a_folder_as_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").mkdir()
    assert "it is a folder" in str(await refusal(tmp_path / "jobs.db"))


async def test_another_kind_of_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("prompt,model\nA paper boat,veo-3.1\n" * 100)
    assert "another kind of file" in str(await refusal(path))
    assert path.read_text().startswith("prompt,model\n")


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        connection.execute("CREATE TABLE jobs (id)")
    assert "another program" in str(await refusal(tmp_path / "jobs.db"))


async def test_a_ledger_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    await (await filled(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "upgrade" in str(await refusal(path))
    with pytest.raises(LedgerError, match="upgrade"):
        await SqliteLedger.read_only(path).open()


async def test_a_ledger_without_a_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    await (await filled(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 0")
    assert "another program" in str(await refusal(path))


async def test_a_file_that_another_program_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    await (await filled(path)).close()
    monkeypatch.setattr(sqlite_file, "_BUSY_S", 0.02)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert "another program has held the database" in str(await refusal(path))
    await (await filled(path)).close()


@pytest.mark.parametrize("size", [0, 4096, 20_000, 100_000])
async def test_a_disk_without_room_for_a_ledger_is_refused(tmp_path: Path, size: int) -> None:
    """Neither room for the tables, nor for the file that takes answers when there is no room."""
    path = tmp_path / "jobs.db"
    with file_size_limit(size):
        assert "disk" in str(await refusal(path))
    await (await filled(path)).close()


async def test_a_file_system_that_turned_read_only_is_said(sqlite: SqliteLedger) -> None:
    """As Linux does with a disk that has errors."""
    record = await sqlite.add(job())
    await in_thread(sqlite, lambda connection: connection.execute("PRAGMA query_only = ON"))
    for _ in range(2):
        with pytest.raises(LedgerError, match="cannot be written: look at the permissions"):
            await sqlite.apply(move(record, Move.ARMED))
    assert await sqlite.select() == [record]
    await sqlite.reopen()
    await sqlite.apply(move(record, Move.ARMED))


async def run_jobs(ledger: SqliteLedger, numbers: range, words: str) -> None:
    """Take jobs to their end; all they say is `words`."""
    records = [job(words) for _ in numbers]
    await ledger.add_many(records)
    outcome = Succeeded(result=Result(videos=(Video(uri="https://v.example/1"),)), raw=words * 300)
    for number, record in zip(numbers, records, strict=True):
        await ledger.apply(move(record, Move.ARMED))
        await ledger.apply(move(record, Move.STARTED, name=f"operations/{number}"))
        await ledger.apply(move(record, Move.SUCCEEDED, outcome=outcome))


async def test_pruned_words_are_overwritten_and_their_pages_used_again(tmp_path: Path) -> None:
    """Neither the file nor its log holds them, though the file keeps its size."""
    path, words = tmp_path / "jobs.db", "the secret garden of paper boats"
    ledger = SqliteLedger(path)
    await ledger.open()
    await run_jobs(ledger, range(100), words)
    assert (await ledger.prune(1e9)).jobs == 100
    assert files_with(words, tmp_path) == []
    size = path.stat().st_size
    await run_jobs(ledger, range(100, 190), words)
    await ledger.close()
    assert path.stat().st_size <= size * 1.1


def files_with(words: str, folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if words.encode() in path.read_bytes()]


def damage_index(path: Path) -> None:
    """Overwrite a page that nothing reads when the ledger is opened."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs_operation'"
        page = connection.execute(query).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content = path.read_bytes()
    path.write_bytes(content[: (page - 1) * size] + b"\xff" * size + content[page * size :])


async def test_damage_is_found_before_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    await (await filled(path)).close()
    damage_index(path)
    assert "damaged" in str(await refusal(path))


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
async def test_a_damaged_ledger_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "jobs.db"
    await (await filled(path, 200)).close()
    content = path.read_bytes()
    assert len(content) > 40_000
    damaged = content[:30_000] if damage == "cut" else content[:20_000] + b"\xff" * 8192 + content[28_192:]
    path.write_bytes(damaged)
    assert "damaged" in str(await refusal(path))
    assert path.read_bytes() == damaged


async def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    chmod(tmp_path, 0o500)
    try:
        assert "permissions" in str(await refusal(tmp_path / "jobs.db"))
    finally:
        chmod(tmp_path, 0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc here")
async def test_proc_is_no_place_for_a_ledger() -> None:
    assert "/proc/" in str(await refusal(Path("/proc/self/jobs.db")))


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="ledger=None"):
        open_ledger(path)


def test_a_ledger_in_memory_needs_no_sqlite() -> None:
    code = "from veo_async.ledger import *; open_ledger(None); import sys; print('sqlite3' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


# One owner


async def test_a_second_owner_is_told_who_has_it(tmp_path: Path, sqlite: SqliteLedger) -> None:
    error = await refusal(sqlite.path)
    assert error.owner_pid == os.getpid()
    assert "one session" in str(error)


async def test_a_link_to_a_ledger_is_the_same_ledger(tmp_path: Path, sqlite: SqliteLedger) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(sqlite.path)
    assert (await refusal(link)).owner_pid == os.getpid()


OWNER = """
import asyncio, sys
from veo_async.ledger.sqlite import SqliteLedger
async def main():
    ledger = SqliteLedger(sys.argv[1])
    await ledger.open()
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@contextlib.contextmanager
def another_owner(path: Path) -> Generator[int]:
    """Another process that has the ledger, killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        try:
            yield owner.pid
        finally:
            owner.kill()


async def test_another_process_is_told_the_owner_and_takes_over_when_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with another_owner(path) as pid:
        error = await refusal(path)
        assert error.owner_pid == pid
        assert f"ledger {path} is in use: process {pid} has it open" in str(error)
        assert "veo-async jobs" in str(error)
    await (await filled(path)).close()


async def test_a_closed_ledger_can_be_taken_by_another(tmp_path: Path, sqlite: SqliteLedger) -> None:
    await sqlite.close()
    await (await filled(sqlite.path)).close()
    await sqlite.open()
    assert len(await sqlite.select()) == 1


async def test_opening_twice_is_refused_and_harms_nothing(sqlite: SqliteLedger) -> None:
    with pytest.raises(ConfigurationError, match="open already"):
        await sqlite.open()
    await sqlite.add(job())


async def test_a_ledger_that_is_not_open_says_so(tmp_path: Path, sqlite: SqliteLedger) -> None:
    await sqlite.close()
    for attempt in (sqlite.add(job()), sqlite.select(), sqlite.keep(PNG)):
        with pytest.raises(LedgerError, match="not open"):
            await attempt


async def test_another_loop_is_refused(sqlite: SqliteLedger) -> None:
    async def elsewhere() -> None:
        await sqlite.add(job())

    with pytest.raises(ConfigurationError, match="event loop"):
        await anyio.to_thread.run_sync(asyncio.run, elsewhere())
    assert await sqlite.select() == []


async def refused_after_fork(ledger: SqliteLedger, pipe: int) -> None:
    """Tell through the pipe how the ledger refused, and stay alive until killed."""
    try:
        await ledger.add(job())
    except ConfigurationError as error:
        os.write(pipe, str(error).encode())
    os.close(pipe)
    await asyncio.sleep(30)


@contextlib.contextmanager
def forked(ledger: SqliteLedger) -> Generator[str]:
    """A forked child that lives until the end; gives what it had to say."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(refused_after_fork(ledger, writing))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    try:
        yield told
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forking with threads is what is tested
async def test_a_forked_child_is_refused_and_does_not_hold_the_lock(sqlite: SqliteLedger) -> None:
    with forked(sqlite) as told:
        assert "before a fork" in told
        await sqlite.close()
        await (await filled(sqlite.path)).close()


# Only to look


async def test_a_reader_sees_what_the_owner_wrote(sqlite: SqliteLedger) -> None:
    sha256 = await sqlite.keep(PNG)
    record = await sqlite.add(job(image=sha256))
    file = FileRecord(job_id=record.id, index=0, path="/out/0.mp4", sha256="ab" * 32, size=5, stored_at=2.5)
    await sqlite.add_file(file)
    armed = await sqlite.apply(move(record, Move.ARMED))
    reader = SqliteLedger.read_only(sqlite.path)
    await reader.open()
    assert await reader.select() == [armed]  # and it did not become unknown
    assert await reader.get(record.id) == armed
    assert list(await reader.files(record.id)) == [file]
    assert [entry.move for entry in await reader.moves(record.id)] == [Move.ARMED]
    assert await reader.content(sha256) == await sqlite.content(sha256)
    unknown = await sqlite.apply(move(record, Move.SILENCED))
    assert await reader.select({State.UNKNOWN}) == [unknown]
    await reader.close()


async def test_a_reader_writes_nothing(sqlite: SqliteLedger) -> None:
    record = await sqlite.add(job())
    reader = SqliteLedger.read_only(sqlite.path)
    await reader.open()
    file = FileRecord(job_id=record.id, index=0, path="/out/0.mp4", sha256="ab" * 32, size=5, stored_at=2.5)
    for attempt in (
        reader.add(job()),
        reader.apply(move(record, Move.ARMED)),
        reader.keep(PNG),
        reader.add_file(file),
    ):
        with pytest.raises(LedgerError, match="to look at it only"):
            await attempt
    with pytest.raises(LedgerError, match="cannot be written"):  # nor could it
        await in_thread(reader, lambda connection: connection.execute("DELETE FROM jobs"))
    await reader.close()


async def test_a_reader_needs_no_owner(sqlite: SqliteLedger) -> None:
    record = await sqlite.add(job())
    await sqlite.close()
    reader = SqliteLedger.read_only(sqlite.path)
    await reader.open()
    assert await reader.select() == [record]
    await sqlite.open()  # nor does it keep one out
    await reader.close()


async def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"jobs\.db"):
        await SqliteLedger.read_only(tmp_path / "jobs.db").open()
    assert names(tmp_path) == []


# What a dead process leaves behind


async def test_content_that_no_job_needs_is_swept_away(sqlite: SqliteLedger) -> None:
    needed = await sqlite.keep(PNG)
    await sqlite.add(job(image=needed))
    orphan = await sqlite.content(await sqlite.keep(b"kept, and the process died before its job was"))
    assert isinstance(orphan, Path)
    half = orphan.with_name(f"{needed}.12345678")
    half.write_bytes(b"\x89PN")
    other = orphan.with_name("notes.txt")
    other.write_text("not ours")
    await sqlite.close()
    await sqlite.open()
    assert names(orphan.parent) == sorted([needed, "notes.txt"])


async def test_content_is_whole_or_not_there(sqlite: SqliteLedger) -> None:
    """The kernel writes the first bytes and refuses the rest, as it does on a full disk."""
    kept = await sqlite.keep(b"before")
    with file_size_limit(10), pytest.raises(LedgerError, match="free some space"):
        await sqlite.keep(PNG * 10)
    assert names(sqlite.path.with_name("jobs.db.media")) == [kept]
    await sqlite.keep(PNG * 10)


async def test_nothing_but_content_is_given_out(sqlite: SqliteLedger) -> None:
    await sqlite.keep(PNG)
    with pytest.raises(LedgerError, match="not kept here"):
        await sqlite.content("../jobs.db")


async def test_content_that_jobs_name_is_pinned_no_more(sqlite: SqliteLedger) -> None:
    picture, video = await sqlite.keep(PNG), await sqlite.keep(b"a whole video")
    await sqlite.add(job(image=picture))
    record = await sqlite.add(job(state=State.RUNNING, operation="operations/1"))
    outcome = Succeeded(result=Result(videos=(Video(sha256=video),)))
    await sqlite.apply(move(record, Move.SUCCEEDED, outcome=outcome))
    inner: Any = sqlite
    assert dict(inner._blobs.pins) == {}


async def test_no_thread_stays_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    ledger = await filled(tmp_path / "jobs.db")
    await ledger.keep(PNG)
    assert threading.active_count() == before + 2
    await ledger.close()
    assert threading.active_count() == before
    gc.collect()


def test_a_loop_that_ended_amid_a_write_gives_the_ledger_back(tmp_path: Path) -> None:
    """A program that forgot to close: the write is done; as nobody is left to tell, the file is closed."""
    free = threading.Event()
    ledger = SqliteLedger(tmp_path / "jobs.db")

    async def forget() -> None:
        await ledger.open()
        writes = [in_thread(ledger, lambda _: free.wait(10)), ledger.add(job())]
        ledger_tasks.extend(asyncio.ensure_future(write) for write in writes)
        await asyncio.sleep(0)

    ledger_tasks: list[asyncio.Future[Any]] = []
    threads = threading.active_count()
    asyncio.run(forget())
    free.set()
    for _ in range(1000):
        if threading.active_count() == threads:
            break
        time.sleep(0.005)

    async def again() -> int:
        other = SqliteLedger(tmp_path / "jobs.db")
        await other.open()
        jobs = len(await other.select())
        await other.close()
        return jobs

    assert asyncio.run(again()) == 1
