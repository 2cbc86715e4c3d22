"""Straight lines through measured points, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


def slope(points: Sequence[Point]) -> float:
    """Return by how much y grows with each x."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    above = sum((x - middle_x) * (y - middle_y) for x, y in points)
    return above / sum((x - middle_x) ** 2 for x, _ in points)


def exponent(points: Sequence[Point]) -> float:
    """Return the power of x that y grows with: 1 is linear, 2 is quadratic. All must be more than 0."""
    return slope([(math.log(x), math.log(y)) for x, y in points])
