"""However a run ends, nothing is lost and nothing is paid twice."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from veo_async.emulator import Emulator
from veo_async.emulator.faults import Fault

from .shell import Shell, Started, bill_of, ended, manifest, wait_for_bill, write_lines

# Slow enough to be caught in the middle, whatever else the machine does: sends are spread over seconds.
SLOW = (
    "--provider",
    "emulator",
    "--emulator-waiting",
    "2",
    "--emulator-clip",
    "tiny",
    "--max-in-flight",
    "3",
)
# The very same emulator, its waits passing faster: what was begun slowly is soon done.
SOON = (*SLOW[:2], "--emulator-waiting", "0.05", *SLOW[4:6])
NAMES = [f"prompt {number}" for number in range(6)]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file of six requests."""
    return write_lines(tmp_path / "prompts.jsonl", [{"prompt": name} for name in NAMES])


@pytest.mark.parametrize(
    ("number", "resumes"), [(signal.SIGINT, False), (signal.SIGTERM, True)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupted_run_says_how_to_go_on_and_goes_on(
    shell: Shell, started: Started, prompts: Path, number: signal.Signals, resumes: bool
) -> None:
    """Exit 130, a manifest of what is open, and each prompt on the bill once in the end."""
    process = started("batch", prompts, "--out", "out", "--json", *SLOW)
    wait_for_bill(process, Path("out"), 3)
    process.send_signal(number)
    status, out, err = ended(process)
    assert status == 130
    assert "Interrupted; all is safe" in err
    assert f"veo-async batch {prompts} --out out" in err
    assert json.loads(out.splitlines()[-1])["event"] == "end"
    states = [line["state"] for line in manifest(Path("out"))]
    assert states.count("running") == 3
    assert set(states) <= {"running", "queued", "new", "withdrawn"}

    if resumes:  # needs no file, and keeps the manifest's lines
        assert shell("resume", "--out", "out", *SOON).status in {0, 1}
        lines = manifest(Path("out"))
        assert [line["request"]["prompt"] for line in lines] == NAMES
        assert sum(bool(line["files"]) for line in lines) >= 3
    assert shell("batch", prompts, "--out", "out", *SOON).status == 0
    assert bill_of(Path("out")) == dict.fromkeys(NAMES, 1)


def test_a_second_signal_ends_at_once(shell: Shell, started: Started, prompts: Path) -> None:
    """Two signals still leave a manifest, and a ledger that goes on."""
    process = started("batch", prompts, "--out", "out", *SLOW)
    wait_for_bill(process, Path("out"), 3)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    status, _, err = ended(process)
    assert status == 130
    assert "Traceback" not in err
    assert len(manifest(Path("out"))) == len(NAMES)
    assert shell("batch", prompts, "--out", "out", *SOON).status in {0, 3}
    assert max(bill_of(Path("out")).values()) == 1


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A service outside the process that is signalled."""
    with Emulator(waiting=0.1, clip="tiny").in_thread() as emulator:
        monkeypatch.setenv("VEO_PROVIDER", "gemini")
        monkeypatch.setenv("VEO_BASE_URL", emulator.base_url)
        monkeypatch.setenv("VEO_API_KEY", emulator.key)
        yield emulator


def wait_for_submit(emulator: Emulator) -> None:
    """Wait until the service has accepted a request."""
    while len(emulator.bill) == 0:
        time.sleep(0.02)


def test_a_request_that_is_being_sent_gets_its_answer(
    shell: Shell, started: Started, tmp_path: Path, service: Emulator
) -> None:
    """SIGTERM while the answer to a paid submit is on its way: the answer is taken, nothing new is sent."""
    service.faults.add("submit", Fault.drip(100), times=1)
    file = write_lines(tmp_path / "a.jsonl", [{"prompt": "a"}, {"prompt": "b"}])
    process = started("batch", file, "--out", "out", "--max-in-flight", "1", "--expected-wait", "0.1")
    wait_for_submit(service)
    process.send_signal(signal.SIGTERM)
    status, _, err = ended(process)
    assert status == 130
    sent, unsent = manifest(Path("out"))
    assert (sent["state"], sent["operation"]) == ("running", service.bill.operations[0])
    assert unsent["state"] in {"new", "queued", "withdrawn"}
    assert "1 video goes on at the provider; 1 request is not sent yet" in err
    assert shell("batch", file, "--out", "out", "--expected-wait", "0.1").status == 0
    assert (service.bill.times(prompt="a"), service.bill.times(prompt="b")) == (1, 1)


def test_what_a_second_signal_cuts_off_is_told(
    shell: Shell, started: Started, tmp_path: Path, service: Emulator
) -> None:
    """No answer is waited for any more: the request is unknown, and said to be so with what it may cost."""
    service.faults.add("submit", Fault.silence(accepted=True), times=1)
    file = write_lines(tmp_path / "a.jsonl", [{"prompt": "a"}])
    process = started("batch", file, "--out", "out")
    wait_for_submit(service)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)  # two in one instant would be one
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)
    assert status == 130
    assert [line["state"] for line in manifest(Path("out"))] == ["unknown"]
    assert "1 request may be billed (about $0.80 (estimate))" in err
    assert shell("audit", "out").status == 3
    assert service.bill.times(prompt="a") == 1


def test_a_killed_run_pays_nothing_twice(shell: Shell, started: Started, prompts: Path) -> None:
    """After SIGKILL each prompt is on the bill at most once; one that may have been sent says so."""
    process = started("batch", prompts, "--out", "out", *SLOW)
    wait_for_bill(process, Path("out"), 2)
    process.kill()
    ended(process)
    ran = shell("batch", prompts, "--out", "out", *SOON)
    paid = bill_of(Path("out"))
    assert max(paid.values()) == 1
    unknown = [line["request"]["prompt"] for line in manifest(Path("out")) if line["state"] == "unknown"]
    assert ran.status == (3 if unknown else 0)
    assert set(NAMES) - set(unknown) <= set(paid)
    assert [line["state"] for line in manifest(Path("out"))].count("succeeded") == len(NAMES) - len(unknown)


def test_two_runs_in_one_folder_do_not_mix(shell: Shell, started: Started, prompts: Path) -> None:
    """The second is told who has the folder; `jobs` reads it meanwhile."""
    process = started("batch", prompts, "--out", "out", *SLOW)
    wait_for_bill(process, Path("out"), 1)
    second = shell("batch", prompts, "--out", "out", *SLOW)
    assert second.status == 2
    assert str(process.pid) in second.err
    assert len(shell("jobs", "--out", "out", "--json").events) >= 1
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 130
