"""Whatever happens in whatever order, the scheduler's promises hold: a state machine of random stories."""

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
    Refused,
    Running,
    SubmitAnswer,
    Unreadable,
)
from veo_async.engine.events import (
    CHECKS,
    SUBMITS,
    Action,
    Announce,
    Check,
    CheckEnded,
    CheckReturned,
    Event,
    Hinted,
    KeyRenewed,
    Lift,
    OperationDropped,
    OperationKey,
    OperationNotified,
    OperationOpened,
    Quota,
    Resolve,
    Resumed,
    Stall,
    Submit,
    SubmitEnded,
    SubmitQueued,
    SubmitWithdrawn,
    Unhindered,
)
from veo_async.engine.lanes import CREDENTIAL
from veo_async.engine.lifecycle import Move
from veo_async.engine.priorities import ORDER
from veo_async.engine.retries import submit_move
from veo_async.engine.scheduler import PollScheduler
from veo_async.engine.watches import STALLED_GAP_S, TICK_S
from veo_async.models import Failed, JobId, Priority
from veo_async.options import Limits, PollPolicy, Rate, RetryPolicy

from .world import DONE, VEO, crowded, key, refused

CHECK_RATES = (Rate(3, per=5), Rate(6, per=30))
SUBMIT_RATES = (Rate(2, per=20), Rate(3, per=100))
IN_FLIGHT = 6
POLICY = PollPolicy(deadline=300)
MAX_HINT_S = RetryPolicy().max_hint

HINTS = st.none() | st.sampled_from((0.0, 3.0, 45.0, 5000.0))
REFUSALS = st.builds(refused, st.sampled_from(list(RefusalKind)), HINTS)
UNREADABLE = st.builds(
    Unreadable,
    message=st.just("?"),
    status=st.sampled_from((200, 429, 502)),
    throttled=st.booleans(),
    retry_after=HINTS,
)
NOTHING = st.sampled_from(
    (Lost(reason="reset"), NotSent(reason="refused"), NotSent(reason="tls", permanent=True))
)
CheckOutcome = CheckAnswer | NotSent | Lost
SubmitOutcome = SubmitAnswer | NotSent | Lost
CHECK_ANSWERS: st.SearchStrategy[CheckOutcome] = st.one_of(
    st.just(Running()),
    st.sampled_from((Finished(outcome=DONE), Empty(outcome=Failed(reason="empty")), Missing())),
    REFUSALS,
    UNREADABLE,
    NOTHING,
)
SUBMIT_ANSWERS: st.SearchStrategy[SubmitOutcome] = st.one_of(
    st.just(Accepted(operation="op")), REFUSALS, UNREADABLE, NOTHING
)
DELAYS = st.sampled_from((0.0, 0.3, 4.0))


class Story(RuleBasedStateMachine):
    """Keeps books of its own beside the scheduler's, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.numbers = itertools.count()
        self.open: set[OperationKey] = set()
        self.stalled: set[OperationKey] = set()
        self.checking: dict[OperationKey, float] = {}
        self.sending: dict[JobId, float] = {}
        self.queued: set[JobId] = set()
        self.withdrawn: set[JobId] = set()
        self.ended: list[CheckEnded | SubmitEnded] = []
        self.sends: dict[Quota, list[float]] = {CHECKS: [], SUBMITS: []}
        self.hinted_until = dict.fromkeys((CHECKS, SUBMITS), -math.inf)
        self.paused: set[Quota] = set()
        self.late = 0

    @initialize(seed=st.integers(0, 9))
    def begin(self, seed: int) -> None:
        limits = Limits(checks=CHECK_RATES, submits=SUBMIT_RATES, in_flight=IN_FLIGHT)
        self.scheduler = PollScheduler(limits=limits, policy=POLICY, seed=seed)

    # ── what may happen ─────────────────────────────────────────────────────────────────────────────────

    @rule(count=st.integers(1, 4), priority=st.sampled_from(ORDER), group=st.none() | st.sampled_from("ab"))
    def queue(self, count: int, priority: Priority, group: str | None) -> None:
        jobs = [JobId(f"job {next(self.numbers)}") for _ in range(count)]
        self.queued.update(jobs)
        self.tell(*(SubmitQueued(job, priority, group) for job in jobs))

    @precondition(lambda self: self.queued or self.sending)
    @rule(data=st.data())
    def queue_again(self, data: st.DataObject) -> None:
        self.tell(SubmitQueued(data.draw(st.sampled_from(sorted(self.queued | set(self.sending))))))

    @precondition(lambda self: self.queued or self.sending)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.queued | set(self.sending))))
        self.queued.discard(job)
        self.withdrawn.add(job)
        self.tell(SubmitWithdrawn(job))

    @rule(
        age=st.sampled_from((0.0, 200.0, 5000.0)),
        restored=st.booleans(),
        count=st.integers(1, 5),
        twice=st.booleans(),
        priority=st.sampled_from(ORDER),
    )
    def open_operations(
        self, age: float, restored: bool, count: int, twice: bool, priority: Priority
    ) -> None:
        names = [key(next(self.numbers)) for _ in range(count)]
        self.open.update(names)
        events = [OperationOpened(name, VEO, age=age, restored=restored, priority=priority) for name in names]
        self.tell(*events * (1 + twice))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), again=st.booleans())
    def drop(self, data: st.DataObject, again: bool) -> None:
        dropped = data.draw(st.sampled_from(sorted(self.open)))
        self.forget(dropped)
        events: list[Event] = [OperationDropped(dropped)]
        if again:
            events.append(OperationOpened(dropped, VEO))
            self.open.add(dropped)
        self.tell(*events)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), known=st.booleans())
    def notify(self, data: st.DataObject, known: bool) -> None:
        self.late += not known
        told = data.draw(st.sampled_from(sorted(self.open))) if known else key("foreign")
        self.tell(OperationNotified(told))

    @rule()
    def wake(self) -> None:
        self.wake_up()

    @rule(seconds=st.sampled_from((0.1, 5.0, 100.0, 700.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell()

    @precondition(lambda self: self.checking or self.sending)
    @rule(data=st.data(), takes=DELAYS, count=st.integers(1, 4))
    def answer(self, data: st.DataObject, takes: float, count: int) -> None:
        """Some answers come in one turn."""
        self.now += takes
        under_way: list[OperationKey | JobId] = [*sorted(self.checking), *sorted(self.sending)]
        chosen = data.draw(st.lists(st.sampled_from(under_way), min_size=1, max_size=count, unique=True))
        events: list[Event] = []
        for one in chosen:
            if isinstance(one, OperationKey):
                events.append(self.check_ended(one, data.draw(CHECK_ANSWERS)))
            else:
                events += self.submit_ended(one, data.draw(SUBMIT_ANSWERS))
        self.tell(*events)

    @rule(turns=st.integers(1, 12), takes=DELAYS, sends=st.booleans())
    def go_well(self, turns: int, takes: float, sends: bool) -> None:
        """All goes on as it should for some turns."""
        for _ in range(turns):
            self.now += takes
            events: list[Event] = [self.check_ended(asked, Running()) for asked in sorted(self.checking)]
            if sends:
                for job in sorted(self.sending):
                    events += self.submit_ended(job, Accepted(operation="op"))
            self.tell(*events)
            self.wake_up()

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def answer_again(self, data: st.DataObject) -> None:
        """A doubled answer; where the same is asked anew meanwhile nobody could tell it from the true one."""
        event = data.draw(st.sampled_from(self.ended))
        asked = event.key in self.checking if isinstance(event, CheckEnded) else event.job_id in self.sending
        if not asked:
            self.tell_late(event)

    @rule(answer=CHECK_ANSWERS)
    def answer_foreign_check(self, answer: CheckOutcome) -> None:
        self.tell_late(CheckEnded(key("foreign"), answer, self.now))

    @rule(answer=SUBMIT_ANSWERS, again=st.booleans())
    def answer_foreign_submit(self, answer: SubmitOutcome, again: bool) -> None:
        self.tell_late(SubmitEnded(JobId("foreign"), answer, self.now, again=again))

    @precondition(lambda self: self.checking)
    @rule(data=st.data(), foreign=st.booleans())
    def give_back(self, data: st.DataObject, foreign: bool) -> None:
        """A check that was granted and is not made."""
        returned = key("foreign")
        if not foreign:
            returned = data.draw(st.sampled_from(sorted(self.checking)))
            del self.checking[returned]
        self.tell(CheckReturned(returned))

    @rule(quota=st.sampled_from((CHECKS, SUBMITS)), seconds=st.sampled_from((0.0, 20.0, 5000.0)))
    def hint(self, quota: Quota, seconds: float) -> None:
        self.note_hint(quota, seconds)
        self.tell(Hinted(quota, seconds))

    @rule(event=st.sampled_from((Resumed(), KeyRenewed(), Unhindered())))
    def mend(self, event: Event) -> None:
        self.tell(event)

    # ── what is done ────────────────────────────────────────────────────────────────────────────────────

    def tell(self, *events: Event) -> None:
        for action in self.scheduler.handle(*events, now=self.now):
            self.act(action)
        assert self.scheduler.handle(now=self.now) == [], "not all was settled in one turn"
        wake_at = self.scheduler.next_wakeup()
        assert wake_at is None or wake_at > self.now, "a busy loop"

    def wake_up(self) -> None:
        wake_at = self.scheduler.next_wakeup()
        if wake_at is not None:
            self.now = max(self.now, wake_at)
            self.tell()

    def tell_late(self, event: Event) -> None:
        """Tell what is no news; but for what time brings, nothing comes of it."""
        self.tell()
        self.late += 1
        assert self.scheduler.handle(event, now=self.now) == []

    def act(self, action: Action) -> None:
        match action:
            case Check(keys):
                assert len(set(keys)) == len(keys)
                assert not set(keys) & set(self.checking), "checked twice at once"
                assert set(keys) <= self.open, "checked though nobody waits"
                assert self.now >= self.hinted_until[CHECKS], "checked before the hint had passed"
                self.checking |= dict.fromkeys(keys, self.now)
            case Submit(job_ids):
                assert set(job_ids) <= self.queued, "sent twice, or though withdrawn"
                assert self.now >= self.hinted_until[SUBMITS], "sent before the hint had passed"
                self.queued -= set(job_ids)
                self.sending |= dict.fromkeys(job_ids, self.now)
                assert len(self.sending) + len(self.open - self.stalled) <= IN_FLIGHT
            case Resolve(resolved):
                assert resolved in self.open, "resolved twice, or though nobody waits"
                self.forget(resolved)
            case Stall(stalled):
                assert stalled in self.open
                self.stalled.add(stalled)
            case Announce(quota):
                self.paused.add(quota)
            case Lift(quota):
                assert quota in self.paused
                self.paused.discard(quota)
            case _:
                assert getattr(action, "key", None) in self.open

    def forget(self, gone: OperationKey) -> None:
        self.open.discard(gone)
        self.stalled.discard(gone)

    def check_ended(self, asked: OperationKey, answer: CheckOutcome) -> CheckEnded:
        sent_at = self.sent_at(CHECKS, self.checking.pop(asked), answer)
        if not isinstance(answer, Refused) or answer.kind not in CREDENTIAL:
            self.note_hint(CHECKS, hint_of(answer))
        event = CheckEnded(asked, answer, sent_at)
        self.ended.append(event)
        return event

    def submit_ended(self, job: JobId, answer: SubmitOutcome) -> list[Event]:
        sent_at = self.sent_at(SUBMITS, self.sending.pop(job), answer)
        again = isinstance(answer, NotSent) or submit_move(answer, RetryPolicy()) is Move.NOT_STARTED
        if not isinstance(answer, Refused) or answer.kind not in CREDENTIAL | {RefusalKind.QUOTA}:
            self.note_hint(SUBMITS, hint_of(answer))
        if again and job not in self.withdrawn:
            self.queued.add(job)
        event = SubmitEnded(job, answer, sent_at, again=again)
        self.ended.append(event)
        if not isinstance(answer, Accepted):
            return [event]
        self.open.add(opened := key(next(self.numbers)))
        return [event, OperationOpened(opened, VEO)]

    def sent_at(self, quota: Quota, begun_at: float, answer: object) -> float | None:
        if isinstance(answer, NotSent):
            return None
        self.sends[quota].append((begun_at + self.now) / 2)
        return self.sends[quota][-1]

    def note_hint(self, quota: Quota, seconds: float | None) -> None:
        if seconds is not None:
            until = self.now + min(seconds, MAX_HINT_S)
            self.hinted_until[quota] = max(self.hinted_until[quota], until)

    # ── what always holds ───────────────────────────────────────────────────────────────────────────────

    @invariant()
    def no_window_is_over(self) -> None:
        for rate in CHECK_RATES:
            assert crowded([*self.sends[CHECKS], *self.checking.values()], rate) == []
        for rate in SUBMIT_RATES:
            assert crowded([*self.sends[SUBMITS], *self.sending.values()], rate) == []

    @invariant()
    def no_operation_is_forgotten(self) -> None:
        """Each is being checked, or waits for its turn, or is due within the longest gap."""
        watches = self.scheduler._watches  # pyright: ignore[reportPrivateUsage]
        for operation in self.open - set(self.checking):
            due_at = watches._watches[operation].due_at  # pyright: ignore[reportPrivateUsage]
            longest = STALLED_GAP_S if operation in self.stalled else POLICY.max_interval
            assert due_at <= self.now + longest + TICK_S
            assert watches.due_at() <= max(self.now, due_at)

    @invariant()
    def nothing_stands_still_without_a_reason(self) -> None:
        """Who wants no wake-up waits for an answer, or for somebody to see to a pause."""
        if self.scheduler.next_wakeup() is not None:
            return
        submits, checks = (standing.held_until for standing in self.scheduler.standings())
        assert not self.open or self.checking or checks == math.inf
        has_room = len(self.open - self.stalled) < IN_FLIGHT
        assert not (self.queued and has_room) or self.sending or submits == math.inf

    @invariant()
    def books_agree(self) -> None:
        watched = self.scheduler
        assert watched.late_answers == self.late
        assert watched.open_operations == len(self.open)
        assert watched.queued_submits == len(self.queued)
        assert watched._watches.running == len(self.open - self.stalled)  # pyright: ignore[reportPrivateUsage]
        assert watched._checks._under_way == len(self.checking)  # pyright: ignore[reportPrivateUsage]
        assert watched._submits._under_way == len(self.sending)  # pyright: ignore[reportPrivateUsage]
        paused = {standing.quota for standing in watched.standings() if standing.pause is not None}
        assert paused == self.paused

    def teardown(self) -> None:
        """In the end all goes well: every operation is checked and resolved, every job sent."""
        if not hasattr(self, "scheduler"):
            return
        self.tell(Resumed())
        left = 20 * (len(self.open) + len(self.queued)) + 50
        while self.open or self.sending or self.queued:
            for asked in list(self.checking):
                self.tell(self.check_ended(asked, Finished(outcome=DONE)))
            for job in list(self.sending):
                self.tell(*self.submit_ended(job, Accepted(operation="op")))
            wake_at = self.scheduler.next_wakeup()
            assert wake_at is not None or not (self.open or self.queued), f"{self.open} are forgotten"
            self.now = max(self.now, wake_at or -math.inf)
            self.tell()
            left -= 1
            assert left, f"{self.open} are never checked, {self.queued} never sent"
        assert self.scheduler.late_answers == self.late


def hint_of(answer: object) -> float | None:
    """Return the pause that an answer asks for."""
    if isinstance(answer, Refused) or (isinstance(answer, Unreadable) and answer.throttled):
        return answer.retry_after
    return None


Story.TestCase.settings = settings(
    stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStory = Story.TestCase
