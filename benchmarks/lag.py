"""Lag against requests: how long an end goes unseen, by how many status checks a job costs.

    python benchmarks/lag.py [--jobs 1500] [--seed 1] [--svg lag.svg]
    python benchmarks/lag.py --http       # the same over real HTTP, against the emulator: about a minute

Pure but for `--http`: virtual time, fixed seed, the same draws for all. The table and the plot are those of
the README beside this.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from charts import Panel, Series, page
from lag_model import Backoff, Cost, Fixed, Scenario, at_lag, at_requests, lognormal, optimum, run, run_anew
from lag_model import slowdown as slowed
from lag_model import two_modes as modes

from veo_async.options import PollPolicy

SCENARIOS = (
    lognormal("sigma 0.1", 60, 0.1),
    lognormal("sigma 0.2", 60, 0.2),
    lognormal("sigma 0.5", 60, 0.5),
    lognormal("sigma 0.8", 60, 0.8),
    lognormal("sigma 0.5, prior 180 s, first 150 jobs", 60, 0.5, expected=180.0, skip=0, jobs=150),
    lognormal("sigma 0.5, prior 20 s, first 150 jobs", 60, 0.5, expected=20.0, skip=0, jobs=150),
    slowed(),
    modes(),
)
WORTHS = (0.1, 0.25, 0.6, 1.5, 4.0)
"""Seconds of lag that a request is worth: the points of our curve and of the optimum's."""
GAPS = (4.0, 5.0, 7.0, 10.0, 14.0, 20.0, 28.0)
"""Seconds that fixed loops sleep."""
SEEDS = 4
"""Short scenarios are played so many times."""


def main() -> None:
    """Print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1500, help="jobs measured in each run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svg", type=Path, default=Path(__file__).with_name("lag.svg"))
    parser.add_argument("--http", action="store_true", help="over real HTTP instead")
    given = parser.parse_args()
    if given.http:
        from lag_http import compare

        asyncio.run(compare(given.seed))
        return
    began = time.process_time()
    print(
        "| waiting times | fixed 10 s | backoff x1.5 | capped at 20 s | ours | lag at equal requests |",
        end="",
    )
    print(" requests at equal lag |")
    print("|---|---|---|---|---|---|---|")
    panels: list[Panel] = []
    for scenario in SCENARIOS:
        bench = Bench(scenario, given.jobs, given.seed)
        print(bench.row(), flush=True)
        panels.append(bench.panel())
    given.svg.write_text(page("Mean lag against requests a job", panels, columns=4), encoding="utf-8")
    print(f"\n{given.svg.name} written; {time.process_time() - began:.0f} s of CPU.")
    print("Pairs are mean lag in seconds at requests a job; the last columns are shares of the fixed loop's,")
    print("and what the exact optimum has, which is told the truth.")


class Bench:
    """The figures of one scenario."""

    def __init__(self, scenario: Scenario, jobs: int, seed: int) -> None:
        self.scenario = scenario
        self._jobs = jobs
        self._seeds = range(seed, seed + (SEEDS if scenario.jobs else 1))
        self.fixed = self.deaf(Fixed(10.0))

    def deaf(self, loop: Fixed | Backoff) -> Cost:
        """Return the cost of a loop that learns nothing."""
        return _mean([run(self.scenario, loop, self._jobs, seed) for seed in self._seeds])

    def ours(self, worth: float) -> Cost:
        """Return the cost of our own cadence."""
        return _mean([run_anew(self.scenario, worth, self._jobs, seed) for seed in self._seeds])

    def best(self, worth: float) -> Cost:
        """Return the cost of the exact optimum."""
        plan = optimum(self.scenario, worth)
        return _mean([run(self.scenario, plan, self._jobs, seed) for seed in self._seeds])

    def row(self) -> str:
        """Return a line of the table."""
        equal = at_requests(self.ours, self.fixed.requests)
        best = at_requests(self.best, self.fixed.requests)
        share, least = equal.lag / self.fixed.lag, best.lag / self.fixed.lag
        fewer = at_lag(self.ours, self.fixed.lag).requests / self.fixed.requests
        fewest = at_lag(self.best, self.fixed.lag).requests / self.fixed.requests
        costs = (
            self.fixed,
            self.deaf(Backoff()),
            self.deaf(Backoff(cap=20.0)),
            self.ours(PollPolicy().check_worth),
        )
        pairs = " | ".join(f"{cost.lag:.2f} at {cost.requests:.2f}" for cost in costs)
        shares = f"**{share:.2f}** (optimum {least:.2f}) | {fewer:.2f} (optimum {fewest:.2f})"
        return f"| {self.scenario.name} | {pairs} | {shares} |"

    def panel(self) -> Panel:
        """Return the plot of it."""
        x_max, y_max = 2.5 * self.fixed.requests, 3.8 * self.fixed.lag
        fixed = [self.deaf(Fixed(gap)) for gap in GAPS]
        backoffs = [self.deaf(Backoff(cap=cap)) for cap in (10.0, 20.0, 1e9)]
        series = (
            Series("fixed gaps, 4 to 28 s (the fourth from the right is 10 s)", fixed, "#888888"),
            Series("backoff x1.5 capped at 10 s, at 20 s, and not", backoffs, "#d62728", dashed=True),
            Series("ours, as it learns", [self.ours(worth) for worth in WORTHS], "#1f77b4"),
            Series("exact optimum, told the truth", [self.best(worth) for worth in WORTHS], "#2ca02c", True),
        )
        return Panel(self.scenario.name, "requests a job", "mean lag, s", x_max, y_max, series)


def _mean(costs: list[Cost]) -> Cost:
    requests, lags = zip(*costs, strict=True)
    return Cost(sum(requests) / len(costs), sum(lags) / len(costs))


if __name__ == "__main__":
    main()
