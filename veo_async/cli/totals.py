"""What became of a run, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import asdict, frozen

from veo_async.cli.entries import Entry
from veo_async.cli.words import count, duration, money
from veo_async.engine.lifecycle import State

__all__ = ["Totals", "total", "totals_line"]

_OPEN = frozenset({State.ARMED, State.RUNNING})


@frozen(kw_only=True)
class Totals:
    """A run in figures."""

    requests: int
    succeeded: int
    filtered: int
    failed: int
    """Failed, expired or refused by the provider, or withdrawn."""
    unknown: int
    """Sent without a readable answer: may be billed."""
    invalid: int
    """Lines that no request can be made of."""
    running: int
    unsent: int
    missing_files: int
    """Succeeded, but the video is not stored."""
    billed_estimate: float
    """US dollars, estimated, of the requests that are billed."""
    open_estimate: float
    """US dollars, estimated, of those that run or whose fate is not known."""
    checks: int
    elapsed: float
    """Seconds this run took."""

    def as_object(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self) | {"elapsed": round(self.elapsed, 3)}


def total(entries: Sequence[Entry], *, checks: int, elapsed: float) -> Totals:
    """Count a run's requests."""
    states = Counter(entry.state for entry in entries)
    failed = (State.FAILED, State.EXPIRED, State.REJECTED, State.WITHDRAWN)
    return Totals(
        requests=len(entries),
        succeeded=states[State.SUCCEEDED],
        filtered=states[State.FILTERED],
        failed=sum(states[state] for state in failed),
        unknown=states[State.UNKNOWN],
        invalid=states["invalid"],
        running=sum(states[state] for state in _OPEN),
        unsent=states["new"] + states[State.QUEUED],
        missing_files=sum(entry.state == State.SUCCEEDED and not entry.complete for entry in entries),
        billed_estimate=_money(entry for entry in entries if entry.billed == "yes"),
        open_estimate=_money(entry for entry in entries if entry.billed == "unknown"),
        checks=checks,
        elapsed=elapsed,
    )


def _money(entries: Iterable[Entry]) -> float:
    return round(sum((entry.cost_estimate or 0.0 for entry in entries), 0.0), 4)


def totals_line(totals: Totals) -> str:
    """Return the figures as one line; what is zero is left out, but for the successes."""
    parts = [
        f"{totals.succeeded} succeeded",
        *(f"{number} {word}" for number, word in _others(totals) if number),
        *([f"{money(totals.billed_estimate)} billed (estimate)"] if totals.billed_estimate else []),
        *([f"{money(totals.open_estimate)} open"] if totals.open_estimate else []),
        count(totals.checks, "check"),
        duration(totals.elapsed),
    ]
    return " · ".join(parts)


def _others(totals: Totals) -> list[tuple[int, str]]:
    return [
        (totals.missing_files, "of them without a file"),
        (totals.filtered, "filtered"),
        (totals.failed, "failed"),
        (totals.unknown, "unknown"),
        (totals.invalid, "invalid"),
        (totals.running, "running"),
        (totals.unsent, "not sent"),
    ]
