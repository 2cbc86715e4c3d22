"""What an audit of a ledger finds, in figures and sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from veo_async.cli.matching import Comparison
from veo_async.cli.statement import Statement
from veo_async.engine.lifecycle import State
from veo_async.ledger.money import Accounts, accounts
from veo_async.ledger.records import JobRecord
from veo_async.ledger.rules import crashed, moved
from veo_async.models import JobId, Unknown

__all__ = ["Audit", "Compared", "as_found", "reason_of", "remedy"]


@frozen(kw_only=True)
class Compared:
    """A statement, and what came of comparing it."""

    file: str
    statement: Statement
    comparison: Comparison
    settled: bool
    """Whether what is proven stands in the ledger now."""


@frozen(kw_only=True)
class Audit:
    """A ledger, accounted for."""

    ledger: Path
    owned: bool
    """Whether a process has it open now: then jobs that are being sent are not yet unknown."""
    records: Sequence[JobRecord] = field(repr=False)
    compared: Compared | None = None

    @property
    def accounts(self) -> Accounts:
        """All jobs and their money, by state."""
        return accounts(self.records)

    @property
    def unknown(self) -> Sequence[JobRecord]:
        """Jobs that were sent and got no readable answer."""
        return [record for record in self.records if record.state is State.UNKNOWN]

    @property
    def adopted(self) -> Sequence[JobRecord]:
        """Jobs that were unknown until their operation was found."""
        return [record for record in self.records if record.adopted is not None]

    @property
    def resubmitted(self) -> Sequence[JobRecord]:
        """Jobs that were made to send an unknown one again."""
        return [record for record in self.records if record.replaces is not None]

    @property
    def successors(self) -> Mapping[JobId, JobRecord]:
        """The job that was made to send it again, by unknown job."""
        return {record.replaces: record for record in self.records if record.replaces is not None}

    @property
    def owing(self) -> bool:
        """Whether money may be owed that nobody can account for."""
        foreign = self.compared is not None and bool(self.compared.comparison.owed)
        return foreign or self.accounts.unknown.jobs > 0


def as_found(records: Sequence[JobRecord], *, owned: bool) -> list[JobRecord]:
    """Return a ledger's jobs as whoever opens it next will find them.

    A job that is ARMED while nobody has the ledger was left so by a crash: it is unknown.
    """
    if owned:
        return list(records)
    return [
        moved(record, crashed(record, record.armed_at or record.created_at))
        if record.state is State.ARMED
        else record
        for record in records
    ]


def reason_of(record: JobRecord) -> str:
    """Return why a job is unknown, in a word."""
    return record.outcome.reason if isinstance(record.outcome, Unknown) else ""


def remedy(record: JobRecord, successor: JobRecord | None) -> str:
    """Return what can be done about an unknown job."""
    if successor is not None:
        return f"was sent again as {successor.id} ({successor.state}): if both ran, both are paid"
    if reason_of(record) == "duplicate_name":
        return "the provider named another job's operation in its answer: ask it which of the two ran"
    return "look for it in the provider's usage of that time, or give an export of it by --statement"
