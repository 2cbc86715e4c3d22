"""Figures and reasons as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from veo_async.cli.entries import Entry
from veo_async.cli.names import shortened
from veo_async.models import Expired, Failed, Filtered, Rejected, Succeeded, Unknown
from veo_async.transport.redaction import redacted_url

__all__ = ["count", "duration", "instant", "moment", "money", "place_of", "reason", "size"]

_MINUTE = 60
_SHORT = 10.0
_UNIT = 1024
_LONGEST_REASON = 160

_STANDING: Final[Mapping[str, str]] = {
    "new": "not sent",
    "queued": "not sent yet",
    "armed": "sent without an answer so far",
    "running": "goes on at the provider",
    "succeeded": "not fetched yet",
    "withdrawn": "taken back before it was sent",
}


def duration(seconds: float) -> str:
    """Return as in "6.1 s", "48 s", "2:05" or "1:02:05"."""
    if seconds < _SHORT:
        return f"{seconds:.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def instant(seconds: float | None) -> str | None:
    """Return a wall-clock instant for programs, as in "2026-09-01T12:00:00.250Z"."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(seconds: float | None) -> str:
    """Return a wall-clock instant for people, as in "2026-09-01 12:00:00Z"; empty where there is none."""
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"


def size(number: int) -> str:
    """Return a length in bytes as in "812 B", "340 KB" or "7.2 MB"."""
    if number < _UNIT:
        return f"{number} B"
    kilobytes = number / _UNIT
    return f"{kilobytes:.0f} KB" if kilobytes < _UNIT else f"{kilobytes / _UNIT:.1f} MB"


def money(dollars: float | None) -> str:
    """Return US dollars, with cents; "?" where no price is known."""
    return "?" if dollars is None else f"${dollars:,.2f}"


def count(number: int, one: str, many: str = "") -> str:
    """Return as in "1 request" and "2 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def place_of(path: Path) -> str:
    """Return a path as it is shortest from where the user stands."""
    absolute = path.absolute()
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def reason(entry: Entry) -> str:
    """Return why a request has no video here, the provider's own words first; empty when it has one."""
    return shortened(_own_words(entry), _LONGEST_REASON)


def _own_words(entry: Entry) -> str:
    match entry.outcome:
        case Succeeded() as succeeded if entry.complete:
            return ", ".join(
                redacted_url(video.uri or "inside the answer") for video in succeeded.result.videos
            )
        case Filtered() as filtered if filtered.reasons:
            return "; ".join(filtered.reasons)
        case (Rejected() | Failed() | Expired()) as ended if ended.message:
            return ended.message
        case Failed() as failed:
            return "done without a video" if failed.reason == "empty" else "no message"
        case Unknown() as unknown:
            return f"sent, no readable answer ({unknown.message or unknown.reason}); may be billed"
        case _:
            said = entry.trouble or (entry.error.message if entry.error is not None else "")
            return said or _STANDING.get(entry.state, "")
