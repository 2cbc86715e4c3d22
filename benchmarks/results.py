"""The figures as a JSON file, in which rows that were not measured now keep what was measured before."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import Figure

Rows = dict[str, dict[str, Any]]
"""By name: when and on what a row was measured, and its figures."""


def merged(earlier: Rows, name: str, figures: Sequence[Figure], facts: Mapping[str, str], when: str) -> Rows:
    """Return the rows of an earlier run with one that was measured now in its place."""
    row = {"when": when, "on": dict(facts), "figures": [figure.as_json() for figure in figures]}
    return {**earlier, name: row}


def written(
    file: Path, facts: Mapping[str, str], name: str, figures: Sequence[Figure]
) -> list[dict[str, Any]]:
    """Write a row beside the others, and return the figures of all."""
    earlier: Rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else {}
    rows = merged(earlier, name, figures, facts, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))
    file.write_text(json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [figure for row in rows.values() for figure in row["figures"]]
