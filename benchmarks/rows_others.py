"""Import times, and POSTs after a lost reply."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import lost_replies
from figures import Figure, Goal
from peers import NEWEST_GENAI, environment
from rounds import Measures, Setting, alternate

IMPORTS = 7
"""Fresh processes each."""
STATEMENTS = {
    "ours": "from veo_async import VeoSession, VideoRequest, Provider",
    "theirs": "from google import genai",
}


def imported(statement: str, variables: Mapping[str, str], bytecode: Path) -> Measures:
    """Return the CPU that an import takes in a fresh process, which keeps and finds bytecode."""
    variables = {**variables, "PYTHONPYCACHEPREFIX": str(bytecode)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # else a checkout is compiled anew each time
    script = f"import time; began = time.process_time(); {statement}; print(time.process_time() - began)"
    printed = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True
    ).stdout
    return {"cpu_ms": 1e3 * float(printed)}


def imports(setting: Setting) -> Sequence[Figure]:
    """Import both in fresh processes, once each before, so that bytecode is there."""
    places = {"ours": environment((), setting.folder), "theirs": environment(NEWEST_GENAI, setting.folder)}

    def run(side: str) -> Measures:
        return imported(STATEMENTS[side], places[side], setting.folder / "bytecode")

    for side in places:
        run(side)
    found = alternate(IMPORTS, lambda: run("ours"), lambda: run("theirs"))
    ours, theirs = found.our("cpu_ms"), found.their("cpu_ms")
    return [
        Figure(
            what="import of VeoSession, VideoRequest and Provider against google.genai",
            value=ours / theirs,
            unit="share",
            goal=Goal(most=1 / 6),
            note=f"{ours:.0f} ms against {theirs:.0f} of {NEWEST_GENAI[0]}",
            details=found.details("cpu_ms"),
        )
    ]


def posts(setting: Setting) -> Sequence[Figure]:
    """Let each client submit once to a server whose answer is lost."""

    async def most_of(name: str) -> int:
        ways = [lost_replies.posts_for(name, way, setting.folder) for way in lost_replies.WAYS]
        return max(posts for posts, _ in await asyncio.gather(*ways))

    async def count() -> dict[str, int]:
        names = tuple(lost_replies.PEERS)
        return dict(zip(names, await asyncio.gather(*map(most_of, names)), strict=True))

    most = asyncio.run(count())
    ours = most.pop("veo_async")
    return [
        Figure(
            what="POSTs for one paid submit whose reply is lost",
            value=ours,
            unit="count",
            goal=Goal(most=1),
            note=", ".join(f"{name} {posts}" for name, posts in most.items()),
            details={"theirs": most},
        )
    ]
