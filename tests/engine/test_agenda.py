"""What is due when: the soonest instant that still holds."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from veo_async.engine.agenda import SLACK, Agenda
from veo_async.engine.events import OperationKey

from .world import key


class Wanted:
    """Which instant holds for which operation, and an agenda that goes by it."""

    def __init__(self) -> None:
        self.at: dict[OperationKey, float] = {}
        self.agenda: Agenda[OperationKey] = Agenda(lambda asked: self.at.get(asked, math.inf))

    def add(self, at: float, name: str | int) -> None:
        self.at[key(name)] = at
        self.agenda.add(at, key(name))

    def popped(self) -> list[tuple[float, OperationKey]]:
        """Take all, soonest first."""
        taken: list[tuple[float, OperationKey]] = []
        while (at := self.agenda.first()) < math.inf:
            taken.append((at, self.agenda.pop()))
            self.at[taken[-1][1]] = math.inf
        return taken


def test_nothing_is_due_where_nothing_was_noted() -> None:
    assert Wanted().agenda.first() == math.inf
    assert len(Wanted().agenda) == 0


def test_the_soonest_comes_first() -> None:
    wanted = Wanted()
    for at in (3.0, 1.0, 2.0):
        wanted.add(at, int(at))
    assert wanted.agenda.first() == wanted.agenda.first() == 1.0
    assert wanted.popped() == [(1.0, key(1)), (2.0, key(2)), (3.0, key(3))]
    assert len(wanted.agenda) == 0


def test_of_what_was_noted_twice_the_instant_counts_that_holds() -> None:
    """Sooner or later than the other, and none for what is gone."""
    wanted = Wanted()
    wanted.add(1.0, "later")
    wanted.add(5.0, "later")
    wanted.add(6.0, "sooner")
    wanted.add(2.0, "sooner")
    wanted.add(0.0, "gone")
    del wanted.at[key("gone")]
    assert wanted.popped() == [(2.0, key("sooner")), (5.0, key("later"))]
    assert len(wanted.agenda) == 0


def test_what_no_longer_holds_is_cleared_away() -> None:
    """One operation that is noted anew again and again takes no more room than a few."""
    wanted = Wanted()
    for at in range(10_000):
        wanted.add(float(at), "a")
        assert len(wanted.agenda) <= 2 * SLACK
    assert wanted.popped() == [(9_999.0, key("a"))]


def test_clearing_leaves_all_that_holds_and_costs_little() -> None:
    """A thousand that hold are looked through as often as they double, not at each one more."""
    wanted = Wanted()
    looks = 0

    def at(asked: OperationKey) -> float:
        nonlocal looks
        looks += 1
        return wanted.at[asked]

    wanted.agenda = Agenda(at)
    for number in range(1000, 0, -1):
        wanted.add(float(number), number)
    assert looks <= 2 * 1000
    assert [at for at, _ in wanted.popped()] == [float(number) for number in range(1, 1001)]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1000)), max_size=300))
def test_whatever_is_noted_the_last_instant_of_each_holds(notes: list[tuple[int, int]]) -> None:
    """In order of their instants, each once; what is due at one instant comes in any order."""
    wanted = Wanted()
    for name, at in notes:
        if wanted.at.get(key(name)) != at:
            wanted.add(float(at), name)
    expected = dict(wanted.at)
    popped = wanted.popped()
    assert [at for at, _ in popped] == sorted(expected.values())
    assert {name: at for at, name in popped} == expected
