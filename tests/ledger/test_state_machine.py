"""Memory and SQLite are asked the same things and must say the same, whatever the order."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from veo_async.engine.lifecycle import TRANSITIONS, IllegalTransitionError, Move, State
from veo_async.errors import VeoError
from veo_async.ledger import Ledger
from veo_async.ledger.memory import MemoryLedger
from veo_async.ledger.money import Accounts, Caps, accounts
from veo_async.ledger.records import Change, FileRecord, JobRecord, MoveRecord
from veo_async.ledger.rules import unless_taken
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import JobId, Outcome, Result, Succeeded, Video

from .samples import job, move
from .threads import file_size_limit

T = TypeVar("T")
Ask = Callable[[Ledger], Coroutine[Any, Any, Any]]
CONTENTS = (b"one picture", b"another picture")


async def told(attempt: Coroutine[Any, Any, Any]) -> Any:
    """Return the result, or what kind of error it was."""
    try:
        return await attempt
    except (VeoError, IllegalTransitionError) as error:
        return type(error), getattr(error, "operation", None), getattr(error, "reason", None)


class Both(RuleBasedStateMachine):
    """The memory ledger is the model of the SQLite ledger."""

    jobs = Bundle[JobRecord]("jobs")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.ledgers: list[Ledger] = [MemoryLedger(), SqliteLedger(Path(self.folder.name) / "jobs.db")]
        for ledger in self.ledgers:
            self.run(ledger.open())
        self.digests: set[str] = set()
        self.at = 2000.0

    def run(self, attempt: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(attempt)

    def both(self, ask: Ask) -> Any:
        memory, sqlite = (self.run(told(ask(ledger))) for ledger in self.ledgers)
        assert sqlite == memory
        return memory

    @rule(content=st.sampled_from(CONTENTS))
    def keep(self, content: bytes) -> None:
        self.keep_both(content)

    def keep_both(self, content: bytes) -> str:
        sha256: str = self.both(lambda ledger: ledger.keep(content))
        self.digests.add(sha256)
        return sha256

    @rule(
        target=jobs,
        key=st.sampled_from([None, None, "a", "b"]),
        prompt=st.sampled_from(["boat", "train"]),
        image=st.sampled_from([None, *CONTENTS]),
    )
    def add(self, key: str | None, prompt: str, image: bytes | None) -> JobRecord:
        sha256 = None if image is None else self.keep_both(image)
        record = job(prompt, key=key, image=sha256)
        self.both(lambda ledger: ledger.add(record))
        return record

    @rule(names=st.lists(st.sampled_from("123"), max_size=3), key=st.sampled_from([None, "a"]))
    def attach_many(self, names: list[str], key: str | None) -> None:
        records = [
            job(state=State.RUNNING, operation=name, request=None, digest="", idempotency_key=key)
            for name in names
        ]
        self.both(lambda ledger: ledger.add_many(records))

    @rule(target=jobs, old=jobs, key=st.sampled_from([None, None, "a"]), other=st.booleans())
    def replace(self, old: JobRecord, key: str | None, other: bool) -> JobRecord:
        known = self.run(self.ledgers[0].get(old.id))
        digest = "another" if known is None or other else known.digest
        record = job(key=key, digest=digest, replaces=old.id)
        self.both(lambda ledger: ledger.add(record))
        return record

    @rule(first=jobs, second=jobs)
    def replace_many(self, first: JobRecord, second: JobRecord) -> None:
        """All or none, and a second replacement of one job is the first."""
        records = [job(digest=old.digest, replaces=old.id) for old in (first, second, first)]
        self.both(lambda ledger: ledger.add_many(records))

    @rule(record=jobs, what=st.sampled_from(Move), name=st.sampled_from([None, "1", "2", "3"]))
    def move_somehow(self, record: JobRecord, what: Move, name: str | None) -> None:
        self.both(lambda ledger: ledger.apply(move(record, what, name=name)))

    @rule(
        record=jobs,
        cost=st.sampled_from([None, 0.0, 1.2, 3.6, 6.0]),
        unknown=st.sampled_from([None, 0.0, 2.4]),
    )
    def arm_within_caps(self, record: JobRecord, cost: float | None, unknown: float | None) -> None:
        caps = Caps(max_cost=cost, max_unknown_cost=unknown)
        self.both(lambda ledger: ledger.apply(move(record, Move.ARMED), caps))

    @rule(record=jobs, name=st.sampled_from([None, "1", "2"]), what=st.sampled_from(Move))
    def spill(self, record: JobRecord, name: str | None, what: Move) -> None:
        """What the file could not take is what memory was told: both know it after the next write."""
        memory, sqlite = self.ledgers
        self.at += 1
        change = move(record, what, self.at, name=name)
        self.run(told(memory.apply(self.unless_taken(change, record.provider))))
        self.run(sqlite.spill(change))
        self.run(sqlite.release("nothing"))

    def unless_taken(self, change: Change, provider: str) -> Change:
        operation = change.operation
        if operation is None:
            return change
        return unless_taken(change, self.run(self.ledgers[0].find(provider, operation)))

    @rule(records=st.lists(jobs, max_size=3))
    def fail_together(self, records: list[JobRecord]) -> None:
        """A transaction that comes to nothing as a whole: the disk fails under it, and is well again."""
        sqlite = self.ledgers[1]
        assert isinstance(sqlite, SqliteLedger)
        changes = [move(record, Move.ARMED) for record in records]
        log = sqlite.path.with_name("jobs.db-wal")
        with file_size_limit(log.stat().st_size if log.exists() else 0):
            attempts = [sqlite.add(job(cost_estimate=7.0)), *map(sqlite.apply, changes)]
            results = self.run(together(attempts))
        assert all(isinstance(result, Exception) for result in results)
        self.run(sqlite.reopen())

    @rule()
    def come_back(self) -> None:
        """The process ends and another takes over; for memory, as if it had."""
        memory: Any = self.ledgers[0]
        memory._pins.clear()
        for sha256 in list(memory._content):
            memory._drop(sha256)
        self.run(self.ledgers[1].close())
        with patch("time.time", return_value=9.5):
            for ledger in self.ledgers:
                self.run(ledger.open())

    @rule(record=jobs, index=st.integers(0, 1))
    def store(self, record: JobRecord, index: int) -> None:
        file = FileRecord(job_id=record.id, index=index, path="/0.mp4", sha256="", size=1, stored_at=1.0)
        self.both(lambda ledger: ledger.add_file(file))

    @rule(before=st.sampled_from([0.0, 2.0, 3.0, 1e9]))
    def prune(self, before: float) -> None:
        self.both(lambda ledger: ledger.prune(before))

    @rule(record=jobs, name=st.sampled_from(["1", "2", "3", "4", "5"]), pick=st.integers(0, 9))
    def move_well(self, record: JobRecord, name: str, pick: int) -> None:
        known = self.run(self.ledgers[0].get(record.id))
        moves = [] if known is None else sorted(TRANSITIONS[known.state])
        if known is None or not moves:
            return
        what = moves[pick % len(moves)]
        operation = name if what is Move.STARTED else None
        outcome: Outcome | None = None
        if what is Move.SUCCEEDED:
            sha256 = self.keep_both(CONTENTS[0])
            outcome = Succeeded(result=Result(videos=(Video(sha256=sha256),)))
        change = Change(job_id=record.id, move=what, at=2.5, operation=operation, outcome=outcome)
        self.both(lambda ledger: ledger.apply(change))

    @rule(record=jobs, name=st.sampled_from("12345"))
    def look(self, record: JobRecord, name: str) -> None:
        self.both(lambda ledger: ledger.get(record.id))
        self.both(lambda ledger: ledger.find("gptproto", name))

    @invariant()
    def same(self) -> None:
        records = self.both(lambda ledger: ledger.select())
        for record in records:
            self.both(partial(moves_of, record.id))
        recount = accounts(records)
        for sums in self.sums():
            assert sums.asked == recount.asked
            assert {place: part for place, part in sums.parts.items() if part.jobs} == recount.parts
        for sha256 in self.digests:
            memory, sqlite = (self.run(told(ledger.content(sha256))) for ledger in self.ledgers)
            assert isinstance(memory, bytes) is isinstance(sqlite, Path), sha256
            assert not isinstance(sqlite, Path) or sqlite.read_bytes() == memory

    def sums(self) -> list[Accounts]:
        memory, sqlite = cast("list[Any]", self.ledgers)
        kept = sqlite._file.store._accounts  # None until a cap was asked for
        return [memory._accounts, *([] if kept is None else [kept])]

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        self.run(self.ledgers[1].close())
        self.loop.close()
        self.folder.cleanup()


async def together(attempts: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*attempts, return_exceptions=True)


async def moves_of(job_id: JobId, ledger: Ledger) -> list[MoveRecord]:
    return list(await ledger.moves(job_id))


TestBoth = Both.TestCase
TestBoth.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
