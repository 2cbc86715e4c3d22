"""When a check is worth most: the shape, its bounds, and what is learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from attrs import field, frozen

from veo_async.answers import Finished, Running
from veo_async.engine.cadence import MAX_SPREAD, Cadence, Course, Estimate, Plan
from veo_async.engine.events import OperationKey, OperationOpened, Profile
from veo_async.options import PollPolicy

from .world import DONE, VEO, Reply, World, key, scheduler


def survival(age: float, median: float, spread: float) -> float:
    return 0.5 * math.erfc(math.log(age / median) / spread / math.sqrt(2)) if age > 0 else 1.0


def hazard(age: float, median: float, spread: float) -> float:
    """Return the hazard by numeric derivation of the survival: no formula shared with the code."""
    step = 1e-5 * age
    after = survival(age + step, median, spread)
    before = survival(age - step, median, spread)
    return (before - after) / (2 * step) / survival(age, median, spread)


def costs(gap: Callable[[float], float], median: float, spread: float) -> tuple[float, float]:
    """Return the expected requests and the expected lag of checks with these gaps, exactly."""
    requests = seen_at = last = 0.0
    while (alive := survival(last, median, spread)) > 1e-7:
        wait = gap(last)
        requests += alive
        seen_at += wait * alive
        last += wait
    return requests, seen_at - median * math.exp(spread**2 / 2)


def every_ten_seconds(age: float) -> float:
    return 10.0


def within_bounds(plan: Plan) -> Callable[[float], float]:
    return lambda age: min(60.0, max(1.0, plan.gap(age)))


# ── the shape ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("z", [-1.0, 0.0, 1.0, 2.0])
def test_gaps_are_inverse_to_the_root_of_the_hazard(z: float, spread: float) -> None:
    """Spacing is √(2 · worth / h), for checks so cheap that h hardly changes between two."""
    age, worth = 60 * math.exp(z * spread), 0.0001 * spread
    expected = math.sqrt(2 * worth / hazard(age, 60, spread))
    assert Plan(60, spread, worth).gap(age) == pytest.approx(expected, rel=0.05)


def test_a_late_check_does_not_draw_the_next_one_near() -> None:
    """Gaps count from the check that was made, so a pause is not followed by a burst."""
    plan = Plan(60, 0.5)
    assert plan.gap(60.01) == pytest.approx(plan.gap(60), rel=0.01)


@pytest.mark.parametrize(("spread", "goal"), [(0.5, 0.75), (0.2, 0.40), (0.1, 0.22)])
def test_mean_lag_at_the_requests_of_a_fixed_ten_second_loop(spread: float, goal: float) -> None:
    """A plan with just as many requests finds operations done so much sooner."""
    allowed, fixed_lag = costs(every_ten_seconds, 60, spread)
    dear, cheap = 0.001, 100.0
    for _ in range(30):
        worth = math.sqrt(dear * cheap)
        requests, _ = costs(within_bounds(Plan(60, spread, worth)), 60, spread)
        dear, cheap = (worth, cheap) if requests > allowed else (dear, worth)
    _, lag = costs(within_bounds(Plan(60, spread, cheap)), 60, spread)
    assert fixed_lag == pytest.approx(5.0, abs=0.1)
    assert lag / fixed_lag <= goal, f"{lag / fixed_lag:.3f} of the fixed loop's lag"


def test_requests_at_equal_lag() -> None:
    """At the standard worth, three quarters of the fixed loop's requests give the same lag."""
    requests, lag = costs(within_bounds(Plan(60, 0.5)), 60, 0.5)
    fixed_requests, fixed_lag = costs(lambda _: 2 * lag, 60, 0.5)
    assert fixed_lag == pytest.approx(lag, rel=0.02)
    assert requests / fixed_requests <= 0.75, f"{requests / fixed_requests:.3f} of the fixed loop's requests"


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────


def taught(policy: PollPolicy, seconds: float, times: int = 50) -> Course:
    course = Cadence(policy).course(VEO)
    for _ in range(times):
        course.learn(seconds)
    return course


@pytest.mark.parametrize("seconds", [0.0, 0.5, 60, 3000])
@pytest.mark.parametrize("age", [0.0, 1.0, 55.0, 60.0, 61.0, 1000.0, 1e6])
def test_gaps_stay_within_the_policys_bounds(age: float, seconds: float) -> None:
    """Whatever was learned and however old the operation."""
    course = taught(PollPolicy(min_interval=2, max_interval=45), seconds)
    assert 2 <= course.next_gap(age) <= 45


def test_a_shorter_longest_interval_wins_over_the_shortest() -> None:
    """`max_interval` is the promise."""
    assert taught(PollPolicy(min_interval=20, max_interval=5), 60).next_gap(10) == 5


def test_until_something_is_learned_gaps_are_no_longer_than_published_loops_have() -> None:
    """The prior may be wrong."""
    course = Cadence(PollPolicy(expected=600)).course(VEO)
    assert course.next_gap(0) == 10
    for _ in range(6):
        course.learn(600)
    assert course.next_gap(0) == 60


def test_a_wild_spread_costs_no_more_to_plan_and_overflows_nothing() -> None:
    """One grid of fixed size, whatever was seen."""
    course = taught(PollPolicy(spread=500), 60, times=1)
    course.learn(1e6)
    assert course.estimate.spread == MAX_SPREAD
    assert 1 <= course.next_gap(100) <= 60


def test_past_the_plan_gaps_grow_with_the_age() -> None:
    """Such an operation is not what the plan was made for."""
    plan = Plan(60, 0.1)
    assert (plan.gap(100), plan.gap(200)) == (25, 50)


# ── learning ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_estimate_starts_at_the_prior_and_converges() -> None:
    """Median 60, spread 0.5; then what is seen."""
    estimate = Estimate(PollPolicy())
    assert estimate.median == pytest.approx(60)
    assert estimate.spread == 0.5
    random = Random(1)
    for _ in range(300):
        estimate.learn(random.lognormvariate(math.log(100), 0.2))
    assert estimate.median == pytest.approx(100, rel=0.1)
    assert estimate.spread == pytest.approx(0.2, rel=0.3)


def test_recent_waiting_times_weigh_more() -> None:
    """A threefold slowdown is followed half-way within 50 operations, and nearly all within 200."""
    estimate = Estimate(PollPolicy())
    for _ in range(300):
        estimate.learn(60)
    for _ in range(50):
        estimate.learn(180)
    assert estimate.median > 60 * math.sqrt(3)
    for _ in range(150):
        estimate.learn(180)
    assert estimate.median == pytest.approx(180, rel=0.05)


def test_profiles_learn_each_by_itself_and_share_one_course() -> None:
    """What 4k takes says nothing of 720p."""
    cadence = Cadence(PollPolicy())
    for _ in range(20):
        cadence.course(Profile("veo-3.1", "4k")).learn(300)
    assert cadence.course(Profile("veo-3.1", "720p")).estimate.seen == 0
    assert cadence.course(Profile("veo-3.1", "4k")) is cadence.course(Profile("veo-3.1", "4k"))


# ── the whole, through the scheduler ────────────────────────────────────────────────────────────────────


@frozen
class Factory:
    """A service whose operations take lognormal times; the median is a function of when they began."""

    median: Callable[[int], float]
    spread: float
    ends: dict[OperationKey, float] = field(factory=dict[OperationKey, float])
    requests: dict[OperationKey, int] = field(factory=dict[OperationKey, int])
    lags: dict[OperationKey, float] = field(factory=dict[OperationKey, float])

    def run(self, count: int, policy: PollPolicy | None = None) -> None:
        """Begin an operation every 1.2 seconds and run until all are done."""
        world = World(scheduler=scheduler(policy=policy), on_check=self.check)
        random = Random(5)
        for number in range(count):
            began = 1.2 * number
            self.ends[key(number)] = began + random.lognormvariate(math.log(self.median(number)), self.spread)
            self.requests[key(number)] = 0
            world.at(began, OperationOpened(key(number), VEO))
        world.run(1.2 * count + 3000)
        assert len(self.lags) == count

    def check(self, asked: OperationKey, now: float) -> Reply:
        self.requests[asked] += 1
        if now < self.ends[asked]:
            return Reply(Running())
        self.lags[asked] = now - self.ends[asked]
        return Reply(Finished(outcome=DONE))

    def means(self, first: int = 0) -> tuple[float, float]:
        """Return the mean lag and the mean number of requests, from the operation `first` on."""
        lags = [self.lags[key(number)] for number in range(first, len(self.lags))]
        requests = [self.requests[key(number)] for number in range(first, len(self.lags))]
        return sum(lags) / len(lags), sum(requests) / len(requests)


@pytest.mark.parametrize(("spread", "goal"), [(0.5, 0.80), (0.2, 0.50), (0.1, 0.40)])
def test_what_was_learned_pays_at_the_requests_it_makes(spread: float, goal: float) -> None:
    """Against a fixed loop with as many requests an operation, its wake-ups on a quarter-second grid too."""
    factory = Factory(lambda _: 60, spread)
    factory.run(700)
    lag, requests = factory.means(first=300)
    seconds = 60 * math.exp(spread**2 / 2) / (requests - 0.5)  # an operation meets half a gap past its end
    share = lag / (seconds / 2)
    assert share <= goal, f"lag {lag:.2f} s at {requests:.2f} requests: {share:.3f} of a fixed loop's"


@pytest.mark.parametrize("expected", [20.0, 180.0])
def test_a_wrong_prior_costs_little(expected: float) -> None:
    """Over the first 150 operations, lag and requests are near those with the right prior."""
    right, wrong = Factory(lambda _: 60, 0.3), Factory(lambda _: 60, 0.3)
    right.run(150)
    wrong.run(150, PollPolicy(expected=expected))
    (lag, requests), (wrong_lag, wrong_requests) = right.means(), wrong.means()
    figures = f"lag {wrong_lag:.2f} for {lag:.2f} s, requests {wrong_requests:.2f} for {requests:.2f}"
    assert wrong_lag + wrong_requests <= 1.2 * (lag + requests), figures


def test_a_threefold_slowdown_is_followed() -> None:
    """Within some hundred operations lag and requests are those of the new waiting time."""
    slow, slowed = Factory(lambda _: 180, 0.2), Factory(lambda number: 60 if number < 200 else 180, 0.2)
    slow.run(700)
    slowed.run(700)
    (lag, requests), (slowed_lag, slowed_requests) = slow.means(first=450), slowed.means(first=450)
    figures = f"lag {slowed_lag:.2f} for {lag:.2f} s, requests {slowed_requests:.2f} for {requests:.2f}"
    assert slowed_lag + slowed_requests <= 1.2 * (lag + requests), figures
