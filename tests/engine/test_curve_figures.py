"""The curve's integrals, where their formulas are known."""

from __future__ import annotations

import math

import pytest

from veo_async.engine.curve import EARLY, LATE, LEAST, STRAGGLING, Curve, Lognormal, curve_of
from veo_async.engine.waiting_times import AGES, BINS, MEMORY, WIDTH, Seen, place_of
from veo_async.options import PollPolicy

from .test_curve import hazard, survival

YOUNGEST, OLDEST = AGES[0], AGES[-1]


def pareto() -> Curve:
    """Return the curve of which half are left at twice an age; the checks' density is 1 over √age."""
    return Curve([1.0] * BINS, check_worth=2.0)


def never() -> Curve:
    """Return the curve of what does not end before the last bin is over."""
    return Curve([0.0] * BINS, check_worth=2.0)


@pytest.mark.parametrize("running_at", [YOUNGEST, 10.0, 777.0, OLDEST, 3 * OLDEST])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_quantiles_of_a_constant_hazard(running_at: float, share: float) -> None:
    """Also of what runs for so long that no bin has it."""
    assert pareto().quantile(running_at, share) == pytest.approx(running_at / (1 - share), rel=2e-3)


def test_quantiles_from_the_beginning() -> None:
    """None is looked for before the youngest age."""
    assert pareto().quantile(0.0, 0.5) == pytest.approx(2 * YOUNGEST, rel=2e-3)
    assert pareto().quantile(0.0, 0.0) == pytest.approx(YOUNGEST)
    assert pareto().quantile(7.0, 0.0) == pytest.approx(7.0, rel=1e-3)


def test_what_has_not_ended_with_the_last_bin_straggles() -> None:
    """Half of it lasts twice that age."""
    assert never().quantile(0.0, 0.5) == pytest.approx(2 * OLDEST)
    assert never().quantile(5.0, 0.0) == pytest.approx(OLDEST)
    assert never().quantile(2 * OLDEST, 0.75) == pytest.approx(8 * OLDEST)


@pytest.mark.parametrize(
    ("running_at", "since", "age"), [(10, 10, 20), (10, 15, 40), (300, 600, 601), (1, 30, 31), (2, 50, 50)]
)
def test_the_undetected_wait_of_a_constant_hazard(running_at: float, since: float, age: float) -> None:
    """All the time but that in which it is expected to run."""
    runs = running_at * math.log(age / since)
    expected = age - since - runs
    assert pareto().undetected(running_at, since, age) == pytest.approx(expected, rel=0.02, abs=1e-9)


def test_nothing_is_over_before_the_youngest_age() -> None:
    """Time until then is spent running."""
    half = YOUNGEST / 2
    assert pareto().undetected(0.0, 0.0, half) == 0.0
    assert pareto().undetected(0.0, half, YOUNGEST) == 0.0
    expected = YOUNGEST - YOUNGEST * math.log(2)
    assert pareto().undetected(0.0, 0.0, 2 * YOUNGEST) == pytest.approx(expected, rel=5e-3)
    assert never().undetected(0.0, 0.0, 1000.0) == pytest.approx(0.0, abs=1e-6)


def test_what_is_past_all_bins_is_over() -> None:
    """No more than its time in the last bin counts as running."""
    expected = pareto().undetected(100.0, 100.0, OLDEST) + 500.0
    assert pareto().undetected(100.0, 100.0, OLDEST + 500.0) == pytest.approx(expected)


def test_what_can_hardly_run_is_over_for_all_of_the_time() -> None:
    """Less than one in a thousand million is left."""
    steep = Curve([10.0] * BINS, check_worth=2.0)
    assert steep.undetected(100.0, 100.0, 120.0) == 20.0
    assert steep.undetected(100.0, 150.0, 200.0) == 50.0
    early = steep.undetected(1.0, 1.0, 2.0)
    assert early == pytest.approx(1 - (1 - 2**-9) / 9, rel=1e-2)


@pytest.mark.parametrize("age", [1.0, 16.0, 100.0, 2500.0])
def test_gaps_of_a_constant_hazard(age: float) -> None:
    """The next check's √age is one more."""
    assert age + pareto().gap(age) == pytest.approx((math.sqrt(age) + 1) ** 2, rel=2e-3)


@pytest.mark.parametrize(("chance", "worth", "step"), [(4.0, 2.0, 0.5), (1.0, 8.0, 2.0), (0.25, 2.0, 2.0)])
def test_gaps_go_with_the_root_of_the_worth_over_the_hazard(chance: float, worth: float, step: float) -> None:
    curve = Curve([chance] * BINS, check_worth=worth)
    assert 100.0 + curve.gap(100.0) == pytest.approx((10 + step) ** 2, rel=2e-3)


def test_the_first_gap_counts_from_the_beginning() -> None:
    """Whatever of the youngest age has passed."""
    due = (math.sqrt(YOUNGEST) + 1) ** 2
    assert pareto().gap(0.0) == pytest.approx(due, rel=2e-3)
    assert pareto().gap(0.25) == pytest.approx(due - 0.25, rel=2e-3)


def test_where_nothing_is_expected_no_check_is_worth_it() -> None:
    assert never().gap(10.0) == math.inf
    assert pareto().gap(OLDEST) == math.inf
    last = (math.sqrt(OLDEST) - 1) ** 2
    assert pareto().gap(0.999 * last) < math.inf
    assert pareto().gap(1.001 * last) == math.inf


def test_the_hazard_of_a_bin_is_the_one_it_was_made_of() -> None:
    curve = Curve([float(place) for place in range(BINS)], check_worth=2.0)
    assert [curve.hazard(place) for place in (0, 7, BINS - 1)] == [0.0, 7.0, BINS - 1.0]


# ── the shape ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spread", [0.1, 0.5, 1.2])
@pytest.mark.parametrize("z", [-3.0, -1.0, 0.0, 1.0, 3.0])
def test_a_lognormals_hazard_is_that_of_its_survival(z: float, spread: float) -> None:
    """In the middle of the bin, on the logarithmic scale."""
    place = int(place_of(60 * math.exp(z * spread)))
    middle = AGES[place] * math.exp(WIDTH / 2)
    shape = Lognormal(math.log(60), spread)
    assert shape.hazard(place) == pytest.approx(middle * hazard(middle, 60, spread), rel=1e-3)


def test_a_lognormal_ends_nothing_early_and_straggles_late() -> None:
    """Six spreads before the median, and nearly four after it."""
    shape = Lognormal(math.log(60), 0.2)

    def at(z: float) -> float:
        return shape.hazard(int(place_of(60 * math.exp(0.2 * z))))

    assert at(EARLY - 0.3) == 0.0
    assert 0 < at(EARLY + 0.3) < 1e-6
    assert at(LATE - 0.3) > 10
    assert at(LATE + 0.3) == STRAGGLING == 1.0


# ── what was seen ───────────────────────────────────────────────────────────────────────────────────────


def median(curve: Curve) -> float:
    return curve.quantile(0.0, 0.5)


@pytest.mark.parametrize(
    ("told", "drawn"), [(0.001, 0.08), (0.08, 0.08), (0.3, 0.3), (3.0, 3.0), (100.0, 3.0)]
)
def test_the_prior_is_the_policys_within_bounds(told: float, drawn: float) -> None:
    """No provider is more regular than the one, or less known than by the other."""
    curve = curve_of(Seen(), PollPolicy(expected=60, spread=told))
    same = curve_of(Seen(), PollPolicy(expected=60, spread=drawn))
    assert [curve.hazard(place) for place in range(BINS)] == pytest.approx(
        [same.hazard(place) for place in range(BINS)]
    )


@pytest.mark.parametrize("spread", [0.2, 0.5])
def test_without_anything_seen_the_curve_is_the_prior(spread: float) -> None:
    """Bin by bin, between a tenth and nine tenths."""
    curve = curve_of(Seen(), PollPolicy(expected=90, spread=spread))
    for z in (-1.28, -0.5, 0.0, 0.5, 1.28):
        age = 90 * math.exp(z * spread)
        left = 1 - survival(age, 90, spread)
        assert curve.quantile(0.0, left) == pytest.approx(age, rel=0.02)


def test_a_bin_is_drawn_towards_what_was_seen_in_it() -> None:
    """Six operations of the shape against those that passed: the mean of both."""
    seen = Seen()
    place = int(place_of(60))
    before = curve_of(seen, PollPolicy()).hazard(place)
    seen.restore(0.0, [(place, 6.0 * WIDTH * before, 6.0 * WIDTH)])
    assert curve_of(seen, PollPolicy()).hazard(place) == pytest.approx(before, rel=0.02)
    seen.restore(0.0, [(place, 0.0, 6.0 * WIDTH)])
    assert curve_of(seen, PollPolicy()).hazard(place) == pytest.approx(before / 2, rel=0.1)


def test_after_the_median_something_always_ends() -> None:
    """However many passed there without an end; before it nothing need end."""
    seen = Seen()
    ends = [(int(place_of(30)), 10.0, 20.0 * WIDTH)]
    passed = [(place, 0.0, 20.0 * WIDTH) for place in range(int(place_of(31)), int(place_of(2000)))]
    seen.restore(10.0, [*ends, *passed])
    curve = curve_of(seen, PollPolicy(expected=30, spread=0.3))
    late = [curve.hazard(place) for place in range(int(place_of(500)), int(place_of(1900)))]
    assert min(late) == LEAST
    assert curve.hazard(int(place_of(1))) < LEAST
    assert median(curve) < 500


def test_many_ends_give_their_own_median_and_spread() -> None:
    """Whatever the prior said."""
    seen = Seen()
    places = {age: int(place_of(age)) for age in (180.0, 200.0, 220.0)}
    seen.restore(MEMORY, [(place, 10.0, 20.0 * WIDTH) for place in places.values()])
    passed = [(place, 0.0, 28.0 * WIDTH) for place in range(places[180.0])]
    seen.restore(MEMORY, passed)
    curve = curve_of(seen, PollPolicy(expected=20, spread=1.0))
    assert median(curve) == pytest.approx(195, rel=0.1)
    assert curve.quantile(0.0, 0.8) < 240
