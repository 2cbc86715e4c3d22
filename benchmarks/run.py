"""All benchmarks in one run: `python run.py [ROW ...]`, or `nox -s bench -- [ROW ...]`.

Prints a table of goals and figures, and writes it as `results.json` with every single round, machine
and versions; plots stand beside it. Rows that are not measured now keep what an earlier run wrote.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import growth
import pending_memory
import results
import rows_checks
import rows_jobs
import rows_models
import rows_others
import rows_videos
from figures import HEAD, Figure, missing, summary
from goals_plot import plot
from machine import description
from rounds import Setting

HERE = Path(__file__).parent
ROWS: Mapping[str, Callable[[Setting], Sequence[Figure]]] = {
    "checks-at-once": rows_checks.at_once,
    "checks-steady": rows_checks.steady,
    "overhead": rows_checks.overhead,
    "list": rows_checks.listed,
    "memory": pending_memory.rows,
    "due": rows_jobs.due_at_once,
    "jobs": rows_jobs.end_to_end,
    "lag": rows_models.lag_rows,
    "list-lag": rows_models.listed_rows,
    "limits": rows_models.limit_rows,
    "download": rows_videos.against_curl,
    "download-memory": rows_videos.memory,
    "upload": rows_videos.with_image,
    "inline": rows_videos.inside_answers,
    "import": rows_others.imports,
    "posts": rows_others.posts,
    "growth": growth.rows,
    "restart": rows_jobs.restarted,
}


def main() -> int:
    """Measure the rows that were asked for; 1 where one could not be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of {', '.join(ROWS)}; none: all")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each client (default 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of a steady state (default 4)")
    parser.add_argument("--large", action="store_true", help="100,000 pending jobs too")
    parser.add_argument("--profile", action="store_true", help="tell where our time goes; spoils the figures")
    parser.add_argument(
        "--peers", type=Path, default=HERE.parent / ".nox" / "peers", help="folder of the peers"
    )
    parser.add_argument("--results", type=Path, default=HERE, help="folder that is written to")
    given = parser.parse_args()
    if unknown := set(given.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    given.results.mkdir(parents=True, exist_ok=True)
    setting = Setting(
        folder=given.peers.absolute(),
        results=given.results.absolute(),
        rounds=given.rounds,
        seconds=given.seconds,
        large=given.large,
        profile=given.profile,
    )
    facts = description()
    print(", ".join(f"{name} {value}" for name, value in facts.items()), HEAD, sep="\n\n", flush=True)
    # Profiles stand apart: they slow down what they see.
    file = given.results / ("profiles.json" if given.profile else "results.json")
    figures = list[Figure]()
    for name in given.rows or ROWS:
        row = measured(name, setting)
        figures += row
        written = results.written(file, facts, name, row)
        if not given.profile:
            (given.results / "goals.svg").write_text(plot(written), encoding="utf-8")
    print(f"\n{summary(figures)}")
    return 1 if any(figure.value is None for figure in figures) else 0


def measured(name: str, setting: Setting) -> Sequence[Figure]:
    """Measure one row and print it; a row that breaks is told, and the rest goes on."""
    began_at = time.monotonic()
    try:
        figures = ROWS[name](setting)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost the other rows
        figures = [missing(name, f"failed: {error!r}", "count")]
    for figure in figures:
        print(figure.line(name), flush=True)
    print(f"{name}: {time.monotonic() - began_at:.0f} s", file=sys.stderr, flush=True)
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
