"""Line charts as SVG text, with nothing to install."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 330, 270
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 34, 44
FONT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass(frozen=True)
class Series:
    """Points of one kind: a line through them, or a mark where there is one only."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """One chart of several."""

    title: str
    x_label: str
    y_label: str
    x_max: float
    y_max: float
    series: Sequence[Series] = field(default_factory=list[Series])
    logarithmic_from: tuple[float, float] | None = None
    """Where both axes begin if they are logarithmic; None: straight axes from 0."""


def page(title: str, panels: Sequence[Panel], columns: int) -> str:
    """Return an SVG page of panels in rows, with a legend of all that is drawn in the first."""
    rows = math.ceil(len(panels) / columns)
    width, height = columns * WIDTH + 10, rows * HEIGHT + 66
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' {FONT} font-size='11'>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        f"<text x='{width / 2}' y='22' font-size='15' text-anchor='middle'>{escape(title)}</text>",
        *_legend(panels[0].series, 20, 42),
    ]
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        parts.append(f"<g transform='translate({column * WIDTH + 5},{row * HEIGHT + 56})'>")
        parts += [*_frame(panel), *_drawn(panel), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


def _legend(series: Sequence[Series], x: float, y: float) -> Iterator[str]:
    for one in series:
        yield _line([(x, y - 4), (x + 26, y - 4)], one)
        yield _mark(x + 13, y - 4, one.colour)
        yield f"<text x='{x + 32}' y='{y}'>{escape(one.name)}</text>"
        x += 50 + 6.0 * len(one.name)


def _frame(panel: Panel) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    yield (
        f"<text x='{(LEFT + right) / 2}' y='{TOP - 10}' font-size='12' font-weight='bold' "
        f"text-anchor='middle'>{escape(panel.title)}</text>"
    )
    x_from, y_from = _origin(panel)
    for value in _ticks(x_from, panel.x_max):
        x, _ = _at(panel, value, panel.y_max)
        yield f"<line x1='{x:.1f}' y1='{TOP}' x2='{x:.1f}' y2='{bottom}' stroke='#e4e4e4'/>"
        yield f"<text x='{x:.1f}' y='{bottom + 14}' text-anchor='middle'>{value:g}</text>"
    for value in _ticks(y_from, panel.y_max):
        _, y = _at(panel, panel.x_max, value)
        yield f"<line x1='{LEFT}' y1='{y:.1f}' x2='{right}' y2='{y:.1f}' stroke='#e4e4e4'/>"
        yield f"<text x='{LEFT - 5}' y='{y + 4:.1f}' text-anchor='end'>{value:g}</text>"
    across, down, middle = right - LEFT, bottom - TOP, (LEFT + right) / 2
    yield f"<rect x='{LEFT}' y='{TOP}' width='{across}' height='{down}' fill='none' stroke='#888'/>"
    yield f"<text x='{middle}' y='{bottom + 31}' text-anchor='middle'>{escape(panel.x_label)}</text>"
    turned = f"text-anchor='middle' transform='rotate(-90 13 {(TOP + bottom) / 2})'"
    yield f"<text x='13' y='{(TOP + bottom) / 2}' {turned}>{escape(panel.y_label)}</text>"


def _drawn(panel: Panel) -> Iterator[str]:
    for one in panel.series:
        inside = [(x, y) for x, y in one.points if x <= panel.x_max and y <= panel.y_max]
        points = [_at(panel, x, y) for x, y in inside]
        if len(points) > 1:
            yield _line(points, one)
        yield from (_mark(x, y, one.colour) for x, y in points)


def _line(points: Sequence[tuple[float, float]], one: Series) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = " stroke-dasharray='5 3'" if one.dashed else ""
    return f"<polyline points='{path}' fill='none' stroke='{one.colour}' stroke-width='1.8'{dashes}/>"


def _mark(x: float, y: float, colour: str) -> str:
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'/>"


def _origin(panel: Panel) -> tuple[float, float]:
    return panel.logarithmic_from or (0.0, 0.0)


def _at(panel: Panel, x: float, y: float) -> tuple[float, float]:
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    x_from, y_from = _origin(panel)
    return (
        LEFT + _share(x, x_from, panel.x_max) * across,
        HEIGHT - BOTTOM - _share(y, y_from, panel.y_max) * up,
    )


def _share(value: float, start: float, end: float) -> float:
    """Return how far along an axis a value lies; one that starts past 0 is logarithmic."""
    return math.log(value / start) / math.log(end / start) if start else value / end


def _ticks(start: float, most: float) -> Iterator[float]:
    """Yield round values: five or so from 0 to `most`, or the powers of ten from `start` on."""
    if start:
        powers = range(math.ceil(math.log10(start)), math.floor(math.log10(most)) + 1)
        yield from (10.0**power for power in powers)
        return
    rough = most / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.99)
    value = 0.0
    while value <= most * 1.001:
        yield round(value, 9)
        value += step
