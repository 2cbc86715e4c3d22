"""The machine: which core a process is kept on, and what has to be said beside a figure."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

OURS = ("aiohttp", "anyio", "attrs", "cattrs", "pybase64", "uvloop")
"""Packages of our environment that figures depend on, as far as they are installed."""


def pin(process_id: int, *, first: bool) -> None:
    """Keep a process on one of two cores, where the system lets one choose and has two."""
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(process_id, {cores[0 if first else -1]})


def description() -> dict[str, str]:
    """Return machine and versions."""
    load = f"{os.getloadavg()[0]:.1f}"
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load before": load,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: version for name in OURS if (version := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
