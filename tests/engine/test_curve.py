"""What follows from an estimate: gaps, expected waits, quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.engine.curve import Curve, curve_of
from veo_async.engine.waiting_times import BINS, Seen
from veo_async.options import PollPolicy

positive = st.floats(min_value=0, exclude_min=True, allow_nan=False)
ages = st.floats(min_value=0, max_value=1e7)


def survival(age: float, median: float, spread: float) -> float:
    return 0.5 * math.erfc(math.log(age / median) / spread / math.sqrt(2)) if age > 0 else 1.0


def hazard(age: float, median: float, spread: float) -> float:
    """Return the hazard by numeric derivation of the survival: no formula shared with the code."""
    step = 1e-5 * age
    after = survival(age + step, median, spread)
    before = survival(age - step, median, spread)
    return (before - after) / (2 * step) / survival(age, median, spread)


def prior(median: float, spread: float, worth: float = 0.6) -> Curve:
    return curve_of(Seen(), PollPolicy(expected=median, spread=spread, check_worth=worth))


def costs(gap: Callable[[float], float], median: float, spread: float) -> tuple[float, float]:
    """Return the expected checks and the expected lag with these gaps, exactly."""
    checks = seen_at = last = 0.0
    while (alive := survival(last, median, spread)) > 1e-7:
        wait = gap(last)
        checks += alive
        seen_at += wait * alive
        last += wait
    return checks, seen_at - median * math.exp(spread**2 / 2)


def within_bounds(curve: Curve) -> Callable[[float], float]:
    return lambda age: min(60.0, max(1.0, curve.gap(age)))


def every_ten_seconds(_: float) -> float:
    return 10.0


# ── gaps ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("z", [-1.0, 0.0, 1.0, 2.0])
def test_gaps_are_inverse_to_the_root_of_the_hazard(z: float, spread: float) -> None:
    """Spacing is √(2 · worth / h), for checks so cheap that h hardly changes between two."""
    age, worth = 60 * math.exp(z * spread), 0.0001 * spread
    expected = math.sqrt(2 * worth / hazard(age, 60, spread))
    assert prior(60, spread, worth).gap(age) == pytest.approx(expected, rel=0.2 if spread < 0.2 else 0.1)


def test_a_late_check_does_not_draw_the_next_one_near() -> None:
    """Gaps count from the check that was made, so a pause is not followed by a burst."""
    curve = prior(60, 0.5)
    assert curve.gap(60.01) == pytest.approx(curve.gap(60), rel=0.01)


@pytest.mark.parametrize(("spread", "goal"), [(0.5, 0.75), (0.2, 0.40), (0.1, 0.22)])
def test_mean_lag_at_the_checks_of_a_fixed_ten_second_loop(spread: float, goal: float) -> None:
    """With just as many checks, operations are found done so much sooner."""
    allowed, fixed_lag = costs(every_ten_seconds, 60, spread)
    dear, cheap = 0.001, 100.0
    for _ in range(30):
        worth = math.sqrt(dear * cheap)
        checks, _ = costs(within_bounds(prior(60, spread, worth)), 60, spread)
        dear, cheap = (worth, cheap) if checks > allowed else (dear, worth)
    _, lag = costs(within_bounds(prior(60, spread, cheap)), 60, spread)
    assert fixed_lag == pytest.approx(5.0, abs=0.1)
    assert lag / fixed_lag <= goal, f"{lag / fixed_lag:.3f} of the fixed loop's lag"


def test_checks_at_equal_lag() -> None:
    """At the standard worth, three quarters of the fixed loop's checks give the same lag."""
    checks, lag = costs(within_bounds(prior(60, 0.5)), 60, 0.5)
    fixed_checks, fixed_lag = costs(lambda _: 2 * lag, 60, 0.5)
    assert fixed_lag == pytest.approx(lag, rel=0.02)
    assert checks / fixed_checks <= 0.75, f"{checks / fixed_checks:.3f} of the fixed loop's checks"


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.5, 0.8])
def test_the_standard_worth_costs_no_more_checks_than_a_fixed_ten_second_loop(spread: float) -> None:
    """What `PollPolicy.check_worth` says of its default."""
    standard = curve_of(Seen(), PollPolicy(spread=spread))
    checks, _ = costs(within_bounds(standard), 60, spread)
    allowed, _ = costs(every_ten_seconds, 60, spread)
    assert checks <= allowed


def test_half_the_worth_is_root_two_times_the_checks() -> None:
    """As `PollPolicy.check_worth` says, but for the check that ends it."""
    many, _ = costs(within_bounds(prior(60, 0.5, 0.3)), 60, 0.5)
    few, _ = costs(within_bounds(prior(60, 0.5, 0.6)), 60, 0.5)
    assert (many - 0.5) / (few - 0.5) == pytest.approx(math.sqrt(2), rel=0.02)


# ── expected waits and quantiles ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("running_at", "since", "age"), [(30, 30, 60), (0, 50, 70), (80, 80, 95), (0, 600, 900)]
)
def test_the_expected_undetected_wait_is_that_of_many_draws(
    running_at: float, since: float, age: float
) -> None:
    random = Random(1)
    draws = [random.lognormvariate(math.log(60), 0.5) for _ in range(40_000)]
    waits = [max(0.0, age - max(since, took)) for took in draws if took > running_at]
    undetected = prior(60, 0.5).undetected(running_at, since, age)
    assert undetected == pytest.approx(sum(waits) / len(waits), rel=0.03, abs=0.05)


@pytest.mark.parametrize("running_at", [0, 30, 60, 100])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_quantiles_are_those_of_what_is_left(running_at: float, share: float) -> None:
    """Of those that run at an age, this share has ended by then."""
    age = prior(60, 0.5).quantile(running_at, share)
    assert survival(age, 60, 0.5) / survival(running_at, 60, 0.5) == pytest.approx(1 - share, abs=0.01)


@st.composite
def estimates(draw: st.DrawFn) -> Curve:
    """Any curve at all."""
    policy = PollPolicy(
        expected=draw(positive), spread=draw(positive), check_worth=draw(st.floats(1e-3, 1e3))
    )
    seen = Seen()
    weights = st.floats(0, 60)
    bins = draw(st.lists(st.tuples(st.integers(0, BINS - 1), weights, weights), max_size=40))
    seen.restore(draw(weights), bins)
    return curve_of(seen, policy)


@given(curve=estimates(), age=ages)
def test_whatever_was_learned_numbers_stay_numbers(curve: Curve, age: float) -> None:
    """Gaps are positive, quantiles finite and in their order."""
    assert curve.gap(age) > 0
    p50, p90 = curve.quantile(age, 0.5), curve.quantile(age, 0.9)
    assert age <= p50 <= p90 < math.inf


@given(curve=estimates(), age=ages, wait=st.floats(0, 1e5), more=st.floats(0, 1e5))
def test_an_undetected_wait_grows_no_faster_than_time(
    curve: Curve, age: float, wait: float, more: float
) -> None:
    """That is what lets the line look at few."""
    before = curve.undetected(age, age, age + wait)
    after = curve.undetected(age, age, age + wait + more)
    slack = 1e-6 * (1 + age + wait + more)
    assert 0 <= before <= wait + slack
    assert before - slack <= after <= before + more + slack
