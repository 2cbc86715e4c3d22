"""CPU a status check: this library against a frozen script of bare aiohttp and json.

Both poll the same fast server, which runs in another process and, where there are two cores, on another core.
Runs alternate, so that other load hits both alike; what counts is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = ("bare_aiohttp.py", "our_session.py")


def pin(process_id: int, *, first: bool) -> None:
    """Keep a process on one of two cores, where the system lets one choose and has two."""
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(process_id, {cores[0 if first else -1]})


@contextmanager
def fake_server() -> Generator[int]:
    """Run the server and yield its port."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "fake_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    pin(process.pid, first=False)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def run(client: str, port: int, rate: int, seconds: float) -> float:
    """Run one client and return its CPU a check in microseconds."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / client), str(port), str(rate), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    pin(process.pid, first=True)
    printed, _ = process.communicate(timeout=seconds + 60)
    if process.returncode:
        raise SystemExit(f"{client} failed")
    found = json.loads(printed)
    share = found["checks"] / (rate * seconds)
    print(
        f"  {client:16} {found['cpu_us_a_check']:6.0f} µs a check, {100 * share:.0f} % of the asked rate",
        flush=True,
    )
    cpu_us: float = found["cpu_us_a_check"]
    return cpu_us


def main() -> None:
    """Alternate the clients and print the ratio."""
    parser = argparse.ArgumentParser(
        description="Measure the CPU of a status check, ours against bare aiohttp."
    )
    parser.add_argument("--rate", type=int, default=200, help="checks a second (default 200)")
    parser.add_argument("--seconds", type=float, default=10, help="measured seconds a run (default 10)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each client (default 5)")
    options = parser.parse_args()
    print(
        f"CPython {platform.python_version()}, aiohttp {version('aiohttp')}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores; {options.rate} checks a second"
    )
    measured: dict[str, list[float]] = {client: [] for client in CLIENTS}
    with fake_server() as port:
        for number in range(options.rounds):
            print(f"round {number + 1}")
            for client in CLIENTS if number % 2 else reversed(CLIENTS):
                measured[client].append(run(client, port, options.rate, options.seconds))
    bare, ours = (statistics.median(measured[client]) for client in CLIENTS)
    ratios = sorted(our / their for their, our in zip(*measured.values(), strict=True))
    print(f"median: bare {bare:.0f} µs, ours {ours:.0f} µs a check")
    print(
        f"ratio of medians {ours / bare:.3f}; of single rounds {ratios[0]:.3f} to {ratios[-1]:.3f}; goal 1.15"
    )


if __name__ == "__main__":
    main()
