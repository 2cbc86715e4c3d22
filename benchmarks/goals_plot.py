"""How far each figure lies from its goal, as bars on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from charts import FONT

WIDTH, LEFT, RIGHT, TOP, LINE = 1060, 570, 60, 62, 22
FROM, TO = 0.1, 10.0
GREEN, RED = "#2ca02c", "#d62728"
TICKS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10)


def plot(figures: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of the figures that have a goal, as `results.json` has them."""
    shown = [figure for figure in figures if figure["met"] is not None]
    height = TOP + LINE * len(shown) + 16
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' ",
        f"height='{height}' {FONT} font-size='11'><rect width='{WIDTH}' height='{height}' fill='white'/>",
        f"<text x='{WIDTH / 2}' y='22' font-size='15' text-anchor='middle'>",
        "Figures by their goals: left of 1 is better than the goal</text>",
    ]
    for tick in TICKS:
        x = place(tick)
        parts.append(f"<line x1='{x:.1f}' y1='{TOP - 8}' x2='{x:.1f}' y2='{height - 12}' stroke='#ddd'/>")
        parts.append(f"<text x='{x:.1f}' y='{TOP - 14}' text-anchor='middle'>{tick:g}</text>")
    for number, figure in enumerate(shown):
        parts += bar(figure, TOP + LINE * number)
    parts.append(f"<line x1='{place(1)}' y1='{TOP - 8}' x2='{place(1)}' y2='{height - 12}' stroke='#222'/>")
    return "\n".join([*parts, "</svg>\n"])


def bar(figure: Mapping[str, Any], y: float) -> Iterator[str]:
    """Yield one figure's bar, from the goal to where it lies."""
    share = by_goal(figure)
    start, end = sorted((place(1), place(share)))
    colour = GREEN if figure["met"] else RED
    yield f"<text x='{LEFT - 10}' y='{y + 13}' text-anchor='end'>{escape(figure['what'])}</text>"
    yield (
        f"<rect x='{start:.1f}' y='{y + 3}' width='{max(end - start, 1):.1f}' height='{LINE - 8}' "
        f"fill='{colour}'/>"
    )
    at, anchor = (start - 4, "end") if share < 1 else (end + 4, "start")
    yield f"<text x='{at:.1f}' y='{y + 13}' text-anchor='{anchor}'>{share:.2f}</text>"


def by_goal(figure: Mapping[str, Any]) -> float:
    """Return a figure by its goal: less than 1 is better."""
    goal, value = figure["goal"], figure["value"]
    share: float = value / goal["most"] if goal["most"] is not None else goal["least"] / max(value, 1e-9)
    return share


def place(share: float) -> float:
    """Return where a share lies; what is past an end stands at that end."""
    within = min(TO, max(FROM, share))
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(within / FROM) / math.log(TO / FROM)
