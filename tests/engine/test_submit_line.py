"""Jobs that wait to be sent: who may go now, who comes back, and when to look again."""

from __future__ import annotations

import math
from random import Random

from veo_async.engine.events import SUBMITS
from veo_async.engine.lanes import Lane
from veo_async.engine.retry_budget import RetryBudget
from veo_async.engine.submit_line import SubmitLine
from veo_async.models import JobId
from veo_async.options import Rate, RetryPolicy

AT = 1000.0
FREELY = Rate(1000)


def line_of(*names: str, rate: Rate = FREELY, in_flight: int = 100) -> SubmitLine:
    lane = Lane(SUBMITS, (rate,), RetryPolicy(), RetryBudget(), Random(0))
    line = SubmitLine(lane, in_flight)
    for name in names:
        line.add(JobId(name), "normal", None)
    return line


def taken(line: SubmitLine, *, running: int = 0, now: float = AT) -> list[str]:
    return list(line.take(running, now))


def test_jobs_go_in_the_order_in_which_they_came() -> None:
    line = line_of(*"cab")
    assert len(line) == 3
    assert taken(line) == ["c", "a", "b"]
    assert len(line) == 0
    assert taken(line) == []


def test_the_more_pressing_go_first_and_groups_take_turns() -> None:
    line = line_of()
    for name, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        line.add(JobId(name), "normal", group)
    line.add(JobId("u"), "urgent", "a")
    assert taken(line) == ["u", "a1", "b1", "a2"]


def test_no_more_go_than_may_be_in_flight() -> None:
    """Those that run count, and those that are being sent."""
    line = line_of(*"abcde", in_flight=4)
    assert taken(line, running=1) == ["a", "b", "c"]
    assert taken(line, running=1) == []
    line.ended(JobId("a"), again=False)
    assert taken(line, running=2) == []
    assert taken(line, running=1) == ["d"]


def test_no_more_go_than_the_rate_allows() -> None:
    line = line_of(*"abc", rate=Rate(2, per=10))
    assert taken(line) == ["a", "b"]
    assert len(line) == 1
    assert taken(line) == []


def test_a_job_that_is_queued_or_being_sent_is_not_queued_again() -> None:
    line = line_of(*"aab", in_flight=1)
    assert len(line) == 2
    assert taken(line) == ["a"]
    line.add(JobId("a"), "urgent", None)
    assert len(line) == 1


def test_a_job_that_was_sent_before_may_be_queued_anew() -> None:
    line = line_of("a")
    assert taken(line) == ["a"]
    assert line.ended(JobId("a"), again=False)
    line.add(JobId("a"), "normal", None)
    assert taken(line) == ["a"]


def test_only_an_attempt_that_is_under_way_can_end() -> None:
    """And only once."""
    line = line_of("a")
    assert not line.ended(JobId("a"), again=True)
    assert len(line) == 1
    assert taken(line) == ["a"]
    assert line.ended(JobId("a"), again=False)
    assert not line.ended(JobId("a"), again=True)
    assert len(line) == 0


def test_a_job_that_comes_back_goes_before_the_new_ones_of_its_group() -> None:
    """As often as it comes."""
    line = line_of(*"abc", in_flight=1)
    for _ in range(3):
        assert taken(line) == ["a"]
        assert line.ended(JobId("a"), again=True)
        assert len(line) == 3


def test_a_job_that_comes_back_again_and_again_leaves_the_other_groups_their_turns() -> None:
    """Only the first turn that came to nothing is given back."""
    line = line_of(in_flight=1)
    for name in ("a", "b", "c"):
        line.add(JobId(name), "normal", name)
    turns: list[str] = []
    for _ in range(4):
        turns += taken(line)
        line.ended(JobId(turns[-1]), again=turns[-1] == "a")
    assert turns == ["a", "a", "b", "c"]


def test_a_withdrawn_job_does_not_go() -> None:
    line = line_of(*"ab")
    line.withdraw(JobId("a"))
    line.withdraw(JobId("nobody"))
    assert taken(line) == ["b"]


def test_a_job_withdrawn_on_its_way_does_not_come_back_and_the_others_do() -> None:
    line = line_of(*"ab")
    assert taken(line) == ["a", "b"]
    line.withdraw(JobId("a"))
    assert line.ended(JobId("a"), again=True)
    assert line.ended(JobId("b"), again=True)
    assert taken(line) == ["b"]


def test_that_a_job_was_withdrawn_is_forgotten_when_it_is_over() -> None:
    """Queued anew by its owner, it is a job like any other."""
    line = line_of("a")
    assert taken(line) == ["a"]
    line.withdraw(JobId("a"))
    line.ended(JobId("a"), again=True)
    line.add(JobId("a"), "normal", None)
    assert taken(line) == ["a"]
    line.ended(JobId("a"), again=True)
    assert taken(line) == ["a"]


def test_nobody_needs_a_wakeup_while_none_waits_or_there_is_no_room() -> None:
    """What makes room is an event."""
    line = line_of(in_flight=2)
    assert line.next_wakeup(0, AT) == math.inf
    line.add(JobId("a"), "normal", None)
    assert line.next_wakeup(2, AT) == math.inf
    assert line.next_wakeup(3, AT) == math.inf
    assert line.next_wakeup(1, AT) == AT


def test_the_wakeup_is_when_the_rate_has_a_slot() -> None:
    rate = Rate(1, per=10)
    lane = Lane(SUBMITS, (rate,), RetryPolicy(), RetryBudget(), Random(0))
    line = SubmitLine(lane, in_flight=100)
    for name in "ab":
        line.add(JobId(name), "normal", None)
    assert taken(line) == ["a"]
    assert line.next_wakeup(0, AT) == math.inf
    line.ended(JobId("a"), again=False)
    lane.ended(AT + 1)
    assert line.next_wakeup(0, AT + 2) == AT + 11.05
