"""The one door: what the scheduler says to what happens. No loop, no clock, no sleep."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from veo_async.answers import (
    Accepted,
    Empty,
    Finished,
    Lost,
    Missing,
    NotSent,
    RefusalKind,
    Refused,
    Running,
    Unreadable,
)
from veo_async.engine.events import (
    CHECKS,
    SUBMITS,
    Action,
    Announce,
    Check,
    CheckEnded,
    Event,
    Lift,
    OperationDropped,
    OperationKey,
    OperationOpened,
    Pause,
    Profile,
    Resolve,
    Resumed,
    Stall,
    Submit,
    SubmitEnded,
    SubmitQueued,
    SubmitWithdrawn,
    Tell,
)
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import Expired, Failed, JobId, Rejected
from veo_async.options import Limits, PollPolicy, Rate, RetryPolicy

from .world import DONE, VEO, Reply, World, accept, crowded, key, keys, made, refused, scheduler

RUNNING = Running()
DOWN = NotSent(reason="connection refused")
BAD_KEY = refused(RefusalKind.AUTHENTICATION)
EMPTY = Empty(outcome=Failed(reason="empty"))
TEN_SECONDS = PollPolicy(min_interval=10, max_interval=10)
ONE_AT_A_TIME = Limits(submits=Rate(1000), checks=Rate(1000), in_flight=1)


def opened(
    name: str | int, *, age: float = 0.0, restored: bool = False, following: int = 0
) -> OperationOpened:
    return OperationOpened(key(name), VEO, age=age, restored=restored, following=following)


def queued(*names: str) -> list[SubmitQueued]:
    return [SubmitQueued(JobId(name)) for name in names]


def submit(*names: str) -> Submit:
    return Submit(tuple(JobId(name) for name in names))


def submit_ended(name: str, answer: object, sent_at: float | None, *, again: bool = False) -> SubmitEnded:
    assert isinstance(answer, Accepted | Refused | Unreadable | NotSent | Lost)
    return SubmitEnded(JobId(name), answer, sent_at, again=again)


def wake(watched: PollScheduler) -> float:
    wake_at = watched.next_wakeup()
    assert wake_at is not None
    return wake_at


def check_at(watched: PollScheduler, name: str | int = "a") -> float:
    """Wake until an operation is checked alone, and return when."""
    for _ in range(20):
        now = wake(watched)
        if checks := made(watched.handle(now=now), Check):
            assert checks == [Check(keys(name))]
            return now
    raise AssertionError("no check in 20 wake-ups")


def answer(watched: PollScheduler, reply: object, name: str | int = "a", takes: float = 0.0) -> list[Action]:
    """Wake until an operation is checked, answer that, and return what follows."""
    sent_at = check_at(watched, name)
    assert isinstance(reply, Running | Finished | Empty | Missing | Refused | Unreadable | NotSent | Lost)
    first_byte = None if isinstance(reply, NotSent) else sent_at
    return list(watched.handle(CheckEnded(key(name), reply, first_byte), now=sent_at + takes))


def watching(*names: str | int, now: float = 0.0) -> PollScheduler:
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(*(opened(name) for name in names), now=now)
    return watched


# ── turns ───────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_to_do_wants_no_wakeup() -> None:
    """An idle scheduler sleeps until it is told something."""
    idle = scheduler()
    assert idle.handle(now=0) == []
    assert idle.next_wakeup() is None


def test_two_hundred_submissions_in_one_turn_are_few_checks() -> None:
    """What is due on one tick goes into one action, and one wake-up serves it."""
    watched = scheduler()
    jobs = queued(*map(str, range(200)))
    assert watched.handle(*jobs, now=0) == [submit(*map(str, range(200)))]
    ends: list[Event] = []
    for number in range(200):
        ends += [submit_ended(str(number), Accepted(operation=str(number)), 0.0), opened(number)]
    watched.handle(*ends, now=8)
    assert watched.handle(now=wake(watched)) == [Check(keys(*sorted(range(200), key=str)))]


def test_answers_that_trickle_in_do_not_break_a_tick_up() -> None:
    """What falls due between two ticks waits for the next one, whatever else happens meanwhile."""
    watched = watching("a")
    watched.handle(opened("b"), now=0.3)
    watched.handle(opened("c"), now=0.4)
    assert watched.handle(now=10) == [Check(keys("a"))]
    assert watched.handle(CheckEnded(key("a"), RUNNING, 10), now=10.22) == []
    assert wake(watched) == 10.25
    assert watched.handle(now=10.25) == [Check(keys("b", "c"))]


def test_two_jobs_on_one_operation_share_its_checks() -> None:
    """Opened twice, checked once, resolved once."""
    watched = watching("a", "a")
    watched.handle(opened("a", restored=True), now=1)
    assert watched.open_operations == 1
    assert answer(watched, Finished(outcome=DONE)) == [Resolve(key("a"), DONE)]
    assert (watched.open_operations, watched.next_wakeup()) == (0, None)


def test_a_clock_that_goes_back_is_not_believed() -> None:
    """`now` is the latest instant seen."""
    watched = watching("a", now=100)
    assert check_at(watched) == 110
    watched.handle(CheckEnded(key("a"), RUNNING, 110), now=50)
    assert wake(watched) == 120


def test_the_same_seed_gives_the_same_story_and_another_seed_another() -> None:
    """All jitter comes from the seed."""

    def story(seed: int) -> list[tuple[float, Action]]:
        world = World(scheduler=scheduler(seed=seed), on_check=lambda _, __: Reply(Lost(reason="reset")))
        world.at(0, *(opened(name, age=name, restored=True) for name in range(20)))
        world.run(120)
        return world.said

    assert story(1) == story(1)
    assert story(1) != story(2)


# ── submits ─────────────────────────────────────────────────────────────────────────────────────────────


def test_jobs_go_first_in_first_out_within_the_rate() -> None:
    """The fourth waits for the first one's slot."""
    line = scheduler(Limits(submits=Rate(3, per=60)))
    assert line.handle(*queued("a", "b", "c", "d", "e"), now=0) == [submit("a", "b", "c")]
    assert line.next_wakeup() is None
    line.handle(*(submit_ended(name, Accepted(operation=name), 0.5) for name in "abc"), now=9)
    assert wake(line) == 60.55
    assert line.handle(now=60.55) == [submit("d", "e")]


def test_a_job_is_queued_once() -> None:
    """Told twice, or while it is being sent, it is sent once."""
    line = scheduler(ONE_AT_A_TIME)
    assert line.handle(*queued("a", "a"), now=0) == [submit("a")]
    assert line.handle(*queued("a"), now=1) == []
    assert line.handle(submit_ended("a", Accepted(operation="a"), 0), now=2) == []
    assert line.queued_submits == 0


def test_operations_in_flight_hold_jobs_back_and_their_end_lets_them_go() -> None:
    """What is being sent, running or restored counts; what is decided does not."""
    line = scheduler(ONE_AT_A_TIME, TEN_SECONDS)
    assert line.handle(*queued("a", "b"), now=0) == [submit("a")]
    assert line.handle(submit_ended("a", Accepted(operation="a"), 0), opened("a"), now=5) == []
    assert answer(line, RUNNING) == []
    assert answer(line, Finished(outcome=DONE)) == [Resolve(key("a"), DONE), submit("b")]


def test_a_stalled_operation_makes_room() -> None:
    """It may never end, and must not hold a place for ever."""
    line = scheduler(ONE_AT_A_TIME, PollPolicy(deadline=100))
    line.handle(opened("a"), *queued("b"), now=0)
    assert line.handle(now=100)[:2] == [Stall(key("a")), submit("b")]


def test_jobs_sent_back_go_before_new_ones_in_the_order_they_came_back() -> None:
    """A 429 costs a job no place, and a crowd of them is not turned round."""
    slow = Reply(refused(RefusalKind.RATE_LIMIT, retry_after=100))
    world = World(
        scheduler=scheduler(Limits(submits=Rate(3, per=60), in_flight=100)),
        on_submit=lambda job_id, now: accept(job_id, now) if now > 50 else slow,
    )
    world.at(0, *queued("a", "b", "c", "d"))
    world.run(1000)
    sent = [job_id for _, action in world.said if isinstance(action, Submit) for job_id in action.job_ids]
    assert sent == ["a", "b", "c", "a", "b", "c", "d"]
    assert world.submits[3] >= 100


def test_a_withdrawn_job_is_not_sent() -> None:
    """Neither from the queue nor back from an attempt that proved nothing started."""
    line = scheduler(ONE_AT_A_TIME)
    line.handle(*queued("a", "b", "c"), now=0)
    assert line.handle(SubmitWithdrawn(JobId("b")), SubmitWithdrawn(JobId("a")), now=1) == []
    assert line.handle(submit_ended("a", DOWN, None, again=True), now=2) == []
    assert line.queued_submits == 1
    assert line.handle(now=wake(line)) == [submit("c")]


def test_a_job_taken_back_on_its_way_says_nothing_of_the_provider() -> None:
    """No wait and no pause follow, however many are taken back."""
    line = scheduler(ONE_AT_A_TIME)
    names = "abcdefgh"
    said = list(line.handle(*queued(*names), now=0))
    for now, name in enumerate(names):
        said += line.handle(submit_ended(name, NotSent(reason="withdrawn"), None), now=now)
    assert said == [submit(name) for name in names]


# ── no connection ───────────────────────────────────────────────────────────────────────────────────────


def refuse_connections(line: PollScheduler, attempts: int) -> list[tuple[float, Action]]:
    """Let every attempt fail to connect; return what is announced, and when each attempt was made."""
    now, said = 0.0, list[tuple[float, Action]]()
    for _ in range(attempts):
        said += [(now, action) for action in line.handle(now=now)]
        said += [(now, action) for action in line.handle(submit_ended("x", DOWN, None, again=True), now=now)]
        now = line.next_wakeup() or math.inf
    return said


def test_connections_refused_are_tried_again_with_growing_waits_and_announced_once() -> None:
    """After five attempts all who wait are told; attempts go on, one at a time."""
    line = scheduler()
    line.handle(*queued("x"), now=0)
    said = refuse_connections(line, 9)
    assert [action for _, action in said if action != submit("x")] == [Announce(SUBMITS, Pause(None, DOWN))]
    tried = [at for at, action in said if action == submit("x")]
    waits = [later - at for at, later in pairwise([0.0, *tried])]
    assert all(
        0.1 * ceiling <= wait <= ceiling
        for wait, ceiling in zip(waits, (1, 2, 4, 8, 16, 20, 20), strict=False)
    ), waits
    announced = next(at for at, action in said if isinstance(action, Announce))
    assert announced == ([0.0, *tried])[4]


def test_waits_are_jittered() -> None:
    """Another seed waits otherwise."""
    wakes = set[float | None]()
    for seed in range(5):
        line = scheduler(seed=seed)
        line.handle(*queued("x"), now=0)
        line.handle(submit_ended("x", DOWN, None, again=True), now=0)
        wakes.add(line.next_wakeup())
    assert len(wakes) == 5


def test_a_crowd_that_fails_to_connect_counts_once() -> None:
    """Ten failures of one moment are one trouble, and one job goes as its probe."""
    line = scheduler()
    names = "abcdefghij"
    line.handle(*queued(*names), now=0)
    assert line.handle(*(submit_ended(name, DOWN, None, again=True) for name in names), now=1) == []
    assert line.handle(now=wake(line)) == [submit("a")]
    assert line.next_wakeup() is None


def test_the_pause_is_lifted_by_the_first_answer_of_whatever_kind() -> None:
    """Even a refusal shows that there is a connection."""
    line = scheduler(retry=RetryPolicy(unsent_attempts=1))
    line.handle(*queued("x", "y"), now=0)
    line.handle(submit_ended("y", Lost(reason="reset"), 0), now=0)
    assert refuse_connections(line, 1) == [(0, Announce(SUBMITS, Pause(None, DOWN)))]
    now = wake(line)
    assert line.handle(now=now) == [submit("x")]
    invalid = refused(RefusalKind.INVALID)
    assert line.handle(submit_ended("x", invalid, now), *queued("z"), now=now) == [Lift(SUBMITS), submit("z")]


def test_the_pause_of_checks_is_lifted_by_the_first_answer_of_whatever_kind() -> None:
    """A server in trouble is there."""
    watched = scheduler(policy=TEN_SECONDS, retry=RetryPolicy(unsent_attempts=1))
    watched.handle(opened("a"), now=0)
    assert answer(watched, DOWN) == [Announce(CHECKS, Pause(None, DOWN))]
    assert answer(watched, refused(RefusalKind.SERVER)) == [Lift(CHECKS)]


def test_an_answer_to_what_was_sent_before_a_lasting_trouble_does_not_lift_it() -> None:
    """A bad certificate stops all at once, and an answer over an older connection does not refute it."""
    line = scheduler()
    line.handle(*queued("a", "b", "c"), now=0)
    bad = NotSent(reason="certificate", permanent=True)
    assert line.handle(submit_ended("a", bad, None, again=True), now=1) == [
        Announce(SUBMITS, Pause(None, bad))
    ]
    assert line.handle(submit_ended("b", Accepted(operation="b"), 0.5), now=2) == []
    assert line.handle(submit_ended("c", Accepted(operation="c"), 0.5), now=2) == []
    assert line.next_wakeup() is None
    assert line.handle(Resumed(), now=3) == [Lift(SUBMITS), submit("a")]


# ── key and money ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [RefusalKind.AUTHENTICATION, RefusalKind.BALANCE])
def test_a_key_refused_on_a_submit_stops_submits_until_someone_resumes(kind: RefusalKind) -> None:
    """Told once however many were under way; not even a late success of an earlier send lifts it."""
    line = scheduler(Limits(submits=Rate(3), in_flight=100))
    line.handle(*queued("a", "b", "c", "d"), now=0)
    no = refused(kind)
    assert line.handle(submit_ended("a", no, 0, again=True), now=1) == [Announce(SUBMITS, Pause(kind, no))]
    assert line.handle(submit_ended("b", no, 0, again=True), now=2) == []
    assert line.handle(submit_ended("c", Accepted(operation="c"), 0), now=3) == []
    assert line.next_wakeup() is None
    assert line.handle(Resumed(), now=500) == [Lift(SUBMITS), submit("a", "b", "d")]


def test_a_key_refused_on_a_check_stops_both_and_a_check_probes() -> None:
    """One check a minute, then ever more seldom up to five; its success lets both go on."""
    watched = watching("a", "b")
    watched.handle(now=10)
    announced = watched.handle(CheckEnded(key("a"), BAD_KEY, 10), *queued("j"), now=10)
    pause = Pause(RefusalKind.AUTHENTICATION, BAD_KEY)
    assert announced == [Announce(CHECKS, pause), Announce(SUBMITS, pause)]
    assert watched.handle(CheckEnded(key("b"), BAD_KEY, 10), now=10.5) == []
    probes = list[float]()
    for name in "abab":
        probes.append(check_at(watched, name))
        assert watched.handle(CheckEnded(key(name), BAD_KEY, probes[-1]), now=probes[-1]) == []
    assert [round(later - at) for at, later in pairwise([10, *probes])] == [
        60,
        120,
        240,
        300,
    ]
    now = check_at(watched, "a")
    assert watched.handle(CheckEnded(key("a"), RUNNING, now), now=now) == [
        Lift(CHECKS),
        Lift(SUBMITS),
        submit("j"),
        Check(keys("b")),
    ]


def test_answers_sent_before_a_refusal_do_not_make_a_pause_flap() -> None:
    """Of three checks under way the second says the key is bad; the third is older news."""
    watched = watching("a", "b", "c")
    watched.handle(now=10)
    watched.handle(CheckEnded(key("a"), RUNNING, 10), now=10.1)
    assert made(watched.handle(CheckEnded(key("b"), BAD_KEY, 10), now=10.2), Announce) != []
    assert watched.handle(CheckEnded(key("c"), RUNNING, 10), now=10.3) == []


def test_submits_that_a_check_stopped_go_on_even_if_the_connection_failed_in_between() -> None:
    """The pause for the key outlives the one for the connection."""
    watched = scheduler(policy=TEN_SECONDS, retry=RetryPolicy(unsent_attempts=1))
    watched.handle(opened("a"), now=0)
    answer(watched, BAD_KEY)
    assert answer(watched, DOWN) == [Announce(CHECKS, Pause(None, DOWN))]
    assert answer(watched, RUNNING) == [Lift(CHECKS), Lift(SUBMITS)]


def test_a_check_that_works_does_not_lift_what_a_submit_was_refused_for() -> None:
    """Money for a status check is always there."""
    watched = watching("a")
    watched.handle(*queued("j"), now=0)
    watched.handle(submit_ended("j", refused(RefusalKind.BALANCE), 0, again=True), now=0)
    assert answer(watched, RUNNING) == []


def test_resuming_lets_all_go_at_once() -> None:
    """The operator's word counts more than any wait of ours."""
    watched = watching("a")
    watched.handle(*queued("j"), now=0)
    watched.handle(submit_ended("j", BAD_KEY, 0, again=True), now=0)
    answer(watched, BAD_KEY)
    assert watched.handle(Resumed(), now=20) == [Lift(SUBMITS), Lift(CHECKS), submit("j"), Check(keys("a"))]
    assert watched.handle(Resumed(), now=21) == []


def test_resuming_does_not_override_the_servers_hint() -> None:
    """A 429's clock runs on."""
    watched = watching("a")
    answer(watched, refused(RefusalKind.RATE_LIMIT, retry_after=100))
    watched.handle(Resumed(), now=20)
    assert check_at(watched) == 110


# ── the pace of checks, quotas ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "slow",
    [
        refused(RefusalKind.RATE_LIMIT, retry_after=30),
        refused(RefusalKind.QUOTA, retry_after=30),
        refused(RefusalKind.OVERLOADED, retry_after=30),
        Unreadable(message="HTML", status=429, throttled=True, retry_after=30),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_hint_on_one_check_holds_for_all_and_for_checks_alone(slow: Refused | Unreadable) -> None:
    """Nothing is checked before it has passed; submits keep their own pace; nobody is told."""
    watched = watching("a", "b")
    watched.handle(now=10)
    assert watched.handle(CheckEnded(key("b"), RUNNING, 10), CheckEnded(key("a"), slow, 10), now=10) == []
    assert watched.handle(*queued("j"), now=12) == [submit("j")]
    assert watched.handle(now=39.9) == []
    assert wake(watched) == 40
    assert made(watched.handle(now=40), Check) != []


def test_a_days_quota_of_submits_pauses_them_until_the_hint_and_one_probes() -> None:
    """However long the hint; the first success lifts the pause."""
    line = scheduler(Limits(submits=Rate(2), in_flight=100))
    line.handle(*queued("a", "b", "c"), now=0)
    spent = refused(RefusalKind.QUOTA, retry_after=40_000)
    line.handle(submit_ended("b", Accepted(operation="b"), 0), now=0.5)
    said = line.handle(submit_ended("a", spent, 0, again=True), now=1)
    assert said == [Announce(SUBMITS, Pause(RefusalKind.QUOTA, spent))]
    assert wake(line) == 40_001
    assert line.handle(now=40_001) == [submit("a")]
    assert line.next_wakeup() is None
    done = submit_ended("a", Accepted(operation="a"), 40_001)
    assert line.handle(done, now=40_002) == [Lift(SUBMITS), submit("c")]


def test_a_days_quota_without_a_hint_waits_for_someone_to_resume() -> None:
    """Its reset is not known."""
    line = scheduler()
    line.handle(*queued("a"), now=0)
    line.handle(submit_ended("a", refused(RefusalKind.QUOTA), 0, again=True), now=1)
    assert line.next_wakeup() is None
    assert line.handle(Resumed(), now=9) == [Lift(SUBMITS), submit("a")]


def test_checks_that_do_not_fit_wait_their_turn_in_the_order_they_fell_due() -> None:
    """Under a short rate the longest due goes first, and nobody is passed over."""
    world = World(
        scheduler=scheduler(Limits(checks=Rate(2)), TEN_SECONDS), on_check=lambda _, __: Reply(RUNNING)
    )
    world.at(0, *(opened(name) for name in range(100)))
    world.run(600)
    asked = [name for _, action in world.said if isinstance(action, Check) for name in action.keys]
    counts = {name: asked.count(name) for name in asked}
    assert len(counts) == 100
    assert max(counts.values()) - min(counts.values()) <= 1
    assert crowded(world.checks, Rate(2)) == []


# ── what an answer to a check means ─────────────────────────────────────────────────────────────────────


def test_content_policy_on_a_check_is_about_the_job() -> None:
    """It is decided at once; nobody else is told anything."""
    watched = watching("a")
    said = answer(watched, refused(RefusalKind.CONTENT, message="unsafe"))
    assert said == [Resolve(key("a"), Rejected(reason="content", message="unsafe"))]


TROUBLES = [
    refused(RefusalKind.SERVER),
    refused(RefusalKind.OVERLOADED),
    Unreadable(message="HTML", status=502),
    Lost(reason="reset"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=str)
def test_trouble_of_server_and_network_is_waited_out(trouble: Refused | Unreadable | Lost) -> None:
    """Waits grow, the job's fate is untouched, nobody is told before the deadline."""
    world = World(scheduler=scheduler(), on_check=lambda _, __: Reply(trouble, takes=0.0))
    world.at(0, opened("a"))
    world.run(1201)
    assert {action for _, action in world.said if not isinstance(action, Check)} == {Stall(key("a"))}
    gaps = [later - at for at, later in pairwise(world.checks)]
    assert all(1 <= gap <= 21.25 for gap in gaps[:35])
    assert all(gap == 60 for gap in gaps[35:])  # the retry budget is spent
    assert max(gaps[:2]) < 3.5
    assert max(gaps) > 10


def test_after_trouble_the_cadence_is_taken_up_again() -> None:
    """One good answer forgets it."""
    watched = watching("a")
    for _ in range(6):
        answer(watched, Lost(reason="reset"))
    now = check_at(watched)
    watched.handle(CheckEnded(key("a"), RUNNING, now), now=now)
    assert wake(watched) == now + 10
    answer(watched, Lost(reason="reset"))
    assert wake(watched) <= now + 10 + 10 + 1.25


@pytest.mark.parametrize(
    ("odd", "times"), [(refused(RefusalKind.INVALID), 3), (Unreadable(message="HTML", status=200), 10)]
)
def test_checks_that_cannot_work_are_told_of_and_go_on(odd: Refused | Unreadable, times: int) -> None:
    """After three refusals of the check itself or ten unreadable answers, and again after as many."""
    watched = watching("a")
    said = [answer(watched, odd) for _ in range(2 * times)]
    quiet: list[list[Action]] = [[] for _ in range(times - 1)]
    assert said == 2 * [*quiet, [Tell(key("a"), odd)]]
    assert watched.open_operations == 1


def test_done_with_nothing_in_it_is_asked_three_times_more() -> None:
    """Over a minute; then it counts as failed."""
    watched = watching("a", now=0)
    assert [answer(watched, EMPTY) for _ in range(3)] == [[], [], []]
    now = check_at(watched)
    assert now == 10 + 15 + 20 + 25
    last = watched.handle(CheckEnded(key("a"), EMPTY, now), now=now)
    assert last == [Resolve(key("a"), Failed(reason="empty"))]


@pytest.mark.parametrize("before", [*TROUBLES, refused(RefusalKind.INVALID), Missing()], ids=str)
def test_trouble_before_does_not_shorten_the_asking_of_what_is_empty(before: object) -> None:
    """Only empty answers in a row count."""
    watched = watching("a")
    for _ in range(4):
        answer(watched, before)
    assert [answer(watched, EMPTY) for _ in range(3)] == [[], [], []]
    assert answer(watched, EMPTY) == [Resolve(key("a"), Failed(reason="empty"))]


def test_what_flaps_from_empty_to_running_is_asked_from_the_start() -> None:
    """Not done after all."""
    watched = watching("a")
    for reply in (EMPTY, EMPTY, EMPTY, RUNNING, EMPTY, EMPTY, EMPTY):
        assert answer(watched, reply) == []


def test_not_found_right_after_acceptance_means_nothing() -> None:
    """For two minutes the provider may not know its own operation."""
    watched = watching("a")
    while (now := check_at(watched)) < 119:
        assert watched.handle(CheckEnded(key("a"), Missing(), now), now=now) == []
    assert watched.open_operations == 1


def test_not_found_three_times_in_a_row_over_a_minute_means_expired() -> None:
    """Two, or three in haste, do not."""
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(opened("a", age=500, restored=True), now=0)
    first = check_at(watched)
    watched.handle(CheckEnded(key("a"), Missing(), first), now=first)
    assert answer(watched, Missing()) == []
    last = check_at(watched)
    assert 60 <= last - first <= 61
    gone = watched.handle(CheckEnded(key("a"), Missing(message="no such"), last), now=last)
    assert gone == [Resolve(key("a"), Expired(message="no such"))]


@pytest.mark.parametrize("between", [RUNNING, refused(RefusalKind.SERVER), EMPTY], ids=str)
def test_another_answer_in_between_begins_the_row_of_not_found_anew(between: object) -> None:
    """In a row means in a row."""
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(opened("a", age=500, restored=True), now=0)
    for reply in (Missing(), Missing(), between, between, between, Missing(), Missing()):
        assert answer(watched, reply) == []


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_operation_past_its_deadline_is_told_of_checked_slowly_and_told_of_again() -> None:
    """Every deadline once, checks every five minutes, and it may still succeed."""
    world = World(scheduler=scheduler(), on_check=lambda _, __: Reply(RUNNING))
    world.at(0, opened("a"))
    world.run(4000)
    assert world.times(Stall(key("a"))) == [1200, 2400, 3600]
    late = [at for at in world.checks if at > 1300]
    assert all(300 <= later - at <= 300.5 for at, later in pairwise(late))
    assert answer(world.scheduler, Finished(outcome=DONE)) == [Resolve(key("a"), DONE)]


def test_trouble_with_a_stalled_operation_is_slow_too() -> None:
    """An operation that answers nothing is not asked every few seconds for ever."""
    world = World(scheduler=scheduler(), on_check=lambda _, __: Reply(Lost(reason="reset")))
    world.at(0, opened("a"))
    world.run(6000)
    assert len([at for at in world.checks if at > 1300]) <= 4700 / 300 + 1


def test_after_a_sleep_nobody_is_told_before_a_check_could_tell_what_is_done_by_now() -> None:
    """Six hours in which the machine stood still: no stall without a look, and no burst."""
    limits = Limits(checks=Rate(20))
    world = World(scheduler=scheduler(limits), on_check=lambda _, __: Reply(RUNNING))
    world.at(0, *(opened(name) for name in range(300)))
    world.run(60)
    woken_at = 6 * 3600.0
    watched = World(
        scheduler=world.scheduler,
        on_check=lambda asked, _: Reply(Finished(outcome=DONE) if asked.name != "7" else RUNNING),
    )
    watched.at(woken_at, SubmitWithdrawn(JobId("none")))  # the first thing that happens after the sleep
    for asked in [name for _, action in world.said[-1:] for name in getattr(action, "keys", ())]:
        watched.at(woken_at, CheckEnded(asked, RUNNING, 60.0))
    watched.run(woken_at + 300, asleep_until=woken_at)
    assert [action for _, action in watched.said if isinstance(action, Stall)] == [Stall(key(7))]
    assert len({action for _, action in watched.said if isinstance(action, Resolve)}) == 299
    assert crowded(watched.checks, Rate(20)) == []


def test_a_deadline_missed_in_a_sleep_is_told_even_if_nothing_can_be_checked() -> None:
    """A longest gap or so later."""
    watched = scheduler(policy=TEN_SECONDS)
    watched.handle(opened("a"), now=0)
    woken_at = 50_000.0
    assert made(watched.handle(now=woken_at), Stall) == []
    assert made(watched.handle(now=woken_at + 15), Stall) == [Stall(key("a"))]


def test_an_operation_opened_again_and_again_stalls_once() -> None:
    """What was noted of its earlier openings is past."""
    watched = watching("a")
    for now in range(1, 50):
        watched.handle(OperationDropped(key("a")), opened("a", age=now), now=now)
    assert made(watched.handle(now=1200), Stall) == [Stall(key("a"))]


def test_an_operation_restored_past_its_deadline_is_checked_before_it_is_called_stalled() -> None:
    """It may have been done for long; only a check tells."""
    watched = scheduler()
    assert (
        watched.handle(opened("a", age=9999, restored=True), opened("b", age=9999, restored=True), now=0)
        == []
    )
    now = wake(watched)
    assert watched.handle(now=now) == [Check(keys("a", "b"))]
    ends = CheckEnded(key("a"), Finished(outcome=DONE), now), CheckEnded(key("b"), RUNNING, now)
    assert watched.handle(*ends, now=now) == [Resolve(key("a"), DONE), Stall(key("b"))]


def test_an_operation_restored_past_its_deadline_that_cannot_be_checked_stalls_a_deadline_later() -> None:
    """Nobody waits for ever."""
    world = World(scheduler=scheduler(), on_check=lambda _, __: Reply(Lost(reason="reset")))
    world.at(0, opened("a", age=9999, restored=True))
    world.run(1300)
    assert world.times(Stall(key("a"))) == [1200]


# ── many at once ────────────────────────────────────────────────────────────────────────────────────────


def test_restored_operations_are_spread_out_oldest_first() -> None:
    """No herd: ten thousand go as the rate has it, from the one that expires soonest."""
    world = World(scheduler=scheduler(Limits(checks=Rate(20))), on_check=lambda _, __: Reply(RUNNING))
    world.at(0, *(opened(name, age=name, restored=True) for name in range(2000)))
    world.run(100)
    asked = [name for _, action in world.said if isinstance(action, Check) for name in action.keys]
    first = list(dict.fromkeys(asked))
    assert len(first) > 1700
    ages = [int(name.name) for name in first]
    assert all(later <= at + 200 for at, later in pairwise(ages))
    assert crowded(world.checks, Rate(20)) == []


def first_checks(watched: PollScheduler, until: float) -> dict[str, float]:
    """Return when each operation is checked for the first time."""
    checked: dict[str, float] = {}
    while (now := wake(watched)) <= until:
        for action in made(watched.handle(now=now), Check):
            checked |= {name.name: now for name in action.keys if name.name not in checked}
            watched.handle(*(CheckEnded(name, RUNNING, now) for name in action.keys), now=now)
    return checked


def test_operations_that_are_restored_in_parts_are_spread_out_together() -> None:
    """A hundred in each of ten turns go as a thousand in one: over the longest gap, the oldest first."""
    watched = scheduler(Limits(checks=Rate(1000)))
    for turn in range(10):
        numbers = range(100 * turn, 100 * turn + 100)
        parts = (opened(at, age=5000 - at, restored=True, following=900 - 100 * turn) for at in numbers)
        watched.handle(*parts, now=turn / 1000)
    checked = first_checks(watched, until=2.5)
    assert len(checked) == 1000
    assert max(checked.values()) == pytest.approx(2, abs=0.26)
    assert all(abs(int(name) / 1000 * 2 - at) < 0.26 for name, at in checked.items())


def test_restored_operations_of_which_the_rest_never_comes_are_checked_all_the_same() -> None:
    """Within the share that they were given; the next ones are spread out as ever."""
    watched = scheduler(Limits(checks=Rate(20)))
    watched.handle(*(opened(name, restored=True, following=90) for name in range(10)), now=0)
    checked = first_checks(watched, until=5)
    assert len(checked) == 10
    assert max(checked.values()) <= 1.25
    watched.handle(*(opened(name, restored=True) for name in range(20, 120)), now=21)
    after = first_checks(watched, until=60)
    assert 30 <= max(after[str(name)] for name in range(20, 120)) <= 40


@pytest.mark.parametrize("later", [0.001, 500])
def test_others_are_not_spread_over_the_stretch_of_those_that_never_came(later: float) -> None:
    """Neither over what is left of it, which is too little, nor over what has passed."""
    watched = scheduler(Limits(checks=Rate(1000)))
    watched.handle(*(opened(at, restored=True, following=100) for at in range(100)), now=0)
    others = range(1000, 2000)
    for half, following in ((others[:500], 500), (others[500:], 0)):
        watched.handle(*(opened(at, restored=True, following=following) for at in half), now=later)
    watches = [watched._watches.find(key(at)) for at in others]  # pyright: ignore[reportPrivateUsage]
    instants = [watch.due_at - later for watch in watches if watch is not None]
    assert max(instants) == pytest.approx(2, abs=0.26)
    assert max(map(instants.count, instants)) <= 200


def test_a_few_restored_operations_are_spread_over_an_instant_only() -> None:
    """The width follows from the rate, so that one attached operation is looked at right away."""
    watched = scheduler(Limits(checks=Rate(20)))
    watched.handle(opened("a", age=30, restored=True), now=0)
    assert wake(watched) <= 0.5


def test_restoring_what_is_under_watch_leaves_its_next_check_as_it_is() -> None:
    """A second job on an operation neither hastens nor delays it."""
    watched = watching("a")
    assert watched.handle(*(opened(name, restored=True) for name in ("a", "a")), now=5) == []
    assert wake(watched) == 10


def test_a_dropped_operation_is_checked_no_more_and_its_late_answer_is_no_news() -> None:
    """Nobody waits for it."""
    watched = watching("a", "b")
    assert watched.handle(OperationDropped(key("b")), now=1) == []
    assert check_at(watched) == 10
    assert watched.handle(OperationDropped(key("a")), now=11) == []
    assert watched.handle(CheckEnded(key("a"), Finished(outcome=DONE), 10), now=12) == []
    assert (watched.open_operations, watched.next_wakeup()) == (0, None)
    assert watched.handle(OperationDropped(key("never")), now=13) == []


def test_an_operation_opened_anew_during_a_check_takes_that_checks_answer() -> None:
    """It is not asked for twice at once."""
    watched = watching("a")
    check_at(watched)
    watched.handle(OperationDropped(key("a")), opened("a"), now=11)
    assert watched.handle(now=25) == []
    done = CheckEnded(key("a"), Finished(outcome=DONE), 10)
    assert watched.handle(done, now=26) == [Resolve(key("a"), DONE)]


def test_late_doubled_and_foreign_answers_are_counted_and_change_nothing() -> None:
    """Slots and rooms stay as they were: the rate holds afterwards."""
    watched = scheduler(Limits(checks=Rate(2, per=10), submits=Rate(1, per=10), in_flight=2), TEN_SECONDS)
    watched.handle(opened("a"), opened("b"), opened("c"), *queued("j"), now=0)
    assert watched.handle(now=10) == [Check(keys("a", "b"))]
    done = CheckEnded(key("a"), Finished(outcome=DONE), 10)
    assert watched.handle(done, now=11) == [Resolve(key("a"), DONE)]
    foreign = CheckEnded(OperationKey("elsewhere", "b"), RUNNING, 10)
    unasked = CheckEnded(key("c"), Finished(outcome=DONE), 10)
    stray = submit_ended("j", Accepted(operation="j"), 10)
    for now in (12, 13, 14):
        assert watched.handle(done, foreign, unasked, stray, now=now) == []
    assert watched.late_answers == 12
    assert watched.open_operations == 2
    watched.handle(CheckEnded(key("b"), RUNNING, 10), now=15)
    assert watched.handle(now=20) == []
    assert wake(watched) == 20.25
    assert watched.handle(now=20.25) == [Check(keys("c"))]
    assert wake(watched) == 25


def test_a_held_up_end_teaches_nothing() -> None:
    """An operation that nobody looked at for ten minutes does not count as a ten-minute one."""
    watched = scheduler(retry=RetryPolicy(max_hint=600))
    names = [str(number) for number in range(40)]
    watched.handle(*(opened(name) for name in names), now=0)
    now = wake(watched)
    asked = [name for action in made(watched.handle(now=now), Check) for name in action.keys]
    hint = refused(RefusalKind.RATE_LIMIT, retry_after=600)
    watched.handle(*(CheckEnded(name, hint, now) for name in asked), now=now)
    now += 1
    while watched.open_operations:
        now = wake(watched)
        for action in made(watched.handle(now=now), Check):
            ends = [CheckEnded(name, Finished(outcome=DONE), now) for name in action.keys]
            watched.handle(*ends, now=now)
    assert now > 600
    watched.handle(OperationOpened(key("new"), VEO), now=now)
    assert wake(watched) - now <= 10.25


def test_what_is_over_leaves_nothing_behind() -> None:
    """Ten thousand operations come and go past one that stays; what is kept is for what is open."""
    watched = scheduler(policy=PollPolicy(min_interval=1, max_interval=1))
    watched.handle(opened("stays"), now=0)
    watched.handle(now=1)
    for turn in range(100):
        now = 2.0 + 2 * turn
        names = [100 * turn + number for number in range(100)]
        watched.handle(*(opened(name) for name in names), now=now)
        checked = watched.handle(now=now + 1.25)
        ends = [CheckEnded(name, Finished(outcome=DONE), now + 1.25) for name in keys(*names)]
        assert made(checked, Check) != []
        watched.handle(*ends, now=now + 1.5)
    watches = watched._watches  # pyright: ignore[reportPrivateUsage]
    assert watched.open_operations == 1
    assert len(watches._due) + len(watches._deadlines) < 1000  # pyright: ignore[reportPrivateUsage]


def test_profiles_of_equal_value_are_one() -> None:
    """Operations of one kind learn together, whoever made their profile."""
    watched = scheduler()
    for number in range(10):
        watched.handle(OperationOpened(key(number), Profile("veo-3.1", "4k", 8)), now=0)
    courses = {id(watch.course) for watch in watched._watches._watches.values()}  # pyright: ignore[reportPrivateUsage]
    assert len(courses) == 1
