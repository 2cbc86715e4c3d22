"""What a status costs: at once, at a steady rate, through lists, and over bare aiohttp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import check_overhead
from figures import Figure, Goal
from measuring import LISTED, TICK_S
from rounds import Comparison, Setting

AT_ONCE = 64
A_SECOND, EACH_S = 100, 10
FEW = 20
"""Less is told with a decimal."""
LISTS = 10
"""Models whose lists are asked for together."""
LIST_EACH_S = 2.5
"""Gap of each operation in the rows of lists: a list is asked for four times a second."""


def against_genai(
    comparison: Comparison,
    what: str,
    most: float | None = None,
    measure: str = "cpu_us_each",
    unit: str = "µs",
) -> Figure:
    """Return a figure of ours by google-genai's."""
    ours, theirs = comparison.our(measure), comparison.their(measure)
    digits = 1 if ours < FEW else 0
    return Figure(
        what=what,
        value=ours / theirs,
        unit="share",
        goal=None if most is None else Goal(most=most),
        note=f"{ours:,.{digits}f} {unit} against google-genai's {theirs:,.0f}",
        details=comparison.details(measure),
    )


def at_once(setting: Setting) -> Sequence[Figure]:
    """Check 64 operations at the same instant, again and again."""
    options: dict[str, Any] = {
        "operations": AT_ONCE,
        "interval": TICK_S,
        "seconds": setting.seconds,
        "burst": True,
    }
    return [against_genai(setting.compare("pending", options), "CPU a status check, 64 at once", 1 / 5)]


def steady(setting: Setting) -> Sequence[Figure]:
    """Check 1,000 operations each 10 s."""
    options = {"operations": A_SECOND * EACH_S, "interval": EACH_S, "seconds": setting.seconds}
    comparison = setting.compare("pending", options)
    return [against_genai(comparison, "CPU a status check, a steady 100/s", 1 / 8)]


def listed(setting: Setting) -> Sequence[Figure]:
    """Learn of 100 operations from each list, against single requests of google-genai.

    1,000 operations of ten models, and 100 of one in a process that does nothing else: that sleeps between
    its pages, after which the processor is three times as slow with each.
    """

    def compare(operations: int) -> Comparison:
        options = {"operations": operations, "interval": LIST_EACH_S, "seconds": setting.seconds}
        return setting.compare("pending", {**options, "listing": True}, options)

    return [
        against_genai(
            compare(LISTS * LISTED), "CPU a status through a list of 100 (the emulator's), ten lists", 1 / 150
        ),
        against_genai(compare(LISTED), "CPU a status through a list of 100 (the emulator's), one list"),
    ]


def overhead(setting: Setting) -> Sequence[Figure]:
    """Compare with a frozen script of bare aiohttp and json."""
    found = check_overhead.compare(rate=200, seconds=setting.seconds, rounds=setting.rounds)
    measure = check_overhead.MEASURE
    return [
        Figure(
            what="CPU a status check over a frozen script of bare aiohttp and json",
            value=found.ratio(measure),
            unit="times",
            goal=Goal(most=check_overhead.GOAL),
            note=f"{found.our(measure):.0f} µs against {found.their(measure):.0f}",
            details=found.details(measure),
        )
    ]
