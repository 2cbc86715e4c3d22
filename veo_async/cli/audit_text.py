"""An audit for people, line by line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from veo_async.cli.audits import Audit, Compared, reason_of, remedy
from veo_async.cli.names import shortened
from veo_async.cli.statement import COLUMNS, Usage
from veo_async.cli.verdicts import Finding, Verdict
from veo_async.cli.words import count, moment, money, place_of
from veo_async.engine.lifecycle import State
from veo_async.ledger.money import Account, billed
from veo_async.ledger.records import JobRecord

__all__ = ["audit_lines"]

_MARK = 8
_MOST = 50
_PROMPT_WIDTH = 60
_VERDICTS = {
    Verdict.ADOPTED: "found",
    Verdict.LOST: "started, cannot be found",
    Verdict.NOT_STARTED: "never started",
    Verdict.OPEN: "still unknown",
}


def audit_lines(audit: Audit, *, prompts: bool) -> Iterator[str]:
    """Yield what an audit found."""
    yield from _accounts(audit)
    yield from _unknown(audit, prompts=prompts)
    if audit.resubmitted or audit.adopted:
        yield ""
        yield "What became of unknown jobs:"
    yield from _listed("sent again", [_resubmitted(record) for record in audit.resubmitted])
    yield from _listed("found", [_adopted(record) for record in audit.adopted])
    if audit.compared is not None:
        yield from _statement(audit.compared)


def _accounts(audit: Audit) -> Iterator[str]:
    accounts = audit.accounts
    sums = ("queued", "armed", "running", "final", "unknown")
    parts = " + ".join(f"{getattr(accounts, name).jobs} {name}" for name in sums)
    sign = "=" if accounts.balanced else "≠"  # never seen: the accounts would be wrong
    yield f"{place_of(audit.ledger)}: {accounts.asked.jobs} asked {sign} {parts}"
    if audit.owned:
        yield "A process has this ledger open now: the figures are of this moment."
    yield ""
    yield f"{'state':<12}{'jobs':>6}{'estimate':>12}"
    for state in State:
        account = accounts.of(state)
        if account.jobs:
            yield _row(state.value, account)
    yield _row("asked", accounts.asked)
    paid, open_ = accounts.billed("yes"), accounts.billed("unknown")
    yield f"Billed {money(paid.usd)}, may be billed {money(open_.usd)} (estimates)."


def _row(name: str, account: Account) -> str:
    unpriced = f"  {account.unpriced} without a price" if account.unpriced else ""
    return f"{name:<12}{account.jobs:>6,}{money(account.usd):>12}{unpriced}"


def _unknown(audit: Audit, *, prompts: bool) -> Iterator[str]:
    unknown = audit.unknown
    if not unknown:
        return
    account = audit.accounts.unknown
    unpriced = f", and {account.unpriced} without a price" if account.unpriced else ""
    yield ""
    yield (
        f"{count(account.jobs, 'job is', 'jobs are')} unknown: sent, no readable answer. "
        f"About {money(account.usd)} may be owed{unpriced}."
    )
    for record in unknown[:_MOST]:
        yield f"  {_job(record)}  {reason_of(record)}"
        yield f"           request sha256 {record.digest or '(none)'}"
        if prompts and record.request is not None:
            yield f"           prompt  {shortened(record.request.prompt, _PROMPT_WIDTH)}"
        yield f"           {remedy(record, audit.successors.get(record.id))}"
    yield from _more(unknown)
    yield "`veo-async batch FILE --resubmit-unknown` sends unknown requests of a batch again; may pay twice."


def _job(record: JobRecord) -> str:
    sent = "not known when" if record.armed_at is None else f"armed {moment(record.armed_at)}"
    return f"{record.id[:_MARK]}  {sent}  {record.model}  {money(record.cost_estimate)}"


def _resubmitted(record: JobRecord) -> str:
    return f"{(record.replaces or '')[:_MARK]} as {record.id[:_MARK]}, which is {record.state.value}"


def _adopted(record: JobRecord) -> str:
    return f"{record.id[:_MARK]} by the provider's {record.adopted}: {record.operation}, {record.state.value}"


def _statement(compared: Compared) -> Iterator[str]:
    statement, comparison = compared.statement, compared.comparison
    yield ""
    span = "" if statement.first is None else f" from {moment(statement.first)} to {moment(statement.last)}"
    yield f"{compared.file}: {count(len(statement.usages), 'entry', 'entries')}{span}"
    understood = ", ".join(f"{role} is {name!r}" for role, name in statement.columns.items())
    missing = [role for role in COLUMNS if role not in statement.columns]
    yield f"  columns: {understood}" + (f"; none for {', '.join(missing)}" if missing else "")
    if statement.left_out:
        yield f"  left out, of no operation: {count(len(statement.left_out), 'line')}"
    ours = sum(record.cost_estimate or 0.0 for record, _ in comparison.both)
    charged = _charged([usage for _, usage in comparison.both])
    yield f"  in both: {len(comparison.both)}, charged {charged}, by our estimate {money(ours)}"
    if comparison.other:
        yield f"  of other services: {len(comparison.other)}, charged {_charged(comparison.other)}"
    yield from _listed(
        f"not in the ledger, charged {_charged(comparison.foreign)}",
        [_usage(usage) for usage in comparison.foreign],
    )
    yield from _listed("in the ledger alone", [_absent(record) for record in comparison.absent])
    yield from _listed("unknown jobs", [_finding(finding) for finding in comparison.findings])
    yield from _settling(compared)


def _settling(compared: Compared) -> Iterator[str]:
    proven = compared.comparison.proven
    if not proven:
        return
    if not compared.settled:
        yield f"Nothing was written; --settle writes down what is proven of {count(len(proven), 'job')}."
        return
    yield f"Settled: {count(len(proven), 'job')}."
    verdicts = {finding.verdict for finding in proven}
    if Verdict.ADOPTED in verdicts:
        yield "`veo-async resume` waits for what was found."
    if Verdict.NOT_STARTED in verdicts:
        yield "`veo-async batch FILE --retry-failed` sends again what never started."


def _charged(usages: Sequence[Usage]) -> str:
    """Return the sum; the statement alone knows its currency."""
    costs = [usage.cost for usage in usages if usage.cost is not None]
    return f"{sum(costs):,.2f}" if costs or not usages else "not told"


def _usage(usage: Usage) -> str:
    cost = "" if usage.cost is None else f"{usage.cost:,.2f}"
    at = "" if usage.at is None else moment(usage.at)
    told = [f"line {usage.line}", at, usage.model or "", usage.name or "no id", cost, usage.status or ""]
    return "  ".join(filter(None, told))


def _absent(record: JobRecord) -> str:
    return f"{_job(record)}  {record.state.value}, billed: {billed(record)}  {record.operation}"


def _finding(finding: Finding) -> str:
    found = f" ({finding.operation})" if finding.operation else ""
    return f"{finding.record.id[:_MARK]}  {_VERDICTS[finding.verdict]}: {finding.why}{found}"


def _listed(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"  {title}: {len(lines)}"
        yield from (f"    {line}" for line in lines[:_MOST])
        yield from _more(lines)


def _more(things: Sequence[object]) -> Iterator[str]:
    if len(things) > _MOST:
        yield f"    … and {len(things) - _MOST:,} more; --json lists all"
