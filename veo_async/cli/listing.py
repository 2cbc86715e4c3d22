"""`veo-async jobs`: what a ledger holds; it is only read, so a run may go on meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from veo_async.cli.entries import Entry
from veo_async.cli.exits import Exit
from veo_async.cli.identity import id_in
from veo_async.cli.manifest import as_object
from veo_async.cli.names import shortened
from veo_async.cli.records import read_jobs
from veo_async.cli.reports import out, write_json
from veo_async.cli.summary import STYLES
from veo_async.cli.words import duration, money, reason
from veo_async.engine.lifecycle import State
from veo_async.ledger.records import JobRecord

__all__ = ["run_jobs"]

_NAME_WIDTH = 42
_MARK = 8
_WIDTHS = (_MARK, 11, 9, 6, 6, 0)


async def run_jobs(path: Path, state: State | None, *, as_json: bool) -> Exit:
    """List the jobs of the ledger at an absolute path, oldest first.

    Raises:
        LedgerError: it cannot be read.
    """
    records = [record for record in await read_jobs(path) if state is None or record.state is state]
    entries = [_entry(place, record) for place, record in enumerate(records, 1)]
    if as_json:
        for entry in entries:
            write_json(_object(entry, path))
    else:
        _print(entries)
    return Exit.DONE


def _entry(place: int, record: JobRecord) -> Entry:
    key = record.idempotency_key
    return Entry(place=place, line_id=id_in(key), key=key, request=record.request, record=record)


def _object(entry: Entry, path: Path) -> dict[str, Any]:
    record = entry.record
    assert record is not None
    whole = as_object(entry, path.parent) | {
        "provider": record.provider,
        "origin": record.origin,
        "model": record.model,
    }
    left_out = {"line", "id", "attempt", "files", "error"}  # what only a batch knows
    return {name: value for name, value in whole.items() if name not in left_out}


def _print(entries: Sequence[Entry]) -> None:
    console = out()
    if console.is_terminal and entries:
        console.print(_table(entries))
    else:
        for entry in entries:
            line = "  ".join(
                f"{cell.plain:<{width}}" for cell, width in zip(_cells(entry), _WIDTHS, strict=True)
            )
            console.print(line.rstrip(), markup=False, soft_wrap=True)
    states = Counter(entry.state for entry in entries)
    console.print(" · ".join(f"{number} {state}" for state, number in states.most_common()) or "no jobs")


def _table(entries: Sequence[Entry]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width in zip(("job", "created", "state", "wait", "cost"), _WIDTHS, strict=False):
        justify: Literal["right", "left"] = "right" if name in {"wait", "cost"} else "left"
        table.add_column(name, no_wrap=True, justify=justify, width=width)
    table.add_column("request, and why there is no video")
    for entry in entries:
        table.add_row(*_cells(entry))
    return table


def _cells(entry: Entry) -> list[Text]:
    record = entry.record
    assert record is not None
    created = datetime.fromtimestamp(record.created_at).astimezone()
    return [
        Text(record.id[:_MARK], style="dim"),
        Text(f"{created:%m-%d %H:%M}"),
        Text(entry.state, style=STYLES.get(entry.state, "dim")),
        Text("" if entry.waited is None else duration(entry.waited)),
        Text(money(record.cost_estimate)),
        _request(entry),
    ]


def _request(entry: Entry) -> Text:
    name = Text(shortened(entry.title, _NAME_WIDTH))
    ended_well = entry.state == State.SUCCEEDED
    return name if ended_well else Text("  ").join([name, Text(reason(entry), style="dim")])
