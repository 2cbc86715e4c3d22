"""`veo-async replay`: a recorded run under other limits, and the lines that say how a run stands."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shlex
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from tests.ledger.test_migration import VERSION_1
from veo_async.cli.replaying import past_jobs
from veo_async.engine.lifecycle import State
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import JobId

from .samples import job
from .shell import FAST, Shell, write_lines

BEGAN = 1_000_000.0


def recorded(
    number: int, state: State, *, asked: float, armed: float | None, waits: float | None
) -> JobRecord:
    """A row; what its submit took is half a second."""
    accepted = None if armed is None or waits is None else BEGAN + armed + 0.5
    ended = state is not State.RUNNING and accepted is not None and waits is not None
    return evolve(
        job(f"id:{number}", state),
        id=JobId(f"00000000-0000-4000-8000-{number:012}"),
        operation=None if accepted is None else f"models/m/operations/o{number}",
        created_at=BEGAN + asked,
        armed_at=None if armed is None else BEGAN + armed,
        accepted_at=accepted,
        finished_at=accepted + waits if ended and accepted is not None and waits is not None else None,
    )


RUN = (
    recorded(1, State.SUCCEEDED, asked=0, armed=1, waits=24),
    recorded(2, State.SUCCEEDED, asked=0, armed=1, waits=24),
    recorded(3, State.FILTERED, asked=0, armed=1, waits=24),
    recorded(4, State.RUNNING, asked=0, armed=1, waits=0),
    recorded(5, State.UNKNOWN, asked=0, armed=1, waits=None),
    recorded(6, State.WITHDRAWN, asked=0, armed=None, waits=None),
    recorded(7, State.QUEUED, asked=0, armed=None, waits=None),
)


def slower(waiting: float) -> Sequence[str]:
    """An emulator that takes its time."""
    return ("--provider", "emulator", "--emulator-waiting", str(waiting), "--emulator-clip", "tiny")


def ledger_of(path: Path, records: Sequence[JobRecord]) -> Path:
    """Write a ledger that holds these jobs as they stand."""

    async def write() -> None:
        ledger = SqliteLedger(path)
        await ledger.open()
        await ledger.add_many(records)
        await ledger.close()

    asyncio.run(write())
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with one job of each kind."""
    return ledger_of(tmp_path / "jobs.db", RUN)


def test_records_become_what_can_be_replayed() -> None:
    """Instants as they are, waiting times from acceptance on; what was not sent is left out."""
    jobs = past_jobs(RUN)
    assert [one.state for one in jobs] == ["succeeded", "succeeded", "filtered", "running", "unknown"]
    assert [one.submit_takes for one in jobs] == [0.5, 0.5, 0.5, 0.5, 0.0]
    assert [one.waits for one in jobs] == [24, 24, 24, None, None]
    assert {one.asked_at for one in jobs} == {BEGAN}
    assert jobs[0].profile.model == "veo-3.1-fast-generate-preview"


def test_what_is_known_of_the_recorded_lag_is_taken_off() -> None:
    """But no operation ends before it began."""
    assert [one.waits for one in past_jobs(RUN[:1], recorded_lag=4)] == [20]
    assert [one.waits for one in past_jobs(RUN[:1], recorded_lag=40)] == [0]


def test_an_attached_operation_has_no_submit() -> None:
    """It was somebody else's; a pruned job had one all the same."""
    attached = evolve(RUN[0], request=None, armed_at=None)
    pruned = evolve(RUN[0], request=None)
    assert [one.submit_takes for one in past_jobs([attached, pruned])] == [None, 0.5]


def test_two_replays_stand_side_by_side(shell: Shell, ledger: Path) -> None:
    """What the flags change, beside the defaults; fixed gaps make the answer known."""
    flags = ("--min-interval", "10", "--max-interval", "10", "--submits-per-minute", "1")
    ran = shell("replay", ledger, *flags, "--json")
    assert ran.status == 0, ran.err
    [told] = ran.events
    assert (told["asked"], told["sent"], told["operations"]) == (7, 5, 3)
    assert told["recorded"] == {"last_video": 25.5}
    given = told["given"]
    assert (given["submits"], given["checks"], given["requests"]) == (5, 9, 14)
    assert given["mean_lag"] == pytest.approx(6, abs=0.5)
    assert given["last_video"] == pytest.approx(60 + 0.5 + 30, abs=1)
    assert told["default"]["last_video"] < 45


def test_people_get_a_table(shell: Shell, ledger: Path) -> None:
    """With the change in percent."""
    ran = shell("replay", ledger.parent, "--min-interval", "10", "--max-interval", "10")
    lines = ran.out.splitlines()
    assert lines[0] == (
        "jobs.db: 7 jobs, 5 of them sent; the ends of 3 operations are known; the last video came after 26 s"
    )
    assert lines[2].split() == ["default", "given", "change"]
    rows = {line[:12].strip(): line[12:].split("  ") for line in lines[3:]}
    assert list(rows) == ["submits", "checks", "requests", "mean lag", "p90 lag", "max lag", "last video"]
    assert rows["submits"][-1].strip() == "+0 %"
    assert [cell.strip() for cell in rows["checks"] if cell][1] == "9"


def test_as_if_all_were_asked_for_at_once(shell: Shell, tmp_path: Path) -> None:
    """A batch larger than what ran at once was recorded as it got room."""
    jobs = [
        recorded(number, State.SUCCEEDED, asked=1000.0 * number, armed=1000.0 * number, waits=24)
        for number in range(3)
    ]
    ledger = ledger_of(tmp_path / "jobs.db", jobs)
    [told] = shell("replay", ledger, "--json").events
    assert told["default"]["last_video"] > 2000
    [told] = shell("replay", ledger, "--json", "--at-once").events
    assert told["default"]["last_video"] < 60


def test_the_ledger_is_only_read(shell: Shell, ledger: Path) -> None:
    """Not a byte of it changes."""
    before = ledger.read_bytes()
    assert shell("replay", ledger).status == 0
    assert ledger.read_bytes() == before


def test_a_ledger_of_the_first_version_is_read(shell: Shell, tmp_path: Path) -> None:
    """As it is: it stays one."""
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    for statement in VERSION_1:
        connection.execute(statement)
    facts = {
        "id": "a",
        "state": "succeeded",
        "request": json.dumps({"prompt": "a boat"}),
        "digest": "d",
        "provider": "gemini",
        "origin": "https://x.example",
        "model": "veo",
        "operation": "o",
        "attempts": 1,
        "created_at": BEGAN,
        "armed_at": BEGAN,
        "accepted_at": BEGAN + 1,
        "finished_at": BEGAN + 61,
    }
    marks = ", ".join("?" * len(facts))
    connection.execute(f"INSERT INTO jobs ({', '.join(facts)}) VALUES ({marks})", tuple(facts.values()))
    connection.commit()
    connection.close()
    [told] = shell("replay", path, "--json").events
    assert (told["operations"], told["recorded"]["last_video"]) == (1, 61)
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"prompt\nA paper boat\n" * 200, "file is not a database"),
        (None, "no such ledger"),
    ],
)
def test_what_is_no_ledger_is_named(shell: Shell, tmp_path: Path, content: bytes | None, words: str) -> None:
    """An empty file, another kind of file, no file."""
    path = tmp_path / "jobs.db"
    if content is not None:
        path.write_bytes(content)
    ran = shell("replay", path)
    assert (ran.status, ran.out) == (2, "")
    assert words in " ".join(ran.err.split())


def test_another_programs_database_is_named(shell: Shell, tmp_path: Path) -> None:
    """It is left alone."""
    path = tmp_path / "other.db"
    sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close()
    ran = shell("replay", path)
    assert ran.status == 2
    assert "database of another program" in " ".join(ran.err.split())


def test_a_ledger_of_which_nothing_was_sent_is_named(shell: Shell, tmp_path: Path) -> None:
    """There is nothing to replay, which is no result of nought."""
    ran = shell("replay", ledger_of(tmp_path / "jobs.db", RUN[-2:]))
    assert ran.status == 2
    assert "nothing in it was sent" in " ".join(ran.err.split())


def test_a_flag_that_is_no_number_is_usage(shell: Shell, ledger: Path) -> None:
    """As everywhere."""
    assert shell("replay", ledger, "--checks-per-second", "0").status == 2


def test_a_batch_can_be_replayed(shell: Shell, tmp_path: Path) -> None:
    """End to end: what the emulator made is run through the scheduler once more."""
    file = write_lines(tmp_path / "a.jsonl", [{"id": str(n), "prompt": f"boat {n}"} for n in range(6)])
    assert shell("batch", file, "--out", "out", *slower(0.5)).status == 0
    [told] = shell("replay", "out", "--json").events
    assert (told["asked"], told["sent"], told["operations"]) == (6, 6, 6)
    assert told["recorded"]["last_video"] > 0.2
    assert told["given"] == told["default"]
    [slow] = shell("replay", "out", "--json", "--submits-per-minute", "2").events
    assert slow["default"] == told["default"]
    assert slow["given"]["last_video"] == pytest.approx(120 + told["default"]["last_video"], abs=15)


# ── the lines that say how a run stands ─────────────────────────────────────────────────────────────────────

LINE = re.compile(r"^\d+ running.* · \d+ submits and \d+ checks a minute", re.MULTILINE)


def test_a_batch_says_how_it_stands_on_standard_error(shell: Shell, tmp_path: Path) -> None:
    """Where no terminal shows it; results alone go to standard output."""
    file = write_lines(tmp_path / "a.jsonl", [{"prompt": "a secret boat"}])
    ran = shell("batch", file, "--out", "out", *slower(1.5), "--report-every", "0.4")
    assert ran.status == 0
    assert len(LINE.findall(ran.err)) >= 2
    assert not LINE.search(ran.out)
    assert "secret" not in ran.err


def test_it_says_nothing_unless_asked(shell: Shell, tmp_path: Path) -> None:
    """Nor does it change what a program's own log shows."""
    file = write_lines(tmp_path / "a.jsonl", [{"prompt": "a boat"}])
    ran = shell("batch", file, "--out", "out", *FAST)
    assert not LINE.search(ran.err)


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────

PAGE = Path(__file__).parents[2] / "docs" / "watching.md"
SHOWN = re.compile(r"^```console\n\$ veo-async (replay .*)\n((?:.*\n)*?)```$", re.MULTILINE)
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?::\d\d)*")


def test_the_page_shows_what_is_printed(shell: Shell) -> None:
    """The same words and, as far as the cadence may be tuned, the same figures."""
    random = Random(0)
    Path("films").mkdir()
    waits = [random.lognormvariate(math.log(60), 0.5) for _ in range(200)]
    jobs = [
        recorded(place, State.SUCCEEDED, asked=0, armed=1.2 * place, waits=wait)
        for place, wait in enumerate(waits)
    ]
    ledger_of(Path("films/jobs.db"), jobs)
    [(typed, told)] = SHOWN.findall(PAGE.read_text(encoding="utf-8"))
    ran = shell(*shlex.split(typed))
    assert NUMBER.sub("#", ran.out).split() == NUMBER.sub("#", told).split()
    for seen, shown in zip(figures_in(ran.out), figures_in(told), strict=True):
        assert seen == pytest.approx(shown, rel=0.35, abs=12), ran.out


def figures_in(text: str) -> list[float]:
    """The numbers of a text, those of minutes and seconds as seconds."""
    found = (match.replace(",", "").split(":") for match in NUMBER.findall(text))
    return [sum(float(part) * 60**power for power, part in enumerate(reversed(parts))) for parts in found]
