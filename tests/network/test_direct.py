"""Requests without a session of aiohttp's: what goes out, what is read, what becomes of the connection."""

from __future__ import annotations

import asyncio
import base64
import errno
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from attrs import evolve
from yarl import URL

from veo_async.models import Media
from veo_async.options import Timeouts
from veo_async.transport import LostFailure, NotSentFailure, Transport, bodies, connectors
from veo_async.transport.connectors import JOURNEY, HoldingConnector, Journey
from veo_async.wire import Base64Media, Request

from .trap import KEY, PATIENT, Visit, give_media, head, transport_for, trap

pytestmark = pytest.mark.anyio


async def echo(visit: Visit) -> None:
    """Answer with the path that was asked for."""
    await visit.reply(visit.seen.line.encode())


def get(url: str, headers: Mapping[str, str] | None = None, max_bytes: int = 1 << 20) -> Request:
    return Request(method="GET", url=url, headers=headers or {}, max_bytes=max_bytes)


async def test_a_check_may_have_a_body() -> None:
    async with trap(echo) as server, transport_for(server.origin) as transport:
        response = await transport.send(
            Request(
                method="POST",
                url=server.url("/v1:fetch"),
                headers={"Content-Type": "application/json"},
                body=(b'{"operation', b'Name": 1}'),
            )
        )
    assert response.body == b"POST /v1:fetch HTTP/1.1"
    assert server.seen[0].body == b'{"operationName": 1}'
    assert server.seen[0].headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "user-agent": "veo-async",
        "content-type": "application/json",
        "x-goog-api-key": KEY,
        "content-length": "20",
    }


async def test_each_request_has_the_key_of_its_time() -> None:
    keys = iter(["canary-1-90aa71", "canary-2-c1d2e3", "canary-2-c1d2e3"])

    async def give_key() -> Mapping[str, str]:
        return {"x-goog-api-key": next(keys)}

    async with trap(echo) as server:
        transport = Transport(
            authorization=give_key,
            credential_origins=frozenset({server.origin}),
            timeouts=PATIENT,
            open_media=give_media,
        )
        async with transport:
            for _ in range(3):
                await transport.send(get(server.url()))
    sent = [seen.headers["x-goog-api-key"] for seen in server.seen]
    assert sent == ["canary-1-90aa71", "canary-2-c1d2e3", "canary-2-c1d2e3"]


@pytest.mark.parametrize("field", ["Accept", "X\r\nX-B"])
@pytest.mark.parametrize("value", ["a\r\nX-B: b", "a\nX-B: b", "a\0b"])
async def test_a_header_cannot_bring_another(field: str, value: str) -> None:
    async with trap(echo) as server, transport_for(server.origin) as transport:
        with pytest.raises(NotSentFailure) as caught:
            await transport.send(get(server.url(), {field: value}))
        assert (await transport.send(get(server.url()))).status == 200
    assert caught.value.permanent
    assert b"X-B" not in bytes(server.received)


@pytest.mark.parametrize("path", ["/a HTTP/1.1\r\nX-B: b", "/a b", "/a\tb", "/a\0b"])
async def test_a_url_that_is_not_encoded_is_unsent(path: str) -> None:
    async with trap(echo) as server, transport_for(server.origin) as transport:
        with pytest.raises(NotSentFailure) as caught:
            await transport.send(get(server.url(path)))
    assert caught.value.permanent
    assert server.received == b""


@pytest.mark.parametrize(
    ("rest", "asked"),
    [("", "/"), ("?a=b", "/?a=b"), ("/a%2Fb:c?d=/e&f=?#g?h", "/a%2Fb:c?d=/e&f=?"), ("#a", "/")],
)
async def test_a_url_is_asked_for_as_it_is_but_for_its_fragment(rest: str, asked: str) -> None:
    async with trap(echo) as server, transport_for(server.origin) as transport:
        response = await transport.send(get(server.origin.replace("http", "HTTP") + rest))
    assert response.body == f"GET {asked} HTTP/1.1".encode()
    assert server.seen[0].headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://", "https://127.0.0.1:99999/"])
async def test_a_url_that_cannot_be_asked_is_unsent_for_good(url: str) -> None:
    async with transport_for() as transport:
        with pytest.raises(NotSentFailure) as caught:
            await transport.send(get(url))
    assert caught.value.permanent


async def test_interim_answers_are_passed_over() -> None:
    async def interim(visit: Visit) -> None:
        for status in (100, 102, 103):
            await visit.send(head(status))
        await echo(visit)

    async with trap(interim) as server, transport_for(server.origin) as transport:
        for path in ("/1", "/2"):
            assert (await transport.send(get(server.url(path)))).body == f"GET {path} HTTP/1.1".encode()
    assert server.connections == 1


async def test_another_protocol_is_an_answer_and_ends_the_connection() -> None:
    async def switching(visit: Visit) -> None:
        await visit.send(head(101, {"Upgrade": "websocket", "Connection": "upgrade"}))

    async with trap(switching) as server, transport_for(server.origin) as transport:
        for _ in range(2):
            assert (await transport.send(get(server.url()))).status == 101
    assert server.connections == 2


async def test_the_answer_to_what_was_cancelled_is_nobody_elses() -> None:
    asked = asyncio.Event()

    async def slowly(visit: Visit) -> None:
        if "/late" in visit.seen.line:
            asked.set()
            await asyncio.sleep(0.05)
        await echo(visit)

    async with trap(slowly) as server, transport_for(server.origin) as transport:
        late = asyncio.create_task(transport.send(get(server.url("/late"))))
        await asked.wait()
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
        assert (await transport.send(get(server.url("/next")))).body == b"GET /next HTTP/1.1"
    assert server.connections == 2


async def test_a_body_that_was_not_read_to_its_end_costs_the_connection() -> None:
    async def long(visit: Visit) -> None:
        await visit.reply(bytes(200_000) if "/long" in visit.seen.line else b"{}")

    async with trap(long) as server, transport_for(server.origin) as transport:
        with pytest.raises(LostFailure, match="longer than 1000 bytes"):
            await transport.send(get(server.url("/long"), max_bytes=1000))
        await server.closed()
        assert (await transport.send(get(server.url()))).body == b"{}"
    assert server.connections == 2


async def test_checks_at_two_origins_wait_for_no_connection_of_each_other() -> None:
    async with trap(echo) as one, trap(echo) as other, transport_for(one.origin, connections=1) as transport:
        for server in (one, other, one, one):
            response = await asyncio.wait_for(transport.send(get(server.url())), 5)
            assert response.body == b"GET / HTTP/1.1"
    assert (one.connections, other.connections) == (1, 1)


async def test_a_connection_that_the_server_closed_in_the_meantime_serves_no_more() -> None:
    async def last(visit: Visit) -> None:
        await echo(visit)
        await visit.close()

    async with trap(last) as server, transport_for(server.origin) as transport:
        for _ in range(3):
            assert (await transport.send(get(server.url()))).body == b"GET / HTTP/1.1"
            await server.closed()
    assert server.connections == 3


async def test_a_connection_that_comes_back_after_the_end_is_not_held() -> None:
    """Its exchange was still under way when the transport was closed."""
    async with trap(echo) as server:
        connector = HoldingConnector()
        token = JOURNEY.set(Journey(10))
        target = aiohttp.ClientRequest("GET", URL(server.origin))
        connection = await connector.connect(target, [], aiohttp.ClientTimeout())
        JOURNEY.reset(token)
        connector.let_go()
        connector.give_back(connection, target)
        assert connection.closed
        await connector.close()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_connections_that_were_idle_for_long_are_closed(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The one that was to serve again, and those that are not wanted any more."""

    async def answer(visit: Visit) -> None:
        if visit.seen.line.startswith("GET /meanwhile"):
            monkeypatch.setattr(connectors, "HELD_S", 0.0)
        await echo(visit)

    async with trap(answer) as server, transport_for(server.origin) as transport:
        await asyncio.gather(*(transport.send(get(server.url())) for _ in range(3)))
        assert (server.connections, server.open) == (3, 3)
        if when == "before":
            monkeypatch.setattr(connectors, "HELD_S", 0.0)
        await transport.send(get(server.url(f"/{when}")))
        monkeypatch.undo()
        await server.closed(but=1)
        await transport.send(get(server.url()))
    assert server.connections == (4 if when == "before" else 3)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 700_001])
async def test_answers_of_any_length_come_whole(size: int) -> None:
    content = os.urandom(size)

    async def large(visit: Visit) -> None:
        await visit.reply(content)

    async with trap(large) as server, transport_for(server.origin) as transport:
        for _ in range(2):
            assert (await transport.send(get(server.url()))).body == content
    assert server.connections == 1


async def test_a_connection_that_is_not_made_in_time_is_unsent() -> None:
    async with trap(echo) as server, transport_for(timeouts=Timeouts(connect=0.1)) as transport:
        with pytest.raises(NotSentFailure, match="no connection within the time limit") as caught:
            await transport.send(get(server.url().replace("http:", "https:")))
    assert not caught.value.permanent
    assert server.seen == []


async def test_a_head_that_cannot_be_read_is_told_without_its_bytes() -> None:
    async def nonsense(visit: Visit) -> None:
        await visit.send(b"HTTP/1.1 2x0 OK\r\n\r\n")

    async with trap(nonsense) as server, transport_for(server.origin) as transport:
        with pytest.raises(LostFailure, match="the head of the answer is not readable") as caught:
            await transport.send(get(server.url()))
    assert "2x0" not in caught.value.reason
    assert "2x0" in caught.value.excerpt


async def test_through_a_proxy_a_check_is_asked_for_by_its_whole_url() -> None:
    async with trap(echo) as proxy, transport_for("http://127.0.0.1:9", proxy=proxy.origin) as transport:
        response = await transport.send(get("http://127.0.0.1:9/v1/a"))
    assert response.body == b"GET http://127.0.0.1:9/v1/a HTTP/1.1"


def submit_of(url: str, content: bytes) -> Request:
    media = Media(data=content, size=len(content))
    return Request(method="POST", url=url, body=(b'{"image": "', Base64Media(media), b'"}'))


async def armed() -> None:
    """Arm at once."""


async def test_a_head_that_comes_early_stops_no_upload() -> None:
    """A service may begin its answer before it has the whole body, and end it only then."""
    content = os.urandom(6_000_000)  # more than the system holds between the two
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(head(200, {"Content-Length": "2"}))
        await writer.drain()
        await asyncio.sleep(0.05)
        length = int(request.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        received.extend(await reader.readexactly(length))
        writer.write(b"{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, transport_for(origin) as transport:
        assert (await transport.submit(submit_of(f"{origin}/", content), armed)).body == b"{}"
    assert bytes(received) == b'{"image": "%b"}' % base64.b64encode(content)


async def test_a_medium_that_cannot_be_read_on_ends_the_submit_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "the disk is broken")

    def opened(_: Path) -> tuple[BytesIO, int]:
        return Broken(), 3

    monkeypatch.setattr(bodies, "_opened", opened)
    request = Request(method="POST", url="", body=(Base64Media(Media(path=tmp_path / "a.png", size=3)),))
    async with trap(echo) as server, transport_for(server.origin) as transport:
        with pytest.raises(LostFailure, match="Input/output error"):
            await transport.submit(evolve(request, url=server.url("/")), armed)


@pytest.mark.parametrize(
    "answer", [head(413, {"Content-Length": "2"}) + b"{}", b""], ids=["refused", "cancelled"]
)
async def test_an_upload_that_nobody_reads_is_over_with_its_submit(answer: bytes) -> None:
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)  # until the system holds no more
        writer.write(answer)
        await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, transport_for(origin) as transport:
        submitting = asyncio.create_task(transport.submit(submit_of(f"{origin}/", bytes(30_000_000)), armed))
        await asyncio.wait({submitting}, timeout=5 if answer else 0.2)
        if answer:
            assert (await submitting).status == 413
        submitting.cancel()
        await asyncio.wait({submitting})
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if "_send" in repr(task.get_coro())]
        over.set()
