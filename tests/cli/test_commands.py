"""The other commands: each does what its help says."""

from __future__ import annotations

import importlib.util
import signal
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from veo_async import __version__
from veo_async.answers import Lost, Missing, NotSent, RefusalKind, Refused, Running, Unreadable
from veo_async.cli import main
from veo_async.cli.doctor import clock_finding, judge
from veo_async.cli.estimating import shares
from veo_async.cli.operations import status_of
from veo_async.emulator import Emulator
from veo_async.models import VideoRequest
from veo_async.providers import Provider

from .shell import FAST, SOON, Shell, Started, bill_of, ended, write_lines

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_generate_makes_one_video_and_the_same_again_another(shell: Shell) -> None:
    """A decided prompt is made anew by the same command; its files have names of their own."""
    command = ("generate", "A fox reads", "--duration-seconds", "4", "--out", "out", *FAST)
    assert shell(*command).status == 0
    assert shell(*command).status == 0
    names = sorted(path.name for path in Path("out").glob("*.mp4"))
    assert len(names) == 2
    assert all(name.startswith("a-fox-reads-") for name in names)
    assert bill_of(Path("out")) == {"A fox reads": 2}


def test_generate_takes_all_fields(shell: Shell) -> None:
    """Flags become fields of the request, as `jobs` shows."""
    picture = EXAMPLES / "boat.png"
    flags = ("--image", picture, "--aspect-ratio", "9:16", "--no-enhance-prompt", "--model", "veo-3.1")
    assert shell("generate", "a", *flags, "--out", "out", *FAST).status == 0
    [job] = shell("jobs", "--out", "out", "--json").events
    assert job["request"]["aspect_ratio"] == "9:16"
    assert job["request"]["enhance_prompt"] is False
    assert job["model"] == "veo-3.1-generate-preview"
    assert job["request"]["image"]["mime_type"] == "image/png"


def test_generate_says_what_is_wrong_before_anything_is_sent(shell: Shell) -> None:
    """The checks of a batch hold for a single prompt."""
    ran = shell("generate", "a", "--image", "none.png", "--out", "out", *FAST)
    assert (ran.status, Path("out").exists()) == (2, False)
    assert "no such file" in ran.err


def test_jobs_lists_what_the_ledger_holds(shell: Shell, tmp_path: Path) -> None:
    """Lines for people, JSON for programs, and only one state if asked."""
    file = write_lines(tmp_path / "a.jsonl", [{"id": "x", "prompt": "a"}, {"id": "y", "prompt": "forbidden"}])
    shell("batch", file, "--out", "out", *FAST)
    listed = shell("jobs", "--out", "out")
    assert listed.status == 0
    assert "x: a" in listed.out
    assert listed.out.splitlines()[-1] == "1 succeeded · 1 filtered"
    [filtered] = shell("jobs", "--ledger", "out/jobs.db", "--state", "filtered", "--json").events
    assert (filtered["key"], filtered["state"], filtered["provider"]) == ("id:y", "filtered", "emulator")


def test_estimate_is_dated_and_needs_no_key(shell: Shell) -> None:
    """Money by model and resolution, and the month its prices are of."""
    ran = shell("estimate", EXAMPLES / "prompts.jsonl")
    assert ran.status == 0
    assert "8 requests: about $6.36, an estimate" in ran.out.replace("\n", " ")
    [told] = shell("estimate", EXAMPLES / "prompts.jsonl", "--json").events
    assert (told["estimate"], told["without_price"]) == (6.36, 0)
    assert len(told["prices_of"]) == len("2026-09")


def test_what_has_no_price_is_not_counted_as_free() -> None:
    """A model that is not known makes its share unknown."""
    [share] = shares([VideoRequest("a", model="nobodys-model", duration_seconds=4, sample_count=2)])
    assert (share.dollars, share.seconds) == (None, 8)


@pytest.fixture
def operation(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An operation that was started elsewhere, at a service of this machine."""
    with Emulator(waiting=0.2, clip="tiny").in_thread() as emulator:
        monkeypatch.setenv("VEO_PROVIDER", "gemini")
        monkeypatch.setenv("VEO_BASE_URL", emulator.base_url)
        monkeypatch.setenv("VEO_API_KEY", emulator.key)
        shell("generate", "a", "--out", "elsewhere", *SOON)
        yield emulator.bill.operations[0]


def test_status_wait_and_download_of_anybodys_operation(shell: Shell, operation: str) -> None:
    """By full name or by id and model; `--raw` is the answer as it came."""
    assert shell("status", operation).out.split()[:2] == ["succeeded", operation]
    short = operation.rpartition("/")[2]
    assert shell("status", short, "--model", "veo-3.1-fast", "--json").events[0]["state"] == "succeeded"
    assert shell("status", operation, "--raw").events[0]["done"] is True
    missing = shell("status", "nobodys", "--model", "veo-3.1-fast")
    assert (missing.status, missing.out.split()[0]) == (1, "missing")
    assert shell("wait", operation, operation).status == 0
    assert shell("wait", operation, "--raw").events[0]["answer"]["done"] is True

    assert shell("download", operation, "--out", "here").status == 0
    assert Path("here", f"{short}.mp4").stat().st_size > 1000
    again = shell("download", operation, "--out", "here")
    assert again.status == 1
    assert [path.name for path in Path("here").glob("*.mp4")] == [f"{short}.mp4"]


def test_a_name_that_is_none_is_told(shell: Shell, operation: str) -> None:
    """A short name needs its model."""
    ran = shell("wait", operation.rpartition("/")[2])
    assert ran.status == 2
    assert "model" in ran.err


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (Running(progress=0.5), "running"),
        (Missing(gone=True), "missing"),
        (Refused(kind=RefusalKind.AUTHENTICATION, message="no"), "refused"),
        (Unreadable(message="html"), "unreadable"),
        (NotSent(reason="refused"), "unreachable"),
        (Lost(reason="reset"), "unreachable"),
    ],
)
def test_every_answer_has_a_word(answer: Any, word: str) -> None:
    """No answer to a status check is without one."""
    assert status_of(answer).word == word


def test_doctor_finds_all_well_with_the_emulator(shell: Shell) -> None:
    """Nothing stands in the way, and nothing is left behind."""
    ran = shell("doctor", "--provider", "emulator", "--out", "out", "--json")
    assert ran.status == 0
    assert {"python", "packages", "extra cli", "file system", "provider", "clock"} <= {
        event["what"] for event in ran.events
    }
    assert not Path("out").exists()


def test_doctor_never_shows_a_key(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are named, their values are not."""
    monkeypatch.setenv("VEO_API_KEY", "sk-secret-value")
    ran = shell("doctor", "--provider", "gemini", "--base-url", "http://127.0.0.1:9")
    assert ran.status == 1
    assert "VEO_API_KEY" in ran.out
    assert "cannot be reached" in ran.out
    assert "sk-secret-value" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("answer", "verdict", "told"),
    [
        (Missing(), "good", "takes the key"),
        (Refused(kind=RefusalKind.AUTHENTICATION, message="Invalid signature"), "bad", "refuses the key"),
        (Refused(kind=RefusalKind.BALANCE, message="empty"), "bad", "no money"),
        (Refused(kind=RefusalKind.SERVER, message="oops"), "note", "oops"),
        (NotSent(reason="refused"), "bad", "cannot be reached"),
        (Unreadable(message="html"), "note", "not as expected"),
    ],
)
def test_doctor_explains_the_answer(answer: Any, verdict: str, told: str) -> None:
    """Each answer about nobody's operation says something of the provider."""
    provider = Provider.gemini(api_key="k", base_url="https://host.example")
    finding = judge(provider, answer)
    assert finding.verdict == verdict
    assert told in finding.told


@pytest.mark.parametrize(
    ("skew", "verdict"), [(None, "note"), (2.0, "good"), (-300.0, "bad"), (300.0, "bad")]
)
def test_a_clock_that_is_off_is_told(skew: float | None, verdict: str) -> None:
    """A minute is the most that passes."""
    assert clock_finding(skew).verdict == verdict


def test_emulate_says_where_it_is_and_prints_its_bill(started: Started) -> None:
    """Base URL and key first, the bill at the end."""
    process = started("emulate", "--json", "--clip", "tiny")
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert '"base_url": "http://127.0.0.1:' in ready
    process.send_signal(signal.SIGINT)
    status, out, err = ended(process)
    assert (status, err) == (0, "")
    assert '"operations": 0' in out


def test_a_taken_port_is_told(shell: Shell) -> None:
    """No traceback for a port that somebody has."""
    with Emulator(clip="tiny").in_thread() as emulator:
        ran = shell("emulate", "--port", emulator.base_url.rpartition(":")[2])
    assert ran.status == 2
    assert "cannot be opened" in ran.err


def test_version_and_help(shell: Shell) -> None:
    """Both go to standard output and end with 0."""
    assert shell("--version").out.strip() == __version__
    helped = shell("--help")
    assert helped.status == 0
    for command in (
        "generate",
        "batch",
        "resume",
        "status",
        "wait",
        "download",
        "jobs",
        "estimate",
        "emulate",
    ):
        assert command in helped.out


def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base install has the command, and the command says how to make it work."""
    find = importlib.util.find_spec

    def find_all_but_one(name: str) -> ModuleSpec | None:
        return None if name == "cyclopts" else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_all_but_one)
    assert main([]) == 2
    err = capsys.readouterr().err
    assert err == "veo-async needs cyclopts: pip install 'veo-async[cli]'\n"


def test_the_examples_run(shell: Shell) -> None:
    """The prompts in examples/ show a success of every kind and one that the filter holds back."""
    ran = shell("batch", EXAMPLES / "prompts.jsonl", "--out", "out", *FAST)
    assert ran.status == 1
    assert "7 succeeded · 1 filtered" in ran.out
