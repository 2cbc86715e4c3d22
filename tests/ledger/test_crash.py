"""SIGKILL at any moment: every acknowledged row is there afterwards, and jobs that were armed are unknown."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from veo_async.engine.lifecycle import State
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import Unknown

pytestmark = pytest.mark.anyio

KILLS = 4

# Adds and moves jobs without end; a line goes out only after the ledger said it is done.
WRITER = """
import asyncio, os, sys, uuid
from veo_async.engine.lifecycle import Move, State
from veo_async.ledger.records import Change, JobRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import VideoRequest

async def work(ledger):
    while True:
        record = JobRecord(
            id=str(uuid.uuid4()), state=State.QUEUED, request=VideoRequest("boat"), digest="", provider="p",
            origin="https://p.example", model="veo", created_at=0.5,
        )
        await ledger.add(record)
        os.write(1, f"{record.id} queued\\n".encode())
        for move, name in ((Move.ARMED, None), (Move.STARTED, "operations/" + record.id)):
            await ledger.apply(Change(job_id=record.id, move=move, at=1.5, operation=name))
            os.write(1, f"{record.id} {move}\\n".encode())

async def main():
    ledger = SqliteLedger(sys.argv[1])
    await ledger.open()
    await asyncio.gather(*(work(ledger) for _ in range(20)))

asyncio.run(main())
"""


def killed_run(path: Path, log: Path, chance: random.Random) -> None:
    with (
        log.open("ab") as out,
        subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=out) as child,
    ):
        size = log.stat().st_size
        while log.stat().st_size == size:  # until it works
            assert child.poll() is None
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.15))
        child.kill()


async def test_what_was_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    chance = random.Random(int(os.environ.get("VEO_TEST_SEED", "1")))
    path, log = tmp_path / "jobs.db", tmp_path / "told.txt"
    log.touch()
    for _ in range(KILLS):
        killed_run(path, log, chance)
    told: dict[str, str] = dict(line.split() for line in log.read_text().splitlines())
    assert len(told) > 100
    ledger = SqliteLedger(path)
    await ledger.open()
    found = {record.id: record for record in await ledger.select()}
    await ledger.close()
    lost = [job_id for job_id in told if job_id not in found]
    assert lost == []
    wrong = Counter[tuple[str, State]]()
    for job_id, step in told.items():
        record = found[job_id]  # type: ignore[index]  # a JobId read from a file
        # The next step may be on the disk although it was not told.
        allowed = {
            "queued": {State.QUEUED, State.UNKNOWN},
            "armed": {State.UNKNOWN, State.RUNNING},
            "started": {State.RUNNING},
        }[step]
        wrong[step, record.state] += record.state not in allowed
        if record.state is State.UNKNOWN:
            assert isinstance(record.outcome, Unknown)
            assert record.outcome.reason == "crashed"
    assert +wrong == Counter()
    assert {record.state for record in found.values()} <= {State.QUEUED, State.UNKNOWN, State.RUNNING}
