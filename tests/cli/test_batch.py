"""A batch is run, told, resumed, and never paid twice."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from veo_async.emulator import Emulator
from veo_async.emulator.faults import Fault

from .shell import FAST, SOON, Shell, bill_of, manifest, write_lines

PICTURE = Path(__file__).parents[2] / "examples" / "boat.png"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file with all that can happen to a request."""
    shutil.copy(PICTURE, tmp_path / "boat.png")
    return write_lines(
        tmp_path / "prompts.jsonl",
        [
            {"id": "boat", "prompt": "a boat", "image": "boat.png", "duration_seconds": 4},
            {"prompt": "a cat"},
            {"prompt": "a cat"},
            {"id": "filter", "prompt": "forbidden"},
            {"id": "policy", "prompt": "refuse-policy"},
            {"id": "fail", "prompt": "fail-internal"},
        ],
    )


def test_a_run_and_the_same_command_again(shell: Shell, prompts: Path) -> None:
    """Every line ends as it must; the second run sends nothing and tells the same."""
    first = shell("batch", prompts, "--out", "out", *FAST)
    assert first.status == 1
    assert first.out.splitlines()[-1].startswith(
        "3 succeeded · 1 filtered · 2 failed · $2.00 billed (estimate)"
    )
    lines = manifest(Path("out"))
    assert [line["state"] for line in lines] == [*["succeeded"] * 3, "filtered", "rejected", "failed"]
    assert [line["billed"] for line in lines] == ["yes"] * 3 + ["no", "no", "unknown"]
    assert lines[0]["files"][0]["path"] == "boat.mp4"
    for line in lines[:3]:
        [file] = line["files"]
        content = Path("out", file["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert len(content) == file["bytes"]
    paid = bill_of(Path("out"))
    assert paid == {"a boat": 1, "a cat": 2, "forbidden": 1, "fail-internal": 1}

    second = shell("batch", prompts, "--out", "out", *FAST)
    assert second.status == 1
    assert "6 decided before" in second.err
    assert manifest(Path("out")) == lines
    assert bill_of(Path("out")) == paid


def test_missing_files_are_fetched_again_and_changed_ones_left_alone(shell: Shell, prompts: Path) -> None:
    """A rerun fetches what is gone; a file that is no longer the video it was is not overwritten."""
    shell("batch", prompts, "--out", "out", *FAST)
    boat, cat = (Path("out", line["files"][0]["path"]) for line in manifest(Path("out"))[:2])
    cat.unlink()
    mine = b"m" * boat.stat().st_size
    boat.write_bytes(mine)
    shell("batch", prompts, "--out", "out", *FAST)
    assert cat.stat().st_size > 1000
    assert boat.read_bytes() == mine
    path = manifest(Path("out"))[0]["files"][0]["path"]
    assert path.startswith("boat-")
    assert Path("out", path).stat().st_size > 1000


def test_lines_may_move_and_the_folder_too(shell: Shell, tmp_path: Path) -> None:
    """Neither a line's number nor the folder's name is its identity."""
    lines = [{"prompt": "a"}, {"id": "x", "prompt": "b"}, {"prompt": "c"}]
    file = write_lines(tmp_path / "a.jsonl", lines)
    assert shell("batch", file, "--out", "one", *FAST).status == 0
    shutil.move("one", "two")
    write_lines(file, [{"prompt": "new"}, *reversed(lines)])
    again = shell("batch", file, "--out", "two", *FAST)
    assert (again.status, "1 to send" in again.err, "3 decided before" in again.err) == (0, True, True)
    assert bill_of(tmp_path / "two") == {"a": 1, "b": 1, "c": 1, "new": 1}
    assert all(len(line["files"]) == 1 for line in manifest(tmp_path / "two"))


def test_retry_failed_says_its_price_and_makes_new_jobs(shell: Shell, tmp_path: Path) -> None:
    """Each retry is one new job under a key of its own; the next plain run keeps it."""
    file = write_lines(tmp_path / "a.jsonl", [{"id": "x", "prompt": "forbidden"}, {"prompt": "a"}])
    shell("batch", file, "--out", "out", *FAST)
    retried = shell("batch", file, "--out", "out", "--retry-failed", *FAST)
    assert "--retry-failed sends 1 request again: about $0.80 (estimate) more" in retried.err
    assert manifest(Path("out"))[0]["attempt"] == 1
    shell("batch", file, "--out", "out", *FAST)
    assert bill_of(Path("out")) == {"forbidden": 2, "a": 1}


def test_broken_lines_are_told_at_once_and_nothing_is_sent(shell: Shell, tmp_path: Path) -> None:
    """Every broken line with its number and the remedy, exit 2; the good ones run with --keep-going."""
    (tmp_path / "text.png").write_text("no picture")
    file = tmp_path / "a.jsonl"
    write_lines(
        file,
        [
            {"prompt": "good"},
            {"prompt": " "},
            {"prompt": "a", "image": "none.png"},
            {"prompt": "a", "image": "text.png"},
            {"prompt": "a", "resolution": "1080p", "duration_seconds": 4},
            {"prompt": "a", "aspectRatio": "9:16"},
            {"id": "x", "prompt": "also good"},
            {"id": "x", "prompt": "b"},
        ],
    )
    with file.open("a") as stream:
        stream.write("{broken\n")
    ran = shell("batch", file, "--out", "out", *FAST)
    assert ran.status == 2
    assert not Path("out").exists()
    told = [line.removeprefix(f"{file}:") for line in ran.err.splitlines()[:-1]]
    assert [line.split(":")[0] for line in told] == ["2", "3", "4", "5", "6", "8", "9"]
    for text in (
        "empty",
        "no such file",
        "is no image",
        "needs duration_seconds=8",
        "aspect_ratio?",
        "line 7",
        "JSON",
    ):
        assert text in told.pop(0)

    going = shell("batch", file, "--out", "out", "--keep-going", *FAST)
    assert going.status == 1
    assert bill_of(Path("out")) == {"good": 1, "also good": 1}
    states = [line["state"] for line in manifest(Path("out"))]
    assert states == ["succeeded", *["invalid"] * 5, "succeeded", "invalid", "invalid"]


def test_a_changed_line_under_its_old_id_is_refused(shell: Shell, tmp_path: Path) -> None:
    """An id stands for one request in a folder: a changed one is no second try of it."""
    file = write_lines(tmp_path / "a.jsonl", [{"id": "x", "prompt": "a"}])
    shell("batch", file, "--out", "out", *FAST)
    write_lines(file, [{"id": "x", "prompt": "b"}])
    ran = shell("batch", file, "--out", "out", *FAST)
    assert ran.status == 2
    assert "give the changed line a new id" in ran.err
    assert bill_of(Path("out")) == {"a": 1}


def test_json_tells_every_move_and_nothing_else(shell: Shell, tmp_path: Path) -> None:
    """Standard output is JSON lines: begin, moves, one settled a request, end."""
    file = write_lines(tmp_path / "a.jsonl", [{"id": "x", "prompt": "a"}, {"prompt": "forbidden"}])
    ran = shell("batch", file, "--out", "out", "--json", *FAST)
    assert [event["event"] for event in (ran.events[0], ran.events[-1])] == ["begin", "end"]
    assert ran.events[0]["sends"] == 2
    doings = [event["doing"] for event in ran.of("moved") if event["id"] == "x"]
    assert doings == ["queued", "sending", "running", "downloading"]
    settled = {event["line"]: event for event in ran.of("settled")}
    assert (settled[1]["state"], settled[2]["state"]) == ("succeeded", "filtered")
    assert {name: settled[1][name] for name in manifest(Path("out"))[0]} == manifest(Path("out"))[0]
    assert (ran.events[-1]["succeeded"], ran.events[-1]["filtered"]) == (1, 1)


def test_max_cost_holds(shell: Shell, tmp_path: Path) -> None:
    """What would pass the limit is not sent, and a later run with a higher limit sends it."""
    file = write_lines(tmp_path / "a.jsonl", [{"prompt": "a"}, {"prompt": "b"}])
    held = shell("batch", file, "--out", "out", "--max-cost", "1", *FAST)
    assert held.status == 1
    assert "max_cost" in held.out
    assert bill_of(Path("out")).total() == 1
    assert shell("batch", file, "--out", "out", "--max-cost", "2", *FAST).status == 0
    assert bill_of(Path("out")) == {"a": 1, "b": 1}


def test_an_unknown_job_is_told_and_sent_again_only_at_ones_own_risk(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3; a rerun keeps it; --resubmit-unknown names the risk and sends it."""
    file = write_lines(tmp_path / "a.jsonl", [{"prompt": "a"}])
    monkeypatch.setenv("VEO_API_KEY", "emulator-key")
    with Emulator(waiting=0.1, clip="tiny").in_thread() as emulator:
        emulator.faults.add("submit", Fault.reset_after_reading(accepted=True), times=1)
        command = (
            "batch",
            file,
            "--out",
            "out",
            "--provider",
            "gemini",
            "--base-url",
            emulator.base_url,
            *SOON,
        )
        lost = shell(*command)
        assert (lost.status, manifest(Path("out"))[0]["billed"]) == (3, "unknown")
        assert "may be billed (about $0.80 (estimate))" in lost.err
        assert shell(*command).status == 3
        assert emulator.bill.times(prompt="a") == 1
        again = shell(*command, "--resubmit-unknown")
        assert again.status == 0
        assert "may be paid twice" in again.err
        assert emulator.bill.times(prompt="a") == 2


def test_a_refused_key_is_told_once_and_a_good_one_goes_on(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests stay queued under a wrong key, and the trace never holds a key."""
    file = write_lines(tmp_path / "a.jsonl", [{"prompt": name} for name in "abc"])
    with Emulator(waiting=0.1, clip="tiny", keys=("right-key-42",)).in_thread() as emulator:
        command = (
            "batch",
            file,
            "--out",
            "out",
            "--provider",
            "gemini",
            "--base-url",
            emulator.base_url,
            *SOON,
        )
        monkeypatch.setenv("VEO_API_KEY", "wrong-key-42")
        refused = shell(*command)
        assert refused.status == 1
        assert refused.err.count("Stopped:") == 1
        assert {line["state"] for line in manifest(Path("out"))} <= {"queued", "new"}
        monkeypatch.setenv("VEO_API_KEY", "right-key-42")
        assert shell(*command, "--trace", "wire.jsonl").status == 0
        assert all(emulator.bill.times(prompt=name) == 1 for name in "abc")
    wire = Path("wire.jsonl").read_text()
    assert '"kind": "submit"' in wire
    assert "key-42" not in wire


def test_urgent_lines_are_sent_first(shell: Shell, tmp_path: Path) -> None:
    """A line's own priority, else that of the command; and another one later is no other request."""
    lines = [{"prompt": "a", "priority": "normal"}, {"prompt": "b"}, {"prompt": "c", "priority": "urgent"}]
    file = write_lines(tmp_path / "prompts.jsonl", lines)
    ran = shell("batch", file, "--out", "out", "--priority", "bulk", "--max-in-flight", "1", "--json", *FAST)
    assert ran.status == 0
    sent = sorted(manifest(Path("out")), key=lambda line: line["timings"]["armed_at"])
    assert [line["request"]["prompt"] for line in sent] == ["c", "a", "b"]
    assert shell("batch", file, "--out", "out", "--priority", "urgent", *FAST).status == 0
    assert bill_of(Path("out")) == {"a": 1, "b": 1, "c": 1}


def test_csv_text_and_standard_input(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same requests are the same jobs, whatever form their file has."""
    (tmp_path / "a.csv").write_text("prompt,duration_seconds\na,4\n")
    assert shell("batch", "a.csv", "--out", "out", *FAST).status == 0
    piped = tmp_path / "piped"
    piped.write_text('{"prompt": "a", "duration_seconds": 4}\n{"prompt": "b"}\n')
    with piped.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert shell("batch", "-", "--out", "out", *FAST).status == 0
    (tmp_path / "a.txt").write_text("b\n\n")
    assert shell("batch", "a.txt", "--out", "out", *FAST).status == 0
    assert bill_of(Path("out")) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("batch", "none.jsonl"), "none.jsonl cannot be read"),
        (("batch", "empty.txt"), "holds no request"),
        (("batch", "empty.txt", "--provider", "nobody"), "holds no request"),
        (("batch",), "requires an argument"),
        (("batch", "empty.txt", "--key", "abc"), "Unknown option"),
        (("resume", "--out", "nowhere"), "holds no jobs.db"),
        (("jobs", "--out", "nowhere"), "no such ledger"),
        (("generate", ""), "no key found"),
        (("generate", "", "--provider", "emulator"), "the prompt is empty"),
        (("generate", "a", "--max-cost", "0"), "--max-cost"),
        (("generate", "a", "--submits-per-minute", "-1"), "--submits-per-minute"),
        (("emulate", "--filter-share", "2"), "--filter-share"),
        (("wait",), "name at least one operation"),
        (("nonsense",), "Unknown command"),
    ],
)
def test_a_wrong_command_line_is_told_and_ends_with_2(
    shell: Shell, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """What is wrong is said on standard error, without a traceback."""
    (tmp_path / "empty.txt").write_text("\n")
    ran = shell(*arguments)
    assert ran.status == 2
    assert told in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
