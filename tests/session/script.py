"""A provider that follows a script, and a loop whose time is virtual."""

from __future__ import annotations

import asyncio
import inspect
import json
import selectors
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from attrs import define, field

from veo_async.errors import LedgerError
from veo_async.ledger.memory import MemoryLedger
from veo_async.ledger.money import Caps
from veo_async.ledger.records import Change, JobRecord
from veo_async.ledger.rules import unless_taken
from veo_async.transport import LostFailure, NotSentFailure
from veo_async.wire import Request, Response

BASE = "https://gateway.example"
MODEL = "veo-3.1-fast-generate-preview"
KEY = "sk-test-0123456789abcdef"

Answer = Response | Exception
Script = Callable[[int, Request], Answer | Awaitable[Answer]]


class _JumpingSelector(selectors.DefaultSelector):
    """Never blocks: where a loop would sleep, its clock jumps instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(0.5)  # a thread is at work
        if not ready and timeout:
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which hours pass in no time."""

    def __init__(self) -> None:
        self.now = 1_000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002
        """Wait for the threads in real time: a time limit would pass at once here."""
        await super().shutdown_default_executor()


def ok(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    loop = asyncio.get_running_loop()
    return Response(status=status, headers=headers or {}, body=json.dumps(body).encode(), sent_at=loop.time())


def accepted(number: int) -> Response:
    """Return the answer to a submit that was taken."""
    return ok({"name": f"models/{MODEL}/operations/op{number}"})


def running(name: str) -> Response:
    """Return the answer to a check of an operation that is not done."""
    return ok({"name": name})


def done(name: str) -> Response:
    """Return the answer to a check of an operation that has a video."""
    samples = [{"video": {"uri": f"{BASE}/v1beta/files/{name.rsplit('/', 1)[-1]}:download?alt=media"}}]
    response = {"generateVideoResponse": {"generatedSamples": samples}}
    return ok({"name": name, "done": True, "response": response})


def listed(
    *names: str, at: float | None = None, token: str | None = None, date: str | None = None
) -> Response:
    """Return a page of running operations, created now or at an instant of the wall clock."""
    created = datetime.fromtimestamp(time.time() if at is None else at, UTC).isoformat()
    entries = [{"name": name, "metadata": {"createTime": created}} for name in names]
    body = {"operations": entries, **({"nextPageToken": token} if token else {})}
    return ok(body, headers={} if date is None else {"date": date})


def operation_of(request: Request) -> str:
    """Return the operation that a check asks for."""
    return request.url.split("/v1beta/", 1)[1]


@define
class ScriptedTransport:
    """Stands in for `Transport`: answers by script, keeps ARM's order, records what was sent and when."""

    submits: Script = field(default=lambda number, _: accepted(number))
    checks: Script = field(default=lambda _, request: done(operation_of(request)))
    lists: Script = field(default=lambda _, __: listed())
    sent: list[Request] = field(factory=list[Request])
    checked: list[tuple[float, str]] = field(factory=list[tuple[float, str]])
    listings: list[float] = field(factory=list[float])
    connected: int = 0
    """Submits that had a connection, whether they were then armed or not."""
    closed: bool = False

    def __call__(self, **_: object) -> ScriptedTransport:
        return self

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        self.closed = True

    async def submit(self, request: Request, arm: Callable[[], Awaitable[None]]) -> Response:
        answer = self.submits(self.connected, request)
        if isinstance(answer, NotSentFailure):
            raise answer
        self.connected += 1
        with _closing(answer):
            await arm()
            self.sent.append(request)
            return await _given(answer)

    async def send(self, request: Request) -> Response:
        if "/operations?" in request.url:
            self.listings.append(asyncio.get_running_loop().time())
            return await _given(self.lists(len(self.listings) - 1, request))
        self.checked.append((asyncio.get_running_loop().time(), operation_of(request)))
        return await _given(self.checks(len(self.checked) - 1, request))


@contextmanager
def _closing(answer: object) -> Generator[None]:
    """Close an answer that nobody came to wait for."""
    try:
        yield
    finally:
        if inspect.iscoroutine(answer):
            answer.close()


async def _given(answer: Answer | Awaitable[Answer]) -> Response:
    await asyncio.sleep(0.02)
    if not isinstance(answer, Response | Exception):
        answer = await answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def unreachable(_: int, __: Request) -> NotSentFailure:
    """Return the failure of a submit that had no connection."""
    return NotSentFailure("connection refused")


def unanswered(_: int, __: Request) -> LostFailure:
    """Return the failure of a submit whose answer did not come."""
    return lost()


def lost() -> LostFailure:
    """Return the failure of a request whose answer did not come."""
    return LostFailure("the server closed the connection")


class FlakyLedger(MemoryLedger):
    """A ledger whose disk fails as it is told to."""

    durable = True

    def __init__(self) -> None:
        super().__init__()
        self.fails: Callable[[Change], bool] = lambda _: False
        """Which writes fail."""
        self.spills = True
        """Whether the spill takes what fails."""
        self.spilled: list[Change] = []
        self.refused: list[Change] = []
        self.reopened = 0

    async def apply(self, change: Change, caps: Caps | None = None) -> JobRecord:
        if self.fails(change):
            self.refused.append(change)
            raise LedgerError("the disk is full")
        for kept in self.spilled:
            await super().apply(await self._unless_taken(kept))
        self.spilled.clear()
        return await super().apply(change, caps)

    async def _unless_taken(self, change: Change) -> Change:
        record = await self.get(change.job_id)
        if record is None or change.operation is None:
            return change
        return unless_taken(change, await self.find(record.provider, change.operation))

    async def spill(self, change: Change) -> None:
        if not self.spills:
            raise LedgerError("the spill failed too")
        self.spilled.append(change)

    async def reopen(self) -> None:
        self.reopened += 1
        if any(map(self.fails, self.refused)):
            raise LedgerError("the disk is full")
