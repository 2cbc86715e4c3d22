"""Every error this library raises.

::

    VeoError                        billed, job_id, operation, evidence, retry_safe
    ├── InvalidRequestError         ours to see: nothing was sent (also a ValueError)
    ├── ConfigurationError          key, origin, ledger path, wrong loop, foreign token
    ├── BudgetExceededError         a money limit would be passed: nothing was sent
    ├── SubmitError
    │   ├── NotSentError            provably unsent: no connection, no durable record
    │   ├── RejectedError           the provider's own word
    │   │   ├── AuthenticationError
    │   │   ├── InsufficientBalanceError
    │   │   ├── ContentBlockedError
    │   │   ├── RateLimitError
    │   │   └── QuotaExhaustedError
    │   └── OutcomeUnknownError     sent, no readable answer: money may be owed
    ├── OperationError
    │   ├── OperationFailedError
    │   ├── OperationFilteredError
    │   ├── OperationExpiredError
    │   └── OperationStalledError   past its deadline, still running at the provider
    ├── DownloadError               reason says which check the file did not pass
    ├── LedgerError                 the ledger could not be read or written
    ├── ProtocolError               an answer that is not what the surface documents
    ├── WaitTimeoutError            the waiting ended, the job goes on (also a TimeoutError)
    └── SessionClosedError
"""

from __future__ import annotations

from typing import Any, Literal, Self

from attrs import frozen

Billed = Literal["no", "yes", "unknown"]
"""Whether money was spent on the job an error or outcome speaks of."""


@frozen(kw_only=True)
class Evidence:
    """What was seen on the wire, safe to log: redacted, escaped and at most 500 characters."""

    status: int | None = None
    """HTTP status, or None when no status line came."""
    text: str = ""
    """Start of the answer's body or of the transport's complaint."""


class VeoError(Exception):
    """Base of all errors; its attributes are facts, its text says what to do next."""

    retry_safe: bool = False
    """True when doing the same again cannot start a second paid job."""

    def __init__(
        self,
        message: str,
        *,
        billed: Billed = "no",
        job_id: str | None = None,
        operation: str | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.billed: Billed = billed
        """Whether money was spent: "no", "yes" or "unknown"."""
        self.job_id = job_id
        """The job's id in the session and its ledger, where a job is concerned."""
        self.operation = operation
        """The provider's operation name, once there is one."""
        self.evidence = evidence
        """What the wire showed, where an answer was concerned."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by class, text and facts, so that keyword-only facts survive."""
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))

    def fresh(self) -> Self:
        """Return an equal error with no traceback: each waiter raises an instance of its own."""
        copy: Self = _rebuild(type(self), self.args, dict(self.__dict__))
        return copy


def _rebuild(cls: type[Any], args: tuple[Any, ...], facts: dict[str, Any]) -> Any:
    error: Any = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class InvalidRequestError(VeoError, ValueError):
    """The request cannot be sent as it is; nothing was sent and nothing is billed."""

    retry_safe = True

    def __init__(
        self, message: str, *, field: str | None = None, reason: str = "invalid", job_id: str | None = None
    ) -> None:
        super().__init__(message, job_id=job_id)
        self.field = field
        """The request's field that is at fault, or None when it is the request as a whole."""
        self.reason = reason
        """"invalid", or "key_reuse" when an idempotency key already stands for another request."""


class ConfigurationError(VeoError):
    """Something about the provider, key, session or ledger path must be set differently."""

    retry_safe = True


class BudgetExceededError(VeoError):
    """Sending would pass the session's money limit; nothing was sent."""

    retry_safe = True


class SubmitError(VeoError):
    """A job was not accepted by the provider, as far as is known."""


class NotSentError(SubmitError):
    """No byte of the request left this machine; the job stays queued unless `permanent`."""

    retry_safe = True

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        job_id: str | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        super().__init__(message, job_id=job_id, evidence=evidence)
        self.permanent = permanent
        """True when trying again cannot help (a certificate that does not match, say)."""


class RejectedError(SubmitError):
    """The provider refused in its own words."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "invalid",
        code: int | str | None = None,
        retry_after: float | None = None,
        billed: Billed = "no",
        job_id: str | None = None,
        operation: str | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        super().__init__(message, billed=billed, job_id=job_id, operation=operation, evidence=evidence)
        self.reason = reason
        """A `RefusalKind` as a string: "invalid", "content", "authentication", "redirect", …"""
        self.code = code
        """The provider's own code, as it came."""
        self.retry_after = retry_after
        """Seconds the provider asks to wait, when it says so."""


class AuthenticationError(RejectedError):
    """The key is wrong, expired or lacks permission; set a new one and resume."""


class InsufficientBalanceError(RejectedError):
    """The account has no money left; top it up and resume."""


class ContentBlockedError(RejectedError):
    """The provider's content policy refused the prompt or a picture."""


class RateLimitError(RejectedError):
    """Too many requests in a short window; `retry_after` says when to come back."""


class QuotaExhaustedError(RejectedError):
    """A long quota (a day's, a month's) is used up; retrying soon is of no use."""


class OutcomeUnknownError(SubmitError):
    """The request may have reached the provider and no readable answer came back.

    It is never sent again by itself. `veo-async jobs --state unknown` lists such jobs.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "lost",
        job_id: str | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        super().__init__(message, billed="unknown", job_id=job_id, evidence=evidence)
        self.reason = reason
        """"lost", "unreadable_ack", "duplicate_name", "crashed" or "restored"."""


class OperationError(VeoError):
    """An accepted operation did not end with a video."""


class OperationFailedError(OperationError):
    """The operation ended with an error, or done without a video (`reason` "empty")."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "error",
        code: int | str | None = None,
        billed: Billed = "unknown",
        job_id: str | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message, billed=billed, job_id=job_id, operation=operation)
        self.reason = reason
        """"error", "content" or "empty"."""
        self.code = code
        """The operation's error code as it came: a gRPC number, an HTTP number or a word."""


class OperationFilteredError(OperationError):
    """All videos were held back by the provider's safety filters."""

    def __init__(
        self,
        message: str,
        *,
        reasons: tuple[str, ...] = (),
        billed: Billed = "unknown",
        job_id: str | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message, billed=billed, job_id=job_id, operation=operation)
        self.reasons = reasons
        """The provider's reasons, in its words."""


class OperationExpiredError(OperationError):
    """The provider no longer knows the operation or keeps its video."""


class OperationStalledError(OperationError):
    """Not done by `PollPolicy.deadline`; slow checks go on, so waiting again may succeed."""


class DownloadError(VeoError):
    """A video was not stored; nothing stands under the target's name that was not there before."""

    retry_safe = True

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        billed: Billed = "yes",
        job_id: str | None = None,
        operation: str | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        super().__init__(message, billed=billed, job_id=job_id, operation=operation, evidence=evidence)
        self.reason = reason
        """refused, truncated, too_large, too_slow, wrong_type, expired, corrupt, exists or failed."""


class LedgerError(VeoError):
    """The ledger could not be read or written; nothing is sent while that is so."""

    def __init__(
        self,
        message: str,
        *,
        owner_pid: int | None = None,
        billed: Billed = "no",
        job_id: str | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message, billed=billed, job_id=job_id, operation=operation)
        self.owner_pid = owner_pid
        """The process that holds the ledger, when that is why."""


class ProtocolError(VeoError):
    """An answer was not what the surface documents; `path` names the place in it."""

    def __init__(
        self,
        message: str,
        *,
        path: str = "$",
        billed: Billed = "unknown",
        job_id: str | None = None,
        operation: str | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        super().__init__(message, billed=billed, job_id=job_id, operation=operation, evidence=evidence)
        self.path = path
        """Where in the answer, as in "$.response.videos[0].uri"."""


class WaitTimeoutError(VeoError, TimeoutError):
    """The given time passed first; the job goes on and can be awaited again."""

    retry_safe = True


class SessionClosedError(VeoError):
    """The session is closed, or closed while this was waited for; the ledger says what goes on."""

    retry_safe = True
