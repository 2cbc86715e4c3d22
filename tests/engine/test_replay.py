"""Recorded jobs, run through the scheduler once more."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veo_async.engine.events import Profile
from veo_async.engine.lifecycle import State
from veo_async.engine.replay import Figures, PastJob, replay
from veo_async.options import Limits, PollPolicy, Rate

TEN = PollPolicy(min_interval=10, max_interval=10)
"""A check every 10 s, whatever is known."""
FREE = Limits(submits=Rate(10_000), checks=Rate(10_000), in_flight=10_000)
PADS_S = 0.5
"""What windows are padded by, and instants rounded to."""
EPOCH = 1_790_000_000.0


def job(
    waits: float | None = 24.0,
    *,
    at: float = 0.0,
    submit_takes: float | None = 0.0,
    state: State = State.SUCCEEDED,
) -> PastJob:
    return PastJob(
        asked_at=EPOCH + at, state=state, profile=Profile("veo"), submit_takes=submit_takes, waits=waits
    )


def crowd(count: int, *, gap: float = 0.0, seed: int = 0) -> list[PastJob]:
    random = Random(seed)
    return [
        job(random.lognormvariate(math.log(60), 0.5), at=place * gap, submit_takes=0.5)
        for place in range(count)
    ]


def test_what_nothing_holds_back_is_known_exactly() -> None:
    """Three jobs of 24 s, checked after 10, 20 and 30 s: found 6 s late, by three checks each."""
    assert replay([job()] * 3, limits=FREE, policy=TEN) == Figures(
        submits=3, checks=9, operations=3, mean_lag=6.0, p90_lag=6.0, max_lag=6.0, last_video=30.0
    )


def test_the_figures_of_the_lags() -> None:
    """Ten jobs of 20 to 29 s, all found at 30 s but the first: the mean, nine in ten, and the longest."""
    figures = replay([job(20.0 + more) for more in range(10)], limits=FREE, policy=TEN)
    assert (figures.operations, figures.mean_lag, figures.p90_lag, figures.max_lag) == (10, 4.5, 8.0, 9.0)
    assert (figures.submits, figures.checks, figures.requests) == (10, 29, 39)
    assert figures.last_video == 30.0


def test_a_single_job_is_all_of_the_figures() -> None:
    figures = replay([job(24.0)], limits=FREE, policy=TEN)
    assert (figures.mean_lag, figures.p90_lag, figures.max_lag) == (6.0, 6.0, 6.0)


def test_an_end_at_the_instant_of_a_check_is_found_by_it() -> None:
    """Without lag."""
    figures = replay([job(20.0)], limits=FREE, policy=TEN)
    assert (figures.checks, figures.max_lag, figures.last_video) == (2, 0.0, 20.0)


def test_the_last_video_is_that_of_the_last_success() -> None:
    """What fails after it does not count, nor what was found before it."""
    jobs = [job(), job(at=100), job(at=200, state=State.FAILED)]
    assert replay(jobs, limits=FREE, policy=TEN).last_video == 130.0


def test_profiles_are_learned_apart() -> None:
    """What a quick one takes does not draw the looks at a slow one near."""
    quick, slow = Profile("quick"), Profile("slow")

    def mixed(second: Profile) -> list[PastJob]:
        pairs = (((quick, 20.0), (second, 300.0)) for _ in range(60))
        turns = [turn for pair in pairs for turn in pair]
        return [
            PastJob(
                asked_at=50.0 * place, state=State.SUCCEEDED, profile=profile, submit_takes=0.0, waits=waits
            )
            for place, (profile, waits) in enumerate(turns)
        ]

    apart, together = replay(mixed(slow), limits=FREE), replay(mixed(quick), limits=FREE)
    assert apart.checks < 0.9 * together.checks
    assert apart.mean_lag < together.mean_lag


@pytest.mark.parametrize("waits", [24.0, None])
def test_a_submit_counts_for_the_rate_from_when_it_was_sent(waits: float | None) -> None:
    """Not from its answer; also where no operation came of it."""
    jobs = [job(waits, submit_takes=40.0), job(submit_takes=40.0)]
    figures = replay(jobs, limits=Limits(submits=Rate(1, per=100)), policy=TEN)
    assert figures.last_video == pytest.approx(170, abs=PADS_S)


def test_submits_that_never_came_to_an_operation_hold_their_place_until_their_answer() -> None:
    """One at a time: the next goes when the answer is there, and not before."""
    jobs = [job(None, state=State.UNKNOWN, submit_takes=40.0), job()]
    figures = replay(jobs, limits=Limits(in_flight=1), policy=TEN)
    assert figures.last_video == pytest.approx(70, abs=PADS_S)


def test_operations_of_somebody_else_are_checked_spread_out() -> None:
    """As after a restart: the answer to the seed's question is the same, another seed's is another."""
    jobs = [job(5.0 * place, submit_takes=None) for place in range(40)]
    limits = Limits(checks=Rate(10))
    first = replay(jobs, limits=limits, seed=1)
    assert first == replay(jobs, limits=limits, seed=1)
    assert first != replay(jobs, limits=limits, seed=2)
    assert first.operations == 40


def test_a_rate_of_submits_that_binds() -> None:
    """One in 100 s: the third leaves after 200 s and is found 30 s later; nothing else changes."""
    figures = replay([job()] * 3, limits=Limits(submits=Rate(1, per=100), checks=FREE.checks), policy=TEN)
    assert (figures.submits, figures.checks) == (3, 9)
    assert figures.last_video == pytest.approx(230, abs=2 * PADS_S)
    assert figures.max_lag == pytest.approx(6, abs=PADS_S)


def test_a_rate_of_checks_that_binds() -> None:
    """One in 30 s for two jobs of 24 s: one look after 10 s, then an end at 40 s and one at 70 s."""
    figures = replay([job()] * 2, limits=Limits(checks=Rate(1, per=30)), policy=TEN)
    assert figures.checks == 3
    assert figures.mean_lag == pytest.approx((16 + 46) / 2, abs=PADS_S)
    assert figures.max_lag == pytest.approx(46, abs=PADS_S)
    assert figures.last_video == pytest.approx(70, abs=PADS_S)


def test_a_cap_in_flight_that_binds() -> None:
    """One at a time: the next is sent when the end of the one before is found."""
    figures = replay([job()] * 3, limits=Limits(in_flight=1), policy=TEN)
    assert figures.last_video == pytest.approx(90, abs=PADS_S)


def test_jobs_are_asked_for_when_they_were() -> None:
    """In any order of the records; the first one's instant is the start."""
    figures = replay([job(at=500), job(at=0), job(at=1000)], limits=FREE, policy=TEN)
    assert figures.last_video == 1030
    assert figures.checks == 9


def test_the_time_of_a_submit_counts() -> None:
    """The operation begins with the answer."""
    assert replay([job(submit_takes=7.0)], limits=FREE, policy=TEN).last_video == 37.0


def test_what_did_not_succeed_is_checked_all_the_same() -> None:
    """A failure is no last video; its end has to be found like any other."""
    states = (State.SUCCEEDED, State.FILTERED, State.FAILED, State.EXPIRED, State.REJECTED)
    jobs = [job(at=100 * place, state=state) for place, state in enumerate(states)]
    figures = replay(jobs, limits=FREE, policy=TEN)
    assert (figures.operations, figures.checks, figures.last_video) == (5, 15, 30.0)


def test_what_has_no_known_operation_costs_its_submit_alone() -> None:
    """Refused, unknown, or still running when the ledger was read."""
    jobs = [
        job(None, state=state, submit_takes=1.0) for state in (State.REJECTED, State.UNKNOWN, State.RUNNING)
    ]
    figures = replay(jobs, limits=FREE)
    assert (figures.submits, figures.checks, figures.operations) == (3, 0, 0)
    assert (figures.mean_lag, figures.last_video) == (0.0, None)


def test_an_operation_of_somebody_else_has_no_submit() -> None:
    """It is watched from when it was attached."""
    figures = replay([job(submit_takes=None)], limits=FREE, policy=TEN)
    assert (figures.submits, figures.operations) == (0, 1)
    assert figures.checks >= 1


def test_no_jobs_come_to_nothing() -> None:
    """And end at once."""
    assert replay([]).requests == 0


def test_a_long_wait_is_found_past_the_deadline() -> None:
    """A stalled operation goes on being checked."""
    figures = replay([job(5000.0)], limits=FREE)
    assert figures.operations == 1
    assert figures.max_lag <= 300


def test_the_same_question_has_the_same_answer() -> None:
    """Nothing is left to chance."""
    jobs = crowd(200, gap=0.3)
    assert replay(jobs) == replay(jobs)


@pytest.mark.parametrize("seed", range(3))
def test_more_checks_a_second_never_mean_more_lag(seed: int) -> None:
    """As long as the rate is what binds; past that nothing is gained."""
    jobs = crowd(300, gap=0.5, seed=seed)
    fixed = PollPolicy(min_interval=10, max_interval=10)
    lags = [
        replay(jobs, limits=Limits(checks=Rate(rate)), policy=fixed).mean_lag for rate in (1, 2, 4, 8, 16, 32)
    ]
    assert all(more <= fewer + 0.25 for fewer, more in pairwise(lags)), lags
    assert lags[-1] < lags[0] / 2


@pytest.mark.parametrize("seed", range(3))
def test_more_checks_a_second_mean_less_lag_while_they_are_short(seed: int) -> None:
    """With the cadence that learns, too."""
    jobs = crowd(300, gap=0.5, seed=seed)
    lags = [replay(jobs, limits=Limits(checks=Rate(rate))).mean_lag for rate in (1, 2, 4)]
    assert lags == sorted(lags, reverse=True)


def test_longer_gaps_save_requests_and_cost_lag() -> None:
    """Both figures move as they must."""
    jobs = crowd(200, gap=1.0)
    often = replay(jobs, policy=PollPolicy(min_interval=5, max_interval=5))
    seldom = replay(jobs, policy=PollPolicy(min_interval=20, max_interval=20))
    assert seldom.checks < often.checks / 2
    assert seldom.mean_lag > 2 * often.mean_lag
    assert often.mean_lag == pytest.approx(2.5, abs=0.5)
    assert seldom.mean_lag == pytest.approx(10, abs=2)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            job,
            st.none() | st.floats(0, 4000),
            at=st.floats(0, 10_000),
            submit_takes=st.none() | st.floats(0, 100),
            state=st.sampled_from(State),
        ),
        max_size=12,
    ),
    st.integers(1, 3),
)
def test_every_known_operation_is_found_once(jobs: list[PastJob], in_flight: int) -> None:
    """Whatever the record holds: no end is missed, none is found before it was."""
    figures = replay(jobs, limits=Limits(in_flight=in_flight, checks=Rate(2)))
    assert figures.operations == sum(one.waits is not None for one in jobs)
    assert figures.submits == sum(one.submit_takes is not None for one in jobs)
    assert figures.checks >= figures.operations
    assert 0 <= figures.mean_lag <= figures.max_lag
    assert figures.p90_lag <= figures.max_lag


def test_thousands_of_jobs_take_seconds() -> None:
    """Of processor time, one or two, with room for a busy machine."""
    began = time.process_time()
    figures = replay(crowd(2_000, gap=0.2), limits=Limits(submits=Rate(10)))
    assert figures.operations == 2_000
    assert time.process_time() - began < 15
