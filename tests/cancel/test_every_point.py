"""A caller interrupted at each of its awaits, in six ways and two moments: nothing is lost or left open."""

from __future__ import annotations

from pathlib import Path

import pytest

from .leaks import no_leaks
from .lives import Provided, killed, live, verdict_of
from .scenes import SCENES, Scene
from .stepper import MOMENTS, WAYS, Ending, Moment, Way

MOST_POINTS = 60

# What a task group's task leaves behind that is cancelled before its first step, as when the loop dies.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:coroutine '.*' was never awaited:RuntimeWarning"),
]


CASES = [
    pytest.param(scene, way, moment, id=f"{scene.name}-{way}-{moment}")
    for scene in SCENES
    for way in WAYS
    for moment in MOMENTS
    if way not in scene.leaves_out
]


@pytest.mark.parametrize(("scene", "way", "moment"), CASES)
def test_an_interrupted_caller_loses_nothing(
    scene: Scene, way: Way, moment: Moment, wires: list[Provided], folder: Path
) -> None:
    """All points of one call: every operation is named in the ledger, and all that was opened is closed."""
    for point in range(1, MOST_POINTS):
        if in_one_life(scene, point, way, moment, wires, folder / f"{point}.db") == "not reached":
            break
    else:
        pytest.fail(f"{scene.name} still suspends after {MOST_POINTS} points")
    assert (point > 1) is scene.waits


def in_one_life(
    scene: Scene, point: int, way: Way, moment: Moment, wires: list[Provided], path: Path
) -> Ending:
    """Interrupt the call at one point and look at what is left."""
    ending: Ending = "interrupted"

    async def main() -> None:
        nonlocal ending
        ending = await live(scene, path, point, way, moment)

    wires.clear()
    with no_leaks():
        was_killed = killed(main)
    for wire in wires:  # none where the session was not opened
        assert wire.closed
        verdict = verdict_of(wire, path)
        assert verdict.holds, verdict
        if not was_killed and not scene.aborts:
            assert verdict.recorded == verdict.billed, verdict  # its answer was waited for
        if scene.name == "enqueue" and ending == "interrupted" and not was_killed:
            assert verdict.billed == 0
    return ending
