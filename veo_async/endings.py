"""How outcomes and pauses read as errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from veo_async.answers import NotSent, RefusalKind, Refused, Unreadable
from veo_async.engine.events import CHECKS, Pause, Quota
from veo_async.errors import (
    AuthenticationError,
    Billed,
    ContentBlockedError,
    Evidence,
    InsufficientBalanceError,
    NotSentError,
    OperationError,
    OperationExpiredError,
    OperationFailedError,
    OperationFilteredError,
    OutcomeUnknownError,
    ProtocolError,
    QuotaExhaustedError,
    RateLimitError,
    RejectedError,
    VeoError,
)
from veo_async.models import Expired, Failed, Filtered, Outcome, Rejected, Succeeded, Unknown, Withdrawn

__all__ = ["error_of", "pause_error", "tell_error"]

_REJECTIONS: Final[Mapping[str, type[RejectedError]]] = {
    RefusalKind.CONTENT: ContentBlockedError,
    RefusalKind.AUTHENTICATION: AuthenticationError,
    RefusalKind.BALANCE: InsufficientBalanceError,
    RefusalKind.RATE_LIMIT: RateLimitError,
    RefusalKind.QUOTA: QuotaExhaustedError,
}

_REMEDIES: Final[Mapping[str, str]] = {
    RefusalKind.CONTENT: "change the prompt or picture and submit a new request",
    RefusalKind.AUTHENTICATION: "check the key and what it may do, then resume",
    RefusalKind.BALANCE: "top up the account, then resume",
    RefusalKind.QUOTA: "wait for the quota's reset, then resume",
    RefusalKind.NOT_FOUND: "the model may be retired or misspelt, or not offered here",
    RefusalKind.REDIRECT: "set base_url to where the service really is",
    RefusalKind.SERVER: "whether it was started is not known, so it is not sent again by itself",
    RefusalKind.OVERLOADED: "whether it was started is not known, so it is not sent again by itself",
}


_SETTLED: Final[Mapping[str, str]] = {
    "not_billed": "nothing was started, as the provider's usage statement shows",
    "lost": "the operation was started and cannot be found",
}
"""What `veo-async audit --settle` found out, by the reason it wrote down."""


def error_of(outcome: Outcome, job_id: str | None, operation: str | None) -> VeoError | None:
    """Return what awaiting a job with this outcome raises; None for success."""
    match outcome:
        case Succeeded():
            return None
        case Filtered():
            reasons = "; ".join(outcome.reasons) or "no reason given"
            return OperationFilteredError(
                f"the provider's safety filters held the video back: {reasons}",
                reasons=outcome.reasons,
                billed=outcome.billed,
                job_id=job_id,
                operation=operation,
            )
        case Failed():
            return _failed(outcome, job_id, operation)
        case Expired():
            return OperationExpiredError(
                f"the provider no longer knows the operation {operation}: {outcome.message or 'not found'}",
                billed=outcome.billed,
                job_id=job_id,
                operation=operation,
            )
        case Rejected():
            return _rejected(outcome, job_id, operation)
        case Withdrawn():
            return NotSentError(
                "the job was withdrawn before it was sent; nothing is billed", permanent=True, job_id=job_id
            )
        case Unknown():
            return OutcomeUnknownError(
                f"the request was sent and no readable answer came ({outcome.message or outcome.reason}); it "
                "may be running and be billed, so it is not sent again. Look at the provider's usage page; "
                "session.resubmit sends it anew on your word",
                reason=outcome.reason,
                job_id=job_id,
            )


def pause_error(quota: Quota, pause: Pause) -> VeoError:
    """Return what is raised to all who wait on a quota that stands still."""
    if isinstance(pause.answer, NotSent) and quota == CHECKS:
        return OperationError(
            f"the provider cannot be asked: {pause.answer.reason}; the operation goes on there. Mend that "
            "and resume",
            billed="unknown",
        )
    if isinstance(pause.answer, NotSent):
        return NotSentError(
            f"the provider cannot be reached: {pause.answer.reason}; queued jobs are kept",
            permanent=pause.answer.permanent,
        )
    billed: Billed = "unknown" if quota == CHECKS else "no"
    return _refusal_error(pause.answer, billed)


def tell_error(answer: Refused | Unreadable, operation: str) -> VeoError:
    """Return what is raised to those who wait for an operation that cannot be checked."""
    shown = answer.message or "no message"
    text = (
        f"the status of {operation} cannot be read: {shown}; the operation stays open and attachable, "
        "checks go on"
    )
    path = answer.path if isinstance(answer, Unreadable) else "$.error"
    excerpt = answer.excerpt if isinstance(answer, Unreadable) else answer.message
    evidence = Evidence(status=answer.status, text=excerpt)
    return ProtocolError(text, path=path, operation=operation, evidence=evidence)


def _failed(outcome: Failed, job_id: str | None, operation: str | None) -> VeoError:
    said = outcome.message or "no message"
    code = "" if outcome.code is None else f" (code {outcome.code})"
    what = "the operation is done without a video" if outcome.reason == "empty" else "the operation failed"
    return OperationFailedError(
        f"{_SETTLED.get(outcome.reason, what)}{code}: {said}. A new request is a new paid job",
        reason=outcome.reason,
        code=outcome.code,
        billed=outcome.billed,
        job_id=job_id,
        operation=operation,
    )


def _rejected(outcome: Rejected, job_id: str | None, operation: str | None) -> RejectedError:
    kind = _REJECTIONS.get(outcome.reason, RejectedError)
    return kind(
        _refusal_text(outcome.reason, outcome.message),
        reason=outcome.reason,
        code=outcome.code,
        billed=outcome.billed,
        job_id=job_id,
        operation=operation,
        evidence=Evidence(status=outcome.status, text=outcome.message),
    )


def _refusal_error(answer: Refused, billed: Billed) -> RejectedError:
    return _REJECTIONS.get(answer.kind, RejectedError)(
        _refusal_text(answer.kind, answer.message),
        reason=answer.kind.value,
        code=answer.code,
        retry_after=answer.retry_after,
        billed=billed,
        evidence=Evidence(status=answer.status, text=answer.message),
    )


def _refusal_text(kind: str, message: str) -> str:
    said = message or "no message"
    if kind in _SETTLED:
        return f"{_SETTLED[kind]}: {said}. A new request pays once"
    remedy = _REMEDIES.get(kind)
    return f"the provider refused ({kind}): {said}" + (f"; {remedy}" if remedy else "")
