"""A service in a process of its own, as the soak sees it."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from attrs import frozen

__all__ = ["Remote", "serving"]

_LONGEST_LINE: Final = 64 << 20


@frozen
class Remote:
    """Where the service is, and a way to ask for its bill."""

    base_url: str
    key: str
    process: Process

    async def billed(self, prompts: Iterable[str]) -> dict[str, list[str]]:
        """Return which operations were accepted for each of these prompts."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(list(prompts)).encode() + b"\n")
        billed: dict[str, list[str]] = await _line(self.process)
        return billed


@asynccontextmanager
async def serving() -> AsyncGenerator[Remote]:
    """Start the service, and let it end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.soak.service", stdin=PIPE, stdout=PIPE, limit=_LONGEST_LINE
    )
    try:
        yield Remote(**await _line(process), process=process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def _line(process: Process) -> Any:
    assert process.stdout is not None
    return json.loads(await process.stdout.readline())
