"""An audit for other programs: one JSON object. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from veo_async.cli.audits import Audit, Compared, reason_of, remedy
from veo_async.cli.statement import COLUMNS, Usage
from veo_async.cli.verdicts import Finding
from veo_async.cli.words import instant
from veo_async.engine.lifecycle import State
from veo_async.ledger.money import Account, billed
from veo_async.ledger.records import JobRecord

__all__ = ["audit_object"]


def audit_object(audit: Audit, *, prompts: bool) -> dict[str, Any]:
    """Return all that an audit found; prompts only where they are asked for."""
    accounts = audit.accounts
    successors = audit.successors
    whole: dict[str, Any] = {
        "ledger": str(audit.ledger),
        "in_use": audit.owned,
        "asked": _account(accounts.asked),
        "queued": _account(accounts.queued),
        "armed": _account(accounts.armed),
        "running": _account(accounts.running),
        "final": _account(accounts.final),
        "unknown": _account(accounts.unknown),
        "balanced": accounts.balanced,
        "states": {state.value: _account(accounts.of(state)) for state in State},
        "billed": {word: _account(accounts.billed(word)) for word in ("no", "yes", "unknown")},
        "unknown_jobs": [_unknown(job, successors.get(job.id), prompts=prompts) for job in audit.unknown],
        "resubmitted": [
            {"job_id": job.id, "replaces": job.replaces, "state": job.state.value}
            for job in audit.resubmitted
        ],
        "adopted": [
            {"job_id": job.id, "by": job.adopted, "operation": job.operation, "state": job.state.value}
            for job in audit.adopted
        ],
    }
    return whole if audit.compared is None else whole | {"statement": _compared(audit.compared)}


def _account(account: Account) -> dict[str, Any]:
    return {"jobs": account.jobs, "estimate": account.usd, "without_price": account.unpriced}


def _unknown(record: JobRecord, successor: JobRecord | None, *, prompts: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "job_id": record.id,
        "provider": record.provider,
        "model": record.model,
        "digest": record.digest,
        "armed_at": instant(record.armed_at),
        "cost_estimate": record.cost_estimate,
        "reason": reason_of(record),
        "replaced_by": successor and successor.id,
        "advice": remedy(record, successor),
    }
    if prompts:
        told["prompt"] = record.request and record.request.prompt
    return told


def _compared(compared: Compared) -> dict[str, Any]:
    statement, comparison = compared.statement, compared.comparison
    return {
        "file": compared.file,
        "columns": dict(statement.columns),
        "missing_columns": [role for role in COLUMNS if role not in statement.columns],
        "left_out_lines": list(statement.left_out),
        "first": instant(statement.first),
        "last": instant(statement.last),
        "both": {
            "operations": len(comparison.both),
            "charged": _charged([usage for _, usage in comparison.both]),
            "estimate": round(sum(record.cost_estimate or 0.0 for record, _ in comparison.both), 4),
        },
        "not_in_ledger": [_usage(usage) for usage in comparison.foreign],
        "not_in_ledger_charged": _charged(comparison.foreign),
        "other_services": {"rows": len(comparison.other), "charged": _charged(comparison.other)},
        "not_in_statement": [
            {
                "job_id": record.id,
                "operation": record.operation,
                "state": record.state.value,
                "billed": billed(record),
                "cost_estimate": record.cost_estimate,
            }
            for record in comparison.absent
        ],
        "findings": [_finding(finding) for finding in comparison.findings],
        "settled": compared.settled,
    }


def _charged(usages: Sequence[Usage]) -> float | None:
    """Return what was charged for some rows; None where the statement says nothing of it."""
    costs = [usage.cost for usage in usages if usage.cost is not None]
    return round(sum(costs), 4) if costs or not usages else None


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "line": usage.line,
        "id": usage.name,
        "time": instant(usage.at),
        "model": usage.model,
        "cost": usage.cost,
        "status": usage.status,
        "billed": usage.billed,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "job_id": finding.record.id,
        "verdict": finding.verdict.value,
        "line": finding.usage and finding.usage.line,
        "operation": finding.operation,
        "why": finding.why,
    }
