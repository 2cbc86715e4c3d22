"""Connections, and the instant between a ready connection and a request's first byte.

aiohttp calls a connector's public `connect()` once it needs a connection, and writes the request's head after
it returns. So what is done there stands between the two: what fails before is provably unsent, and when it
raises, nothing is sent. A trace hook at the same place would leak the socket when it raises.

Which request `connect()` works for is told by a context variable: aiohttp awaits `connect()` in the task that
sends, so each exchange sees its own journey, while a mapping keyed by aiohttp's request would need it
before it is made. Tasks that aiohttp starts to connect copy the context and see the same journey.
"""

from __future__ import annotations

import asyncio
import errno
import math
import socket
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, NamedTuple

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from veo_async.transport.addresses import is_public
from veo_async.transport.failures import UnreadableAnswer
from veo_async.transport.framing import FramedProtocol
from veo_async.transport.relays import BufferedProtocol, RelayProtocol

__all__ = [
    "JOURNEY",
    "FramedConnector",
    "HoldingConnector",
    "Journey",
    "MarkedConnector",
    "Watchdog",
    "guarded_socket",
]


HELD_S: Final = 15.0
"""How long a connection may have been idle to be used again: as long as aiohttp has it."""


class Journey:
    """What is known of one exchange: how far it got."""

    __slots__ = (
        "_arm",
        "_came_bytes",
        "_silent_looks",
        "_wire",
        "arm_error",
        "armed",
        "expired",
        "patience",
        "reader",
        "ready_at",
        "refused",
        "silence",
        "silent",
    )

    def __init__(
        self, patience: float, arm: Callable[[], Awaitable[None]] | None = None, silence: float = math.inf
    ) -> None:
        self.patience: float = patience
        """Seconds that the exchange may take from when its connection is ready."""
        self.silence: float = silence
        """Looks in a row that may find no new byte; infinite where aiohttp itself times each wait."""
        self.reader: aiohttp.StreamReader | None = None
        """The body that is read, once there is one."""
        self._arm = arm
        self._wire: asyncio.Transport | None = None
        self.armed: bool = False
        """True once the request may have left."""
        self.arm_error: tuple[BaseException, TracebackType | None] | None = None
        """What `arm` raised, with the part of its traceback that shows no header."""
        self.ready_at: float = 0.0
        """The loop's time when the connection was ready; 0: none was."""
        self.refused: str | None = None
        """An address that was refused."""
        self.expired: bool = False
        """True when the whole exchange took too long."""
        self.silent: bool = False
        """True when nothing came for too long."""
        self._silent_looks = 0
        self._came_bytes = 0

    def begin(self) -> None:
        """Refuse a second connection: aiohttp would send again by itself on finding one closed."""
        if self.armed:
            raise UnreadableAnswer("the server closed the connection before a whole answer")

    async def connected(self, loop: asyncio.AbstractEventLoop, wire: asyncio.Transport | None) -> None:
        """Run `arm`, then note the instant; when `arm` raises, nothing may be sent."""
        if self._arm is not None:
            try:
                await self._arm()
            except BaseException as error:
                self.arm_error = (error, error.__traceback__)
                raise
        self.ready_at = loop.time()
        self.armed = True
        self._wire = wire

    def look(self, now: float) -> None:
        """End an exchange that takes too long, and one whose connection is gone without its reader knowing.

        Never by cancelling a task: an answer that is already in hand is kept.
        """
        if self._wire is None:
            return
        self.expired = self.expired or now > self.ready_at + self.patience
        self.silent = self.silent or self._is_silent(self._wire)
        if self.expired or self.silent:
            self._wire.abort()
        if self._wire.is_closing():
            self._tell_reader()

    def _is_silent(self, wire: asyncio.Transport) -> bool:
        """Return whether too many looks found no new byte: a loop that stood still has had one look only."""
        came_bytes = 0 if self.reader is None else self.reader.total_bytes
        if came_bytes != self._came_bytes or not wire.is_reading():
            self._came_bytes, self._silent_looks = came_bytes, 0
            return False
        self._silent_looks += 1
        return self._silent_looks > self.silence

    def _tell_reader(self) -> None:
        # After a malformed chunk, aiohttp drops connection and timer, and its reader would wait for ever.
        reader = self.reader
        if reader is not None and not reader.is_eof() and reader.exception() is None:
            reader.set_exception(UnreadableAnswer("the body of the answer was cut short"))


class Watchdog:
    """Looks after all running exchanges with one timer, and none while there are none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, period: float) -> None:
        self._loop = loop
        self._period = period
        self._journeys: set[Journey] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, journey: Journey) -> None:
        """Watch `journey`."""
        self._journeys.add(journey)
        if self._timer is None:
            self._timer = self._loop.call_later(self._period, self._look)

    def discard(self, journey: Journey) -> None:
        """Watch `journey` no more."""
        self._journeys.discard(journey)

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        for journey in tuple(self._journeys):
            journey.look(now)
        self._timer = self._loop.call_later(self._period, self._look) if self._journeys else None


JOURNEY: ContextVar[Journey] = ContextVar("veo_async_journey")


class MarkedConnector(aiohttp.TCPConnector):
    """A connector that tells the journey when its connection is ready, and closes it should that fail."""

    relay: type[RelayProtocol] = BufferedProtocol

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a connection for `req` after its journey's `connected` went well."""
        journey = JOURNEY.get()
        journey.begin()
        connection = await self.ready(req, traces, timeout)
        wire, reader = connection.transport, connection.protocol
        if wire is not None and reader is not None:
            relay = wire.get_protocol()
            if isinstance(relay, RelayProtocol):  # a connection that served before
                relay.begin()
            else:
                wire.set_protocol(self.relay(reader))
        try:
            await journey.connected(self._loop, wire)
        except BaseException:
            connection.close()
            raise
        return connection

    async def ready(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a connection for `req`, one that served before if there is any."""
        return await super().connect(req, traces, timeout)

    def give_back(self, connection: Connection, req: aiohttp.ClientRequest) -> None:  # noqa: ARG002
        """Take a connection back; where its answer was not read to its end, it is closed."""
        connection.release()


class _Held(NamedTuple):
    """A connection that is ready, what it was made for, and since when it is idle."""

    connection: Connection
    req: aiohttp.ClientRequest
    since: float


class HoldingConnector(MarkedConnector):
    """For the short answers of one origin, one after the other on the same connections.

    They are held ready here: that aiohttp takes one in and hands it out is a twentieth of a status check.
    """

    def __init__(self, **options: Any) -> None:
        """Make ready to connect; `options` are those of `aiohttp.TCPConnector`."""
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]
        self._held: list[_Held] = []
        self._holds = True

    async def ready(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return the connection that served last, if that was for the same origin and not long ago.

        Args:
            req: Where to; one and the same object for each origin.
            traces: As for aiohttp.
            timeout: As for aiohttp.
        """
        now = self._loop.time()
        while self._held:
            held = self._held.pop()
            if held.req is not req:
                held.connection.release()
            elif now - held.since > HELD_S or not _is_reusable(held.connection):
                held.connection.close()
            else:
                return held.connection
        return await super().ready(req, traces, timeout)

    def give_back(self, connection: Connection, req: aiohttp.ClientRequest) -> None:
        """Hold a connection ready, unless its answer was not read to its end; let go of what is long idle."""
        if not (self._holds and _is_reusable(connection)):
            connection.release()
            return
        now = self._loop.time()
        self._held.append(_Held(connection, req, now))
        while now - self._held[0].since > HELD_S:
            self._held.pop(0).connection.close()

    def let_go(self) -> None:
        """Give all that are held back to aiohttp, which closes them, and hold no more."""
        self._holds = False
        while self._held:
            self._held.pop().connection.release()


def _is_reusable(connection: Connection) -> bool:
    protocol = connection.protocol
    return protocol is not None and protocol.is_connected() and not protocol.should_close


class FramedConnector(MarkedConnector):
    """For answers that are worth a closer look: nothing after one can spoil it."""

    relay: type[RelayProtocol] = FramedProtocol


_AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` gives it: family, type, protocol, canonical name, address."""


def guarded_socket(info: _AddressInfo) -> socket.socket:
    """Make the socket unless its address is private: the last point before a packet, after all look-ups."""
    family, kind, protocol, _, address = info
    host = str(address[0])
    if not is_public(host):
        journey = JOURNEY.get(None)
        if journey is not None:
            journey.refused = host
        raise PermissionError(errno.EACCES, f"the address {host} is not a public one")
    return socket.socket(family, kind, protocol)
