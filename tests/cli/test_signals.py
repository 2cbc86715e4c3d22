"""However a run ends, nothing is lost and nothing is paid twice."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

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
