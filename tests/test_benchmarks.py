"""The benchmarks' arithmetic: goals, the table, slopes, ratios of rounds. Nothing here is timed."""

from __future__ import annotations

import pytest
from figures import HEAD, Figure, Goal, missing, summary
from fits import exponent, slope
from goals_plot import by_goal, place
from results import merged
from rounds import Measures, alternate

FIFTH = Goal(most=1 / 5)


def figure(value: float | None, goal: Goal | None = FIFTH) -> Figure:
    return Figure(what="CPU", value=value, unit="share", goal=goal, note="measured")


def test_a_goal_is_met_at_its_end_and_not_past_it() -> None:
    assert [FIFTH.is_met(value) for value in (0.19, 0.2, 0.21)] == [True, True, False]
    assert [Goal(least=0.93).is_met(value) for value in (0.92, 0.93, 0.94)] == [False, True, True]


def test_a_line_of_the_table_says_goal_figure_and_whether_it_is_met() -> None:
    assert figure(1 / 6).line("check") == "| check | CPU | ≤ 1/5 | 1/6 | yes | measured |"
    assert figure(0.75).line("check") == "| check | CPU | ≤ 1/5 | 0.75 | **no** | measured |"
    assert figure(0.5, None).line("check") == "| check | CPU |  | 0.50 |  | measured |"
    assert figure(None).line("check") == "| check | CPU | ≤ 1/5 | not there yet |  | measured |"
    assert figure(None).line("check").count("|") == HEAD.splitlines()[0].count("|")


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("times", 1.152, "1.15x"),
        ("bytes", 1249.6, "1,250 B"),
        ("count", 16, "16"),
        ("percent", 0.9406, "94.1%"),
        ("ms", 12.34, "12.3 ms"),
        ("number", 1.004, "1.00"),
    ],
)
def test_each_unit_is_shown_in_its_way(unit: str, value: float, shown: str) -> None:
    line = Figure(what="", value=value, unit=unit, goal=Goal(least=value)).line("")  # type: ignore[arg-type]
    assert line == f"|  |  | ≥ {shown} | {shown} | yes |  |"


def test_what_could_not_be_measured_counts_neither_way() -> None:
    figures = [figure(0.1), figure(0.3), figure(0.3, None), missing("list", "no lists", "share", FIFTH)]
    assert summary(figures) == "1 of 2 goals met; 1 not measured"
    assert summary(figures[:3]) == "1 of 2 goals met"


def test_a_slope_is_that_of_the_line_nearest_to_all_points() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(0, 0), (1, 2), (2, 1)]) == pytest.approx(0.5)


def test_an_exponent_is_the_power_with_which_a_cost_grows() -> None:
    assert exponent([(x, 7 * x**1.5) for x in (10, 100, 1000)]) == pytest.approx(1.5)
    assert exponent([(x, 3.0) for x in (10, 100)]) == pytest.approx(0)


def test_rounds_alternate_and_a_ratio_is_that_of_the_medians() -> None:
    order: list[str] = []

    def run(name: str, values: list[int]) -> Measures:
        order.append(name)
        return {"cpu": values.pop(0)}

    ours, theirs = [1, 2, 30], [4, 400, 8]
    found = alternate(3, lambda: run("ours", ours), lambda: run("theirs", theirs))

    assert order == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert (found.our("cpu"), found.their("cpu"), found.ratio("cpu")) == (2, 8, 1 / 4)
    assert found.details("cpu") == {"measure": "cpu", "ours": [1, 2, 30], "theirs": [4, 400, 8]}


def test_rows_that_were_not_measured_keep_what_an_earlier_run_found() -> None:
    first = merged({}, "checks", [figure(0.5)], {"Python": "3.11"}, "then")
    earlier = merged(first, "import", [figure(0.4)], {"Python": "3.11"}, "then")

    rows = merged(earlier, "checks", [figure(0.1)], {"Python": "3.12"}, "now")

    assert rows["import"] == earlier["import"]
    assert (rows["checks"]["when"], rows["checks"]["on"]) == ("now", {"Python": "3.12"})
    (found,) = rows["checks"]["figures"]
    assert (found["value"], found["goal"], found["met"]) == (0.1, {"most": 0.2, "least": None}, True)


def test_bars_show_what_is_better_than_its_goal_left_of_it() -> None:
    assert by_goal(figure(0.1).as_json()) == pytest.approx(0.5)
    assert by_goal(figure(0.465, Goal(least=0.93)).as_json()) == pytest.approx(2)
    assert place(0.01) == place(0.1) < place(0.5) < place(1) < place(10) == place(100)
