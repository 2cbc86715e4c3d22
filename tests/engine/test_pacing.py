"""Rates that hold at the server, and a pace that adapts."""

from __future__ import annotations

import heapq
import math
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from veo_async.answers import RefusalKind, Running
from veo_async.engine.events import OperationKey, OperationOpened, SubmitQueued
from veo_async.engine.pacing import CROWD, FALL_EVERY_S, PAD_S, PAD_SHARE, QUIET_S, Pacer, Window
from veo_async.models import JobId
from veo_async.options import Limits, PollPolicy, Rate

from .world import VEO, Reply, World, accept, crowded, key, refused, scheduler

NEVER = -1.0
NETWORK_S = 0.04
"""How unevenly the network may delay first bytes on their way to the server."""


def pacer(*rates: Rate) -> Pacer:
    return Pacer(rates, max_hint=600)


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_window_frees_a_slot_one_padded_length_after_its_first_byte() -> None:
    """What counts is when the first byte left, not when the scheduler said so."""
    window = Window(Rate(1, per=10))
    window.take(1)
    assert (window.free(0), window.free_at(0)) == (0, math.inf)
    window.give_back(2.0)
    assert (window.free(12.0), window.free_at(3)) == (0, 12.05)
    assert window.free(12.05) == 1


def test_what_was_never_sent_costs_no_slot() -> None:
    """A failure to connect gives its slot back at once."""
    window = Window(Rate(1, per=10))
    window.take(1)
    window.give_back(None)
    assert window.free(0) == 1


def test_the_start_is_a_window_too() -> None:
    """A burst at the start takes all slots; nothing more goes until the first is free."""
    paced = pacer(Rate(3, per=60))
    assert paced.room(0) == 3
    paced.take(3, 0)
    assert (paced.room(59), paced.free_at(0)) == (0, math.inf)
    for sent_at in (0, 1, 2):
        paced.ended(sent_at)
    assert (paced.free_at(10), paced.room(60), paced.room(60.05)) == (60.05, 0, 1)


RATES = st.builds(Rate, st.integers(1, 8), per=st.sampled_from((0.1, 0.5, 1, 7, 60)) | st.floats(0.1, 100))


def arrivals(rates: tuple[Rate, ...], random: Random) -> list[float]:
    """Drive a pacer as fast as it lets one, with pauses in between; return when sends reach the server."""
    paced = pacer(*rates)
    pad = min(min(PAD_S, PAD_SHARE * rate.per) for rate in rates)
    longest = max(rate.per for rate in rates)
    under_way: list[tuple[float, float]] = []
    seen: list[float] = []
    now = 0.0
    for _ in range(60):
        while under_way and under_way[0][0] <= now:
            sent_at = heapq.heappop(under_way)[1]
            paced.ended(None if sent_at == NEVER else sent_at)
        count = random.randint(0, paced.room(now))
        paced.take(count, now)
        for _ in range(count):
            sent_at = now + random.choice((0, random.uniform(0, 0.05), random.uniform(0, longest)))
            if random.random() < 0.1:
                heapq.heappush(under_way, (sent_at, NEVER))
                continue
            seen.append(sent_at + random.choice((0, 1)) * min(NETWORK_S, 0.8 * pad))
            heapq.heappush(under_way, (sent_at + random.uniform(NETWORK_S, longest), sent_at))
        events = [at for at, _ in under_way[:1]] + [at for at in (paced.free_at(now),) if now < at < math.inf]
        now = min(events, default=now + random.uniform(0, longest))
        now += random.choice((0, 0, 0, random.uniform(0, longest / 10)))
    return seen


@settings(max_examples=80, deadline=None)
@given(st.lists(RATES, min_size=1, max_size=2).map(tuple), st.builds(Random, st.integers(0, 99)))
@example((Rate(1, per=0.1),), Random(1))
@example((Rate(2, per=1), Rate(5, per=60)), Random(2))
def test_no_window_at_the_server_holds_more_than_stated(rates: tuple[Rate, ...], random: Random) -> None:
    """Whatever lies between the scheduler's word, the first byte, its arrival and the answer."""
    seen = arrivals(rates, random)
    for rate in rates:
        assert crowded(seen, rate) == []


def steady_checks(limits: Limits, until: float) -> World:
    """Check many operations, always due, for some time."""
    watched = scheduler(limits, PollPolicy(min_interval=0.25, max_interval=0.25))
    random = Random(3)

    def on_check(asked: OperationKey, now: float) -> Reply:
        return Reply(Running(), sent_after=random.uniform(0, 0.002), takes=random.uniform(0.02, 0.09))

    world = World(scheduler=watched, on_check=on_check)
    world.at(0, *(OperationOpened(key(name), VEO) for name in range(200)))
    world.run(until)
    return world


@pytest.mark.parametrize(
    "rates",
    [
        (Rate(1, per=0.1),),
        (Rate(1, per=1),),
        (Rate(5, per=1),),
        (Rate(20, per=1),),
        (Rate(100, per=1),),
        (Rate(50, per=60),),
        (Rate(10, per=1), Rate(240, per=60)),
        (Rate(2, per=0.5), Rate(100, per=60)),
    ],
    ids=str,
)
def test_nine_tenths_of_a_rate_of_checks_are_usable(rates: tuple[Rate, ...]) -> None:
    """Under steady demand, with the scheduler's own wake-ups, and no window too full."""
    until = max(20.0, *(6 * rate.per for rate in rates))
    world = steady_checks(Limits(checks=rates), until)
    from_second = [sent_at for sent_at in world.checks if sent_at >= rates[-1].per]
    allowed = min(rate.count / rate.per for rate in rates)
    used = len(from_second) / (until - rates[-1].per) / allowed
    assert used >= 0.9, f"{used:.1%} of the rate used"
    for rate in rates:
        assert crowded(world.checks, rate) == []


@pytest.mark.parametrize("rate", [Rate(50, per=60), Rate(5, per=1), Rate(1, per=0.1)], ids=str)
def test_nine_tenths_of_a_rate_of_submits_are_usable(rate: Rate) -> None:
    """Submits are not rounded to a grid at all."""
    until = 10 * rate.per
    world = World(scheduler=scheduler(Limits(submits=rate, in_flight=10_000)))
    world.at(0, *(SubmitQueued(JobId(str(number))) for number in range(1000)))
    world.run(until)
    assert len(world.submits) >= 0.9 * 10 * rate.count
    assert crowded(world.submits, rate) == []


# ── the pace ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_crowd_of_429s_counts_once() -> None:
    """One crowd, one fall, until what it overshot by is out of the server's window."""
    paced = pacer(Rate(50, per=60))
    for now in (0, 0.1, 69.9):
        paced.throttled(None, now)
        assert paced.per_minute == pytest.approx(44)
    paced.throttled(None, FALL_EVERY_S)
    assert paced.per_minute == pytest.approx(38.72)


def test_a_pace_that_is_far_off_is_halved_again_and_again() -> None:
    """Where ten more are refused than taken since the last fall, and not where as many are taken."""
    paced = pacer(Rate(50, per=60))
    for _ in range(1 + CROWD):
        paced.throttled(None, 0)
    assert paced.per_minute == pytest.approx(22)
    for _ in range(CROWD):
        paced.throttled(None, 1)
    assert paced.per_minute == pytest.approx(11)
    for _ in range(3 * CROWD):
        paced.throttled(None, 2)
        paced.succeeded(2)
    assert paced.per_minute > 11


def test_the_pace_rises_with_each_success_and_never_past_what_is_stated() -> None:
    """By a little near what was too fast, by more where nothing was refused for long."""
    paced = pacer(Rate(50, per=60))
    paced.throttled(None, 0)
    paced.succeeded(QUIET_S - 1)
    assert paced.per_minute == pytest.approx(44.075)
    paced.succeeded(QUIET_S)
    assert paced.per_minute == pytest.approx(44.775)
    for _ in range(100):
        paced.succeeded(QUIET_S)
    assert paced.per_minute == 50


def test_the_pace_never_falls_below_one_a_minute() -> None:
    """It could not rise again without a success."""
    paced = pacer(Rate(50, per=60))
    for turn in range(100):
        paced.throttled(None, turn * FALL_EVERY_S)
    assert paced.per_minute == 1


def test_sends_are_spaced_once_the_pace_has_fallen() -> None:
    """After a 429 one send goes at a time, a pace's length apart."""
    paced = pacer(Rate(60, per=60))
    paced.throttled(None, 0)
    gap = 60 / paced.per_minute
    assert paced.room(1.4) == 0
    assert paced.free_at(0) == pytest.approx(1.25 * gap)
    assert paced.room(1.43) == 1
    paced.take(1, 1.43)
    assert paced.room(2.5) == 0
    assert paced.free_at(1.43) == pytest.approx(2.25 * gap)


@pytest.mark.parametrize(
    "rates",
    [(Rate(50, per=60), Rate(1000, per=86_400)), (Rate(10, per=86_400),), (Rate(1, per=60),)],
    ids=str,
)
def test_a_429_slows_down_long_windows_too(rates: tuple[Rate, ...]) -> None:
    """A day's rate, alone or beside a minute's, does not make the pacer deaf to a 429 without a hint."""
    paced = pacer(*rates)
    paced.throttled(None, 0)
    assert paced.room(1) == 0
    assert 1 < paced.free_at(0) <= 600


def test_a_days_rate_beside_a_minutes_leaves_the_pace_to_the_minutes() -> None:
    """The day's window holds by itself."""
    assert pacer(Rate(50, per=60), Rate(1000, per=86_400)).per_minute == 50
    assert pacer(Rate(20, per=1), Rate(50, per=60)).per_minute == 50


# ── what is stated, and what is left of it ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rates", "per_minute"),
    [
        pytest.param((Rate(50, per=60),), 50, id="a minute's"),
        pytest.param((Rate(20, per=1), Rate(50, per=60)), 50, id="the least"),
        pytest.param((Rate(1, per=6), Rate(50, per=60)), 10, id="the least, whichever it is"),
        pytest.param(
            (Rate(10, per=30), Rate(15, per=61)), 20, id="what is longer than a minute holds itself"
        ),
        pytest.param((Rate(100, per=120), Rate(10, per=86_400)), 50, id="the shortest, if that is longer"),
        pytest.param((Rate(10, per=3600), Rate(2, per=3600)), 2 / 60, id="two that are as long"),
    ],
)
def test_the_stated_pace_is_the_least_of_the_rates_of_a_minute(
    rates: tuple[Rate, ...], per_minute: float
) -> None:
    """Where none is as short as that, it is the shortest's."""
    assert pacer(*rates).top_per_minute == pytest.approx(per_minute)
    assert pacer(*rates).per_minute == pytest.approx(per_minute)


def test_slots_are_rounded_by_a_fortieth_of_the_shortest_window() -> None:
    assert pacer(Rate(5, per=60)).grain == pytest.approx(1.5)
    assert pacer(Rate(5, per=60), Rate(5, per=2)).grain == pytest.approx(0.05)


@pytest.mark.parametrize(("per", "padded"), [(60.0, 60.05), (0.4, 0.42), (1.0, 1.05)])
def test_a_window_is_padded_by_a_twentieth_of_it_and_no_more_than_that_of_a_second(
    per: float, padded: float
) -> None:
    window = Window(Rate(1, per=per))
    window.take(1)
    window.give_back(0.0)
    assert window.free_at(0) == pytest.approx(padded)


def test_slots_of_a_window_are_counted_one_by_one() -> None:
    """Granted in two turns, ended in any order: the first that is free is the first that was sent."""
    window = Window(Rate(5, per=10))
    window.take(2)
    window.take(2)
    assert (window.free(0), window.free_at(0)) == (1, 0)
    for sent_at in (3.0, 1.0, 2.0):
        window.give_back(sent_at)
    assert window.free(5) == 1
    window.take(1)
    assert (window.free(5), window.free_at(5)) == (0, 11.05)
    assert [window.free(now) for now in (11.05, 12.05, 13.05)] == [1, 2, 3]


def test_a_slow_rates_pace_falls_too_and_by_one_step_at_most() -> None:
    """Below one a minute it could not rise again within an hour."""
    paced = pacer(Rate(10, per=3600))
    for turn in range(5):
        paced.throttled(None, turn * FALL_EVERY_S)
        assert paced.per_minute == pytest.approx(0.88 / 6)


def test_a_429_holds_for_no_longer_than_a_hint_could() -> None:
    """Ten minutes, though the next gap of the pace would be hours away."""
    paced = pacer(Rate(10, per=86_400))
    paced.throttled(None, 0)
    assert paced.free_at(0) == 600


def test_what_went_at_full_pace_does_not_count_against_the_pace_that_fell() -> None:
    """The window has it; spacing begins with the 429."""
    paced = pacer(Rate(50, per=60))
    paced.take(40, 0)
    paced.throttled(None, 1)
    assert paced.free_at(1) == pytest.approx(1 + 1.25 * 60 / 44)


def test_a_pace_that_is_back_at_what_is_stated_is_spaced_no_more() -> None:
    paced = pacer(Rate(50, per=60))
    paced.throttled(None, 0)
    assert paced.free_at(0) > 1
    for _ in range(100):
        paced.succeeded(0)
    assert (paced.per_minute, paced.room(0), paced.free_at(0)) == (50, 50, 0)


def test_a_429_does_not_draw_the_next_send_near() -> None:
    """Where the pace holds for longer already, that stays."""
    paced = pacer(Rate(60, per=60))
    paced.throttled(None, 0)
    paced.take(5, 10)
    until = paced.free_at(10)
    assert until == pytest.approx(10 - 0.25 + 5 / 0.88)
    paced.throttled(None, 10)
    assert paced.free_at(10) == pytest.approx(until)


def test_pace_left_unused_is_caught_up_by_a_quarter_of_a_second_of_it() -> None:
    """So a high pace costs few wake-ups, and a pause is followed by no burst."""
    paced = pacer(Rate(6000, per=60))
    paced.throttled(None, 0)
    assert paced.per_minute == 5280  # 88 a second
    assert paced.room(50) == 1 + 22
    paced.take(23, 50)
    assert paced.free_at(50) == pytest.approx(49.75 + 23 / 88)
    assert paced.room(50) == 0
    assert paced.room(50.0125) == 1


def test_a_window_that_is_full_binds_a_fallen_pace_too() -> None:
    paced = pacer(Rate(6000, per=60), Rate(2, per=3600))
    paced.throttled(None, 0)
    assert paced.room(50) == 2
    paced.take(2, 50)
    paced.ended(50)
    paced.ended(51)
    assert (paced.room(52), paced.free_at(52)) == (0, 3650.05)


def test_successes_make_up_for_429s_in_the_count_that_halves_the_pace() -> None:
    """Ten more are too many, nine more are not."""
    paced = pacer(Rate(50, per=60))
    paced.throttled(None, 0)
    for _ in range(CROWD):
        paced.throttled(None, 1)
        paced.succeeded(1)
    before = paced.per_minute
    for _ in range(CROWD - 1):
        paced.throttled(None, 2)
    assert paced.per_minute == before
    paced.throttled(None, 2)
    assert paced.per_minute == pytest.approx(before / 2)


def test_the_halving_begins_a_new_crowd_and_a_new_quiet() -> None:
    """A minute and a bit after it, one 429 is one fall again; so long no success counts for more."""
    paced = pacer(Rate(50, per=60))
    for _ in range(1 + CROWD):
        paced.throttled(None, 10)
    paced.throttled(None, 10 + FALL_EVERY_S)
    assert paced.per_minute == pytest.approx(22 * 0.88)
    paced.succeeded(10 + FALL_EVERY_S + QUIET_S - 1)
    assert paced.per_minute == pytest.approx(22 * 0.88 + 0.075)


# ── hints and holds ─────────────────────────────────────────────────────────────────────────────────────


def test_a_429s_hint_holds_all() -> None:
    """Counted from the answer."""
    paced = pacer(Rate(50, per=60))
    paced.throttled(30, 100)
    assert (paced.hinted_until, paced.held_until, paced.free_at(100)) == (130, 130, 130)
    paced.hold(140)
    assert (paced.hinted_until, paced.held_until, paced.free_at(100)) == (130, 140, 140)
    paced.hold(135)
    assert paced.held_until == 140


def test_nothing_is_held_that_nobody_asked_for() -> None:
    paced = pacer(Rate(50, per=60))
    assert (paced.hinted_until, paced.held_until, paced.free_at(7)) == (-math.inf, -math.inf, 7)


def test_nothing_goes_before_a_hint_has_passed() -> None:
    """Not even where windows are free."""
    paced = pacer(Rate(50, per=60))
    paced.hint(34.07, now=10)
    assert (paced.room(44), paced.free_at(11)) == (0, 44.07)
    assert paced.room(44.07) == 50


def test_a_hint_is_bounded_and_a_shorter_one_does_not_shorten_it() -> None:
    """Ten minutes at most; the later end holds."""
    paced = pacer(Rate(50, per=60))
    paced.hint(1e9, now=0)
    paced.hint(1, now=0)
    paced.hint(None, now=0)
    assert paced.free_at(0) == 600


def test_a_negative_hint_is_none() -> None:
    """It lies in the past."""
    paced = pacer(Rate(50, per=60))
    paced.hint(-5, now=10)
    assert paced.room(10) == 50


def test_release_ends_our_holds_and_not_the_servers_hint() -> None:
    """What stopped us has passed; what the server asked for has not."""
    paced = pacer(Rate(50, per=60))
    paced.hold(math.inf)
    paced.hint(30, now=0)
    assert paced.free_at(0) == math.inf
    paced.release()
    assert (paced.room(29), paced.free_at(0), paced.room(30)) == (0, 30, 50)


# ── a quota that moves ──────────────────────────────────────────────────────────────────────────────────


class MovingQuota:
    """A server that takes 10, then 5, then 20 submits in any minute, an hour and a third each."""

    PHASE_S = 4800.0
    PER_MINUTE = (10, 5, 20)

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.refused: list[float] = []

    def __call__(self, job_id: JobId, now: float) -> Reply:
        quota = self.PER_MINUTE[min(2, int(now / self.PHASE_S))]
        if len([at for at in self.taken[-quota:] if at > now - 60]) >= quota:
            self.refused.append(now)
            return Reply(refused(RefusalKind.RATE_LIMIT), takes=0.2)
        self.taken.append(now)
        return accept(job_id, now)


def test_the_pace_follows_a_quota_that_moves() -> None:
    """Nine tenths of 10, 5, then 20 a minute are used, and few submits are refused."""
    service = MovingQuota()
    world = World(scheduler=scheduler(Limits(submits=Rate(20, per=60), in_flight=10_000)), on_submit=service)
    world.at(0, *(SubmitQueued(JobId(str(number))) for number in range(6000)))
    world.run(3 * service.PHASE_S)
    quota = sum(service.PER_MINUTE) * service.PHASE_S / 60
    used = len(service.taken) / quota
    an_hour = len(service.refused) / (3 * service.PHASE_S / 3600)
    figures = f"{used:.1%} of the quota used, {an_hour:.0f} answers 429 an hour"
    assert used >= 0.93, figures
    assert an_hour <= 150, figures
