"""What stands between a connection and the reader of its answers."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from yarl import URL

from veo_async.transport.connectors import JOURNEY, FramedConnector, Journey, MarkedConnector
from veo_async.transport.framing import FramedProtocol
from veo_async.transport.relays import BufferedProtocol, RelayProtocol

from .trap import Visit, trap

pytestmark = pytest.mark.anyio


class Reader(asyncio.Protocol):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)


def test_what_was_handed_on_stays_as_it_is_when_more_is_read() -> None:
    reader = Reader()
    protocol = BufferedProtocol(reader)
    for piece in (b"first", b"next"):
        protocol.get_buffer(-1)[: len(piece)] = piece
        protocol.buffer_updated(len(piece))
    assert reader.pieces == [b"first", b"next"]


async def silent(_: Visit) -> None:
    """Answer nothing."""


@pytest.mark.parametrize(
    ("kind", "relay"), [(MarkedConnector, BufferedProtocol), (FramedConnector, FramedProtocol)]
)
async def test_a_connection_has_one_relay_for_all_its_answers(
    kind: type[MarkedConnector], relay: type[RelayProtocol]
) -> None:
    seen = list[object]()
    async with trap(silent) as server, kind() as connector:
        request = aiohttp.ClientRequest("GET", URL(server.url()))
        for _ in range(2):
            JOURNEY.set(Journey(10))
            connection = await connector.connect(request, [], aiohttp.ClientTimeout())
            assert connection.transport is not None
            seen.append(connection.transport.get_protocol())
            connection.release()
    assert isinstance(seen[0], relay)
    assert seen[1] is seen[0]
