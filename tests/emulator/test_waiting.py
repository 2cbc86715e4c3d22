"""Waiting times: fixed, lognormal and uniform are one formula."""

from random import Random
from statistics import median

import pytest

from veo_async.emulator import Waiting


def many(waiting: Waiting) -> list[float]:
    random = Random(1)
    return [waiting.draw(random) for _ in range(2000)]


def test_fixed_is_the_same_each_time() -> None:
    """A plain number is fixed too."""
    assert set(many(Waiting.fixed(2.0))) == {2.0}
    assert Waiting.of(2) == Waiting.fixed(2.0)
    assert Waiting.of(Waiting.fixed(3.0)) == Waiting.fixed(3.0)


def test_uniform_stays_between_its_ends() -> None:
    """And comes near both."""
    drawn = many(Waiting.uniform(1.0, 5.0))
    assert 1.0 <= min(drawn) < 1.1
    assert 4.9 < max(drawn) <= 5.0


def test_lognormal_has_its_median_and_is_never_negative() -> None:
    """Half of them below, half above."""
    drawn = many(Waiting.lognormal(60.0, 0.5))
    assert median(drawn) == pytest.approx(60.0, rel=0.05)
    assert min(drawn) > 0


def test_negative_numbers_are_refused() -> None:
    """On construction."""
    with pytest.raises(ValueError, match="median"):
        Waiting(median=-1.0)
