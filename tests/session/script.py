"""A provider that follows a script, and a loop whose time is virtual."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field

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


def operation_of(request: Request) -> str:
    """Return the operation that a check asks for."""
    return request.url.split("/v1beta/", 1)[1]


@define
class ScriptedTransport:
    """Stands in for `Transport`: answers by script, keeps ARM's order, records what was sent and when."""

    submits: Script = field(default=lambda number, _: accepted(number))
    checks: Script = field(default=lambda _, request: done(operation_of(request)))
    sent: list[Request] = field(factory=list[Request])
    checked: list[tuple[float, str]] = field(factory=list[tuple[float, str]])
    closed: bool = False

    def __call__(self, **_: object) -> ScriptedTransport:
        return self

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        self.closed = True

    async def submit(self, request: Request, arm: Callable[[], Awaitable[None]]) -> Response:
        number = len(self.sent)
        answer = self.submits(number, request)
        if isinstance(answer, NotSentFailure):
            raise answer
        await arm()
        self.sent.append(request)
        return await _given(answer)

    async def send(self, request: Request) -> Response:
        self.checked.append((asyncio.get_running_loop().time(), operation_of(request)))
        return await _given(self.checks(len(self.checked) - 1, request))


async def _given(answer: Answer | Awaitable[Answer]) -> Response:
    await asyncio.sleep(0.02)
    if not isinstance(answer, Response | Exception):
        answer = await answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def lost() -> LostFailure:
    """Return the failure of a request whose answer did not come."""
    return LostFailure("the server closed the connection")
