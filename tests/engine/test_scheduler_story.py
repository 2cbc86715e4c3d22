"""Random stories: whatever happens in whatever order, the scheduler's promises hold."""

from __future__ import annotations

import itertools
import math

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from veo_async.answers import (
    Accepted,
    CheckAnswer,
    Empty,
    Finished,
    Lost,
    Missing,
    NotSent,
    RefusalKind,
    Running,
    SubmitAnswer,
    Unreadable,
)
from veo_async.engine.events import (
    Action,
    Announce,
    Check,
    CheckEnded,
    Event,
    Lift,
    OperationDropped,
    OperationKey,
    OperationOpened,
    Quota,
    Resolve,
    Resumed,
    Submit,
    SubmitEnded,
    SubmitQueued,
    SubmitWithdrawn,
)
from veo_async.engine.lifecycle import Move
from veo_async.engine.retries import submit_move
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import Failed, JobId
from veo_async.options import Limits, PollPolicy, Rate, RetryPolicy

from .world import DONE, VEO, crowded, key, refused

CHECKS_RATE, SUBMITS_RATE, IN_FLIGHT = Rate(3, per=5), Rate(2, per=20), 6
HINTS = st.none() | st.sampled_from((0.0, 3.0, 45.0))
REFUSALS = st.builds(refused, st.sampled_from(list(RefusalKind)), HINTS)
UNREADABLE = st.builds(
    Unreadable, message=st.just("?"), status=st.sampled_from((200, 429, 502)), throttled=st.booleans()
)
NOTHING = st.sampled_from(
    (Lost(reason="reset"), NotSent(reason="refused"), NotSent(reason="tls", permanent=True))
)
CHECK_ANSWERS = st.one_of(
    st.just(Running()),
    st.sampled_from((Finished(outcome=DONE), Empty(outcome=Failed(reason="empty")), Missing())),
    REFUSALS,
    UNREADABLE,
    NOTHING,
)
SUBMIT_ANSWERS = st.one_of(st.just(Accepted(operation="op")), REFUSALS, UNREADABLE, NOTHING)
DELAYS = st.sampled_from((0.0, 0.3, 4.0))


class Story(RuleBasedStateMachine):
    """Adds, wakes, answers (once, twice, late), drops, reopens, withdraws and resumes as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.numbers = itertools.count()
        self.open: set[OperationKey] = set()
        self.checking: dict[OperationKey, float] = {}
        self.sending: dict[JobId, float] = {}
        self.queued: set[JobId] = set()
        self.ended: list[Event] = []
        self.check_sends: list[float] = []
        self.submit_sends: list[float] = []
        self.paused: set[Quota] = set()

    @initialize(seed=st.integers(0, 9))
    def begin(self, seed: int) -> None:
        limits = Limits(checks=CHECKS_RATE, submits=SUBMITS_RATE, in_flight=IN_FLIGHT)
        self.scheduler = PollScheduler(limits=limits, policy=PollPolicy(deadline=300), seed=seed)

    # ── what may happen ─────────────────────────────────────────────────────────────────────────────────

    @rule(count=st.integers(1, 4))
    def queue(self, count: int) -> None:
        jobs = [JobId(f"job {next(self.numbers)}") for _ in range(count)]
        self.queued.update(jobs)
        self.tell(*(SubmitQueued(job) for job in jobs))

    @rule(age=st.sampled_from((0.0, 200.0, 5000.0)), restored=st.booleans(), twice=st.booleans())
    def open_operation(self, age: float, restored: bool, twice: bool) -> None:
        self.open.add(opened := key(next(self.numbers)))
        self.tell(*[OperationOpened(opened, VEO, age=age, restored=restored)] * (1 + twice))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), again=st.booleans())
    def drop(self, data: st.DataObject, again: bool) -> None:
        dropped = data.draw(st.sampled_from(sorted(self.open)))
        events: list[Event] = [OperationDropped(dropped)]
        if again:
            events.append(OperationOpened(dropped, VEO))
        else:
            self.open.discard(dropped)
        self.tell(*events)

    @precondition(lambda self: self.queued or self.sending)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.queued | set(self.sending))))
        self.queued.discard(job)
        self.tell(SubmitWithdrawn(job))

    @rule()
    def wake(self) -> None:
        wake_at = self.scheduler.next_wakeup()
        if wake_at is not None:
            self.now = max(self.now, wake_at)
            self.tell()
            again = self.scheduler.next_wakeup()
            assert again is None or again > self.now, "a busy loop"

    @rule(seconds=st.sampled_from((0.1, 5.0, 100.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell()

    @precondition(lambda self: self.checking)
    @rule(data=st.data(), answer=CHECK_ANSWERS, takes=DELAYS)
    def answer_check(self, data: st.DataObject, answer: CheckAnswer | NotSent | Lost, takes: float) -> None:
        self.now += takes
        self.end_check(data.draw(st.sampled_from(sorted(self.checking))), answer)

    @precondition(lambda self: self.sending)
    @rule(data=st.data(), answer=SUBMIT_ANSWERS, takes=DELAYS)
    def answer_submit(self, data: st.DataObject, answer: SubmitAnswer | NotSent | Lost, takes: float) -> None:
        self.now += takes
        self.end_submit(data.draw(st.sampled_from(sorted(self.sending))), answer)

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def answer_again(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.ended))
        under_way = self.checking if isinstance(event, CheckEnded) else self.sending
        if (event.key if isinstance(event, CheckEnded) else getattr(event, "job_id", None)) not in under_way:
            late = self.scheduler.late_answers
            self.tell(event)
            assert self.scheduler.late_answers == late + 1

    @rule()
    def resume(self) -> None:
        self.tell(Resumed())

    # ── what is done ────────────────────────────────────────────────────────────────────────────────────

    def tell(self, *events: Event) -> None:
        for action in self.scheduler.handle(*events, now=self.now):
            self.act(action)

    def act(self, action: Action) -> None:
        match action:
            case Check(keys):
                assert len(set(keys)) == len(keys)
                assert not set(keys) & set(self.checking), "checked twice at once"
                assert set(keys) <= self.open, "checked though nobody waits"
                self.checking |= dict.fromkeys(keys, self.now)
            case Submit(job_ids):
                assert set(job_ids) <= self.queued, "sent twice, or though withdrawn"
                self.queued -= set(job_ids)
                self.sending |= dict.fromkeys(job_ids, self.now)
            case Resolve(resolved):
                assert resolved in self.open, "resolved twice, or though nobody waits"
                self.open.discard(resolved)
            case Announce(quota):
                self.paused.add(quota)
            case Lift(quota):
                assert quota in self.paused
                self.paused.discard(quota)
            case _:
                assert action.key in self.open

    def end_check(self, asked: OperationKey, answer: CheckAnswer | NotSent | Lost) -> None:
        begun_at = self.checking.pop(asked)
        sent_at = None if isinstance(answer, NotSent) else (begun_at + self.now) / 2
        if sent_at is not None:
            self.check_sends.append(sent_at)
        self.ended.append(CheckEnded(asked, answer, sent_at))
        self.tell(self.ended[-1])

    def end_submit(self, job: JobId, answer: SubmitAnswer | NotSent | Lost) -> None:
        begun_at = self.sending.pop(job)
        sent_at = None if isinstance(answer, NotSent) else (begun_at + self.now) / 2
        if sent_at is not None:
            self.submit_sends.append(sent_at)
        again = isinstance(answer, NotSent) or submit_move(answer, RetryPolicy()) is Move.NOT_STARTED
        if again:
            self.queued.add(job)  # unless withdrawn meanwhile: then it only never comes
        self.ended.append(SubmitEnded(job, answer, sent_at, again=again))
        self.tell(self.ended[-1])

    # ── what always holds ───────────────────────────────────────────────────────────────────────────────

    @invariant()
    def rates_hold(self) -> None:
        assert crowded([*self.check_sends, *self.checking.values()], CHECKS_RATE) == []
        assert crowded([*self.submit_sends, *self.sending.values()], SUBMITS_RATE) == []

    @invariant()
    def books_agree(self) -> None:
        watched = self.scheduler
        assert watched.open_operations == len(self.open)
        assert 0 <= watched._watches.running <= len(self.open)  # pyright: ignore[reportPrivateUsage]
        assert watched._checks._under_way == len(self.checking)  # pyright: ignore[reportPrivateUsage]
        assert watched._submits._under_way == len(self.sending)  # pyright: ignore[reportPrivateUsage]
        assert watched._submits.pause is None or Quota("submits") in self.paused  # pyright: ignore[reportPrivateUsage]

    def teardown(self) -> None:
        """In the end all goes well: every operation is checked and resolved, and nothing more is wanted."""
        if not hasattr(self, "scheduler"):
            return
        self.tell(Resumed())
        for job in list(self.sending):
            self.end_submit(job, refused(RefusalKind.INVALID))
        left = 20 * (len(self.open) + len(self.queued)) + 50
        while self.open or self.sending or self.scheduler.queued_submits:
            for asked in list(self.checking):
                self.end_check(asked, Finished(outcome=DONE))
            for job in list(self.sending):
                self.end_submit(job, Accepted(operation="op"))
            wake_at = self.scheduler.next_wakeup()
            assert wake_at is not None or not self.open, f"{self.open} are forgotten"
            self.now = max(self.now, wake_at or -math.inf)
            self.tell()
            left -= 1
            assert left, f"{self.open} are never checked, {self.scheduler.queued_submits} jobs never sent"


Story.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStory = Story.TestCase
