"""Sees all that happens in a world, and says which promise it breaks.

The invariants, as they are named in what is blamed:

- I1 at most one operation is billed a request; a second POST of a job only after its NOT_STARTED is durable.
- I2 every operation that the provider billed is known to the ledger, or its job is unknown (or rejected with
  `billed` "unknown": the provider's own 5xx).
- I3 every job is in one state, and all of them together are what was asked.
- I4 what is final stays as it is, and what is told or recorded as final is so at the provider.
- I5 nobody waits longer than a tick for a job that ended, nor after the session is closed.
- I6 after a 429 with a hint nothing of that quota begins before the hint has passed.
- I8 no byte of a submit before its ARM is durable; no success is told before it is durable.
- lost: every job comes to its end; one that met nothing worse than a 429 comes to a good one.
- cost: the account is never billed above `max_cost`, and nothing is armed while more than `max_unknown_cost`
  is unknown.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from attrs import define, field

from veo_async.engine.lifecycle import FINAL, IllegalTransitionError, Move, State, move_for
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import JobId, Outcome, Rejected, Succeeded

from .clock import Clock
from .service import Operation, Service
from .weather import Fault

__all__ = ["Violation", "Witness", "number_of"]

TICK_S: Final = 0.25
MAX_HINT_S: Final = 600.0

GOOD_ENDS: Final = frozenset({State.SUCCEEDED, State.FILTERED, State.FAILED, State.EXPIRED})
MILD: Final = frozenset(
    {
        Fault.CONNECT,
        Fault.SLOW_CONNECT,
        Fault.LATE,
        Fault.DURATION_TYPE,
        Fault.RATE_LIMIT,
        Fault.RATE_LIMIT_UNHINTED,
        Fault.RATE_LIMIT_PAGE,
        Fault.DAY_QUOTA,
        Fault.BAD_KEY,
        Fault.NO_BALANCE,
        Fault.LEFT,
        Fault.CANCELLED,
        Fault.ASKED_AGAIN,
        Fault.DISK_SLOW,
        Fault.CLOCK,
        Fault.SUSPEND,
        *(fault for fault in Fault if fault.name.startswith("CHECK_")),
    }
)
"""Faults that never cost a job its good end."""
_BAD_WHEN_ARMED: Final = (Fault.CRASH, Fault.TEARDOWN, Fault.ABORT, Fault.DETACH, Fault.DRAIN)
_TRUE_FATES: Final = {
    State.SUCCEEDED: "succeeded",
    State.FILTERED: "filtered",
    State.REJECTED: "blocked",
}


class Violation(Exception):  # noqa: N818 - it is no error of the program's that tests
    """A broken promise."""


def number_of(record: JobRecord) -> int:
    """Return the number of the request that a job was made for."""
    assert record.request is not None
    return int(record.request.prompt.rsplit(" ", 1)[-1])


@define(eq=False)
class Witness:
    """The trace of one world, and what it proves."""

    clock: Clock
    service: Service = field(init=False)
    trace: list[str] = field(factory=list[str])
    pairs: Counter[tuple[str, str]] = field(factory=Counter[tuple[str, str]])
    records: dict[JobId, JobRecord] = field(factory=dict[JobId, JobRecord])
    """As they are durable."""
    jobs_of: dict[int, list[JobId]] = field(factory=dict[int, list[JobId]])
    moves: dict[JobId, list[Move]] = field(factory=dict[JobId, list[Move]])
    spills: dict[JobId, Move] = field(factory=dict[JobId, Move])
    met: dict[int, set[Fault]] = field(factory=dict[int, set[Fault]])
    told_at: dict[JobId, float] = field(factory=dict[JobId, float])
    hinted_until: dict[str, float] = field(factory=dict[str, float])
    on_blame: Callable[[], None] = lambda: None
    """Told when a promise is broken, so that the run ends there."""
    on_step: Callable[[str], None] | None = None
    """Told of every step, so that a crash may come at any."""
    closing: Fault | None = None
    """How the process is being closed: what is armed from now on may not hear of its answer."""
    violation: str | None = None
    """The first promise that was broken."""
    max_cost: float | None = None
    max_unknown_cost: float | None = None
    last_started: dict[int, bool] = field(factory=dict[int, bool])
    """Whether the last POST of a request's latest job started something."""
    _started_before: int = 0
    risks: Counter[int] = field(factory=Counter[int])
    """How often somebody accepted that a request may be billed once more."""

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────

    def note(self, kind: str, *words: object) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.clock.true!r} {kind} {' '.join(map(str, words))}")
        if self.on_step is not None:
            self.on_step(kind)

    def blame(self, invariant: str, text: str) -> None:
        """Say which promise is broken; the run ends with it."""
        if self.violation is None:  # the first tells; what follows may come of it
            self.violation = f"{invariant} at {self.clock.true:.2f} s: {text}"
            self.on_blame()
            raise Violation(self.violation)

    def digest(self) -> str:
        """Return the fingerprint of all that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def fired(self, fault: Fault, *numbers: int) -> None:
        """Count a fault, and the states of the jobs that it met."""
        for number in numbers:
            state = self.state_of(number)
            self.pairs[fault.value, "new" if state is None else state.value] += 1
            if fault not in _BAD_WHEN_ARMED or state is State.ARMED:
                self.met.setdefault(number, set()).add(fault)
        self.note("fault", fault, *numbers)

    def closes(self, fault: Fault) -> None:
        """The process begins to end."""
        self.closing = fault
        self.struck_all(fault)
        if fault is Fault.TEARDOWN:  # the callers are cancelled too
            for number in self.jobs_of:
                if self.state_of(number) is State.QUEUED:
                    self.met.setdefault(number, set()).add(Fault.LEFT)

    def struck_all(self, fault: Fault) -> None:
        """Count a fault that meets every job there is."""
        self.fired(fault, *self.jobs_of)

    def state_of(self, number: int) -> State | None:
        """Return the durable state of a request's latest job."""
        job_ids = self.jobs_of.get(number)
        return None if job_ids is None else self.records[job_ids[-1]].state

    # ── the disk ────────────────────────────────────────────────────────────────────────────────────────

    def committed(self, method: str, args: tuple[Any, ...], value: Any, error: Exception | None) -> None:
        """A call of the ledger is durable, or was refused for what it asked."""
        if method == "add" and error is None:
            self._added(args[0], value)
        elif method == "apply" and error is None:
            self._moved(args[0], value)
        elif isinstance(error, IllegalTransitionError):
            self.note("illegal", error)

    def _added(self, asked: JobRecord, kept: JobRecord) -> None:
        if kept.id not in self.records:
            self.records[kept.id] = kept
            self.jobs_of.setdefault(number_of(kept), []).append(kept.id)
            self.moves[kept.id] = []
            self.last_started.pop(number_of(kept), None)
            if kept.replaces is not None:
                self.risks[number_of(kept)] += 1
            if asked.id != kept.id:
                self.blame("I3", f"the ledger kept {kept.id}, which nobody asked for")
        self.note("added", kept.id, number_of(kept))

    def _moved(self, change: Change, after: JobRecord) -> None:
        before = self.records[after.id]
        if before.state in FINAL:
            self.blame("I4", f"job {after.id} was {before.state} and became {after.state}")
        self.records[after.id] = after
        self.moves[after.id].append(change.move)
        if after.state is State.ARMED and self.closing is not None:
            self.fired(self.closing, number_of(after))
        if change.move is Move.ARMED and self.max_unknown_cost is not None:
            self._check_unknown_cost()
        if change.move is Move.NOT_STARTED and self.last_started.get(number_of(after)):
            self.blame("I1", f"job {after.id} is recorded as not started, and was")
        if before.state is State.RUNNING:
            self._check_end(after)
        self.note("moved", after.id, change.move, after.state, after.operation)

    def _check_unknown_cost(self) -> None:
        unknown = [record for record in self.records.values() if record.state is State.UNKNOWN]
        cost = sum(record.cost_estimate or 0.0 for record in unknown)
        assert self.max_unknown_cost is not None
        if cost > self.max_unknown_cost + 0.01:
            self.blame("cost", f"armed with ${cost:.2f} unknown, above ${self.max_unknown_cost:.2f}")

    def _check_end(self, record: JobRecord) -> None:
        operation = self.service.operations[record.operation or ""]
        now = self.clock.true
        fate = _TRUE_FATES.get(record.state)
        if record.state is State.EXPIRED:
            is_true = now >= operation.gone_from
        elif record.state is State.FAILED:
            is_true = operation.fate in ("failed", "empty") and now >= operation.ends_at
        else:
            is_true = operation.fate == fate and now >= operation.ends_at
        if not is_true:
            self.blame("I4", f"{operation.name} ({operation.fate}) is recorded as {record.state}")
        outcome = record.outcome
        if isinstance(outcome, Succeeded):
            uris = [video.uri or "" for video in outcome.result.videos]
            if not all(f"/{operation.name.rsplit('/', 1)[-1]}:" in uri for uri in uris):
                self.blame("I4", f"job {record.id} of {operation.name} has the video {uris}")

    def refused(self, method: str, args: tuple[Any, ...], failure: Exception) -> None:
        """The disk failed a write."""
        fault = Fault.DISK_FULL if "full" in str(failure) else Fault.DISK_BROKEN
        if method == "apply":
            self.fired(fault, number_of(self.records[args[0].job_id]))
        elif method == "add":
            self.fired(fault, number_of(args[0]))

    def disk_slow(self, methods: Sequence[str]) -> None:
        """A commit takes its time."""
        self.pairs[Fault.DISK_SLOW.value, "any"] += 1
        self.note("slow", *methods)

    def spilled(self, change: Change) -> None:
        """An answer that the ledger could not take is durable beside it."""
        self.spills[change.job_id] = change.move
        self.note("spilled", change.job_id, change.move)

    def told(self, method: str, value: Any, error: Exception | None) -> None:
        """The session hears of a commit."""
        if method == "apply" and error is None and value.state in FINAL | {State.UNKNOWN}:
            self.told_at[value.id] = self.clock.true

    def found(self, record: JobRecord) -> None:
        """A new process found this on the disk."""
        before = self.records[record.id]
        if before.state is not record.state:
            if (before.state, record.state) != (State.ARMED, State.UNKNOWN):
                self.blame("I4", f"opening the ledger turned {before.state} into {record.state}")
            self.moves[record.id].append(Move.SILENCED)
            self.met.setdefault(number_of(record), set()).add(Fault.CRASH)
            self.records[record.id] = record
        self.note("found", record.id, record.state)

    # ── the wire ────────────────────────────────────────────────────────────────────────────────────────

    def begins(self, quota: str, what: object) -> None:
        """A request begins: it was given its turn."""
        self.note("begins", quota, what)
        if self.clock.true < self.hinted_until.get(quota, 0.0) - 1e-6:
            self.blame(
                "I6", f"{quota}: {what} begins {self.hinted_until[quota] - self.clock.true:.2f} s early"
            )

    def limited(self, quota: str, hint: str | None) -> None:
        """A 429 arrived."""
        if hint is not None:
            until = self.clock.true + min(float(hint), MAX_HINT_S)
            self.hinted_until[quota] = max(self.hinted_until.get(quota, 0.0), until)
        self.note("limited", quota, hint)

    def leaves(self, number: int) -> None:
        """The first byte of a submit leaves."""
        self.note("leaves", number)
        armed = [job for job in self.jobs_of.get(number, ()) if self.records[job].state is State.ARMED]
        if not armed:
            self.blame("I8", f"request {number} leaves and its job is {self.state_of(number)}")
        self._started_before = len(self.service.started.get(number, ()))
        moves = self.moves[armed[0]]
        if moves.count(Move.NOT_STARTED) != moves.count(Move.ARMED) - 1:
            self.blame("I1", f"request {number} leaves again after {moves}")

    def arrived(self, number: int) -> None:
        """The provider took a submit; look at the bill."""
        started = self.service.started.get(number, ())
        self.last_started[number] = len(started) > self._started_before
        if len(started) > 1 + self.risks[number]:
            self.blame("I1", f"request {number} is billed {len(started)} times")
        if self.max_cost is not None:
            price = max(record.cost_estimate or 0.0 for record in self.records.values())
            count = sum(
                operation.fate in ("succeeded", "stuck") for operation in self.service.operations.values()
            )
            if count * price > self.max_cost + 0.01:
                self.blame("cost", f"{count} paid operations, above ${self.max_cost:.2f}")

    # ── the callers ─────────────────────────────────────────────────────────────────────────────────────

    def heard_accepted(self, job_id: JobId) -> None:
        """A caller was told that the provider has its job."""
        record = self.records[job_id]
        if record.operation is None and self.spills.get(job_id) is not Move.STARTED:
            self.blame("I8", f"job {job_id} is told to be accepted and is {record.state} on the disk")

    def heard_outcome(self, job_id: JobId, outcome: Outcome, waiting_since: float) -> None:
        """A caller was told how its job ended."""
        record, now = self.records[job_id], self.clock.true
        self.note("heard", job_id, type(outcome).__name__)
        durable = None if record.outcome is None else move_for(record.outcome)
        if durable is not move_for(outcome) and self.spills.get(job_id) is not move_for(outcome):
            self.blame("I8", f"job {job_id} is told as {type(outcome).__name__}, on the disk {record.state}")
        late = now - max(self.told_at.get(job_id, now), waiting_since)
        # While a session closes, whoever waits is told by the closing itself, within `still_waiting`.
        if late > TICK_S and self.closing is None:
            self.blame("I5", f"the awaiter of job {job_id} heard of its end {late:.2f} s late")

    def still_waiting(self, waiting: Iterable[str]) -> None:
        """The session is closed, and these wait on."""
        for what in waiting:
            self.blame("I5", f"{what} waits although the session is closed")

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────

    def check_bill(self) -> None:
        """Compare the bill with the ledger."""
        for number, operations in self.service.started.items():
            records = [self.records[job_id] for job_id in self.jobs_of.get(number, ())]
            for operation in operations:
                if not any(_accounts_for(record, operation) for record in records):
                    states = [record.state.value for record in records]
                    self.blame("I2", f"{operation.name} of request {number} is billed, its job is {states}")

    def check_end(self, asked: Collection[int]) -> None:
        """After the weather cleared up: everything has come to its end."""
        self.check_bill()
        for number, job_ids in self.jobs_of.items():
            if number not in asked:
                self.blame("I3", f"job of request {number}, which nobody asked for")
            for job_id in job_ids:
                self._check_ended(number, self.records[job_id])

    def _check_ended(self, number: int, record: JobRecord) -> None:
        if record.state not in FINAL and record.state is not State.UNKNOWN:
            self.blame("lost", f"job {record.id} is still {record.state}")
        met = self.met.get(number, set())
        if not met <= MILD or self.risks[number]:
            return
        is_good = record.state in GOOD_ENDS or (
            record.state is State.REJECTED and record.operation is not None
        )
        may_be_withdrawn = Fault.LEFT in met or Fault.CANCELLED in met
        if not (is_good or (record.state is State.WITHDRAWN and may_be_withdrawn)):
            faults = ", ".join(sorted(fault.value for fault in met)) or "nothing"
            self.blame("lost", f"job {record.id} met {faults} and is {record.state}")


def _accounts_for(record: JobRecord, operation: Operation) -> bool:
    if record.operation == operation.name or record.state in (State.UNKNOWN, State.ARMED):
        return True
    outcome = record.outcome
    return isinstance(outcome, Rejected) and outcome.billed == "unknown"
