"""How a run is told: live on a terminal, a line a request in a pipe, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from attrs import frozen
from rich.console import Console

from veo_async.cli.entries import Entry
from veo_async.cli.manifest import as_object
from veo_async.cli.names import shortened
from veo_async.cli.totals import Totals, totals_line
from veo_async.cli.words import count, duration, money, place_of, reason, size

__all__ = ["JsonReport", "LineReport", "Opening", "Report", "err", "out", "say"]

_NAME_WIDTH = 44


@frozen(kw_only=True)
class Opening:
    """What a run is about to do."""

    provider: str
    target: Path
    requests: int
    sends: int
    resumes: int
    kept: int
    """Those an earlier run has decided."""
    cost_estimate: float | None
    """US dollars for what is sent; None where no price is known."""

    def sentence(self) -> str:
        """Return it for people."""
        price = "no price known" if self.cost_estimate is None else f"about {money(self.cost_estimate)}"
        parts = [
            count(self.requests, "request"),
            *([f"{self.sends} to send ({price})"] if self.sends else []),
            *([f"{self.resumes} to go on with"] if self.resumes else []),
            *([f"{self.kept} decided before"] if self.kept else []),
        ]
        return f"{' · '.join(parts)} → {self.provider} → {place_of(self.target)}"


class Report(Protocol):
    """Is told what happens, and tells it on."""

    def begin(self, opening: Opening, /) -> None:
        """The run starts."""
        ...

    def moved(self, entry: Entry, doing: str, /) -> None:
        """A request is now "queued", "sending", "running" or "downloading"."""
        ...

    def settled(self, entry: Entry) -> None:
        """A request is done with, as far as this run goes."""
        ...

    def note(self, text: str) -> None:
        """Something people should know."""
        ...

    def end(self, entries: Sequence[Entry], totals: Totals, /) -> None:
        """The run is over."""
        ...


def out() -> Console:
    """Return a console on standard output as it is now: tests and shells exchange it."""
    return Console(file=sys.stdout, highlight=False)


def err() -> Console:
    """Return a console on standard error."""
    return Console(file=sys.stderr, highlight=False)


def say(text: str) -> None:
    """Write a line for people to standard error: results alone go to standard output."""
    console = err()
    console.print(text, markup=False, soft_wrap=not console.is_terminal)


def write_json(value: dict[str, Any], stream: TextIO | None = None) -> None:
    """Write one JSON line, at once: whoever reads may wait for it."""
    target = stream or sys.stdout
    target.write(json.dumps(value) + "\n")
    target.flush()


class LineReport:
    """One line a finished request, for pipes and logs."""

    def __init__(self) -> None:
        self._out = out()

    def begin(self, opening: Opening, /) -> None:
        """Say what is about to be done."""
        say(opening.sentence())

    def moved(self, _entry: Entry, _doing: str, /) -> None:
        """Only ends are told."""

    def settled(self, entry: Entry) -> None:
        """Tell how it ended, and where its file is or why there is none."""
        waited = "" if entry.waited is None else duration(entry.waited)
        name = shortened(entry.name, _NAME_WIDTH)
        text = (
            f"{entry.state:<10} {entry.place or '':>4}  {name:<{_NAME_WIDTH}} {waited:>7}  {result_of(entry)}"
        )
        self._out.print(text.rstrip(), markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Tell people."""
        say(text)

    def end(self, _entries: Sequence[Entry], totals: Totals, /) -> None:
        """Tell the figures."""
        self._out.print(totals_line(totals), markup=False, soft_wrap=True)


class JsonReport:
    """Every event as a JSON line on standard output."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def begin(self, opening: Opening, /) -> None:
        """Tell what is about to be done."""
        fields = ("requests", "sends", "resumes", "kept", "cost_estimate")
        plan = {name: getattr(opening, name) for name in fields}
        write_json({"event": "begin", "provider": opening.provider, "out": str(opening.target), **plan})

    def moved(self, entry: Entry, doing: str, /) -> None:
        """Tell what a request does now."""
        job_id = entry.record and entry.record.id
        write_json(
            {"event": "moved", "line": entry.place, "id": entry.line_id, "job_id": job_id, "doing": doing}
        )

    def settled(self, entry: Entry) -> None:
        """Tell all the manifest will say of a request."""
        write_json({"event": "settled", **as_object(entry, self._root)})

    def note(self, text: str) -> None:
        """Tell people, beside the JSON."""
        say(text)

    def end(self, _entries: Sequence[Entry], totals: Totals, /) -> None:
        """Tell the figures."""
        write_json({"event": "end", **totals.as_object()})


def result_of(entry: Entry) -> str:
    """Return where a request's files are, or why there are none."""
    if not entry.files:
        return reason(entry)
    return ", ".join(f"{place_of(file.path)} ({size(file.size)})" for file in entry.files)
