"""Why a request is not served, said once for all surfaces; each gives it a status and a shape."""

from enum import Enum, auto


class Refusal(Enum):
    """The kinds of refusal."""

    INVALID = auto()
    """A field is missing, unknown or has a wrong value."""
    KEY = auto()
    """The API key is missing or not one of ours."""
    NOT_FOUND = auto()
    """No such model, operation or file, or not any more."""
    RATE = auto()
    """More requests than the quota allows."""
    POLICY = auto()
    """The prompt is against the content policy."""
    UNIMPLEMENTED = auto()
    """This surface has no such method."""
    INTERNAL = auto()
    """The emulator lacks something it needs."""
    STOPPING = auto()
    """The emulator is being stopped."""


class RefusedError(Exception):
    """A request is not served.

    Attributes:
        refusal: what kind of refusal it is.
        message: the text for the client.
        retry_after_s: seconds until the quota has room again; only for `Refusal.RATE`.
    """

    def __init__(self, refusal: Refusal, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message
        self.retry_after_s = retry_after_s


def invalid(message: str) -> RefusedError:
    """A refusal for a field that is missing, unknown or wrong."""
    return RefusedError(Refusal.INVALID, message)


def not_found(message: str) -> RefusedError:
    """A refusal for a model, operation or file we don't have."""
    return RefusedError(Refusal.NOT_FOUND, message)
