"""The same over real HTTP: submits and downloads that are interrupted at each of their awaits."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from tests.crash.verdict import judge
from veo_async import Limits, PollPolicy, Provider, Rate, VeoSession, VideoRequest
from veo_async.emulator import Emulator
from veo_async.ledger.records import FileRecord

from .leaks import no_leaks
from .lives import killed, records, settled
from .stepper import MOMENTS, WAYS, Ending, Moment, Way, interrupted

RATE = Rate(10_000, per=1)

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:coroutine '.*' was never awaited:RuntimeWarning"),
]


@pytest.fixture(scope="module")
def emulator() -> Generator[Emulator]:
    """A Veo service for all lives, whose bill they share."""
    with Emulator(waiting=0.0, clip="tiny").in_thread() as emulator:
        yield emulator


def new_session(emulator: Emulator, folder: Path) -> VeoSession:
    limits = Limits(submits=RATE, checks=RATE)
    provider = Provider.gptproto(api_key=emulator.key, base_url=emulator.base_url, limits=limits)
    poll = PollPolicy(expected=0.001, min_interval=0.001)
    return VeoSession(provider, ledger=folder / "jobs.db", poll=poll)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", WAYS)
def test_an_interrupted_submit_is_on_the_bill_and_in_the_ledger(
    way: Way, moment: Moment, emulator: Emulator, folder: Path
) -> None:
    """What was billed is named; a dead loop's is named or unknown."""
    point = 1
    while submit_in_one_life(point, way, moment, emulator, folder / str(point)) != "not reached":
        point += 1
    assert point > 2


def submit_in_one_life(point: int, way: Way, moment: Moment, emulator: Emulator, folder: Path) -> Ending:
    """Interrupt a submit at one point, and compare the bill with the ledger."""
    folder.mkdir()
    prompt = f"boat {point}, {way}, {moment}"
    ending: Ending = "interrupted"

    async def main() -> None:
        nonlocal ending
        async with new_session(emulator, folder) as veo:
            own = asyncio.all_tasks()
            ending = await interrupted(veo.submit(VideoRequest(prompt)), point, way, moment)
            await settled(veo, own)

    with no_leaks():
        was_killed = killed(main)
    bill = [(entry.operation, entry.prompt) for entry in emulator.bill if entry.prompt == prompt]
    verdict = judge(bill, asyncio.run(records(folder / "jobs.db")), [])
    assert verdict.holds, verdict
    assert was_killed or verdict.recorded == verdict.billed
    return ending


def check_file(files: Sequence[FileRecord], target: Path) -> None:
    """Whatever stands under a final name is whole and on record, and nothing half-written is left."""
    assert [path.name for path in target.parent.iterdir() if path != target] == []
    if target.exists():
        (file,) = files
        assert file.path == str(target)
        assert file.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", [way for way in WAYS if way != "keyboard interrupt"])
def test_an_interrupted_save_leaves_a_whole_file_or_none(
    way: Way, moment: Moment, emulator: Emulator, folder: Path
) -> None:
    """At each point of a download; asked for again it gets its file."""

    async def main() -> None:
        async with new_session(emulator, folder) as veo:
            job = await veo.submit(VideoRequest(f"a file, {way}, {moment}"))
            await job
            own = asyncio.all_tasks()
            point, ending = 0, "interrupted"
            while ending != "not reached":
                point += 1
                target = folder / f"out {point}" / "boat.mp4"
                target.parent.mkdir()
                ending = await interrupted(job.save(target), point, way, moment)
                await settled(veo, own)
                check_file(await veo.files(job.id), target)
                await job.save(target, overwrite=True)
                check_file(await veo.files(job.id), target)
            assert point > 2  # until the answer begins, and while the file is written

    with no_leaks():
        asyncio.run(main())
