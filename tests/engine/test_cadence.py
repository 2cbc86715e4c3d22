"""When a check is worth most: the bounds, what is learned, and what was foretold against what came."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from veo_async.answers import Finished, Running
from veo_async.engine.cadence import Cadence, Course
from veo_async.engine.events import OperationKey, OperationOpened, Profile
from veo_async.engine.waiting_times import AGES
from veo_async.options import PollPolicy

from .virtual_jobs import Draw, follow, lognormal, slowdown, two_modes
from .world import DONE, VEO, Reply, World, key, scheduler

looks = st.lists(
    st.tuples(st.booleans(), st.floats(allow_nan=False), st.floats(allow_nan=False)), max_size=40
)


def taught(policy: PollPolicy, seconds: float, times: int = 50) -> Course:
    course = Cadence(policy).course(VEO)
    for _ in range(times):
        course.running(0, seconds)
        course.ended(seconds, 1.01 * seconds)
    return course


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seconds", [0.0, 0.5, 60, 3000])
@pytest.mark.parametrize("age", [0.0, 1.0, 55.0, 60.0, 61.0, 1000.0, 1e6])
def test_gaps_stay_within_the_policys_bounds(age: float, seconds: float) -> None:
    """Whatever was learned and however old the operation."""
    course = taught(PollPolicy(min_interval=2, max_interval=45), seconds)
    assert 2 <= course.next_gap(age) <= 45


@settings(max_examples=30, deadline=None)
@given(
    told=looks,
    age=st.floats(0, 1e7),
    least=st.floats(0.1, 50),
    most=st.floats(0.1, 500),
    prior=st.tuples(st.floats(1e-6, 1e9), st.floats(1e-6, 1e3)),
)
def test_no_gap_is_out_of_bounds_and_no_eta_out_of_order(
    told: list[tuple[bool, float, float]],
    age: float,
    least: float,
    most: float,
    prior: tuple[float, float],
) -> None:
    """Clocks that jump, any prior, any policy."""
    policy = PollPolicy(min_interval=least, max_interval=most, expected=prior[0], spread=prior[1])
    course = Course(policy)
    for is_end, since, at in told:
        (course.ended if is_end else course.running)(since, at)
    assert min(least, most) <= course.next_gap(age) <= most
    eta = course.eta(age, age)
    assert 0 <= eta.p50 <= eta.p90 < math.inf
    assert 0 < course.median < math.inf


@settings(max_examples=8, deadline=None)
@given(
    median=st.floats(5, 400),
    spread=st.floats(0.05, 1.2),
    least=st.floats(0.5, 3),
    most=st.floats(3, 90),
    expected=st.floats(10, 300),
)
def test_no_job_goes_unchecked_for_longer_than_the_longest_gap(
    median: float, spread: float, least: float, most: float, expected: float
) -> None:
    """Through the scheduler, grid and all, whatever is learned on the way."""
    policy = PollPolicy(min_interval=least, max_interval=most, expected=expected)
    factory = Factory(lambda _: median, spread)
    factory.run(40, policy)
    gaps = [gap for times in factory.asked.values() for gap in _gaps(times)]
    longest = max(most, 0.5)  # two ticks: the grid cannot do better
    assert max(gaps) <= longest + 0.05 + 1e-6, "and the answer takes 0.05 s"
    assert min(gaps) >= min(least, most - 0.25) - 1e-6


def _gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_a_shorter_longest_interval_wins_over_the_shortest() -> None:
    """`max_interval` is the promise."""
    assert taught(PollPolicy(min_interval=20, max_interval=5), 60).next_gap(10) == 5


def test_until_something_is_learned_gaps_are_no_longer_than_published_loops_have() -> None:
    """The prior may be wrong."""
    course = Cadence(PollPolicy(expected=600)).course(VEO)
    assert course.next_gap(0) == 10
    for _ in range(6):
        course.running(0, 590)
        course.ended(590, 600)
    assert course.next_gap(0) == 60


@pytest.mark.parametrize(("ends", "first_looks"), [(4, True), (5, True), (6, False)])
def test_the_curve_is_trusted_once_five_were_seen_to_end(ends: int, first_looks: bool) -> None:
    """By decayed weight, so six have to."""
    course = taught(PollPolicy(), 600, times=ends)
    assert (course.next_gap(0) == 10) is first_looks


def test_what_fits_in_no_gap_is_looked_for_at_the_shortest() -> None:
    """Where the curve would have it sooner."""
    course = taught(PollPolicy(min_interval=7, spread=0.1), 60)
    assert course.next_gap(60) == 7


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────


def leave_a_bin(course: Course) -> None:
    course.running(0.99 * AGES[90], 1.01 * AGES[90])


def redraws(course: Course, news: int, told: Callable[[Course], None] = leave_a_bin) -> int:
    """Return how often the curve was drawn anew while so many times a bin was left."""
    drawn, times = course.curve, 0
    for _ in range(news):
        told(course)
        times += course.curve is not drawn
        drawn = course.curve
    return times


def test_the_first_news_count_at_once() -> None:
    course = Course(PollPolicy())
    before = course.curve
    course.running(0, 60)
    assert course.curve is not before
    assert redraws(course, 1) == 0


def test_a_look_that_brings_no_news_draws_nothing() -> None:
    """No bin was left."""
    course = Course(PollPolicy())
    before = course.curve
    course.running(60.0, 60.1)
    course.running(60.0, 50.0)
    assert course.curve is before


def test_a_tenth_of_news_draws_the_curve_anew() -> None:
    """Each bin that is left is one: 95 by an operation of a minute."""
    course = Course(PollPolicy())
    course.running(0, 60)
    before = course.curve
    news = [0, 0]
    for place in range(2):
        while course.curve is before:
            leave_a_bin(course)
            news[place] += 1
        before = course.curve
    assert news[0] == pytest.approx(95 / 9, abs=1)
    assert news[1] == pytest.approx(106 / 9, abs=1)


def test_in_the_long_run_a_thousand_news_draw_the_curve_anew() -> None:
    """What was restored counts as much as can be remembered."""
    course = Course(PollPolicy())
    course.restore(taught(PollPolicy(), 100).learned(VEO))
    assert redraws(course, 990) == 0
    assert redraws(course, 1990) == 2


def test_an_end_is_as_much_news_as_twenty_bins() -> None:
    """Else few ends among many that run would wait for them."""
    course = Course(PollPolicy())
    course.restore(taught(PollPolicy(), 100).learned(VEO))
    assert redraws(course, 49, lambda course: course.ended(99, 100)) == 0
    assert redraws(course, 1, lambda course: course.ended(99, 100)) == 1


def test_what_is_restored_is_drawn_at_once() -> None:
    course = Course(PollPolicy())
    before = course.curve
    course.restore(taught(PollPolicy(), 300).learned(VEO))
    assert course.curve is not before
    assert course.median == pytest.approx(300, rel=0.05)


# ── learning ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_estimate_starts_at_the_prior_and_converges() -> None:
    """Median 60, spread 0.5; then what is seen."""
    course = Course(PollPolicy())
    assert course.median == pytest.approx(60, rel=0.02)
    follow(course, lognormal(100, 0.2), 300)
    assert course.median == pytest.approx(100, rel=0.1)
    eta = course.eta(0, 0)
    assert eta.p90 / eta.p50 == pytest.approx(math.exp(1.2816 * 0.2), rel=0.06)


def test_operations_that_still_run_are_evidence() -> None:
    """A provider that got three times slower is found out before a single slow operation has ended."""
    course = taught(PollPolicy(), 60)
    for _ in range(60):
        course.running(0, 120)
    assert course.ends > 15
    assert course.median > 1.5 * 60


def test_a_threefold_slowdown_does_not_hide_behind_the_quick_ones() -> None:
    """Half-way within sixty slow ones, near the new truth within twice as many."""
    course = Course(PollPolicy())
    follow(course, slowdown(at=300), 360)
    assert course.median > 60 * math.sqrt(3)
    course = Course(PollPolicy())
    follow(course, slowdown(at=300), 420)
    assert course.median == pytest.approx(180, rel=0.1)


def test_two_modes_are_both_seen() -> None:
    """Few checks between them, which a lognormal would spend most on."""
    course = Course(PollPolicy(max_interval=300))
    follow(course, two_modes, 400)
    assert course.eta(60, 60).p50 == pytest.approx(90, rel=0.1)
    at_mode, between = course.next_gap(28), course.next_gap(50)
    assert between > 4 * at_mode


def test_profiles_learn_each_by_itself_and_share_one_course() -> None:
    """What 4k takes says nothing of 720p."""
    cadence = Cadence(PollPolicy())
    cadence.course(Profile("veo-3.1", "4k")).ended(290, 300)
    assert cadence.course(Profile("veo-3.1", "720p")).ends == 0
    assert cadence.course(Profile("veo-3.1", "4k")) is cadence.course(Profile("veo-3.1", "4k"))
    assert [known.profile.resolution for known in cadence.learned()] == ["4k"]


def test_what_was_learned_is_taken_over_whole() -> None:
    """Another process goes on with the same gaps, but for a tenth of news that the first has yet to draw."""
    first, second = Cadence(PollPolicy()), Cadence(PollPolicy())
    follow(first.course(VEO), lognormal(100, 0.2), 200)
    second.restore(first.learned())
    assert second.course(VEO).median == pytest.approx(first.course(VEO).median, rel=0.05)
    assert second.learned() == first.learned()
    assert second.course(VEO).next_gap(0) > 30


def test_ends_are_news_at_once() -> None:
    """A dozen that began together and end together: what is told after them is not from before them."""
    first, second = Cadence(PollPolicy()), Cadence(PollPolicy())
    course = first.course(VEO)
    for _ in range(12):
        course.running(0, 295)
    assert course.median > 0  # drawn before the ends
    for _ in range(12):
        course.ended(295, 300)
    second.restore(first.learned())
    assert course.median == pytest.approx(second.course(VEO).median, rel=0.05)


def test_what_was_seen_since_is_not_overwritten() -> None:
    cadence = Cadence(PollPolicy())
    follow(cadence.course(VEO), lognormal(100, 0.2), 100)
    old = taught(PollPolicy(), 20).learned(VEO)
    cadence.restore([old])
    assert cadence.course(VEO).median == pytest.approx(100, rel=0.1)


# ── lag and checks ──────────────────────────────────────────────────────────────────────────────────────


def cost(course: Course, draw: Draw, first: int, last: int) -> float:
    """Return lag and checks in one figure, as the policy's worth makes them one."""
    lag, checks = follow(course, draw, last).means(first)
    return lag + PollPolicy().check_worth * checks


class KnowsAll(Course):
    """Was told the truth and learns nothing."""

    def running(self, since: float, age: float) -> None:
        """Do nothing."""

    def ended(self, since: float, age: float) -> None:
        """Do nothing."""

    @property
    def ends(self) -> float:
        return 100.0


def ideal(median: float, spread: float) -> Course:
    return KnowsAll(PollPolicy(expected=median, spread=spread))


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.5, 0.8])
def test_what_was_learned_costs_little_more_than_knowing(spread: float) -> None:
    """Six hundredths at most, at any spread."""
    draw = lognormal(60, spread)
    assert cost(Course(PollPolicy()), draw, 300, 1200) <= 1.06 * cost(ideal(60, spread), draw, 300, 1200)


@pytest.mark.parametrize("expected", [20.0, 180.0])
def test_a_prior_that_is_three_times_wrong_costs_little(expected: float) -> None:
    """Over the first 150 operations."""
    draw = lognormal(60, 0.3)
    right = cost(Course(PollPolicy()), draw, 0, 150)
    assert cost(Course(PollPolicy(expected=expected)), draw, 0, 150) <= 1.1 * right


def test_a_threefold_slowdown_costs_little() -> None:
    """Over the 200 operations from the slowdown on."""
    followed = cost(Course(PollPolicy()), slowdown(at=300), 300, 500)
    assert followed <= 1.8 * cost(ideal(180, 0.2), lognormal(180, 0.2), 300, 500)


def test_two_modes_cost_less_than_by_the_best_lognormal() -> None:
    best = cost(ideal(67, 0.8), two_modes, 300, 1000)
    assert cost(Course(PollPolicy()), two_modes, 300, 1000) <= 0.8 * best


# ── eta ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "draw",
    [lognormal(60, 0.2), lognormal(60, 0.5), lognormal(200, 0.8), two_modes],
    ids=["0.2", "0.5", "0.8", "two modes"],
)
def test_etas_are_calibrated(draw: Draw) -> None:
    """Asked at every check and at the start: half end by p50, nine in ten by p90."""
    log = follow(Course(PollPolicy()), draw, 2500, look_from=300)
    by_p50 = sum(look.left <= look.eta.p50 for look in log.looks) / len(log.looks)
    by_p90 = sum(look.left <= look.eta.p90 for look in log.looks) / len(log.looks)
    assert by_p50 == pytest.approx(0.5, abs=0.05)
    assert by_p90 == pytest.approx(0.9, abs=0.04)


def test_an_eta_takes_the_age_into_account() -> None:
    """One that is slow already takes longer in all, and p50 and p90 come nearer as it runs."""
    course = taught(PollPolicy(), 60)
    assert course.eta(0, 0).p50 == pytest.approx(60, rel=0.05)
    assert course.eta(30, 30).p50 == pytest.approx(30, rel=0.1)
    assert course.eta(30, 40).p50 == pytest.approx(20, rel=0.1)
    assert course.eta(30, 500).p90 == 0


# ── the whole, through the scheduler ────────────────────────────────────────────────────────────────────


@frozen
class Factory:
    """A service whose operations take lognormal times; the median is a function of when they began."""

    median: Callable[[int], float]
    spread: float
    ends: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    asked: dict[OperationKey, list[float]] = field(factory=dict[OperationKey, list[float]])
    lags: dict[OperationKey, float] = field(factory=dict[OperationKey, float])

    def run(self, count: int, policy: PollPolicy | None = None) -> None:
        """Begin an operation every 1.2 seconds and run until all are done."""
        world = World(scheduler=scheduler(policy=policy), on_check=self.check)
        random = Random(5)
        for number in range(count):
            began = 1.2 * number
            took = min(1000.0, random.lognormvariate(math.log(self.median(number)), self.spread))
            self.ends[key(number)] = began + took
            self.asked[key(number)] = []
            world.at(began, OperationOpened(key(number), VEO))
        world.run(1.2 * count + 3000)
        assert len(self.lags) == count

    def check(self, asked: OperationKey, now: float) -> Reply:
        self.asked[asked].append(now)
        if now < self.ends[asked]:
            return Reply(Running())
        self.lags[asked] = now - self.ends[asked]
        return Reply(Finished(outcome=DONE))

    def means(self, first: int = 0) -> tuple[float, float]:
        """Return the mean lag and the mean number of checks, from the operation `first` on."""
        lags = [self.lags[key(number)] for number in range(first, len(self.lags))]
        checks = [len(self.asked[key(number)]) for number in range(first, len(self.lags))]
        return sum(lags) / len(lags), sum(checks) / len(checks)


@pytest.mark.parametrize(("spread", "goal"), [(0.5, 0.78), (0.2, 0.46), (0.1, 0.33)])
def test_what_was_learned_pays_at_the_checks_it_makes(spread: float, goal: float) -> None:
    """Against a fixed loop with as many checks an operation, its wake-ups on a quarter-second grid too."""
    factory = Factory(lambda _: 60, spread)
    factory.run(700)
    lag, checks = factory.means(first=300)
    seconds = 60 * math.exp(spread**2 / 2) / (checks - 0.5)  # an operation meets half a gap past its end
    share = lag / (seconds / 2)
    assert share <= goal, f"lag {lag:.2f} s at {checks:.2f} checks: {share:.3f} of a fixed loop's"


def test_a_threefold_slowdown_is_followed() -> None:
    """Within some hundred operations lag and checks are those of the new waiting time."""
    slow, slowed = Factory(lambda _: 180, 0.2), Factory(lambda number: 60 if number < 200 else 180, 0.2)
    slow.run(500)
    slowed.run(500)
    (lag, checks), (slowed_lag, slowed_checks) = slow.means(first=350), slowed.means(first=350)
    figures = f"lag {slowed_lag:.2f} for {lag:.2f} s, checks {slowed_checks:.2f} for {checks:.2f}"
    assert slowed_lag + slowed_checks <= 1.2 * (lag + checks), figures


def test_what_is_expected_within_an_instant_is_looked_for_at_once() -> None:
    """An emulator is quicker than any provider; where it is not, gaps grow with the age."""
    course = Course(PollPolicy(expected=0.1, min_interval=0.01))
    assert course.next_gap(0.0) <= 0.1
    assert course.next_gap(0.25) <= 0.25
    assert course.next_gap(3.0) <= 3.0
