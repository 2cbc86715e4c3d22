"""What is seen of waiting times: counted by age, fading, the running ones included."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veo_async.engine.events import Profile
from veo_async.engine.waiting_times import AGES, BINS, MEMORY, WIDTH, Learned, Seen, bin_of, place_of

VEO = Profile("veo-3.1", "720p", 8)
wild = st.floats(allow_nan=False)


def flat(_: int) -> float:
    return 1.0


def test_places_are_those_of_the_bins() -> None:
    """And whatever is beyond them is at their edge."""
    assert [int(place_of(age * 1.001)) for age in AGES[:-1]] == list(range(BINS))
    assert [bin_of(age * 1.001) for age in AGES[:-1]] == list(range(BINS))
    assert (bin_of(-1), bin_of(0), bin_of(math.inf)) == (0, 0, BINS - 1)
    assert place_of(-1) == place_of(0) == 0
    assert int(place_of(math.inf)) == BINS - 1


def test_an_operation_that_runs_is_exposure_and_no_end() -> None:
    """Over the ages that it was seen to pass, on the logarithmic scale, in whole bins."""
    seen = Seen()
    assert seen.running(20, 60) == bin_of(60) - bin_of(20)
    assert sum(seen.exposures) == pytest.approx(math.log(3), abs=WIDTH)
    assert (sum(seen.ends), seen.total) == (0, 0)
    assert all(not exposed for age, exposed in zip(AGES[1:], seen.exposures, strict=False) if age < 20)


@pytest.mark.parametrize("each_s", [0.25, 1.0, 7.0])
def test_who_is_looked_at_often_brings_no_more_than_others(each_s: float) -> None:
    """Exposure from the beginning to the end, each bin once, however many looks there were."""
    often, once = Seen(), Seen()
    looks = [each_s * number for number in range(int(60 / each_s) + 1)]
    bins = sum(often.running(since, age) for since, age in pairwise(looks))
    assert bins == once.running(0, looks[-1])
    assert often.exposures == once.exposures
    often.ended(looks[-1], 61, flat)
    assert sum(often.exposures) == pytest.approx(math.log(60.5 / 0.5), rel=0.01)


def test_a_clock_that_goes_back_brings_nothing() -> None:
    seen = Seen()
    assert seen.running(60, 20) == 0
    assert not any(seen.exposures)


def test_an_end_is_one_whatever_stretch_it_is_spread_over() -> None:
    """With the exposure of one that ran until somewhere in between."""
    seen = Seen()
    seen.ended(40, 60, flat)
    assert sum(seen.ends) == pytest.approx(1)
    assert 0 < sum(seen.exposures) < math.log(60 / 40)


def test_an_end_goes_where_it_is_likely() -> None:
    """What is known so far says where within the gap."""
    seen = Seen()
    likely = int(place_of(55))
    seen.ended(40, 60, lambda place: 50.0 if place == likely else 0.01)
    assert seen.ends[likely] > 0.9


def test_an_end_is_less_likely_in_each_bin_that_fewer_come_to() -> None:
    """With the same hazard everywhere: as an exponential waiting time has it, the first bin by its half."""
    hazard, seen = 10.0, Seen()
    seen.ended(math.sqrt(AGES[100] * AGES[101]), AGES[105] * 0.999, lambda _: hazard)
    ends = [1 - math.exp(-hazard * WIDTH * share) for share in (0.5, 1, 1, 1)]
    alive = [math.exp(-hazard * WIDTH * before) for before in (0, 0.5, 1.5, 2.5)]
    expected = [end * share for end, share in zip(ends, alive, strict=True)]
    found = seen.ends[100:104]
    assert [one / found[0] for one in found] == pytest.approx(
        [one / expected[0] for one in expected], rel=1e-3
    )


def test_an_end_within_no_time_counts_too() -> None:
    seen = Seen()
    seen.ended(50, 50, flat)
    assert sum(seen.ends) == pytest.approx(1)


def test_what_was_seen_fades_as_others_pass() -> None:
    """A bin remembers some thirty passes, also where all ended at one age."""
    seen = Seen()
    for _ in range(1000):
        seen.running(0, AGES[90])
        seen.ended(AGES[90], AGES[90] * 1.001, flat)
    ended = sum(seen.ends)
    assert ended <= 2 * MEMORY
    for _ in range(int(3 * MEMORY)):
        seen.running(0, 2 * AGES[90])
    assert sum(seen.ends) < 0.06 * ended


@example(looks=[(False, 19090.0, 19089.0, 0.0)])
@given(looks=st.lists(st.tuples(st.booleans(), wild, wild, st.floats(0, 1e6)), max_size=30))
def test_nothing_that_is_told_leaves_the_bounds(looks: list[tuple[bool, float, float, float]]) -> None:
    """Clocks that jump, infinite ages, ends before the beginning."""
    seen = Seen()
    for is_end, since, age, hazard in looks:
        if is_end:
            seen.ended(since, age, lambda _, hazard=hazard: hazard)  # type: ignore[misc]
        else:
            seen.running(since, age)
    assert all(0 <= ends <= MEMORY + 1 for ends in seen.ends)
    assert all(0 <= exposure <= (MEMORY + 1) * WIDTH for exposure in seen.exposures)
    assert 0 <= seen.total <= MEMORY


def test_what_was_learned_is_kept_and_restored() -> None:
    seen, again = Seen(), Seen()
    for age in (40, 55, 60, 90):
        seen.running(0, age)
        seen.ended(age, age + 5, flat)
    learned = seen.learned(VEO)
    again.restore(learned.ends, learned.bins)
    assert again.learned(VEO) == learned
    assert again.ends == pytest.approx(seen.ends, abs=1e-4)
    assert len(learned.bins) == sum(exposure > 0 for exposure in seen.exposures)


@given(
    ends=wild | st.just(math.nan),
    bins=st.lists(st.tuples(st.integers(), wild | st.just(math.nan), wild), max_size=5),
)
def test_a_kept_estimate_that_is_spoilt_does_no_harm(
    ends: float, bins: list[tuple[int, float, float]]
) -> None:
    seen = Seen()
    seen.restore(ends, bins)
    assert 0 <= seen.total <= MEMORY
    assert all(0 <= weight <= MEMORY for weight in (*seen.ends, *seen.exposures))
    assert isinstance(seen.learned(VEO), Learned)
