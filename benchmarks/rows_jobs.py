"""What a job costs: from submit to file, while it waits, and when all fall due at once."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from figures import Figure, Goal
from rounds import GENAIS, OURS, Comparison, Measures, Setting, alternate
from rows_checks import against_genai

JOBS, POLL_EACH_S = 200, 0.5
DUE = 10_000


def end_to_end(setting: Setting) -> Sequence[Figure]:
    """Submit, poll six times or so, and store a small video, 200 jobs at once."""
    options: dict[str, Any] = {"jobs": JOBS, "interval": POLL_EACH_S}
    listed: list[Measures] = []

    def ours() -> Measures:
        listed.append(setting.run(OURS, "whole_jobs", **options, listing=True))
        return setting.run(OURS, "whole_jobs", **options)

    single = alternate(setting.rounds, ours, lambda: setting.run(GENAIS, "whole_jobs", **options))
    return [
        against_genai(single, "CPU a job end to end, single GETs", 1 / 5),
        against_genai(
            Comparison(tuple(listed), single.theirs), "CPU a job end to end, lists (the emulator's)", 1 / 12
        ),
    ]


def due_at_once(setting: Setting) -> Sequence[Figure]:
    """Let 10,000 operations fall due at the same instant."""
    found = setting.compare("due", {"operations": DUE})
    ours, theirs = ([run["server"]["most_open"] for run in runs] for runs in (found.ours, found.theirs))
    extra = found.our("extra_bytes_each")
    return [
        Figure(
            what="10,000 due at once: sockets",
            value=max(ours),
            unit="count",
            goal=Goal(most=16),
            note=f"google-genai {max(theirs):,}",
            details={"measure": "sockets", "ours": ours, "theirs": theirs},
        ),
        Figure(
            what="10,000 due at once: extra memory each",
            value=extra,
            unit="bytes",
            goal=Goal(most=1500),
            note=f"google-genai {found.their('extra_bytes_each'):,.0f} B",
            details=found.details("extra_bytes_each"),
        ),
    ]


def restarted(setting: Setting) -> Sequence[Figure]:
    """Take up a SQLite ledger of 10,000 overdue operations."""
    runs = [setting.run(OURS, "restart", operations=DUE) for _ in range(setting.rounds)]
    middle = {
        name: statistics.median(run[name] for run in runs)
        for name in ("cpu_us_each", "extra_bytes_each", "longest_ms", "seconds")
    }
    sockets = max(run["server"]["most_open"] for run in runs)
    return [
        Figure(
            what="restart with 10,000 due at once: longest callback",
            value=middle["longest_ms"],
            unit="ms",
            note=f"{sockets} sockets, {middle['extra_bytes_each']:,.0f} B and "
            f"{middle['cpu_us_each']:,.0f} µs each, all checked after {middle['seconds']:.1f} s",
            details={"rounds": runs},
        )
    ]
