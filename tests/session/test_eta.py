"""`job.eta()`, and what was learned of waiting times from one session to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from veo_async import ConfigurationError, Eta, Job, VeoSession, VideoRequest
from veo_async.engine.waiting_times import Learned
from veo_async.errors import LedgerError
from veo_async.ledger.memory import MemoryLedger
from veo_async.wire import Request, Response

from .script import ScriptedTransport, done, operation_of, running, unanswered

pytestmark = pytest.mark.anyio
Make = Callable[..., VeoSession]
BOAT = VideoRequest("A paper boat crosses a puddle", model="veo-3.1-fast", duration_seconds=8)


def after(seconds: float) -> Callable[[int, Request], Response]:
    """Answer checks as a provider does whose operations take so long from their first mention on."""
    accepted: dict[str, float] = {}

    def check(_: int, request: Request) -> Response:
        name, now = operation_of(request), asyncio.get_running_loop().time()
        # The first check comes at 10 s or later: what took shorter would be done by then.
        began = accepted.setdefault(name, now - 10.0)
        return done(name) if now - began >= seconds else running(name)

    return check


def eta_of(job: Job) -> Eta:
    eta = job.eta()
    assert eta is not None
    return eta


async def finish(veo: VeoSession, count: int) -> None:
    jobs = [await veo.submit(BOAT) for _ in range(count)]
    for job in jobs:
        await job


async def test_a_running_job_has_an_eta_that_comes_nearer(session: Make, wire: ScriptedTransport) -> None:
    """By the prior at first: a median of 60 s."""
    wire.checks = after(1000.0)
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        first = eta_of(job)
        assert first.p50 == pytest.approx(60, abs=2)
        assert first.p90 == pytest.approx(60 * 1.9, abs=4)
        await asyncio.sleep(5)
        assert eta_of(job).p50 == pytest.approx(first.p50 - 5, abs=0.1)
        await asyncio.sleep(100)  # and still runs: it is a slow one
        assert eta_of(job).p50 > 10


async def test_a_queued_job_has_the_time_from_acceptance_on(session: Make, wire: ScriptedTransport) -> None:
    """How long it will be queued is not known, and not in it."""
    wire.checks = after(1000.0)
    async with session(on_exit="detach") as veo:
        await veo.submit(BOAT)
        job = await veo.enqueue(BOAT)
        assert job.state == "queued"
        before = eta_of(job)
        assert before.p50 == pytest.approx(60, abs=2)
        await job.accepted()
        assert eta_of(job).p50 == pytest.approx(before.p50, abs=1)


async def test_nothing_is_foretold_of_what_nobody_waits_for(session: Make, wire: ScriptedTransport) -> None:
    """Final, unknown, cancelled."""
    wire.checks = after(12.0)
    async with session(on_exit="detach") as veo:
        finished = await veo.submit(BOAT)
        await finished
        assert finished.eta() is None
        wire.checks = after(1000.0)
        left = await veo.submit(BOAT)
        assert await left.cancel() == "detached"
        assert left.eta() is None
        wire.submits = unanswered
        unknown = await veo.enqueue(BOAT)
        await unknown.outcome()
        assert (unknown.state, unknown.eta()) == ("unknown", None)


async def test_an_eta_is_asked_for_where_the_session_lives(session: Make) -> None:
    async with session(on_exit="detach") as veo:
        job = await veo.submit(BOAT)
        with pytest.raises(ConfigurationError):
            await asyncio.to_thread(job.eta)


async def test_what_was_learned_survives_a_restart(
    session: Make, wire: ScriptedTransport, tmp_path: Path
) -> None:
    """The next session knows from its first job on that this takes five minutes."""
    wire.checks = after(300.0)
    async with session(ledger=tmp_path / "jobs.db", on_exit="detach") as veo:
        await finish(veo, 12)
        learned = eta_of(await veo.enqueue(BOAT))
        assert learned.p50 > 200  # virtual time passes while the disk is at work: no more than that is sure
    async with session(ledger=tmp_path / "jobs.db", on_exit="detach") as veo:
        assert eta_of(await veo.enqueue(BOAT)).p50 == pytest.approx(learned.p50, rel=0.05)
        other = VideoRequest("A paper boat", model="veo-3.1-fast", duration_seconds=4)
        assert eta_of(await veo.enqueue(other)).p50 == pytest.approx(60, abs=2)


class CountingLedger(MemoryLedger):
    """Counts what is kept; its disk may fail."""

    durable = True

    def __init__(self) -> None:
        super().__init__()
        self.kept_at: list[float] = []
        self.fails = False

    async def keep_waiting_times(self, provider: str, learned: Sequence[Learned]) -> None:
        if self.fails:
            raise LedgerError("the disk is full")
        self.kept_at.append(asyncio.get_running_loop().time())
        await super().keep_waiting_times(provider, learned)

    async def waiting_times(self, provider: str) -> Sequence[Learned]:
        if self.fails:
            raise LedgerError("the disk is full")
        return await super().waiting_times(provider)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> CountingLedger:
    ledger = CountingLedger()

    def open_counting(_: object) -> CountingLedger:
        return ledger

    monkeypatch.setattr("veo_async.session.session.open_ledger", open_counting)
    return ledger


async def test_it_is_kept_now_and_then_and_at_the_end(
    session: Make, wire: ScriptedTransport, counting: CountingLedger
) -> None:
    """Never a commit for each check or job."""
    wire.checks = after(40.0)
    async with session(on_exit="detach") as veo:
        for _ in range(16):
            await finish(veo, 1)
        while_open = len(counting.kept_at)
    assert len(wire.checked) > 40
    assert 1 <= while_open <= 3
    assert all(
        later - earlier >= 300
        for earlier, later in zip(counting.kept_at, counting.kept_at[1:-1], strict=False)
    )
    assert len(counting.kept_at) == while_open + 1


async def test_nothing_new_is_not_written_again(session: Make, counting: CountingLedger) -> None:
    async with session(on_exit="detach"):
        pass
    assert counting.kept_at == []


async def test_a_ledger_that_fails_at_this_fails_no_session(
    session: Make, wire: ScriptedTransport, counting: CountingLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """It is learned again, that is all."""
    counting.fails = True
    wire.checks = after(12.0)
    async with session(on_exit="drain") as veo:
        await finish(veo, 2)
    assert caplog.text.count("the disk is full") == 2
