"""An audit accounts for every job, says what money may be owed, and writes only what it is told to."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from veo_async.engine.lifecycle import Move, State
from veo_async.ledger.records import Change, JobRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.models import JobId

from .samples import job
from .shell import Shell

T = 1_788_264_000.0
MODEL = "veo-3.1-fast-generate-preview"
SENT = {State.RUNNING, State.SUCCEEDED, State.FILTERED, State.FAILED}


def made(number: int, state: State, **changes: Any) -> JobRecord:
    """A job with an id of its own; those that were sent were so a minute apart."""
    record = job(f"id:{number}", state, digest=f"{number:064x}", prompt=f"secret prompt {number}")
    return attrs.evolve(
        record,
        id=JobId(f"{number:08x}-0000-4000-8000-000000000000"),
        model=MODEL,
        armed_at=None if state is State.QUEUED else T + 60 * number,
        operation=f"models/{MODEL}/operations/op{number}" if state in SENT else None,
        **changes,
    )


JOBS = (
    made(1, State.SUCCEEDED),
    made(2, State.SUCCEEDED),
    made(3, State.FILTERED),
    made(4, State.RUNNING),
    made(5, State.QUEUED),
    made(6, State.UNKNOWN),
    made(7, State.RUNNING, cost_estimate=None),
)


async def write(path: Path, records: Sequence[JobRecord], *changes: Change) -> None:
    """Make a ledger of these jobs."""
    ledger = SqliteLedger(path)
    await ledger.open()
    await ledger.add_many(records)
    for change in changes:
        await ledger.apply(change)
    await ledger.close()


def ledger(*records: JobRecord, changes: Sequence[Change] = ()) -> Path:
    """The folder of a run that holds these jobs."""
    folder = Path("films")
    folder.mkdir(exist_ok=True)
    asyncio.run(write(folder / "jobs.db", records or JOBS, *changes))
    return folder


def statement(*lines: str, header: str = "task_id,created_at,model,cost") -> Path:
    """A usage export: rows of another service all around the jobs, and these lines."""
    path = Path("usage.csv")
    around = [f"g1,{T - 7200},gpt-5,0.01", f"g2,{T + 7200},gpt-5,0.01"]
    path.write_text("\n".join([header, *around, *lines]) + "\n")
    return path


OURS = tuple(f"op{number},{T + 60 * number},{MODEL},0.80" for number in (1, 2))


def states(folder: Path) -> dict[str, str]:
    """Where the jobs of a ledger stand, by the first part of their id."""

    async def read() -> Sequence[JobRecord]:
        reader = SqliteLedger.read_only(folder / "jobs.db")
        await reader.open()
        try:
            return await reader.select()
        finally:
            await reader.close()

    return {str(int(record.id[:8], 16)): record.state.value for record in asyncio.run(read())}


def test_every_job_is_accounted_for(shell: Shell) -> None:
    """Asked is the sum of its parts, with the money of each; by folder and by file."""
    folder = ledger()
    ran = shell("audit", folder)
    assert ran.status == 3
    assert ran.out == shell("audit", folder / "jobs.db").out
    first, *rest = ran.out.splitlines()
    assert first == "films/jobs.db: 7 asked = 1 queued + 0 armed + 2 running + 3 final + 1 unknown"
    rows = {words[0]: words[1:] for words in map(str.split, rest) if words}
    assert rows["succeeded"] == ["2", "$1.60"]
    assert rows["running"] == ["2", "$0.80", "1", "without", "a", "price"]
    assert rows["asked"][:2] == ["7", "$4.80"]
    assert "Billed $1.60, may be billed $1.60 (estimates)." in rest


def test_an_unknown_job_is_told_without_its_prompt(shell: Shell) -> None:
    """When it was armed, the digest of its request, its model, what it may cost and what to do."""
    folder = ledger()
    out = shell("audit", folder).out
    assert f"00000006  armed 2026-09-01 12:06:00Z  {MODEL}  $0.80  lost" in out
    assert f"request sha256 {6:064x}" in out
    assert "--statement" in out
    assert "--resubmit-unknown" in out
    assert "secret prompt" not in out
    assert "secret prompt" not in shell("audit", folder, "--json").out
    shown = shell("audit", folder, "--prompts").out
    assert "secret prompt 6" in shown
    assert "secret prompt 1" not in shown


def test_json_says_the_same_in_figures(shell: Shell) -> None:
    """One object; every state, the unknown jobs whole."""
    ran = shell("audit", ledger(), "--json")
    assert ran.status == 3
    [told] = [json.loads(line) for line in ran.out.splitlines()]
    parts = ("queued", "armed", "running", "final", "unknown")
    assert told["asked"]["jobs"] == sum(told[part]["jobs"] for part in parts) == 7
    assert told["balanced"] is True
    assert told["states"]["running"] == {"jobs": 2, "estimate": 0.8, "without_price": 1}
    assert told["billed"]["yes"]["estimate"] == 1.6
    [unknown] = told["unknown_jobs"]
    assert unknown["armed_at"] == "2026-09-01T12:06:00.000Z"
    assert (unknown["cost_estimate"], unknown["reason"], unknown["replaced_by"]) == (0.8, "lost", None)
    assert "prompt" not in unknown
    [shown] = json.loads(shell("audit", "films", "--json", "--prompts").out)["unknown_jobs"]
    assert shown["prompt"] == "secret prompt 6"


def test_nothing_unknown_is_0(shell: Shell) -> None:
    """Failed and open jobs are accounted for, so nothing is owed that is not known."""
    ran = shell("audit", ledger(*[record for record in JOBS if record.state is not State.UNKNOWN]))
    assert ran.status == 0
    assert "unknown:" not in ran.out


def test_a_job_that_a_crash_left_armed_is_unknown_and_nothing_is_written(shell: Shell) -> None:
    """While somebody has the ledger open it is being sent; when nobody has, it may have been."""
    folder = ledger(made(1, State.ARMED))

    async def beside_an_owner() -> None:
        owner = SqliteLedger(folder / "jobs.db")
        await owner.open()
        await owner.add(made(2, State.QUEUED))
        await owner.apply(Change(job_id=made(2, State.QUEUED).id, move=Move.ARMED, at=T))
        ran = await asyncio.to_thread(shell, "audit", folder)
        await owner.close()
        assert ran.status == 3  # the first was left armed before
        assert "2 asked = 0 queued + 1 armed + 0 running + 0 final + 1 unknown" in ran.out
        assert "has this ledger open" in ran.out

    assert "0 armed + 0 running + 0 final + 1 unknown" in shell("audit", folder).out
    assert states(folder) == {"1": "armed"}
    asyncio.run(beside_an_owner())
    assert "0 armed + 0 running + 0 final + 2 unknown" in shell("audit", folder).out


def test_resubmitted_and_adopted_jobs_are_marked(shell: Shell) -> None:
    """Which job replaces which, and how an operation was found."""
    again = made(
        8, State.QUEUED, replaces=made(6, State.UNKNOWN).id, digest=f"{6:064x}", idempotency_key=None
    )
    found = made(9, State.UNKNOWN)
    adopted = Change(
        job_id=found.id, move=Move.STARTED, at=T, operation="models/m/operations/op9", adopted="list"
    )
    folder = ledger(made(6, State.UNKNOWN), again, found, changes=[adopted])
    ran = shell("audit", folder)
    assert "00000006 as 00000008, which is queued" in ran.out
    assert "00000009 by the provider's list: models/m/operations/op9, running" in ran.out
    assert "was sent again as 00000008-0000" in ran.out
    told = json.loads(shell("audit", folder, "--json").out)
    assert told["resubmitted"][0]["replaces"] == told["unknown_jobs"][0]["job_id"]
    assert told["unknown_jobs"][0]["replaced_by"] == again.id
    assert told["adopted"] == [
        {"job_id": found.id, "by": "list", "operation": "models/m/operations/op9", "state": "running"}
    ]


def test_a_statement_is_compared_and_nothing_is_written(shell: Shell) -> None:
    """Both sums, what is in one list alone, and what --settle would write."""
    folder = ledger()
    usage = statement(*OURS, f"new,{T + 365},veo3.1-fast,0.80", f"x,{T - 7000},veo3.1,3.20")
    ran = shell("audit", folder, "--statement", usage)
    assert ran.status == 3
    for told in (
        "usage.csv: 6 entries from 2026-09-01 10:00:00Z to 2026-09-01 14:00:00Z",
        "id is 'task_id', time is 'created_at', model is 'model', cost is 'cost'; none for status",
        "in both: 2, charged 1.60, by our estimate $1.60",
        "of other services: 2, charged 0.02",
        "not in the ledger, charged 3.20: 1",
        "line 7  2026-09-01 10:03:20Z  veo3.1  x  3.20",
        "in the ledger alone: 3",
        "00000006  found: one row of the usage statement fits by time and model, and names the operation",
        f"(models/{MODEL}/operations/new)",
        "Nothing was written; --settle writes down what is proven of 1 job.",
    ):
        assert told in ran.out
    assert states(folder)["6"] == "unknown"
    told = json.loads(shell("audit", folder, "--statement", usage, "--json").out)["statement"]
    assert told["both"] == {"operations": 2, "charged": 1.6, "estimate": 1.6}
    assert told["not_in_ledger_charged"] == 3.2
    assert [row["id"] for row in told["not_in_ledger"]] == ["x"]
    assert [row["state"] for row in told["not_in_statement"]] == ["filtered", "running", "running"]
    assert [(finding["verdict"], finding["line"]) for finding in told["findings"]] == [("adopted", 6)]
    assert told["settled"] is False


@pytest.mark.parametrize(
    ("rows", "state", "status"),
    [
        ((f"new,{T + 365},{MODEL},0.80",), "running", 0),
        ((f",{T + 365},{MODEL},0.80",), "failed", 0),
        ((), "rejected", 0),
        ((f"a,{T + 365},{MODEL},0.80", f"b,{T + 366},{MODEL},0.80"), "unknown", 3),
    ],
    ids=["adopted", "billed and lost", "never started", "ambiguous"],
)
def test_settling_writes_what_is_proven(shell: Shell, rows: tuple[str, ...], state: str, status: int) -> None:
    """And the exit status is that of the ledger as it is then; a second time changes nothing."""
    folder = ledger()
    command = ("audit", folder, "--statement", statement(*OURS, *rows), "--settle")
    ran = shell(*command)
    assert (states(folder)["6"], ran.status) == (state, status)
    assert ("Settled: 1 job" in ran.out) == (status == 0)
    again = shell(*command)
    assert (states(folder)["6"], again.status) == (state, status)


def test_an_operation_that_nobody_knows_is_3(shell: Shell) -> None:
    """Somebody owes money for it, though every job of the ledger is known."""
    folder = ledger(made(1, State.SUCCEEDED))
    assert shell("audit", folder, "--statement", statement(OURS[0])).status == 0
    assert shell("audit", folder, "--statement", statement(OURS[0], f"x,{T},{MODEL},0.80")).status == 3
    assert shell("audit", folder, "--statement", statement(OURS[0], f"x,{T},{MODEL},0.00")).status == 0


def test_settling_needs_the_ledger_for_itself(shell: Shell) -> None:
    """Another process that has it open is named; comparing alone goes on beside it."""
    folder = ledger()
    usage = statement(*OURS)

    async def beside_an_owner() -> None:
        owner = SqliteLedger(folder / "jobs.db")
        await owner.open()
        refused = await asyncio.to_thread(shell, "audit", folder, "--statement", usage, "--settle")
        looked = await asyncio.to_thread(shell, "audit", folder, "--statement", usage)
        await owner.close()
        assert refused.status == 2
        assert "in use" in refused.err
        assert looked.status == 3

    asyncio.run(beside_an_owner())
    assert states(folder)["6"] == "unknown"


def test_times_are_in_the_zone_that_is_given(shell: Shell) -> None:
    """The provider's clock on the wall is no proof until its zone is known."""
    folder = ledger(made(6, State.UNKNOWN))
    Path("usage.csv").write_text(f"id,time,model,cost\nnew,2026-09-01 20:06:05,{MODEL},0.80\n")
    command = ("audit", folder, "--statement", "usage.csv")
    assert "name no zone" in shell(*command).out
    assert "found: one row" in shell(*command, "--timezone", "Asia/Shanghai").out


def test_other_peoples_text_moves_no_cursor(shell: Shell) -> None:
    """What a statement holds is shown, not obeyed."""
    ran = shell("audit", ledger(), "--statement", statement(f"\x1b[2Jx,{T},{MODEL},0.80"))
    assert "\x1b" not in ran.out
    assert "?[2Jx" in ran.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("audit", "nowhere"), "no such ledger"),
        (("audit",), "requires an argument"),
        (("audit", "films", "--settle"), "give it by --statement"),
        (("audit", "films", "--statement", "none.csv"), "none.csv cannot be read"),
        (("audit", "films", "--statement", "bad.csv"), "bad.csv:2: time: 'noon' is not readable"),
        (("audit", "films", "--statement", "bad.csv", "--timezone", "Mars/Base"), "no such zone"),
        (("audit", "films", "--statement", "odd.csv"), "its columns are a, b; missing"),
        (("prune", "films"), "--older-than"),
        (("prune", "films", "--older-than", "soon"), "as in 30d"),
        (("prune", "nowhere", "--older-than", "1d"), "no such ledger"),
    ],
)
def test_a_wrong_command_line_is_told_and_ends_with_2(
    shell: Shell, arguments: tuple[str, ...], told: str
) -> None:
    """Nothing is written, and there is no traceback."""
    ledger()
    Path("bad.csv").write_text("id,time\nop,noon\n")
    Path("odd.csv").write_text("a,b\n1,2\n")
    ran = shell(*arguments)
    assert ran.status == 2
    assert told in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
SHOWN = re.compile(r"^```console\n\$ veo-async (?P<typed>audit .*)\n(?P<told>(?:.*\n)*?)```$", re.MULTILINE)
SHOWN_STATEMENT = re.compile(r"^```csv\n((?:.*\n)*?)```$", re.MULTILINE)


def test_the_page_shows_what_is_printed(shell: Shell) -> None:
    """The accounts on the page of the command line are those of a real ledger and its statement."""
    ledger(
        made(1, State.SUCCEEDED), made(2, State.SUCCEEDED), made(3, State.FILTERED), made(4, State.UNKNOWN)
    )
    page = PAGE.read_text(encoding="utf-8")
    [usage] = SHOWN_STATEMENT.findall(page)
    Path("usage.csv").write_text(usage)
    shown = [(match["typed"], match["told"]) for match in SHOWN.finditer(page)]
    assert [typed.split()[1:] for typed, _ in shown] == [
        ["films"],
        ["films", "--statement", "usage.csv", "--settle"],
    ]
    for typed, told in shown:
        assert shell(*shlex.split(typed)).out == told
