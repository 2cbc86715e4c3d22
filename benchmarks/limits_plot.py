"""Two panels over one time axis, written as SVG by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from attrs import frozen

__all__ = ["Curve", "Panel", "drawn"]

WIDTH, LEFT, RIGHT, TOP = 960, 64, 24, 56
HEIGHT, GAP, BOTTOM = 220, 64, 56
Point = tuple[float, float]


@frozen(kw_only=True)
class Curve:
    """One line of a panel."""

    name: str
    colour: str
    points: Sequence[Point]
    """(hours, value)."""
    width: float = 1.5
    dashed: bool = False


@frozen(kw_only=True)
class Panel:
    """Curves with one scale of values."""

    title: str
    curves: Sequence[Curve]
    ticks: Sequence[float]
    """Values that are written beside the axis; the outer ones are its ends."""
    logarithmic: bool = False

    def height_of(self, value: float) -> float:
        """Return where a value lies, 0 at the bottom and 1 at the top."""
        low, high, value = (self._scaled(one) for one in (self.ticks[0], self.ticks[-1], value))
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self.logarithmic else value


def drawn(title: str, panels: Sequence[Panel], hours: float) -> str:
    """Return the panels, one below the other, as the text of an SVG file."""
    height = TOP + len(panels) * (HEIGHT + GAP) - GAP + BOTTOM
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for place, panel in enumerate(panels):
        lines += _panel(panel, TOP + place * (HEIGHT + GAP), hours)
    lines.append(f'<text x="{WIDTH / 2}" y="{height - 12}" text-anchor="middle">hours</text>')
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel, top: float, hours: float) -> Iterator[str]:
    def x(hour: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * hour / hours, 1)

    def y(value: float) -> float:
        return round(top + HEIGHT * (1 - panel.height_of(value)), 1)

    for tick in panel.ticks:
        yield f'<line x1="{LEFT}" y1="{y(tick)}" x2="{WIDTH - RIGHT}" y2="{y(tick)}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y(tick) + 4}" text-anchor="end">{tick:,g}</text>'
    for hour in range(int(hours) + 1):
        yield f'<text x="{x(hour)}" y="{top + HEIGHT + 18}" text-anchor="middle">{hour}</text>'
    yield f'<text x="{LEFT}" y="{top - 6}">{escape(panel.title)}</text>'
    for place, curve in enumerate(panel.curves):
        dashes = ' stroke-dasharray="6 4"' if curve.dashed else ""
        style = f'fill="none" stroke="{curve.colour}" stroke-width="{curve.width}"{dashes}'
        points = " ".join(f"{x(hour)},{y(value)}" for hour, value in curve.points if hour <= hours)
        yield f'<polyline points="{points}" {style}/>'
        at = WIDTH - RIGHT - 190 * (len(panel.curves) - place)
        yield f'<line x1="{at}" y1="{top - 10}" x2="{at + 24}" y2="{top - 10}" {style}/>'
        yield f'<text x="{at + 30}" y="{top - 6}">{escape(curve.name)}</text>'
