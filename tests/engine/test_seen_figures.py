"""What is counted of ends and exposures, bin by bin, where the figures can be told by hand."""

from __future__ import annotations

import math

import pytest

from veo_async.engine.events import Profile
from veo_async.engine.waiting_times import AGES, BINS, MEMORY, WIDTH, Seen

VEO = Profile("veo-3.1")
PLACE = 50
START, HALF = AGES[PLACE] * (1 + 1e-9), AGES[PLACE] * math.exp(WIDTH / 2)
NEXT, LAST = AGES[PLACE + 1] * (1 - 1e-9), AGES[PLACE + 2] * (1 - 1e-9)
KEPT = 1 - 1 / MEMORY


def constant(hazard: float) -> Seen:
    """Return what is seen of one operation that ended within two bins, with this hazard."""
    seen = Seen()
    seen.ended(START, LAST, lambda _: hazard)
    return seen


def near(seen: list[float], *expected: float) -> bool:
    """Return whether the bins from `PLACE` on are as expected, and all others empty."""
    found = seen[PLACE : PLACE + len(expected)]
    others = seen[:PLACE] + seen[PLACE + len(expected) :]
    return found == pytest.approx(expected, rel=1e-4, abs=1e-7) and max(others) <= 1e-7


def test_an_end_is_spread_evenly_where_none_is_expected() -> None:
    """It ran through half of its share of each bin, and through all that it ended after."""
    seen = constant(0.0)
    assert near(seen.ends, 0.5, 0.5)
    assert near(seen.exposures, 0.75 * WIDTH, 0.25 * WIDTH)


@pytest.mark.parametrize("hazard", [0.1, 1.0, 20.0])
def test_an_end_is_spread_as_the_hazard_has_it(hazard: float) -> None:
    """The second bin's share is what the first one left."""
    left = math.exp(-hazard * WIDTH)
    first = 1 / (1 + left)
    seen = constant(hazard)
    assert near(seen.ends, first, 1 - first)
    assert near(seen.exposures, (1 - first / 2) * WIDTH, (1 - first) / 2 * WIDTH)


def test_an_end_goes_to_the_bin_that_has_the_hazard() -> None:
    """And the operation ran through all that is before it."""
    seen = Seen()
    seen.ended(START, AGES[PLACE + 3] * (1 - 1e-9), lambda place: 50.0 if place == PLACE + 1 else 0.0)
    assert seen.ends[PLACE + 1] > 0.9999
    assert seen.exposures[PLACE] == pytest.approx(WIDTH, rel=1e-3)
    assert seen.exposures[PLACE + 1] == pytest.approx(WIDTH / 2, rel=1e-3)
    assert seen.exposures[PLACE + 2] < 1e-4


def test_an_end_in_the_bin_that_it_was_seen_running_in() -> None:
    """What it ran through of that bin before counts, too: it has not left it."""
    seen = Seen()
    seen.ended(HALF, NEXT, lambda _: 1.0)
    assert near(seen.ends, 1.0)
    assert near(seen.exposures, (0.5 * KEPT + 0.25) * WIDTH)


def test_each_bin_that_is_left_counts_whole() -> None:
    seen = Seen()
    assert seen.running(START, NEXT) == 0
    assert seen.running(START, HALF) == 0
    assert seen.running(HALF, LAST) == 1
    assert near(seen.exposures, WIDTH)
    assert seen.running(HALF, AGES[PLACE + 2] * 1.001) == 2
    assert near(seen.exposures, WIDTH * (1 + KEPT), WIDTH)


def test_what_a_bin_knew_fades_by_a_thirtieth_with_each_that_passes() -> None:
    """Ends and exposure alike; other bins keep theirs."""
    seen = Seen()
    seen.ended(START, NEXT, lambda _: 1.0)
    seen.running(START, LAST)
    assert near(seen.ends, KEPT)
    assert near(seen.exposures, (0.5 * KEPT + 1) * WIDTH)
    seen.running(AGES[PLACE + 1] * 1.001, AGES[PLACE + 2] * 1.001)
    assert near(seen.ends, KEPT)


def test_the_number_of_ends_fades_as_they_come() -> None:
    """Towards thirty."""
    seen = Seen()
    totals: list[float] = []
    for _ in range(3):
        seen.ended(START, LAST, lambda _: 1.0)
        totals.append(seen.total)
    assert totals == pytest.approx([1.0, 1 + KEPT, 1 + KEPT + KEPT**2])
    for _ in range(500):
        seen.ended(START, LAST, lambda _: 1.0)
    assert seen.total == pytest.approx(MEMORY, rel=1e-4)


def test_what_is_kept_is_rounded_and_of_bins_that_were_passed() -> None:
    """A ledger holds few digits."""
    seen = Seen()
    seen.ended(START, LAST, lambda _: 1.0)
    seen.running(START, AGES[PLACE + 1] * 1.001)
    learned = seen.learned(VEO)
    assert (learned.profile, learned.ends) == (VEO, 1.0)
    assert [place for place, _, _ in learned.bins] == [PLACE, PLACE + 1]
    (_, ends, exposure), (_, later, _) = learned.bins
    first = 1 / (1 + math.exp(-WIDTH))
    assert (ends, later) == (round(first * KEPT, 4), round(1 - first, 4))
    assert exposure == pytest.approx(((1 - first / 2) * KEPT + 1) * WIDTH, abs=1e-6)
    assert exposure == round(exposure, 6)
    seen.ended(START, LAST, lambda _: 1.0)
    assert seen.learned(VEO).ends == 1.9667


def test_what_was_kept_and_cannot_have_been_is_left_out() -> None:
    """No bin but ours, no weight below nothing or past what is remembered."""
    seen = Seen()
    kept = [(-1, 1.0, 1.0), (0, 2.0, 3.0), (1, -0.1, 30.0), (2, 30.1, -1.0), (BINS - 1, 30.0, 0.5)]
    seen.restore(30.0, [*kept, (BINS, 1.0, 1.0)])
    assert seen.total == 30.0
    assert (seen.ends[:3], seen.ends[-1]) == ([2.0, 0.0, 0.0], 30.0)
    assert (seen.exposures[:3], seen.exposures[-1]) == ([3.0, 30.0, 0.0], 0.5)
    assert not any(seen.ends[3:-1])
    for spoilt in (30.1, -0.1, math.inf):
        seen.restore(spoilt, [])
        assert seen.total == 0.0
