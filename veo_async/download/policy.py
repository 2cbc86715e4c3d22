"""What a download may do and how long it is worth trying. Pure."""

from __future__ import annotations

from attrs import frozen

from veo_async.errors import DownloadError, Evidence

__all__ = ["TRIES", "DownloadPolicy", "Hitch", "problem"]


@frozen(kw_only=True)
class DownloadPolicy:
    """What a download may do and how long it is worth trying."""

    own_origins: frozenset[str] = frozenset()
    """Origins, as in "https://example.com", that are the provider's own: they alone may be private, and plain
    HTTP where they say so."""
    download_hosts: frozenset[str] = frozenset()
    """Hosts that may be asked beside the provider's own: "cdn.example.com", "cdn.example.com:8443", or
    ".example.com" for all below it. Empty: any public host."""
    max_bytes: int = 2 << 30
    """Largest video in bytes."""
    min_rate: float = 16 * 1024
    """Bytes a second below which a download counts as too slow."""
    rate_window: float = 30.0
    """Seconds over which that is measured."""
    max_redirects: int = 5
    """Redirects that are followed."""
    tries: int = 5
    """How often a download is begun."""
    base: float = 0.5
    """First ceiling of the growing, fully jittered wait between tries, in seconds."""
    cap: float = 20.0
    """Largest ceiling of that wait, in seconds."""
    max_hint: float = 600.0
    """A server's hint on waiting is honoured up to this many seconds."""


TRIES = {"failed": 5, "truncated": 5, "too_slow": 5, "wrong_type": 3, "corrupt": 2}
"""How many tries a reason is worth, at most: an error page may go away, a damaged file rarely mends."""


class Hitch(Exception):  # noqa: N818  # stays inside this package
    """Something that another try may mend; holds the error it becomes when it does not."""

    def __init__(self, error: DownloadError, wait: float = 0.0) -> None:
        super().__init__(error.reason)
        self.error = error
        self.wait = wait
        """Seconds that the server asks to wait."""


def problem(reason: str, message: str, *, status: int | None = None, text: str = "") -> DownloadError:
    """Make the error for a download that did not come about."""
    evidence = Evidence(status=status, text=text) if status is not None or text else None
    return DownloadError(message, reason=reason, evidence=evidence)
