"""The comparison of what was billed with what the ledger knows and what the processes were told. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from attrs import fields, frozen

from veo_async.engine.lifecycle import FINAL, State
from veo_async.ledger.records import JobRecord

__all__ = ["Verdict", "judge"]


@frozen(kw_only=True)
class Verdict:
    """Counts over any number of ledgers; they add up."""

    jobs: int = 0
    billed: int = 0
    """Operations on the bill."""
    recorded: int = 0
    """Of them, those that the ledger names."""
    reported_unknown: int = 0
    """Of them, those whose job says that it may have been sent."""
    lost: int = 0
    """Of them, all others."""
    paid_twice: int = 0
    """Operations on the bill beyond a job's first."""
    forgotten: int = 0
    """Promises that the ledger does not keep: a job it does not have, an operation it does not name."""
    undecided: int = 0
    """Jobs that are neither final nor unknown."""
    unknown_unbilled: int = 0
    """Unknown jobs that had started nothing: killed between the record and the request."""

    def __add__(self, other: Self) -> Self:
        names = [field.name for field in fields(type(self))]
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, paid twice or forgotten."""
        return not (self.lost or self.paid_twice or self.forgotten)


def judge(
    bill: Sequence[tuple[str, str]], records: Iterable[JobRecord], told: Iterable[Sequence[str]]
) -> Verdict:
    """Compare.

    Args:
        bill: Operation and prompt of each billed operation.
        records: The ledger's jobs, a prompt each.
        told: The promises, as `child.Errand.told` has them, in words.
    """
    by_prompt = {record.request.prompt: record for record in records if record.request is not None}
    by_id: Mapping[str, JobRecord] = {record.id: record for record in by_prompt.values()}
    named = {record.operation for record in by_prompt.values() if record.operation is not None}
    unknown = {prompt for prompt, record in by_prompt.items() if record.state is State.UNKNOWN}
    unnamed = [prompt for operation, prompt in bill if operation not in named]
    times = Counter(prompt for _, prompt in bill)
    return Verdict(
        jobs=len(by_prompt),
        billed=len(bill),
        recorded=len(bill) - len(unnamed),
        reported_unknown=sum(prompt in unknown for prompt in unnamed),
        lost=sum(prompt not in unknown for prompt in unnamed),
        paid_twice=sum(count - 1 for count in times.values()),
        forgotten=sum(not _keeps(by_id, words) for words in told),
        undecided=sum(record.state not in FINAL | {State.UNKNOWN} for record in by_prompt.values()),
        unknown_unbilled=sum(times[prompt] == 0 for prompt in unknown),
    )


def _keeps(jobs: Mapping[str, JobRecord], words: Sequence[str]) -> bool:
    job = jobs.get(words[1])
    return job is not None and (words[0] == "kept" or job.operation == words[2])
