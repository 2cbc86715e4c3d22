"""A guard: our own work for each status check, counted in calls of our functions, must not grow by half.

Calls and not seconds: they are the same on a busy machine. Coroutines count each time they go on.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest

import veo_async
from veo_async import Limits, PollPolicy, Provider, Rate, VeoSession

pytestmark = pytest.mark.anyio

CALLS_A_CHECK = 98.0
"""Seen, on CPython 3.11 to 3.13. Should you have made it less, write the new figure here."""
CALLS_A_LISTED_STATUS = 7.8
"""The same for each operation that a list of a hundred answers."""
GROWTH = 1.5
OPERATIONS = 100
OURS = str(Path(veo_async.__file__).parent)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on plain asyncio: its debug mode resumes coroutines more often."""
    return ("asyncio", {})


class Running(asyncio.Protocol):
    """Answers every check, and every list with all operations, that they run."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        path = data.split(b" ", 2)[1]
        is_list = b"/operations?" in path
        self.counts["lists" if is_list else "checks"] += 1
        body = b'{"name": "%s"}' % path.partition(b"/v1beta/")[2]
        if is_list:
            body = b'{"operations": [%s]}' % b", ".join(b'{"name": "%s"}' % name.encode() for name in NAMES)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)


NAMES = [f"models/veo/operations/op{number}" for number in range(OPERATIONS)]


@contextmanager
def counting(calls: Counter[CodeType]) -> Generator[None]:
    """Count the calls of our own functions."""

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            calls[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


async def work(*, can_list: bool) -> tuple[Counter[CodeType], Counter[str]]:
    """Watch operations that never end for some rounds; return our calls and the requests."""
    counts: Counter[str] = Counter()
    calls: Counter[CodeType] = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: Running(counts), "127.0.0.1", 0)
    async with server:
        provider = Provider.gemini(
            api_key="sk-0123456789",
            base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            can_list=can_list,
            limits=Limits(checks=Rate(400, per=1)),
        )
        poll = PollPolicy(max_interval=2.5 if can_list else 0.75, min_interval=0.25)
        async with VeoSession(provider, poll=poll, on_exit="abort") as veo:
            await veo.attach_many(NAMES)
            await asyncio.sleep(1.5)  # connections are made, first checks are over
            counts.clear()
            with counting(calls):
                await asyncio.sleep(2)
            counted = counts.copy()
    return calls, counted


def most(calls: Counter[CodeType], answers: int) -> str:
    """Return where the calls are, for whoever has to mend it."""
    return "\n".join(
        f"{count / answers:6.2f} {Path(code.co_filename).name}:{code.co_firstlineno} {code.co_qualname}"
        for code, count in calls.most_common(40)
    )


async def test_a_status_check_takes_no_more_of_our_calls_than_it_did() -> None:
    calls, counts = await work(can_list=False)
    assert counts["checks"] >= OPERATIONS
    a_check = calls.total() / counts["checks"]
    assert a_check <= GROWTH * CALLS_A_CHECK, most(calls, counts["checks"])
    assert a_check >= CALLS_A_CHECK / GROWTH, f"it is {a_check:.1f} now: record it"


async def test_a_status_through_a_list_takes_no_more_of_our_calls_than_it_did() -> None:
    calls, counts = await work(can_list=True)
    assert counts["lists"] >= 2
    assert counts["checks"] <= OPERATIONS / 10
    answers = counts["lists"] * OPERATIONS
    a_status = calls.total() / answers
    assert a_status <= GROWTH * CALLS_A_LISTED_STATUS, most(calls, answers)
    assert a_status >= CALLS_A_LISTED_STATUS / GROWTH, f"it is {a_status:.1f} now: record it"
