"""Quantiles of any durations from a fixed number of bins."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async.engine.histogram import BINS, GROWTH, LEAST_S, Histogram

DURATIONS = st.lists(st.floats(LEAST_S, 86_400.0), min_size=1, max_size=200)
SHARES = st.floats(0.0, 1.0)


def of(*durations: float) -> Histogram:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    return histogram


@given(DURATIONS, SHARES)
def test_a_quantile_is_near_the_exact_one(durations: list[float], share: float) -> None:
    """It lies in the bin of the exact one, so it is off by a bin's width at most."""
    exact = sorted(durations)[max(0, math.ceil(share * len(durations)) - 1)]
    assert exact / GROWTH - LEAST_S <= of(*durations).quantile(share) <= exact * GROWTH + LEAST_S


@given(DURATIONS, SHARES, SHARES)
def test_quantiles_are_in_order_and_never_past_the_longest(
    durations: list[float], one: float, other: float
) -> None:
    """A larger share never has a shorter duration."""
    histogram = of(*durations)
    low, high = sorted((one, other))
    assert 0.0 <= histogram.quantile(low) <= histogram.quantile(high) <= histogram.max == max(durations)


@given(st.floats(0.0, 1e12))
def test_any_duration_has_a_bin(duration: float) -> None:
    """Nothing and a century are counted, too."""
    histogram = of(duration)
    assert (histogram.seen, histogram.max) == (1, duration)
    assert histogram.quantile(0.5) <= duration


def test_it_does_not_grow() -> None:
    """The bins are fixed, whatever is added."""
    histogram = of(*(1.001**place for place in range(10_000)))
    assert histogram.seen == 10_000
    assert len(histogram._counts) == BINS


def test_none_seen_is_nothing() -> None:
    """A quantile of nothing is no reason to stumble."""
    assert Histogram().quantile(0.5) == 0.0


def test_the_middle_of_many() -> None:
    """To a twentieth."""
    histogram = of(*(number / 100 for number in range(1, 1001)))
    assert histogram.quantile(0.5) == pytest.approx(5.0, rel=0.05)
    assert histogram.quantile(0.9) == pytest.approx(9.0, rel=0.05)


@pytest.mark.parametrize(
    ("share", "seconds"),
    [
        pytest.param(0.0, 0.01, id="the start of the first that was seen"),
        pytest.param(0.25, 0.0105, id="half of those in a bin: its middle"),
        pytest.param(0.5, 0.011, id="all of them: its end"),
        pytest.param(1.0, 7.0, id="the longest"),
    ],
)
def test_a_quantile_lies_in_its_bin_as_far_as_its_share(share: float, seconds: float) -> None:
    """Bins begin at a hundredth of a second and end a tenth later each."""
    assert of(7.0, 0.0102).quantile(share) == pytest.approx(seconds)


@pytest.mark.parametrize(("longest", "middle"), [(0.0, 0.0), (0.004, 0.004), (0.01, 0.005)])
def test_what_is_shorter_than_the_first_bins_end_lies_within_it(longest: float, middle: float) -> None:
    assert of(longest, longest).quantile(0.5) == pytest.approx(middle)


def test_bins_meet() -> None:
    """A duration at the end of one is no further off than any other."""
    for place in range(BINS - 2):
        edge = LEAST_S * GROWTH**place
        for duration in (0.999 * edge, 1.001 * edge):
            histogram = of(duration, 1e9)
            assert histogram.quantile(0.0) <= duration <= histogram.quantile(0.5)


def test_what_is_longer_than_a_day_shares_the_last_bin() -> None:
    """It is told as a day and some hours, and the longest as it was."""
    histogram = of(1e9, 1e9, 2e9)
    end = LEAST_S * GROWTH ** (BINS - 1)
    assert 86_400 < end < 110_000
    assert histogram.quantile(0.0) == pytest.approx(end / GROWTH)
    assert histogram.quantile(1.0) == pytest.approx(end)
    assert histogram.max == 2e9


def test_the_longest_is_kept_whatever_comes_after() -> None:
    histogram = of(2.0, 5.0, 3.0)
    assert (histogram.seen, histogram.max) == (3, 5.0)
