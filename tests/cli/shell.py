"""Runs the command line as a user does: in a process of its own, or quickly in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import veo_async
from veo_async.cli import main
from veo_async.emulator.jobs import SQLiteStore

SOON = ("--expected-wait", "0.1")
"""For a service that is quicker than any real one."""
FAST = ("--provider", "emulator", "--emulator-waiting", "0.05", "--emulator-clip", "tiny")


@frozen
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its output, where that is JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.events if event["event"] == kind]


class Shell:
    """Runs commands in this process and catches what they write."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Ran:
        self._capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return Ran(status, captured.out, captured.err)


class Started:
    """Commands in processes of their own, none of which outlives its test."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "veo_async", *map(str, arguments)]
        # The very package that is tested, installed or not, wherever the test has gone to.
        env = os.environ | {"PYTHONPATH": str(Path(veo_async.__file__).parents[1])}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env)
        self._processes.append(process)
        return process

    def end(self) -> None:
        """End those that still run."""
        for process in self._processes:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; its status and what it wrote."""
    out, err = process.communicate(timeout=40)
    return process.returncode, out, err


def bill_of(folder: Path) -> Counter[str]:
    """How often each prompt was accepted, by the emulator's own state: what was paid for."""
    if not (folder / "emulator.db").exists():
        return Counter()
    store = SQLiteStore(folder / "emulator.db")
    try:
        return Counter(job.order.prompt for job in store.load())
    finally:
        store.close()


def wait_for_bill(process: subprocess.Popen[str], folder: Path, number: int) -> None:
    """Wait until the emulator in a process has accepted so many requests."""
    while bill_of(folder).total() < number:
        assert process.poll() is None, ended(process)
        time.sleep(0.02)


def manifest(folder: Path) -> list[dict[str, Any]]:
    """The lines of a folder's manifest."""
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    """Write a batch file."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
