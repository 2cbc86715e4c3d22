"""A server as another process, on the other core."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from machine import pin

FAST = (sys.executable, str(Path(__file__).with_name("fake_server.py")))


@contextmanager
def fake_server(command: Sequence[str] = FAST) -> Generator[int]:
    """Run a server that prints its port and ends with its standard input; yield the port."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    pin(process.pid, first=False)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()
