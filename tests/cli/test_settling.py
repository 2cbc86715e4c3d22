"""A run killed in a submit is accounted for, settled by the provider's statement, and goes on."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from veo_async.emulator import Bill, Emulator
from veo_async.emulator.faults import Fault

from .shell import SOON, Shell, Started, ended, manifest, write_lines

HOUR = 3600


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A service that outlives the runs against it."""
    with Emulator(waiting=0.1, clip="tiny").in_thread() as emulator:
        monkeypatch.setenv("VEO_PROVIDER", "gemini")
        monkeypatch.setenv("VEO_BASE_URL", emulator.base_url)
        monkeypatch.setenv("VEO_API_KEY", emulator.key)
        yield emulator


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two requests: the second is the one that is lost."""
    return write_lines(tmp_path / "prompts.jsonl", [{"prompt": "first"}, {"prompt": "second"}])


def statement_of(bill: Bill) -> Path:
    """The service's usage export: what it charged, and rows of another service an hour and more around."""
    path = Path("usage.csv")
    now = time.time()
    with path.open("w", newline="") as stream:
        write = csv.writer(stream).writerow
        write(["Task ID", "Created", "Model", "Amount (USD)"])
        write(["chat-1", now - 2 * HOUR, "gpt-5", 0.01])
        for entry in bill:
            write([entry.operation_id, now, entry.model, entry.cost_estimate])
        write(["chat-2", now + 2 * HOUR, "gpt-5", 0.01])
    return path


def killed_in_a_submit(started: Started, emulator: Emulator, file: Path, fault: Fault) -> None:
    """Run until the second request is sent and its answer does not come, then kill the process."""
    rule = emulator.faults.add("submit", fault, call=2)
    accepted = 1 + fault.accepted
    process = started("batch", file, "--out", "out", "--max-in-flight", "1", *SOON)
    limit = time.monotonic() + 30
    while not rule.fired or len(emulator.bill) < accepted:
        assert process.poll() is None, ended(process)
        assert time.monotonic() < limit
        time.sleep(0.02)
    process.kill()
    ended(process)


def test_a_lost_operation_is_found_in_the_statement_and_fetched(
    shell: Shell, started: Started, file: Path, service: Emulator
) -> None:
    """Killed after the service took the request: found by time and model, waited for, paid once."""
    killed_in_a_submit(started, service, file, Fault.silence(accepted=True))
    before = shell("audit", "out")
    assert before.status == 3
    assert "1 job is unknown" in before.out
    usage = statement_of(service.bill)
    told = shell("audit", "out", "--statement", usage)
    assert (told.status, "found: one row" in told.out) == (3, True)
    settled = shell("audit", "out", "--statement", usage, "--settle")
    assert (settled.status, "Settled: 1 job" in settled.out) == (0, True)
    assert shell("resume", "--out", "out", *SOON).status == 0
    assert [bool(line["files"]) for line in manifest(Path("out"))] == [True, True]
    assert (service.bill.times(prompt="first"), service.bill.times(prompt="second")) == (1, 1)
    assert shell("audit", "out", "--statement", usage).status == 0


def test_a_request_that_never_arrived_is_proven_so_and_sent_again(
    shell: Shell, started: Started, file: Path, service: Emulator
) -> None:
    """Killed before the service took it: no row, so nothing is owed, and a retry is no second payment."""
    killed_in_a_submit(started, service, file, Fault.silence())
    assert shell("audit", "out").status == 3
    settled = shell("audit", "out", "--statement", statement_of(service.bill), "--settle")
    assert (settled.status, "never started" in settled.out) == (0, True)
    assert shell("batch", file, "--out", "out", "--retry-failed", *SOON).status == 0
    assert (service.bill.times(prompt="first"), service.bill.times(prompt="second")) == (1, 1)


def test_sent_again_at_ones_own_risk_both_jobs_are_linked(
    shell: Shell, started: Started, file: Path, service: Emulator
) -> None:
    """The money at stake is told before; the audit shows which replaces which, and still says unknown."""
    killed_in_a_submit(started, service, file, Fault.silence(accepted=True))
    again = shell("batch", file, "--out", "out", "--resubmit-unknown", *SOON)
    assert again.status == 0
    assert (
        "1 request again that may be running already: about $0.80 (estimate) may be paid twice" in again.err
    )
    assert service.bill.times(prompt="second") == 2
    audit = shell("audit", "out")
    assert audit.status == 3
    assert "sent again: 1" in audit.out
    assert shell("batch", file, "--out", "out", "--resubmit-unknown", *SOON).status == 0
    assert service.bill.times(prompt="second") == 2


def test_no_more_is_sent_while_too_much_is_unknown(
    shell: Shell, started: Started, file: Path, service: Emulator
) -> None:
    """--max-unknown-cost holds until it is known what became of the jobs, or it is raised."""
    killed_in_a_submit(started, service, file, Fault.silence(accepted=True))
    write_lines(file, [{"prompt": "first"}, {"prompt": "second"}, {"prompt": "third"}])
    held = shell("batch", file, "--out", "out", "--max-unknown-cost", "0.5", *SOON)
    assert held.status == 3
    assert "max_unknown_cost" in held.err
    assert service.bill.times(prompt="third") == 0
    shell("audit", "out", "--statement", statement_of(service.bill), "--settle")
    assert shell("batch", file, "--out", "out", "--max-unknown-cost", "0.5", *SOON).status == 0
    assert service.bill.times(prompt="third") == 1


def test_after_a_restore_nothing_of_the_backup_is_sent(shell: Shell, file: Path, service: Emulator) -> None:
    """What the backup has as not sent may have been sent since: it is unknown."""
    service.faults.add("submit", Fault.insufficient_balance())
    assert shell("batch", file, "--out", "out", *SOON).status == 1  # stands still, the requests queued
    service.faults.clear()
    assert shell("resume", "--out", "out", "--after-restore", *SOON).status == 3
    assert len(service.bill) == 0
    assert {line["state"] for line in manifest(Path("out"))} == {"unknown"}


def test_prune_takes_the_words_and_leaves_the_accounts(shell: Shell, file: Path, service: Emulator) -> None:
    """Prompts are gone from the ledger's file, the money and the key stay: the batch is still known."""
    assert shell("batch", file, "--out", "out", *SOON).status == 0
    before = shell("audit", "out").out
    kept = shell("prune", "out", "--older-than", "1d")
    assert (kept.status, kept.out.split()[0]) == (0, "0")
    [gone] = shell("prune", "out", "--older-than", "0m", "--json").events
    assert gone["jobs"] == 2
    assert shell("audit", "out").out == before
    assert all(job["request"] is None for job in shell("jobs", "--out", "out", "--json").events)
    assert shell("batch", file, "--out", "out", *SOON).status == 0
    assert len(service.bill) == 2


def test_salvage_lists_the_operations_of_a_torn_ledger(shell: Shell, file: Path, service: Emulator) -> None:
    """Names that are paid for, whatever is left of the file; they can be fetched by them."""
    assert shell("batch", file, "--out", "out", *SOON).status == 0
    ledger = Path("out", "jobs.db")
    content = ledger.read_bytes()
    ledger.write_bytes(b"\0" * 200 + content[200:])
    assert shell("audit", "out").status == 2
    found = shell("audit", "out", "--salvage")
    assert found.status == 0
    assert sorted(found.out.split()) == sorted(service.bill.operations)
    told = shell("audit", "out", "--salvage", "--json").events
    assert [line["operation"] for line in told] == found.out.split()
    Path("empty.db").touch()
    assert shell("audit", "empty.db", "--salvage").status == 1
