"""The edge: one HTTP exchange at a time, no retries, no JSON, no sleep.

Three kinds of exchange, each with connections of its own:

- `send`: status checks and lists, over few kept-alive connections;
- `submit`: paid, over a fresh connection each, with `arm` between the connection and the first byte;
- `fetch`: one hop of a download, to anybody's public address.

What went wrong is told by how far the exchange got, never by the class of an exception.
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from math import ceil, inf
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp
from attrs import frozen
from yarl import URL

from veo_async.models import Media
from veo_async.options import Timeouts
from veo_async.origins import host_of, is_loopback, origin_of
from veo_async.transport.bodies import Outgoing, plain_body, read_capped
from veo_async.transport.connectors import (
    JOURNEY,
    FramedConnector,
    HoldingConnector,
    Journey,
    Watchdog,
    guarded_socket,
)
from veo_async.transport.cutting import LONG
from veo_async.transport.descriptions import describe, is_permanent, shown_bytes
from veo_async.transport.direct import MAX_HEADERS, MAX_LINE_BYTES, DirectAnswer, DirectClient
from veo_async.transport.failures import LostFailure, NotSentFailure, RefusedAddressFailure
from veo_async.transport.fetched import Fetched, LowerHeaders
from veo_async.transport.inline import InlineAnswer, PartStore
from veo_async.transport.redaction import Redactor
from veo_async.transport.traces import TraceEvent, Tracer
from veo_async.wire import NO_PARTS, Base64Media, Part, Request, Response

__all__ = ["Transport"]

_HEADERS: Final = {
    # Small answers gain nothing from compression, and videos are compressed already.
    "Accept-Encoding": "identity",
    "User-Agent": "veo-async",
}
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_PATIENCE = 5
"""How many silences long a whole exchange may take. Bounds answers that drip, floods of 1xx and peers that do
not read: with those the time limit between bytes never passes."""
_WATCH_EVERY = 5.0
_LOOKS = 4
"""Looks in each silence, at least."""
_SLOWEST_UPLOAD = 16 * 1024
"""Bytes a second that a body is granted on top of that."""

_INLINE_AT_ONCE = 4
"""Answers with videos in them that are read at a time: each holds up to 2 MiB; more would be no faster."""

_HELD_BYTES: Final = {"check": 1 << 16, "submit": 1 << 16, "download": 1 << 18}
"""Twice as much of an answer is held before its reading pauses: a video comes in pieces of so many bytes."""

_Failure = NotSentFailure | LostFailure
_Answer = aiohttp.ClientResponse | DirectAnswer


@frozen
class _Lane:
    """Connections for one kind of exchange, and how long their answers may take."""

    kind: str
    session: aiohttp.ClientSession
    watchdog: Watchdog
    patience: float
    silence: float
    """Looks of the watchdog that may find no new byte; infinite: aiohttp looks after it."""
    direct: DirectClient | None
    """Sends where no proxy is between."""


class Transport:
    """Carries requests to one provider, and its videos from anywhere.

    Args:
        authorization: Gives the credential's headers.
        credential_origins: Origins, as in "https://example.com", that may have the credential.
        timeouts: How long the network may take.
        check_connections: Most connections for status checks and lists.
        submit_connections: Most connections for submits.
        proxy: URL of a proxy for everything. With one, addresses cannot be guarded here.
        ssl: A TLS context of one's own, as for a private certificate authority.
        trust_env: Take proxies from the environment.
        open_media: Gives a medium's content, as bytes or as a file.
        trace: Takes an event for each exchange.
        part_store: Takes videos that stand in answers; None: they stay there.
    """

    def __init__(
        self,
        *,
        authorization: Callable[[], Awaitable[Mapping[str, str]]],
        credential_origins: frozenset[str],
        timeouts: Timeouts,
        open_media: Callable[[Media], Awaitable[bytes | Path]],
        check_connections: int = 16,
        submit_connections: int = 32,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        trust_env: bool = False,
        trace: Callable[[TraceEvent], None] | None = None,
        part_store: PartStore | None = None,
    ) -> None:
        self._authorization = authorization
        self._own = tuple(prefix for origin in credential_origins for prefix in _prefixes(origin))
        self._timeouts = timeouts
        self._open_media = open_media
        # A slot is waited for here and not in aiohttp's pool, where the wait would count as connecting.
        self._check_slots = asyncio.Semaphore(check_connections)
        self._submit_slots = asyncio.Semaphore(submit_connections)
        self._part_store = part_store
        self._inline_slots = asyncio.Semaphore(_INLINE_AT_ONCE)
        self._check_connections = check_connections
        self._proxy = proxy
        self._ssl = ssl
        self._trust_env = trust_env
        self._redactor = Redactor()
        self._tracer = None if trace is None else Tracer(trace, self._redactor)
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Make ready to send; nothing is connected yet."""
        self._loop = asyncio.get_running_loop()
        times = self._timeouts
        self._checks = await self._lane("check", times.check_read, limit=self._check_connections)
        self._submits = await self._lane("submit", times.submit_read, force_close=True)
        self._own_downloads = await self._lane("download", times.download_read)
        # A proxy's own address may well be private, and hides where it leads.
        guarded = self._proxy is None and not self._trust_env
        self._downloads = await self._lane("download", times.download_read, guarded=guarded)

    async def _lane(
        self,
        kind: str,
        read_timeout: float,
        *,
        limit: int = 0,
        force_close: bool = False,
        guarded: bool = False,
    ) -> _Lane:
        # A status check that is spoilt is asked again, and there are too many of them to look at each piece,
        # or to have a timer each (measured: 11 % of a check): for them the watchdog counts its looks.
        is_check = kind == "check"
        connector = (HoldingConnector if is_check else FramedConnector)(
            limit=limit,
            force_close=force_close,
            ssl=self._ssl or True,
            socket_factory=guarded_socket if guarded else None,
        )
        connect = self._timeouts.connect
        # No total: a stalled loop would let it pass with the answer already there.
        timeout = aiohttp.ClientTimeout(
            total=None, connect=connect, sock_connect=connect, sock_read=None if is_check else read_timeout
        )
        session = aiohttp.ClientSession(
            connector=connector,
            headers=_HEADERS,
            skip_auto_headers=_AUTOMATIC,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            read_bufsize=_HELD_BYTES[kind],
            auto_decompress=False,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            proxy=self._proxy,
            trust_env=self._trust_env,
        )
        period = min(read_timeout / _LOOKS, _WATCH_EVERY)
        watchdog = Watchdog(self._loop, period)
        self._closing.callback(watchdog.stop)
        await self._closing.enter_async_context(session)
        silence = ceil(read_timeout / period) if is_check else inf
        direct = None
        if isinstance(connector, HoldingConnector):
            self._closing.callback(connector.let_go)
        if self._proxy is None and not self._trust_env:
            fields = {**_HEADERS, "Connection": "close"} if force_close else _HEADERS
            direct = DirectClient(connector, timeout, fields, _HELD_BYTES[kind])
        return _Lane(kind, session, watchdog, read_timeout * _PATIENCE, silence, direct)

    async def close(self) -> None:
        """Close all connections at once; exchanges that still run fail."""
        await self._closing.aclose()

    def owns(self, url: str) -> bool:
        """Return whether `url` is at an origin that may have the credential."""
        # The prefix ends with the slash after the authority, so no parser can read another host from it.
        return url.startswith(self._own)

    def redact(self, text: str) -> str:
        """Return `text` without the credential, should a server have echoed it."""
        return self._redactor.clean(text)

    async def send(self, request: Request) -> Response:
        """Return the answer to a request that may be sent again: a status check or a list.

        Any status is an answer. Cancelling is safe: the connection is closed.

        Raises:
            NotSentFailure: There was no connection.
            LostFailure: No whole answer came.
        """
        async with self._check_slots:
            body = plain_body(request.body) if request.body else None
            journey = Journey(self._checks.patience, silence=self._checks.silence)
            outcome = await self._exchange(self._checks, request, journey, body)
        if isinstance(outcome, Response):
            return outcome
        raise outcome

    async def submit(self, request: Request, arm: Callable[[], Awaitable[None]]) -> Response:
        """Return the answer to a paid request, which is sent once and only after `arm` returned.

        Any status is an answer; redirects are answers too. Cancelling before `arm` returned sends nothing;
        cancelling later loses the answer, so the caller is a task that nobody else cancels.

        Args:
            request: What is sent; media in its body are opened before the connection is made.
            arm: Awaited once, between the ready connection and the first byte. Whatever it raises
                is raised here, and nothing was sent.

        Raises:
            NotSentFailure: `arm` did not return, so nothing was sent.
            LostFailure: `arm` returned, and no whole answer came.
        """
        body = Outgoing(request.body, self._open_media)
        has_media = any(isinstance(part, Base64Media) for part in request.body)
        sent = body if has_media else plain_body(request.body)
        journey = Journey(self._submits.patience + body.length / _SLOWEST_UPLOAD, arm)
        try:
            async with self._submit_slots:
                await body.open()
                outcome = await self._exchange(self._submits, request, journey, sent)
        finally:
            body.close()
        if journey.arm_error is not None:
            error, traceback = journey.arm_error
            raise error.with_traceback(traceback)
        if isinstance(outcome, Response):
            return outcome
        raise outcome

    @asynccontextmanager
    async def fetch(self, request: Request) -> AsyncGenerator[Fetched, None]:
        """Yield the answer to one hop of a download; its body is read by iterating over it.

        Redirects are not followed. Where the credential may not go, it is not sent, and only public addresses
        are connected to. Cancelling is safe: the connection is closed.

        Raises:
            RefusedAddressFailure: The name leads to an address that is not public.
            NotSentFailure: There was no connection.
            LostFailure: No answer came.
        """
        lane = self._own_downloads if self.owns(request.url) else self._downloads
        journey = Journey(lane.patience)
        started = self._loop.time()
        try:
            answer = await self._begin_fetch(lane, request, journey)
            if isinstance(answer, _Failure):
                self._trace(lane, request, started, answer)
                raise answer
            fetched = Fetched(answer, request.url, self._redactor)
            try:
                yield fetched
            finally:
                answer.close()
                self._trace(lane, request, started, fetched.response(), fetched.received_bytes)
        finally:
            lane.watchdog.discard(journey)

    async def _begin_fetch(self, lane: _Lane, request: Request, journey: Journey) -> _Answer | _Failure:
        headers = await self._headers(request)
        try:
            answer = await self._open(lane, request, journey, headers)
        except Exception as error:  # noqa: BLE001  # whatever aiohttp raises, none of it may leave
            return self._failure(error, journey, [])
        journey.patience = inf  # a video may take its time, as long as it comes fast enough
        return answer

    async def _exchange(
        self, lane: _Lane, request: Request, journey: Journey, body: bytes | Outgoing | None
    ) -> Response | _Failure:
        """Return the answer or the failure; the caller raises it, as its frame shows no header."""
        started = self._loop.time()
        headers = await self._headers(request)
        kept: list[bytes] = []
        received_bytes = 0
        outcome: Response | _Failure
        try:
            answer = await self._open(lane, request, journey, headers, body)
            try:
                data, parts, received_bytes = await self._read(answer, request, journey, kept)
            finally:
                answer.close()
            outcome = Response(
                status=answer.status,
                headers=LowerHeaders(answer.headers),
                body=self._redactor.clean_bytes(data),
                parts=parts,
                sent_at=journey.ready_at,
            )
        except Exception as error:  # noqa: BLE001  # whatever aiohttp raises, none of it may leave
            outcome = self._failure(error, journey, kept)
        finally:
            lane.watchdog.discard(journey)
        self._trace(lane, request, started, outcome, received_bytes)
        return outcome

    async def _read(
        self, answer: _Answer, request: Request, journey: Journey, kept: list[bytes]
    ) -> tuple[bytes, Mapping[str, Part], int]:
        """Return the body, what was cut out of it, and its length on the wire where that is another."""
        encoding = answer.headers.get("Content-Encoding")
        content = answer.content
        if encoding is None and content.is_eof() and content.total_bytes <= min(request.max_bytes, LONG):
            return content.read_nowait(), NO_PARTS, 0  # like most it is short, and was here with its head
        if not request.cut_base64 or self._part_store is None:
            return await read_capped(content, encoding, request.max_bytes, kept), NO_PARTS, 0
        inline = InlineAnswer(self._part_store, self._inline_slots, journey)
        try:
            await read_capped(content, encoding, request.max_bytes, kept, inline.take)
            return await inline.finish(), inline.parts, inline.received_bytes
        finally:
            kept += inline.start()
            await inline.close()

    async def _open(
        self,
        lane: _Lane,
        request: Request,
        journey: Journey,
        headers: Mapping[str, str],
        body: bytes | Outgoing | None = None,
    ) -> _Answer:
        lane.watchdog.add(journey)
        token = JOURNEY.set(journey)
        answer: _Answer
        try:
            if lane.direct is not None:
                answer = await lane.direct.open(request.method, request.url, headers, body)
            else:
                if isinstance(body, Outgoing):  # without it, aiohttp sends a stream in HTTP chunks
                    headers = {**headers, "Content-Length": str(body.length)}
                answer = await lane.session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                )
        finally:
            JOURNEY.reset(token)
        journey.reader = answer.content
        return answer

    async def _headers(self, request: Request) -> Mapping[str, str]:
        if request.keyless or not self.owns(request.url):
            return request.headers
        credential = await self._authorization()
        self._redactor.learn(credential)
        return {**request.headers, **credential}

    def _failure(self, error: Exception, journey: Journey, kept: list[bytes]) -> _Failure:
        reason = self._redactor.clean(describe(error))
        if journey.refused is not None and not journey.armed:
            return RefusedAddressFailure(f"the address {journey.refused} is not a public one", permanent=True)
        if not journey.armed:
            return NotSentFailure(reason, permanent=is_permanent(error))
        if journey.expired:
            reason = "the answer took too long"
        elif journey.silent:
            reason = "no byte of an answer arrived within the time limit"
        seen = b"".join(kept[:8]) or shown_bytes(error).encode()
        return LostFailure(reason, self._redactor.excerpt(seen))

    def _trace(
        self,
        lane: _Lane,
        request: Request,
        started: float,
        outcome: Response | _Failure,
        received_bytes: int = 0,
    ) -> None:
        if self._tracer is None:
            return
        self._tracer.note(
            lane.kind,
            request,
            self._loop.time() - started,
            response=outcome if isinstance(outcome, Response) else None,
            received_bytes=received_bytes,
            error=None if isinstance(outcome, Response) else outcome.reason,
        )


def _prefixes(origin: str) -> tuple[str, ...]:
    """Return what URLs of `origin` begin with; none for plain HTTP off this machine."""
    plain = origin_of(origin)
    secure = plain.startswith("https:")
    if not secure and not is_loopback(host_of(plain)):
        return ()
    if plain.count(":") > 1 and not plain.endswith("]"):
        return (f"{plain}/",)
    return (f"{plain}/", f"{plain}:{443 if secure else 80}/")
