"""A ledger's jobs beside a provider's usage export: what is in both, and what in one of them alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import frozen

from veo_async.cli.statement import Statement, Usage
from veo_async.cli.verdicts import Finding, Judge, Pair, Verdict, same_model, tail
from veo_async.ledger.records import JobRecord

__all__ = ["Comparison", "compare"]


@frozen(kw_only=True)
class Comparison:
    """A ledger beside a statement."""

    both: tuple[Pair, ...]
    """Jobs that the statement has."""
    foreign: tuple[Usage, ...]
    """Operations that the ledger does not know."""
    other: tuple[Usage, ...]
    """What was charged for other services than ours: one account may pay for much."""
    absent: tuple[JobRecord, ...]
    """Jobs whose operation the statement does not have."""
    findings: tuple[Finding, ...]
    """One an unknown job, oldest first."""

    @property
    def proven(self) -> Sequence[Finding]:
        """What can be settled."""
        return [finding for finding in self.findings if finding.verdict is not Verdict.OPEN]

    @property
    def owed(self) -> Sequence[Usage]:
        """Operations that the ledger does not know and that may cost money."""
        return [usage for usage in self.foreign if usage.billed != "no"]


def compare(records: Sequence[JobRecord], statement: Statement) -> Comparison:
    """Return what the statement says of the jobs."""
    named = _by_name(records, statement.usages)
    ours = {usage.line for _, usage in named}
    judge = Judge(records, statement, named, [usage for usage in statement.usages if usage.line not in ours])
    findings = judge.findings()
    both = [*named, *judge.remembered]
    taken = {usage.line for _, usage in both}
    taken |= {finding.usage.line for finding in findings if finding.usage is not None}
    left = [usage for usage in statement.usages if usage.line not in taken]
    models = {record.model for record in records}
    paired = {record.id for record, _ in both}
    return Comparison(
        both=tuple(both),
        foreign=tuple(usage for usage in left if _may_be_ours(usage, models)),
        other=tuple(usage for usage in left if not _may_be_ours(usage, models)),
        absent=tuple(record for record in records if record.operation and record.id not in paired),
        findings=tuple(findings),
    )


def _by_name(records: Iterable[JobRecord], usages: Iterable[Usage]) -> list[Pair]:
    """Return jobs and the rows that name their operations: in full, or by the last part alone."""
    full = {record.operation: record for record in records if record.operation is not None}
    counts = Counter(map(tail, full))
    short = {tail(name): record for name, record in full.items() if counts[tail(name)] == 1}
    named = [(usage, usage.name) for usage in usages if usage.name is not None]
    found = [(full.get(name) or short.get(tail(name)), usage) for usage, name in named]
    return [(record, usage) for record, usage in found if record is not None]


def _may_be_ours(usage: Usage, models: Iterable[str]) -> bool:
    """Whether a row may be of a video: a model that is another one of ours is a video all the same."""
    if usage.model is None or "veo" in usage.model.lower():
        return True
    return any(same_model(usage.model, model) is not False for model in models)
