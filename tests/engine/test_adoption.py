"""Which listed operations may be that of a job whose answer was lost: those from around its time."""

from __future__ import annotations

import pytest

from veo_async.engine.adoption import candidates

ARMED = 1_000_000.0


@pytest.mark.parametrize(
    ("after", "fits"),
    [(-60.1, False), (-60.0, True), (-1.0, True), (0.0, True), (600.0, True), (600.1, False)],
)
def test_only_what_was_created_around_that_time(after: float, fits: bool) -> None:
    """A minute before, since clocks differ, to ten minutes after, since queues are long."""
    assert candidates({"op": ARMED + after}, ARMED) == (("op",) if fits else ())


def test_what_tells_no_time_may_be_any() -> None:
    """Nothing is ruled out for want of a time, on either side; the order stays."""
    listed = {"b": None, "a": ARMED - 3600.0, "c": ARMED}
    assert candidates(listed, ARMED) == ("b", "c")
    assert candidates(listed, None) == ("b", "a", "c")
    assert candidates({}, ARMED) == ()
