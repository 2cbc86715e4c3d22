"""Goals, figures, and the table that says which goals are met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from attrs import asdict, field, frozen

Unit = Literal["share", "times", "bytes", "count", "percent", "ms", "number"]
"""A share of a peer's figure is told as one n-th of it; `times` is a ratio of like with like."""


def _share(value: float) -> str:
    return f"1/{1 / value:.3g}" if 0 < value < 0.5 else f"{value:.2f}"


SHOWN: Final[Mapping[Unit, Callable[[float], str]]] = {
    "share": _share,
    "times": lambda value: f"{value:.2f}x",
    "bytes": lambda value: f"{value:,.0f} B",
    "count": lambda value: f"{value:,.0f}",
    "percent": lambda value: f"{value:.1%}",
    "number": lambda value: f"{value:.2f}",
    "ms": lambda value: f"{value:,.1f} ms",
}


@frozen(kw_only=True)
class Goal:
    """What a figure has to reach; exactly one end is given."""

    most: float | None = None
    least: float | None = None

    def is_met(self, value: float) -> bool:
        """Return whether a figure reaches it."""
        return not (
            (self.most is not None and value > self.most) or (self.least is not None and value < self.least)
        )

    def shown(self, unit: Unit) -> str:
        """Return it as it stands in the table."""
        if self.most is not None:
            return f"≤ {SHOWN[unit](self.most)}"
        assert self.least is not None
        return f"≥ {SHOWN[unit](self.least)}"


@frozen(kw_only=True)
class Figure:
    """One measured figure: a line of the table."""

    what: str
    value: float | None
    """None: it could not be measured; `note` says why."""
    unit: Unit
    goal: Goal | None = None
    note: str = ""
    """Where it comes from: absolute figures, whose they are."""
    details: Mapping[str, Any] = field(factory=dict[str, Any])
    """The single rounds and, where asked for, profiles."""

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or no figure."""
        return None if self.goal is None or self.value is None else self.goal.is_met(self.value)

    def line(self, row: str) -> str:
        """Return the figure as a line of a Markdown table."""
        goal = "" if self.goal is None else self.goal.shown(self.unit)
        value = "not there yet" if self.value is None else SHOWN[self.unit](self.value)
        met = {True: "yes", False: "**no**", None: ""}[self.is_met]
        return f"| {row} | {self.what} | {goal} | {value} | {met} | {self.note} |"

    def as_json(self) -> dict[str, Any]:
        """Return all of it, for `results.json`."""
        return {**asdict(self), "met": self.is_met}


HEAD: Final = "| row | what | goal | figure | met | from |\n|---|---|---|---|---|---|"


def missing(what: str, why: str, unit: Unit, goal: Goal | None = None) -> Figure:
    """Return a figure that could not be measured."""
    return Figure(what=what, value=None, unit=unit, goal=goal, note=why)


def summary(figures: Sequence[Figure]) -> str:
    """Return how many goals are met."""
    judged = [figure.is_met for figure in figures if figure.is_met is not None]
    unmeasured = sum(figure.value is None for figure in figures)
    tail = f"; {unmeasured} not measured" if unmeasured else ""
    return f"{sum(judged)} of {len(judged)} goals met{tail}"
