"""Leaving a session, in order and not: at every state, by cancellation, by an interrupt."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import pytest

from veo_async import Job, SessionClosedError, VeoSession, VideoRequest
from veo_async.engine.lifecycle import State
from veo_async.ledger import open_ledger
from veo_async.ledger.records import JobRecord
from veo_async.transport import NotSentFailure
from veo_async.wire import Response

from .script import MODEL, ScriptedTransport, VirtualLoop, accepted, done, operation_of, running

Make = Callable[..., VeoSession]
Mode = Literal["drain", "detach", "abort"]
BOAT = VideoRequest("A paper boat crosses a puddle")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a program in virtual time, with the teardown that `asyncio.run` has."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def rows(path: Path) -> list[JobRecord]:
    """Return what the next process finds, before it takes anything up."""

    async def read() -> list[JobRecord]:
        ledger = open_ledger(path)
        await ledger.open()
        try:
            return list(await ledger.select())
        finally:
            await ledger.close()

    return asyncio.run(read())


async def reached(job: Job, state: State) -> None:
    """Wait for a job while the ledger's thread, which knows real time only, does its part."""
    while job.state is not state:  # noqa: ASYNC110 - the clock is virtual: this is how it goes on
        await asyncio.sleep(0.001)


async def never() -> Response:
    await asyncio.sleep(1e6)
    raise AssertionError("nobody waits so long")


async def a_little_later() -> Response:
    await asyncio.sleep(20)
    return accepted(0)


# ── in order ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stage", "mode", "durable", "state"),
    [
        ("queued", "detach", True, State.QUEUED),
        ("queued", "abort", True, State.QUEUED),
        ("queued", "drain", True, State.QUEUED),  # it stands still: only its owner can mend that
        ("queued", "detach", False, State.WITHDRAWN),
        ("queued", "abort", False, State.WITHDRAWN),
        ("armed", "detach", True, State.RUNNING),
        ("armed", "abort", True, State.UNKNOWN),
        ("armed", "drain", True, State.SUCCEEDED),
        ("armed", "detach", False, State.RUNNING),
        ("armed", "abort", False, State.UNKNOWN),
        ("running", "detach", True, State.RUNNING),
        ("running", "abort", True, State.RUNNING),
        ("running", "drain", True, State.SUCCEEDED),
        ("running", "abort", False, State.RUNNING),
    ],
)
def test_every_mode_at_every_state(
    session: Make,
    wire: ScriptedTransport,
    tmp_path: Path,
    stage: str,
    mode: Mode,
    durable: bool,
    state: State,
) -> None:
    """What the job is then, who waits for it hears of the end, and no task is left."""
    wire.checks = lambda number, request: (running if number < 5 else done)(operation_of(request))
    if stage == "queued":
        wire.submits = lambda _, __: NotSentFailure("connection refused")
    elif stage == "armed":
        wire.submits = lambda _, __: a_little_later()
    jobs: list[Job] = []

    async def main() -> None:
        async with session(ledger=tmp_path / "jobs.db" if durable else None, on_exit=mode) as veo:
            jobs.append(await (veo.submit if stage == "running" else veo.enqueue)(BOAT))
            waiter = asyncio.create_task(jobs[0].wait())
            await asyncio.sleep(0.3)
            await reached(jobs[0], State(stage))
        await asyncio.wait({waiter})
        if jobs[0].state in {State.QUEUED, State.RUNNING}:
            assert waiter.exception() is not None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)
    assert jobs[0].state is state
    if durable:
        (row,) = rows(tmp_path / "jobs.db")
        assert row.state is state


def test_a_detach_waits_for_an_answer_thirty_seconds_at_most(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """Then it is unknown, and reported."""
    wire.submits = lambda _, __: never()
    took: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with session(ledger=tmp_path / "jobs.db") as veo:
            job = await veo.enqueue(BOAT)
            await reached(job, State.ARMED)
            left_at = loop.time()
        took.append(loop.time() - left_at)
        assert veo.report is not None
        assert veo.report.unknown == (job.id,)

    run(main)
    assert 29 <= took[0] <= 31
    assert [row.state for row in rows(tmp_path / "jobs.db")] == [State.UNKNOWN]


def test_a_shorter_mode_shortens_a_drain(session: Make, wire: ScriptedTransport) -> None:
    """The second call says how."""
    wire.checks = lambda _, request: running(operation_of(request))

    async def main() -> None:
        veo = await session().__aenter__()
        job = await veo.submit(BOAT)
        draining = asyncio.create_task(veo.aclose("drain"))
        await asyncio.sleep(60)
        report = await veo.aclose("detach")
        assert await draining is report
        assert report is not None
        assert (report.mode, report.running) == ("detach", (job.token,))
        with pytest.raises(SessionClosedError):
            await job

    run(main)


# ── not in order ────────────────────────────────────────────────────────────────────────────────────────────


# anyio makes a coroutine a turn before its task first runs; one that never does is told of by Python.
@pytest.mark.filterwarnings("ignore:coroutine '.*' was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("turns", [*range(12), 20, 40, 80, 160, 320, 640, 1280, 2560])
def test_a_program_that_ends_without_closing_loses_nothing(
    session: Make, wire: ScriptedTransport, tmp_path: Path, turns: int
) -> None:
    """All tasks are cancelled at once, at any turn: what was sent is known or unknown, never forgotten."""
    left: list[VeoSession] = []

    async def main() -> None:
        veo = await session(ledger=tmp_path / "jobs.db").__aenter__()
        left.append(veo)
        await veo.enqueue(BOAT)
        for _ in range(turns):
            await asyncio.sleep(0.001)

    run(main)
    (row,) = rows(tmp_path / "jobs.db")
    if not wire.sent:
        assert row.state is State.QUEUED
    elif row.state is not State.UNKNOWN:
        assert row.operation == f"models/{MODEL}/operations/op0"


def test_an_answer_that_was_read_is_recorded_by_a_program_that_ends(
    session: Make, wire: ScriptedTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is in hand: the ledger gets it, also from a task that was stopped before it could say so."""
    from veo_async.session.submitting import Submitter

    async def stopped(*_: object) -> list[object]:
        await never()
        return []

    monkeypatch.setattr(Submitter, "_settle", stopped)

    async def main() -> None:
        veo = await session(ledger=tmp_path / "jobs.db").__aenter__()
        await reached(await veo.enqueue(BOAT), State.ARMED)
        await asyncio.sleep(1)

    run(main)
    (row,) = rows(tmp_path / "jobs.db")
    assert (row.state, row.operation) == (State.RUNNING, f"models/{MODEL}/operations/op0")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(("where", "state"), [("before", State.QUEUED), ("after", State.UNKNOWN)])
def test_an_interrupt_in_a_callback_goes_through_and_leaves_the_ledger_in_order(
    session: Make,
    wire: ScriptedTransport,
    tmp_path: Path,
    error: type[BaseException],
    where: str,
    state: State,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Raised in a task of the session, before or after the first byte; told once, by itself."""

    async def interrupted() -> Response:
        raise error

    def at_once(_: int, __: object) -> Response:
        raise error

    wire.submits = at_once if where == "before" else lambda _, __: interrupted()

    async def main() -> None:
        async with session(ledger=tmp_path / "jobs.db") as veo:
            await (await veo.enqueue(BOAT)).wait()

    with pytest.raises(error):
        run(main)
    assert [row.state for row in rows(tmp_path / "jobs.db")] == [state]
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_an_interrupt_of_the_program_leaves_what_runs_to_the_next(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """As by Ctrl+C: the body is cancelled, the session detaches."""
    wire.checks = lambda _, request: running(operation_of(request))

    async def main() -> None:
        async with session(ledger=tmp_path / "jobs.db") as veo:
            await veo.submit(BOAT)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(main)
    assert [row.state for row in rows(tmp_path / "jobs.db")] == [State.RUNNING]
