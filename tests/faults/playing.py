"""Plays a cell with a real session, a real ledger and real sockets, and compares what came of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from tests.faults.cells import Cell, Phase
from tests.faults.scene import ENDPOINTS, MODEL, Scene
from veo_async import (
    Job,
    Succeeded,
    VeoError,
    VeoSession,
    Video,
    VideoRequest,
)
from veo_async.emulator import Fault
from veo_async.engine.lifecycle import Move, State
from veo_async.ledger.records import FileRecord, JobRecord, MoveRecord
from veo_async.ledger.sqlite import SqliteLedger

__all__ = ["Account", "Played", "play"]

_MOMENT_S: Final = 0.03
"""In which a session that would send a job again by itself does so: here all its waits are shorter."""
_SLACK_S: Final = 0.03
"""A server logs a request when it reads it, so two may seem a little nearer than they were sent."""


@frozen
class Account:
    """What one job cost, from first to last."""

    cell: Cell
    posts: int
    billed: int
    moves: tuple[Move, ...]
    state: State

    @property
    def unproven(self) -> int:
        """How often the job was armed again without the recorded proof that nothing had been started."""
        again = [before for before, move in pairwise(self.moves) if move is Move.ARMED]
        return sum(before is not Move.NOT_STARTED for before in again)


@define
class Played:
    """What was seen of a cell."""

    cell: Cell
    errors: tuple[VeoError | None, ...] = ()
    """What each awaiter got."""
    state: State | None = None
    """What the ledger's file held when they got it."""
    times: tuple[float, ...] = ()
    """When the requests of the phase came, until then."""
    posts: int = 0
    billed: int = 0
    trapped: int = 0
    cookies: int = 0
    in_folder: tuple[str, ...] = ()
    """SHA-256 of what stood in the target's folder, parts of files included."""
    on_record: tuple[str, ...] = ()
    """SHA-256 of the files in the ledger."""
    account: Account | None = None
    complaints: list[str] = field(factory=list[str])


async def play(cell: Cell, scene: Scene) -> Played:
    """Play `cell` and return what was seen, with a complaint for each promise that was not kept."""
    scene.reset()
    played = Played(cell)
    home = scene.folder / _short(cell)
    home.mkdir()
    async with scene.session(cell, home / "jobs.db") as veo:
        job = await _ACTS[cell.phase](veo, cell, scene, played, home)
        await _look(job, scene, played, home)
        scene.clear()
        await _mend(veo, job, played, home)
    await _settle(job, scene, played, home)
    played.complaints += _complaints(played)
    return played


# ── the acts ────────────────────────────────────────────────────────────────────────────────────────────────


async def _generate(veo: VeoSession, cell: Cell, scene: Scene, played: Played, _: Path) -> Job:
    """Submit and wait, twice over: what one awaiter hears, the other hears too."""
    scene.strike(cell)
    job = await veo.enqueue(VideoRequest(cell.prompt))
    waiting = [_error_of(job.wait(cell.patience)) for _ in range(2)]
    played.errors = tuple(await asyncio.gather(*waiting))
    return job


async def _reconcile(veo: VeoSession, cell: Cell, scene: Scene, played: Played, _: Path) -> Job:
    """Lose the answer to a paid submit, then look for its operation."""
    scene.emulator.faults.add("submit", Fault.close(accepted=True))
    # A model of its own, so that no operation of another cell's is in its list.
    job = await veo.enqueue(VideoRequest(cell.prompt, model=f"{MODEL}-{_short(cell)}"))
    played.errors = (await _error_of(job.wait(cell.patience)),)
    scene.strike(cell)
    if adopted := await veo.reconcile():
        played.complaints.append(f"adopted {adopted} from a list that cannot be read")
    return job


async def _fetch(veo: VeoSession, cell: Cell, scene: Scene, played: Played, home: Path) -> Job:
    """Let a job succeed, then fetch its video."""
    job = await veo.submit(VideoRequest(cell.prompt))
    (video,) = (await job.wait(cell.patience)).videos
    assert video.uri is not None
    if cell.place == "emulator":
        scene.found(video.uri, cell.phase)
        scene.strike(cell)
        played.errors = (await _error_of(job.save(f"{home}/out/")),)
    else:
        async with scene.courier(cell) as courier:
            link = Video(uri=scene.link(cell))
            played.errors = (await _error_of(courier.save(link, f"{home}/out/")),)
    return job


_Act = Callable[[VeoSession, Cell, Scene, Played, Path], Awaitable[Job]]

_ACTS: Final[Mapping[Phase, _Act]] = {
    Phase.SUBMIT: _generate,
    Phase.CHECK: _generate,
    Phase.LIST: _reconcile,
    Phase.DOWNLOAD: _fetch,
    Phase.HOP: _fetch,
}


def _short(cell: Cell) -> str:
    return hashlib.sha256(str(cell).encode()).hexdigest()[:16]


async def _error_of(waiting: Awaitable[object]) -> VeoError | None:
    try:
        await waiting
    except VeoError as error:
        return error
    return None


async def _look(job: Job, scene: Scene, played: Played, home: Path) -> None:
    """Take down what is seen while the fault has its way."""
    requests = scene.emulator.requests
    played.times = tuple(request.at for request in requests.of(ENDPOINTS[played.cell.phase]))
    played.in_folder = tuple(_digests(home / "out"))
    record, _, files = await _read(home / "jobs.db", job)
    played.state = record.state
    played.on_record = tuple(file.sha256 for file in files)


async def _mend(veo: VeoSession, job: Job, played: Played, home: Path) -> None:
    """Nothing goes wrong any more: what was kept goes through, and what is lost is not sent again."""
    cell = played.cell
    if cell.phase is Phase.LIST and cell.place == "emulator":
        adopted = await veo.reconcile()
        if [found.id for found in adopted] != ([job.id] if cell.passes else []):
            played.complaints.append(f"adopted from a list that can be read: {adopted}")
    await veo.resume()
    can_go_on = cell.place == "emulator" and job.state in {State.QUEUED, State.RUNNING}
    if not can_go_on:
        await asyncio.sleep(_MOMENT_S if job.state is not State.SUCCEEDED else 0.0)
        return
    outcome = await job.outcome(cell.patience)
    if not isinstance(outcome, Succeeded):
        played.complaints.append(f"when all is well again the job goes through: {outcome}")


async def _settle(job: Job, scene: Scene, played: Played, home: Path) -> None:
    """Take down what it all cost."""
    emulator = scene.emulator
    played.posts = emulator.requests.count("submit")
    played.billed = emulator.bill.times(prompt=played.cell.prompt)
    played.trapped = scene.places.trapped
    played.cookies = sum(request.cookie_sent for request in emulator.requests)
    record, moves, _ = await _read(home / "jobs.db", job)
    played.account = Account(
        cell=played.cell,
        posts=played.posts,
        billed=played.billed,
        moves=tuple(move.move for move in moves),
        state=record.state,
    )


async def _read(path: Path, job: Job) -> tuple[JobRecord, Sequence[MoveRecord], Sequence[FileRecord]]:
    """Read what is durable, as another process would."""
    ledger = SqliteLedger.read_only(path)
    await ledger.open()
    try:
        record = await ledger.get(job.id)
        assert record is not None
        return record, await ledger.moves(job.id), await ledger.files(job.id)
    finally:
        await ledger.close()


def _digests(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        for path in folder.iterdir():
            yield hashlib.sha256(path.read_bytes()).hexdigest()


# ── what must be ────────────────────────────────────────────────────────────────────────────────────────────


def _complaints(played: Played) -> Iterator[str]:
    yield from _about_awaiters(played)
    yield from _about_requests(played)
    yield from _about_money(played)
    if played.cell.phase in {Phase.DOWNLOAD, Phase.HOP}:
        yield from _about_files(played)


def _about_awaiters(played: Played) -> Iterator[str]:
    ending = played.cell.ending
    for error in played.errors:
        if type(error) is not (ending.error or type(None)):
            yield f"the awaiter gets {error!r}"
        elif error is not None and error.billed != ending.billed:
            yield f"billed is {error.billed}, not {ending.billed}"
        elif ending.reason is not None and getattr(error, "reason", None) != ending.reason:
            yield f"the reason is {getattr(error, 'reason', None)}, not {ending.reason}"
    if len(set(map(id, filter(None, played.errors)))) != len([*filter(None, played.errors)]):
        yield "two awaiters got one instance of an error"
    if played.state is not ending.state:
        yield f"the ledger holds {played.state}, not {ending.state}"


def _about_requests(played: Played) -> Iterator[str]:
    cell, times = played.cell, played.times
    if cell.asked is not None and len(times) != cell.asked:
        yield f"{len(times)} requests, not {cell.asked}"
    if cell.gap and len(times) > 1 and times[1] - times[0] < cell.gap - _SLACK_S:
        yield f"asked again after {times[1] - times[0]:.3f} s, not {cell.gap}"
    if played.trapped:
        yield f"{played.trapped} requests went where none may go"
    if played.cookies:
        yield f"{played.cookies} requests returned a cookie"


def _about_money(played: Played) -> Iterator[str]:
    account = played.account
    assert account is not None
    if played.billed != _paid(played.cell):
        yield f"{played.billed} operations are on the bill, not {_paid(played.cell)}"
    proven = account.moves.count(Move.NOT_STARTED)
    if played.cell.place == "emulator" and played.posts != 1 + proven:
        yield f"{played.posts} POSTs with {proven} proofs that nothing was started"
    if account.unproven:
        yield f"armed {account.unproven} times without such a proof: {account.moves}"


def _paid(cell: Cell) -> int:
    """Return how many operations the job costs in the end, all having been mended."""
    if cell.phase is not Phase.SUBMIT:
        return 1
    if cell.place != "emulator":
        return 0
    accepted = any(isinstance(fault, Fault) and fault.accepted for fault in cell.faults)
    return int(accepted or cell.ending.state in {State.SUCCEEDED, State.QUEUED})


def _about_files(played: Played) -> Iterator[str]:
    wanted = 1 if played.cell.ending.error is None else 0
    if len(played.in_folder) != wanted:
        yield f"{len(played.in_folder)} files in the folder, not {wanted}"
    if played.in_folder != played.on_record:
        yield f"the ledger knows {played.on_record}, the folder holds {played.in_folder}"
