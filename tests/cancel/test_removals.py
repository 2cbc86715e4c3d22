"""The session with a safeguard taken out: the steps of the other tests must find what is lost then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veo_async import Job, VeoSession, VideoRequest
from veo_async.session.runtime import Runtime

from . import lives
from .lives import Provided
from .scenes import SCENES
from .test_every_point import MOST_POINTS, in_one_life

Patch = pytest.MonkeyPatch


def submit_in_the_callers_task(patch: Patch) -> None:
    """The caller sends by itself, so that cancelling it loses the answer."""

    async def submit(self: VeoSession, request: VideoRequest) -> Job:
        job = await self._take_in(request)
        submitter = self._open_runtime()._submitter
        submitter._ongoing.begin()
        await submitter._run(job)
        return job

    patch.setattr(VeoSession, "submit", submit)


def take_in_in_the_callers_task(patch: Patch) -> None:
    """The caller waits for the commit by itself, so that cancelling it leaves a row that nobody withdraws."""

    async def enqueue(self: VeoSession, request: VideoRequest) -> Job:
        job = await self._take_in(request)
        self._open_runtime().queue(job)
        return job

    patch.setattr(VeoSession, "enqueue", enqueue)


def withdraw_in_the_callers_task(patch: Patch) -> None:
    """The caller withdraws by itself, so that cancelling it leaves a job that waits for ever."""

    async def run(self: Runtime, function: Callable[..., Any], *args: object) -> Any:
        return await function(*args)

    patch.setattr(Runtime, "run", run)


REMOVALS = [
    (submit_in_the_callers_task, "submit"),
    (take_in_in_the_callers_task, "enqueue"),
    (withdraw_in_the_callers_task, "cancel a queued job"),
]


@pytest.mark.parametrize(("remove", "name"), REMOVALS, ids=lambda value: getattr(value, "__name__", value))
def test_a_missing_safeguard_is_found(
    remove: Callable[[Patch], None],
    name: str,
    monkeypatch: Patch,
    wires: list[Provided],
    folder: Path,
) -> None:
    """At one of the points at least, something is unknown, left behind or never decided."""
    remove(monkeypatch)
    monkeypatch.setattr(lives, "PATIENCE_S", 2.0)
    (scene,) = (scene for scene in SCENES if scene.name == name)

    def all_points() -> None:
        for point in range(1, MOST_POINTS):
            path = folder / f"{point}.db"
            if in_one_life(scene, point, "cancelled once", "waiting", wires, path) == "not reached":
                break

    with pytest.raises((AssertionError, TimeoutError)):
        all_points()
