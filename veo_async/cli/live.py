"""A run on a terminal: one bar, what runs now, and at the end a table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from veo_async.cli.entries import Entry
from veo_async.cli.names import shortened
from veo_async.cli.reports import Opening, err, out
from veo_async.cli.summary import STYLES, summary_table
from veo_async.cli.totals import Totals, totals_line
from veo_async.cli.words import count, duration, place_of

__all__ = ["LiveReport"]

_ROWS = 8  # a row for each of 500 jobs would cost more processor time than the jobs themselves
_REFRESHES_PER_SECOND = 6
_NAME_WIDTH = 52
_BAR_WIDTH = 40
_ORDER = {"downloading": 0, "sending": 1, "running": 2}


class LiveReport:
    """Shows a bounded number of rows, however many requests there are."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or out()
        self._spinner = Spinner("dots", style="cyan")
        self._began = time.monotonic()
        self._requests = 0
        self._settled = 0
        self._doing: dict[Entry, tuple[str, float]] = {}
        self._opening: Opening | None = None
        # Last, since it draws the view at once.
        self._live = Live(
            console=self._console,
            get_renderable=self._view,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        )

    def begin(self, opening: Opening, /) -> None:
        """Say what is about to be done and start to show it."""
        self._opening = opening
        self._requests = opening.requests
        self._console.print(Text(opening.sentence(), style="bold"), soft_wrap=True)
        self._live.start()

    def moved(self, entry: Entry, doing: str, /) -> None:
        """Show what a request does now."""
        before = self._doing.get(entry, ("", 0.0))
        if before[0] != doing:
            self._doing[entry] = (doing, time.monotonic())

    def settled(self, entry: Entry) -> None:
        """Count it."""
        self._doing.pop(entry, None)
        self._settled += 1

    def note(self, text: str) -> None:
        """Write above the bar."""
        console = self._console if self._live.is_started else err()
        console.print(Text(text, style="yellow"))

    def end(self, entries: Sequence[Entry], totals: Totals, /) -> None:
        """Leave a table and the figures on the screen."""
        self._live.stop()
        self._console.print(summary_table(entries))
        self._console.print(Text(totals_line(totals), style="bold"), soft_wrap=True)
        if self._opening is not None and totals.succeeded > totals.missing_files:
            place = place_of(self._opening.target)
            self._console.print(Text(f"Saved in {place}", style="dim"), soft_wrap=True)

    def _view(self) -> RenderableType:
        return Group(self._bar(), *self._rows())

    def _bar(self) -> RenderableType:
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, self._requests), completed=self._settled, width=_BAR_WIDTH)
        figures = f"{self._settled}/{self._requests}  {duration(time.monotonic() - self._began)}"
        waiting = sum(doing == "queued" for doing, _ in self._doing.values())
        line.add_row(
            bar, Text(figures, style="bold"), Text(f"{waiting} queued" if waiting else "", style="dim")
        )
        return line

    def _rows(self) -> list[RenderableType]:
        active = [(entry, *told) for entry, told in self._doing.items() if told[0] in _ORDER]
        active.sort(key=lambda row: (_ORDER[row[1]], row[2]))
        if not active:
            return []
        rows = Table.grid(padding=(0, 1))
        frame = self._spinner.render(time.monotonic())
        for entry, doing, since in active[:_ROWS]:
            name = Text(shortened(entry.title, _NAME_WIDTH))
            age = Text(duration(time.monotonic() - since), style="dim")
            rows.add_row(frame, name, Text(doing, style=STYLES.get(doing, "")), age)
        more = len(active) - _ROWS
        return [rows, *([Text(f"  and {count(more, 'more', 'more')}", style="dim")] if more > 0 else [])]
