"""The instruments of the soak: each shows what it is for."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter

import pytest

from .measuring import Held, Lateness, Slope

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def test_a_line_has_its_slope_without_a_margin() -> None:
    slope = Slope.of([1, 2, 3, 4], [5, 7, 9, 11])
    assert (slope.value, slope.margin) == pytest.approx((2, 0))


def test_the_margin_is_students() -> None:
    """A textbook's ten points, with 8 degrees of freedom: quantile 2.306."""
    xs = [151, 174, 138, 186, 128, 136, 179, 163, 152, 131]
    ys = [63, 81, 56, 91, 47, 57, 76, 72, 62, 48]
    slope = Slope.of(xs, ys)
    assert slope.value == pytest.approx(0.6746, abs=1e-4)
    assert slope.margin == pytest.approx(2.306 * 0.05191, rel=1e-3)
    assert slope.least == slope.value - slope.margin


def test_points_that_happen_to_lie_on_a_line_are_no_surer_than_their_known_noise() -> None:
    """Student's quantile for 3 degrees of freedom, 3.18, times noise over the root of 10."""
    lucky = Slope.of([1, 2, 3, 4, 5], [2, 4, 6, 8, 10], noise=1.0)
    assert (lucky.value, lucky.margin) == pytest.approx((2, 3.18 / 10**0.5), rel=0.02)
    scattered = [0.0, 9.0, -4.0, 7.0, 1.0]
    assert Slope.of([1, 2, 3, 4, 5], scattered, noise=1.0) == Slope.of([1, 2, 3, 4, 5], scattered)


def test_lateness_has_quantiles() -> None:
    """In whole milliseconds, rounded up; what is early is not late, and what is very late stays countable."""
    lateness = Lateness()
    for milliseconds in range(100):
        lateness.note(milliseconds / 1000 + 1e-6)
    assert len(lateness) == 100
    assert lateness.quantile(0.5) == pytest.approx(0.05)
    assert lateness.quantile(0.99) == pytest.approx(0.099)
    lateness.note(-1)
    lateness.note(1e6)
    assert lateness.quantile(1) == 10


@on_linux
def test_what_is_held_shows() -> None:
    """Memory of Python's and of C's, futures, tasks and descriptors; and it is gone when it is let go."""

    async def hold() -> tuple[Held, Held, Held]:
        before = Held.now()
        loop = asyncio.get_running_loop()
        held = [loop.create_future() for _ in range(1000)], bytearray(100_000)
        task, descriptor = asyncio.create_task(asyncio.sleep(0)), os.dup(1)
        during = Held.now()
        del held
        os.close(descriptor)
        await task
        del task
        await asyncio.sleep(0)  # the loop still holds what it has just woken us by
        return before, during, Held.now()

    before, during, after = asyncio.run(hold())
    assert during.objects - before.objects == Counter(Future=1000, Task=1)
    assert during.blocks - before.blocks >= 1000
    assert during.heap_bytes == 0 or during.heap_bytes - before.heap_bytes >= 100_000
    assert (during.tasks - before.tasks, during.descriptors - before.descriptors) == (1, 1)
    assert (after.tasks, after.descriptors, after.objects) == (
        before.tasks,
        before.descriptors,
        before.objects,
    )
    assert abs(after.blocks - before.blocks) < 500
