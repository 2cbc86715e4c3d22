"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from veo_async.cli.entries import Entry
from veo_async.cli.names import shortened
from veo_async.cli.words import duration, reason, size

__all__ = ["STYLES", "summary_table"]

STYLES: Final[Mapping[str, str]] = {
    "succeeded": "green",
    "filtered": "yellow",
    "failed": "red",
    "rejected": "red",
    "expired": "red",
    "invalid": "red",
    "unknown": "bold magenta",
    "running": "cyan",
    "downloading": "blue",
}
"""Colours of states."""

_MOST_ROWS = 60
_NAME_WIDTH = 28


def summary_table(entries: Sequence[Entry]) -> Table:
    """Return a row for each request; of a long run only those that did not bring a video."""
    shown = entries if len(entries) <= _MOST_ROWS else [entry for entry in entries if not entry.complete]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("request", max_width=_NAME_WIDTH, no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("wait", justify="right", no_wrap=True)
    table.add_column("file, or why not", overflow="fold")
    for entry in shown[:_MOST_ROWS]:
        table.add_row(*_cells(entry))
    hidden = len(entries) - min(len(shown), _MOST_ROWS)
    if hidden:
        table.caption = f"{hidden} more are in manifest.jsonl"
    return table


def _cells(entry: Entry) -> tuple[Text, Text, Text, Text, Text]:
    waited = "" if entry.waited is None else duration(entry.waited)
    return (
        Text(str(entry.place or "")),
        Text(shortened(entry.name, _NAME_WIDTH)),
        Text(entry.state, style=STYLES.get(entry.state, "dim")),
        Text(waited),
        _result(entry),
    )


def _result(entry: Entry) -> Text:
    if not entry.files:
        return Text(reason(entry), style="dim")
    parts = [Text.assemble(file.path.name, "  ", (size(file.size), "dim")) for file in entry.files]
    return Text("\n").join(parts)
