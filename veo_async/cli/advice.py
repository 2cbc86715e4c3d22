"""What to do next, told at the end of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from veo_async.cli.entries import Entry
from veo_async.cli.identity import UNSURE
from veo_async.cli.words import count, money
from veo_async.engine.lifecycle import State
from veo_async.errors import VeoError

__all__ = ["advice", "parting", "warnings_before"]

_RETRYABLE = frozenset({State.FAILED, State.FILTERED, State.EXPIRED, State.REJECTED})


def warnings_before(replaced: Sequence[tuple[Entry, State]]) -> list[str]:
    """Return what sending again may cost; each entry with the state of the job it replaces."""
    failed = [entry for entry, state in replaced if state in _RETRYABLE]
    unknown = [entry for entry, state in replaced if state in UNSURE]
    told: list[str] = []
    if failed:
        told.append(f"--retry-failed sends {count(len(failed), 'request')} again: {_price(failed)} more")
    if unknown:
        many = count(len(unknown), "request")
        told.append(
            f"--resubmit-unknown sends {many} again that may be running already: "
            f"{_price(unknown)} may be paid twice"
        )
    return told


def _price(entries: Iterable[Entry]) -> str:
    prices = [entry.cost_estimate for entry in entries]
    known = sum(price for price in prices if price is not None)
    more = " and what has no known price" if None in prices else ""
    return f"about {money(known)}{more} (estimate)"


def advice(entries: Sequence[Entry], *, obstacle: VeoError | None) -> list[str]:
    """Return what the user can do about requests that brought no video."""
    told: list[str] = []
    if obstacle is not None:
        told.append(f"Stopped: {obstacle.message}")
    unknown = [entry for entry in entries if entry.state == State.UNKNOWN]
    if unknown:
        many = count(len(unknown), "request was", "requests were")
        told.append(
            f"{many} sent without a readable answer and may be billed ({_price(unknown)}). "
            "Look at the provider's usage page (`veo-async audit --statement` does it by an export); "
            "`batch … --resubmit-unknown` sends such requests again, which may pay twice."
        )
    failed = [entry for entry in entries if entry.state in _RETRYABLE]
    if failed:
        many = count(len(failed), "request")
        told.append(f"`batch … --retry-failed` would send {many} again: {_price(failed)}.")
    return told


def parting(entries: Sequence[Entry], command: str) -> list[str]:
    """Return what an interrupted run leaves, and how to go on."""
    running = sum(entry.state == State.RUNNING for entry in entries)
    unsent = sum(entry.state in {"new", State.QUEUED} for entry in entries)
    unknown = [entry for entry in entries if entry.state in UNSURE]
    parts = [
        *([f"{count(running, 'video goes', 'videos go')} on at the provider"] if running else []),
        *([f"{count(unsent, 'request is', 'requests are')} not sent yet"] if unsent else []),
        *([f"{count(len(unknown), 'request')} may be billed ({_price(unknown)})"] if unknown else []),
    ]
    return [f"Interrupted; all is safe. {'; '.join(parts) or 'Nothing is open'}. Go on with:", f"  {command}"]
