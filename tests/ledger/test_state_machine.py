"""Memory and SQLite are asked the same things and must say the same, whatever the order."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from veo_async.engine.lifecycle import TRANSITIONS, IllegalTransitionError, Move, State
from veo_async.errors import VeoError
from veo_async.ledger import Ledger
from veo_async.ledger.memory import MemoryLedger
from veo_async.ledger.records import Change, JobRecord, MoveRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import JobId, Outcome, Result, Succeeded, Video

from .samples import job, move

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

    @rule(record=jobs, what=st.sampled_from(Move), name=st.sampled_from([None, "1", "2", "3"]))
    def move_somehow(self, record: JobRecord, what: Move, name: str | None) -> None:
        self.both(lambda ledger: ledger.apply(move(record, what, name=name)))

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
        for record in self.both(lambda ledger: ledger.select()):
            self.both(partial(moves_of, record.id))
        for sha256 in self.digests:
            memory, sqlite = (self.run(told(ledger.content(sha256))) for ledger in self.ledgers)
            assert isinstance(memory, bytes) is isinstance(sqlite, Path), sha256
            assert not isinstance(sqlite, Path) or sqlite.read_bytes() == memory

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        self.run(self.ledgers[1].close())
        self.loop.close()
        self.folder.cleanup()


async def moves_of(job_id: JobId, ledger: Ledger) -> list[MoveRecord]:
    return list(await ledger.moves(job_id))


TestBoth = Both.TestCase
TestBoth.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
