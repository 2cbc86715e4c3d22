"""Real traffic runs without asyncio's debug mode, which makes it many times slower."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.end_to_end.departures import Departures
from veo_async.transport import Transport
from veo_async.wire import Request, Response


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on plain asyncio."""
    return ("asyncio", {})


@pytest.fixture
def departures(monkeypatch: pytest.MonkeyPatch) -> Departures:
    """Note when each request that was answered left."""
    noted = Departures()
    send, submit = Transport.send, Transport.submit

    async def noted_send(self: Transport, request: Request) -> Response:
        response = await send(self, request)
        noted.checks.append(response.sent_at)
        return response

    async def noted_submit(self: Transport, request: Request, arm: Callable[[], Awaitable[None]]) -> Response:
        response = await submit(self, request, arm)
        noted.submits.append(response.sent_at)
        return response

    monkeypatch.setattr(Transport, "send", noted_send)
    monkeypatch.setattr(Transport, "submit", noted_submit)
    return noted
