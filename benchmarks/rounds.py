"""Runs of two clients by turns, so that other load hits both alike; medians of them, and their ratio."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from machine import pin
from measuring import served
from peers import GENAI, environment
from serving import fake_server

HERE = Path(__file__).parent
LIMIT_S = 300
OURS, GENAIS = "ours.py", "genai.py"
Measures = dict[str, Any]
"""What one run of a client found."""


def launched(script: str, *arguments: str, variables: Mapping[str, str] | None = None) -> Measures:
    """Run a script beside this on the first core, and return what it prints as JSON."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / script), *arguments], stdout=subprocess.PIPE, text=True, env=variables
    )
    pin(process.pid, first=True)
    printed, _ = process.communicate(timeout=LIMIT_S)
    if process.returncode:
        raise RuntimeError(f"{script} {arguments[0]} failed")
    found: Measures = json.loads(printed)
    return found


@frozen(kw_only=True)
class Setting:
    """How the suite is run."""

    folder: Path
    """Where peers are installed."""
    results: Path = HERE
    """Where plots are written."""
    rounds: int = 3
    seconds: float = 4.0
    """How long a steady state is measured."""
    large: bool = False
    """Also what takes long."""
    profile: bool = False
    """Tell where the time goes, for our own clients."""

    def run(self, script: str, scenario: str, **options: Any) -> Measures:
        """Run one client against a server of its own, and return what both have seen."""
        requirements = GENAI if script == GENAIS else ()
        with fake_server() as port:
            flags = ["--profile"] if self.profile and script == OURS else []
            found = launched(
                *(script, scenario, str(port), json.dumps(options), *flags),
                variables=environment(requirements, self.folder),
            )
            return {"server": served(port), **found}

    def compare(
        self,
        scenario: str,
        ours: Mapping[str, Any],
        genai: Mapping[str, Any] | None = None,
        *,
        genai_scenario: str | None = None,
    ) -> Comparison:
        """Run ours and google-genai by turns; what both take the same is given once, as `ours`."""
        theirs = ours if genai is None else genai
        return alternate(
            self.rounds,
            lambda: self.run(OURS, scenario, **ours),
            lambda: self.run(GENAIS, genai_scenario or scenario, **theirs),
        )


@frozen
class Comparison:
    """The runs of two clients, in the order in which they were made."""

    ours: tuple[Measures, ...]
    theirs: tuple[Measures, ...]

    def our(self, name: str) -> float:
        """Return the median of one of our measures."""
        return statistics.median([float(measures[name]) for measures in self.ours])

    def their(self, name: str) -> float:
        """Return the median of one of theirs."""
        return statistics.median([float(measures[name]) for measures in self.theirs])

    def ratio(self, name: str) -> float:
        """Return ours by theirs."""
        return self.our(name) / self.their(name)

    def details(self, name: str) -> dict[str, Any]:
        """Return the single rounds of one measure, and the profile of the last of ours if there is one."""
        rounds = {
            side: [run[name] for run in runs] for side, runs in (("ours", self.ours), ("theirs", self.theirs))
        }
        profile = self.ours[-1].get("profile")
        return {"measure": name, **rounds, **({"profile": profile} if profile else {})}


def alternate(rounds: int, ours: Callable[[], Measures], theirs: Callable[[], Measures]) -> Comparison:
    """Run two clients by turns, each first in every second round."""
    measured: tuple[list[Measures], list[Measures]] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            measured[side].append((ours, theirs)[side]())
    return Comparison(tuple(measured[0]), tuple(measured[1]))
