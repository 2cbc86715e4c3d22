"""What a provider's usage export proves of jobs whose fate is unknown. Pure.

Rule 1: what could be read in two ways proves nothing, and the job stays unknown.
Rule 2: a missing row proves "never started" only in a statement that is seen to be whole: its clock is ours,
it reaches well beyond the job on both sides, and it has every operation that we know was billed.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from veo_async import catalog
from veo_async.cli.statement import Statement, Usage
from veo_async.engine.lifecycle import Move, State
from veo_async.gateways import PRESETS
from veo_async.ledger.records import Change, JobRecord
from veo_async.models import Failed, Rejected
from veo_async.origins import host_of, is_loopback

__all__ = ["Finding", "Judge", "Pair", "Verdict", "change_of", "same_model", "tail"]

# When an unknown job's operation may have begun, from its first byte on; as where operations are listed.
_BEFORE_S: Final = 60.0
_AFTER_S: Final = 600.0
# How far a statement must reach for a missing row to prove anything: rows may come late.
_WELL_BEFORE_S: Final = 600.0
_WELL_AFTER_S: Final = 3600.0
_SHOWN_LINES: Final = 5
_LOST: Final = "lost"

_GEMINI_FORMAT: Final = "models/{model}/operations"
_HEADS: Final[Mapping[str, str]] = {
    **dict.fromkeys(PRESETS, ""),
    **dict.fromkeys(("gemini", "gptproto", "emulator"), _GEMINI_FORMAT),
}
"""What stands before an operation's id, where the ledger has no example; not known of other providers."""


class Verdict(enum.StrEnum):
    """What a statement says of an unknown job."""

    ADOPTED = "adopted"
    """Its operation was found: it can be waited for."""
    LOST = "lost"
    """It was started, and its operation is not named: it cannot be found."""
    NOT_STARTED = "not_started"
    OPEN = "open"
    """Nothing is proven."""


@frozen(kw_only=True)
class Finding:
    """What a statement says of one unknown job."""

    record: JobRecord
    verdict: Verdict
    why: str
    usage: Usage | None = None
    """Its row."""
    operation: str | None = None
    """Its full name, where it was found."""


Pair = tuple[JobRecord, Usage]
"""A job, and the row that names its operation."""


def change_of(finding: Finding, at: float) -> Change:
    """Return the change that writes down what is proven."""
    job_id, why = finding.record.id, finding.why
    match finding.verdict:
        case Verdict.ADOPTED:
            return Change(
                job_id=job_id, move=Move.STARTED, at=at, operation=finding.operation, adopted="statement"
            )
        case Verdict.LOST:
            billed = finding.usage.billed if finding.usage else "unknown"
            outcome = Failed(reason=_LOST, message=why, billed=billed)
            return Change(job_id=job_id, move=Move.FAILED, at=at, outcome=outcome)
        case Verdict.NOT_STARTED:
            refused = Rejected(reason="not_billed", message=why, billed="no")
            return Change(job_id=job_id, move=Move.DECLINED, at=at, outcome=refused)
        case Verdict.OPEN:
            raise ValueError(f"nothing is proven of job {job_id}")


def tail(name: str) -> str:
    """Return what of an operation's name identifies it."""
    return name.rpartition("/")[2]


def same_model(theirs: str, ours: str) -> bool | None:
    """Return whether two names mean one model; None where that cannot be said."""
    theirs, ours = tail(theirs.strip().lower()), tail(ours.lower())
    if theirs == ours:
        return True
    their_model, our_model = catalog.find(theirs), catalog.find(ours)
    if their_model is not None and our_model is not None:
        return their_model is our_model
    return False if "veo" in ours and "veo" not in theirs else None


class Judge:
    """Looks at each unknown job of a ledger beside the rows that no known operation has."""

    def __init__(
        self,
        records: Sequence[JobRecord],
        statement: Statement,
        pairs: Sequence[Pair],
        loose: Sequence[Usage],
    ) -> None:
        """Make ready.

        Args:
            records: All jobs of the ledger.
            statement: The whole statement.
            pairs: What of it is known to be ours.
            loose: The other rows.
        """
        self._records = records
        self._statement = statement
        self._pairs = pairs
        self._paired = {record.id for record, _ in pairs}
        self._unknown = [record for record in records if record.state is State.UNKNOWN]
        # What a row of a known operation calls its model, it calls so in other rows, too.
        self._learned = {(usage.model, record.model) for record, usage in pairs if usage.model is not None}
        self._services = {_service(record) for record, _ in pairs}
        # With nothing of ours in it, a statement can be of the only service there is.
        everywhere = {_service(record) for record in records}
        if not pairs and len(everywhere) == 1:
            self._services = everywhere
        self.remembered: Sequence[Pair] = self._remember(loose)
        """Jobs that were settled before without a name, each with a row that fits: such rows are not new."""
        taken = {usage.line for _, usage in self.remembered}
        self._loose = [usage for usage in loose if usage.line not in taken]

    def findings(self) -> list[Finding]:
        """Return what is proven, one an unknown job, oldest first."""
        doubt = self._doubt_of_times()
        rows = {record.id: self._rows_of(record) for record in self._unknown}
        wanted = Counter(usage.line for fitting in rows.values() for usage in fitting)
        found: list[Finding] = []
        for record in self._unknown:
            why = doubt or self._doubt_of(record)
            found.append(_open(record, why) if why else self._judged(record, rows[record.id], wanted))
        return found

    # ── can anything be proven at all? ──────────────────────────────────────────────────────────────────────

    def _doubt_of_times(self) -> str:
        """Return why the statement's times cannot be compared with ours; empty where they can."""
        if self._statement.first is None:
            return "the statement says no time of day"
        compared = [
            usage.at - record.armed_at
            for record, usage in self._pairs
            if usage.at is not None and record.armed_at is not None
        ]
        if not compared and not self._statement.zoned:
            return "the statement's times name no zone: say which by --timezone"
        for apart in compared:
            if not _near(apart):
                return (
                    f"the statement's clock is not ours: an operation of this ledger is {apart / 3600:+.1f} "
                    "hours off there; say the zone of its times by --timezone"
                )
        return ""

    def _doubt_of(self, record: JobRecord) -> str:
        """Return why the statement says nothing of this very job."""
        if record.armed_at is None:
            return "when it was sent is not known"
        # A ledger may have jobs of several services.
        if _service(record) not in self._services:
            return f"nothing shows that the statement is of {record.provider}"
        return ""

    # ── whose row is it? ────────────────────────────────────────────────────────────────────────────────────

    def _remember(self, loose: Sequence[Usage]) -> list[Pair]:
        nameless = [usage for usage in loose if usage.name is None]
        pairs: list[Pair] = []
        for record in self._records:
            lost = isinstance(record.outcome, Failed) and record.outcome.reason == _LOST
            row = next((usage for usage in nameless if lost and self._fits(usage, record)), None)
            if row is not None:
                nameless.remove(row)
                pairs.append((record, row))
        return pairs

    def _rows_of(self, record: JobRecord) -> list[Usage]:
        """Return the rows that are, or may be, this job's."""
        return [usage for usage in self._loose if self._fits(usage, record) is not False]

    def _fits(self, usage: Usage, record: JobRecord) -> bool | None:
        """Return whether a row is a job's by time and model; None where it says too little."""
        if usage.at is not None and not (record.armed_at and _near(usage.at - record.armed_at)):
            return False
        alike = None if usage.model is None else same_model(usage.model, record.model)
        if (usage.model, record.model) in self._learned:
            alike = True
        return None if usage.at is None and alike else alike

    def _judged(self, record: JobRecord, rows: Sequence[Usage], wanted: Mapping[int, int]) -> Finding:
        if not rows:
            return self._without_row(record)
        row = rows[0]
        if len(rows) == 1 and wanted[row.line] == 1 and self._fits(row, record):
            return self._with_row(record, row)
        lines = ", ".join(str(usage.line) for usage in rows[:_SHOWN_LINES])
        rivals = max(wanted[usage.line] for usage in rows) - 1
        others = f", or of {rivals} other unknown jobs" if rivals > 1 else ", or of another" if rivals else ""
        return _open(
            record, f"line {lines} of the statement may be of this job{others}; it does not say which"
        )

    def _with_row(self, record: JobRecord, row: Usage) -> Finding:
        """Judge a job that one row fits, as no other job."""
        if row.name is None:
            if row.billed == "unknown":
                return _open(record, f"line {row.line} fits, and says neither an operation nor a charge", row)
            charged = "was charged" if row.billed == "yes" else "was not charged"
            why = f"the usage statement has it by time and model: it {charged}, and no operation is named"
            return Finding(record=record, verdict=Verdict.LOST, why=why, usage=row)
        operation = self._full_name(row.name, record)
        if operation is None:
            return _open(
                record, f"line {row.line} fits: its operation is {row.name}, its full name unknown", row
            )
        why = "one row of the usage statement fits by time and model, and names the operation"
        return Finding(record=record, verdict=Verdict.ADOPTED, why=why, usage=row, operation=operation)

    def _full_name(self, name: str, record: JobRecord) -> str | None:
        """Return an operation's full name, as this provider writes others; None where nothing shows how."""
        example = next(
            (each for each in self._records if each.operation and each.provider == record.provider), None
        )
        if example is not None and example.operation is not None:
            head = example.operation.rpartition("/")[0].replace(f"/{example.model}/", f"/{record.model}/")
        elif record.provider in _HEADS:
            head = _HEADS[record.provider].format(model=record.model)
        else:
            return None
        return f"{head}/{tail(name)}" if head else name

    # ── is a missing row a proof? ───────────────────────────────────────────────────────────────────────────

    def _without_row(self, record: JobRecord) -> Finding:
        if not self._covers(record):
            why = (
                "no row fits, but the statement does not reach from 10 minutes before it to an hour after it"
            )
            return _open(record, why)
        missing = self._missing(record)
        if missing is not None:
            why = (
                f"no row fits, but the statement is not whole: {missing} was billed and is not in it, either"
            )
            return _open(record, why)
        why = "the usage statement covers its time and has no row for it"
        return Finding(record=record, verdict=Verdict.NOT_STARTED, why=why)

    def _covers(self, record: JobRecord) -> bool:
        first, last = self._statement.first, self._statement.last
        if first is None or last is None or record.armed_at is None:
            return False
        return first <= record.armed_at - _WELL_BEFORE_S and last >= record.armed_at + _WELL_AFTER_S

    def _missing(self, record: JobRecord) -> str | None:
        """Return an operation of the same service that was billed, and that the statement should have."""
        return next(
            (
                each.operation
                for each in self._records
                if each.operation is not None
                and each.id not in self._paired
                and each.outcome is not None
                and each.outcome.billed == "yes"
                and _service(each) == _service(record)
                and self._covers(each)
            ),
            None,
        )


def _open(record: JobRecord, why: str, usage: Usage | None = None) -> Finding:
    return Finding(record=record, verdict=Verdict.OPEN, why=why, usage=usage)


def _near(apart_s: float) -> bool:
    return -_BEFORE_S <= apart_s <= _AFTER_S


def _service(record: JobRecord) -> tuple[str, str]:
    """Return who charges for a job; a service on this machine may come back on another port."""
    here = is_loopback(host_of(record.origin))
    return record.provider, "" if here else record.origin
