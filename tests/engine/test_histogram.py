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
