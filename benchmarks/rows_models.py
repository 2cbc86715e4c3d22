"""What the pure models say: lag against requests, and a quota that moves. Nothing of it is timed."""

from __future__ import annotations

from collections.abc import Sequence

import lag
import limits
import list_lag
from figures import Figure, Goal
from lag_model import Scenario, at_lag, at_requests
from rounds import Setting

from veo_async.dialects.gemini import PAGE_SIZE

LAG_GOALS = {0.5: 0.75, 0.2: 0.40, 0.1: 0.22}
JOBS, LISTED_JOBS, SEED = 1500, 1000, 1


def scenario(sigma: float) -> Scenario:
    """Return the scenario in which nothing changes."""
    return next(one for one in lag.SCENARIOS if one.name == f"sigma {sigma}")


def lag_rows(_: Setting) -> Sequence[Figure]:
    """Follow virtual jobs: mean lag at the requests of a loop that sleeps 10 s, and the other way round."""
    figures: list[Figure] = []
    for sigma, most in LAG_GOALS.items():
        bench = lag.Bench(scenario(sigma), JOBS, SEED)
        equal = at_requests(bench.ours, bench.fixed.requests)
        figures.append(
            Figure(
                what=f"mean lag at the requests of a fixed 10 s loop, sigma {sigma}",
                value=equal.lag / bench.fixed.lag,
                unit="times",
                goal=Goal(most=most),
                note=f"{equal.lag:.2f} s against {bench.fixed.lag:.2f}; {bench.fixed.requests:.2f} requests",
            )
        )
        if sigma == 0.5:
            figures.append(fewer_requests(bench))
    return figures


def fewer_requests(bench: lag.Bench) -> Figure:
    """Return our requests where the lag is that of the fixed loop."""
    equal = at_lag(bench.ours, bench.fixed.lag)
    return Figure(
        what="requests at the lag of a fixed 10 s loop, sigma 0.5",
        value=equal.requests / bench.fixed.requests,
        unit="times",
        goal=Goal(most=0.75),
        note=f"{equal.requests:.2f} against {bench.fixed.requests:.2f} at {bench.fixed.lag:.2f} s",
    )


def listed_rows(_: Setting) -> Sequence[Figure]:
    """Follow virtual jobs whose provider lists them, against a loop that sleeps 10 s."""
    fixed = lag.Bench(scenario(0.5), LISTED_JOBS, SEED).fixed
    ours = list_lag.play(LISTED_JOBS, 0.5, SEED)
    pairs = [f"{cost.lag:.2f} s at {cost.requests:.2f} requests" for cost in (ours, fixed)]
    return [
        Figure(
            what=f"with a list endpoint, against a fixed 10 s loop: {name} (virtual list)",
            value=our / their,
            unit="share",
            goal=Goal(most=1 / 10),
            note=f"{' against '.join(pairs)}; pages of {PAGE_SIZE}, {list_lag.SHORTEST_S:g} s apart at least",
        )
        for name, our, their in (
            ("mean lag", ours.lag, fixed.lag),
            ("requests", ours.requests, fixed.requests),
        )
    ]


def limit_rows(_: Setting) -> Sequence[Figure]:
    """Play 24 virtual hours against a quota that moves, for each way to count it, with hints and without."""
    runs = [
        limits.ours(server(), hints=hints, seed=0)
        for server in limits.SERVERS.values()
        for hints in (False, True)
    ]
    where = f"the worst of {len(runs)} runs of 24 virtual hours"
    return [
        Figure(
            what="share of a moving, unknown quota used",
            value=min(run.used for run in runs),
            unit="percent",
            goal=Goal(least=limits.LEAST_USED),
            note=where,
        ),
        Figure(
            what="answers 429 an hour",
            value=max(run.refused_an_hour for run in runs),
            unit="count",
            goal=Goal(most=limits.MOST_REFUSED),
            note=where,
        ),
        Figure(
            what="submits in the fullest minute",
            value=max(run.fullest(limits.STATED) for run in runs),
            unit="count",
            goal=Goal(most=limits.STATED.count),
            note=where,
        ),
    ]
