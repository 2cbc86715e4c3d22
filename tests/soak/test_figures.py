"""What a soak complains of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from attrs import evolve

from .figures import Figures
from .measuring import Held

FIRST = Held(
    rss_bytes=60 << 20,
    blocks=250_000,
    heap_bytes=12 << 20,
    tasks=1,
    descriptors=11,
    objects=Counter(Future=3, Task=1),
)
FULL = Counter(Future=12, Task=3, Job=1000, JobRecord=1000)


def soaked(grow: Callable[[int], dict[str, int]], waves: int = 10) -> Figures:
    """Return the figures of a soak whose waves of 1,000 jobs leave what `grow` says behind, and noise."""
    figures = Figures(most_billed=1)
    figures.before = figures.after = FIRST
    for number in range(waves):
        figures.jobs.append(1000 * (number + 1))
        noise = 1 if number % 2 else -1
        held = {"rss_bytes": 10_000 * noise, "blocks": 300 * noise, "heap_bytes": 20_000 * noise}
        for name, growth in grow(number).items():
            held[name] += growth
        held = {name: getattr(FIRST, name) + more for name, more in held.items()}
        figures.samples.append(evolve(FIRST, objects=FULL, tasks=3, **held))
    return figures


def nothing(_: int) -> dict[str, int]:
    return {}


def warming_up(number: int) -> dict[str, int]:
    highest = min(number, 5)
    return {"rss_bytes": highest << 20, "blocks": 5_000 * highest, "heap_bytes": 100_000 * highest}


@pytest.mark.parametrize("grow", [nothing, warming_up])
@pytest.mark.parametrize("waves", [10, 100])
def test_what_does_not_grow_is_well(grow: Callable[[int], dict[str, int]], waves: int) -> None:
    assert list(soaked(grow, waves).problems()) == []


def test_a_few_waves_that_happen_to_rise_evenly_are_well() -> None:
    """By as much as they have been seen to differ without a cause."""
    figures = soaked(nothing)
    last = [304_508, 304_776, 305_062, 305_230, 305_506]
    figures.samples[5:] = [
        evolve(held, blocks=blocks) for held, blocks in zip(figures.samples[5:], last, strict=True)
    ]
    assert list(figures.problems()) == []


@pytest.mark.parametrize(
    ("what", "a_job", "waves"),
    [
        ("blocks in use by Python", {"blocks": 1}, 10),
        ("KB in use by C code", {"heap_bytes": 100}, 10),
        ("KB resident", {"rss_bytes": 1000}, 10),
        ("KB resident", {"rss_bytes": 10}, 100),
    ],
)
def test_what_stays_behind_of_each_job_shows(what: str, a_job: dict[str, int], waves: int) -> None:
    """One object a job; or 100 bytes; or 10 in a long soak, which a short one cannot tell from noise."""
    figures = soaked(lambda number: {name: 1000 * number * size for name, size in a_job.items()}, waves)
    (problem,) = figures.problems()
    assert what in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [("most_billed", 2), ("lost", 1), ("undecided", 1)],
)
def test_money_that_is_not_accounted_for_shows(name: str, value: int) -> None:
    figures = soaked(nothing)
    setattr(figures, name, value)
    (problem,) = figures.problems()
    assert str(value) in problem


@pytest.mark.parametrize(
    "after",
    [
        evolve(FIRST, tasks=2),
        evolve(FIRST, descriptors=12),
        evolve(FIRST, objects=Counter(Future=4, Task=1)),
        evolve(FIRST, objects=Counter(Future=3, Task=1, Job=1)),
    ],
)
def test_what_outlives_the_session_shows(after: Held) -> None:
    figures = soaked(nothing)
    figures.after = after
    (problem,) = figures.problems()
    assert "in the end" in problem


def test_more_ended_jobs_than_are_kept_show() -> None:
    figures = soaked(nothing)
    figures.samples[-1] = evolve(figures.samples[-1], objects=FULL + Counter(Job=1))
    (problem,) = figures.problems()
    assert "1001 jobs" in problem
