"""The transport against servers that misbehave: what is sent, how often, and what is told of it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import pickle
import shutil
import ssl
import subprocess
import time
import traceback
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from veo_async.errors import LedgerError
from veo_async.models import Media
from veo_async.options import Timeouts
from veo_async.transport import (
    LostFailure,
    NotSentFailure,
    RefusedAddressFailure,
    TraceEvent,
)
from veo_async.transport.bodies import Outgoing
from veo_async.wire import Base64Media, Request

from .trap import KEY, QUICK, Visit, give_media, head, transport_for, trap

pytestmark = pytest.mark.anyio

Script = Callable[[Visit], Awaitable[None]]


async def ok(visit: Visit) -> None:
    await visit.reply(b'{"name": "operations/1"}', Content_Type="application/json")


async def armed() -> None:
    """Arm at once."""


def get(url: str, max_bytes: int = 1 << 20) -> Request:
    return Request(method="GET", url=url, max_bytes=max_bytes)


def post(url: str, *body: bytes | Base64Media) -> Request:
    return Request(method="POST", url=url, headers={"Content-Type": "application/json"}, body=body)


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # Path cannot list it on every system


# --- what goes out -----------------------------------------------------------------------------------------


async def test_an_answer_comes_back_with_lower_case_headers_and_the_instant_of_sending() -> None:
    async with trap(ok) as server, transport_for(server.origin) as transport:
        before = asyncio.get_running_loop().time()
        response = await transport.send(get(server.url("/a")))
    assert (response.status, response.body) == (200, b'{"name": "operations/1"}')
    assert response.headers == {"content-length": "24", "content-type": "application/json"}
    assert before < response.sent_at < asyncio.get_running_loop().time()


async def test_only_what_is_meant_is_sent() -> None:
    async with trap(ok) as server, transport_for(server.origin) as transport:
        await transport.send(
            Request(
                method="GET", url=server.url("/v1/a%3Ab?x=%2F+%20"), headers={"Accept": "application/json"}
            )
        )
    assert server.seen[0].line == "GET /v1/a%3Ab?x=%2F+%20 HTTP/1.1"
    assert server.seen[0].headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "veo-async",
        "x-goog-api-key": KEY,
    }


async def test_checks_share_a_connection_and_submits_do_not() -> None:
    async with trap(ok) as server, transport_for(server.origin) as transport:
        for _ in range(3):
            await transport.send(get(server.url()))
        assert server.connections == 1
        await transport.send(post(server.url(), b"{}"))
        assert server.connections == 1
        for _ in range(2):
            await transport.submit(post(server.url(), b"{}"), armed)
        assert server.connections == 3
    assert server.seen[-1].headers["connection"] == "close"


async def test_no_more_connections_than_allowed() -> None:
    async def slowly(visit: Visit) -> None:
        await asyncio.sleep(0.01)
        await ok(visit)

    async with trap(slowly) as server, transport_for(server.origin) as transport:
        await asyncio.gather(*(transport.send(get(server.url())) for _ in range(64)))
    assert (len(server.seen), server.connections) == (64, 16)


async def test_media_are_encoded_on_the_way(tmp_path: Path) -> None:
    content = os.urandom(4_000_001)  # a file is read in two pieces
    file = tmp_path / "boat.png"
    file.write_bytes(content)
    from_file = Media(path=file, size=len(content))
    from_memory = Media(data=content[:2_000_000], size=2_000_000)
    request = post("", b'{"a":"', Base64Media(from_file), b'","b":"', Base64Media(from_memory), b'"}')
    expected = b'{"a":"%b","b":"%b"}' % (base64.b64encode(content), base64.b64encode(content[:2_000_000]))
    async with trap(ok) as server, transport_for(server.origin) as transport:
        await transport.submit(post(server.url(), *request.body), armed)
    assert server.seen[0].body == expected
    assert server.seen[0].headers["content-length"] == str(len(expected))
    assert "transfer-encoding" not in server.seen[0].headers


async def test_the_loop_gets_its_turns_while_media_are_sent() -> None:
    content = bytes(8 << 20)
    body = Outgoing((Base64Media(Media(data=content, size=len(content))),), give_media)
    await body.open()
    turns = sent_in_turn = 0

    def turn() -> None:
        nonlocal turns, sent_in_turn
        turns, sent_in_turn = turns + 1, 0

    async for piece in body:
        sent_in_turn += len(piece)
        assert sent_in_turn <= 2 << 20  # a millisecond of work or so
        asyncio.get_running_loop().call_soon(turn)
    body.close()
    assert turns > 1


@pytest.mark.parametrize("size", [2, 4])
async def test_media_that_changed_are_not_sent(tmp_path: Path, size: int) -> None:
    file = tmp_path / "boat.png"
    file.write_bytes(b"abc")
    async with trap(ok) as server, transport_for(server.origin) as transport:
        with pytest.raises(NotSentFailure, match="3 bytes now") as caught:
            await transport.submit(post(server.url(), Base64Media(Media(path=file, size=size))), armed)
    assert caught.value.permanent
    assert (server.connections, bytes(server.received)) == (0, b"")


async def test_media_that_are_gone_are_not_sent(tmp_path: Path) -> None:
    async with trap(ok) as server, transport_for(server.origin) as transport:
        with pytest.raises(NotSentFailure, match="cannot be read"):
            await transport.submit(
                post(server.url(), Base64Media(Media(path=tmp_path / "none.png", size=3))), armed
            )
    assert server.connections == 0


async def test_cookies_are_not_kept() -> None:
    async def cookie(visit: Visit) -> None:
        await visit.reply(Set_Cookie="session=1; Path=/")

    async with trap(cookie) as server, transport_for(server.origin) as transport:
        await transport.send(get(server.url()))
        await transport.send(get(server.url()))
    assert "cookie" not in server.seen[1].headers


# --- the key -----------------------------------------------------------------------------------------------


async def test_the_key_goes_to_its_origin_only() -> None:
    async with trap(ok) as own, trap(ok) as foreign, transport_for(own.origin) as transport:
        await transport.send(get(own.url()))
        await transport.send(get(foreign.url()))
        await transport.send(get(own.url().replace("127.0.0.1", "localhost")))
    assert [KEY in str(seen.headers) for seen in (*own.seen, *foreign.seen)] == [True, False, False]
    assert KEY.encode() not in bytes(foreign.received)


@pytest.mark.parametrize(
    ("origin", "url", "owned"),
    [
        ("https://a.example", "https://a.example/v1", True),
        ("https://a.example", "https://a.example:443/v1", True),
        ("https://a.example:8443", "https://a.example:8443/v1", True),
        ("https://a.example:8443", "https://a.example/v1", False),
        ("https://a.example", "https://a.example.evil/v1", False),
        ("https://a.example", "https://a.example@evil/v1", False),
        ("https://a.example", "http://a.example/v1", False),
        ("https://a.example", "https://a.example", False),
        ("http://a.example", "http://a.example/v1", False),
        ("http://localhost:80", "http://localhost/v1", True),
        ("http://[::1]:8080", "http://[::1]:8080/v1", True),
    ],
)
def test_whose_a_url_is(origin: str, url: str, owned: bool) -> None:
    assert transport_for(origin).owns(url) is owned


# --- between the connection and the first byte -------------------------------------------------------------


async def test_the_submit_is_armed_after_connecting_and_before_the_first_byte() -> None:
    seen_while_arming: list[tuple[int, int]] = []

    async with trap(ok) as server, transport_for(server.origin) as transport:

        async def arm() -> None:
            await asyncio.sleep(0.05)
            seen_while_arming.append((server.connections, len(server.received)))

        response = await transport.submit(post(server.url(), b"{}"), arm)
    assert response.status == 200
    assert seen_while_arming == [(1, 0)]


@pytest.mark.parametrize(
    "error",
    [
        LedgerError("the disk is full"),
        OSError(28, "No space left on device"),
        TimeoutError(),
        RuntimeError("closed"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_when_arming_fails_nothing_is_sent_and_the_error_comes_out_as_it_is(
    error: BaseException,
) -> None:
    async def arm() -> None:
        raise error

    async with trap(ok) as server, transport_for(server.origin) as transport:
        try:
            await transport.submit(post(server.url(), b"{}"), arm)
        except BaseException as raised:  # noqa: BLE001  # a KeyboardInterrupt is among them
            assert raised is error  # noqa: PT017
        await asyncio.sleep(0.02)
        assert (server.connections, bytes(server.received)) == (1, b"")
    assert error.__cause__ is None
    assert "aiohttp" not in "".join(traceback.format_exception(error)) or isinstance(error, KeyboardInterrupt)


async def test_twenty_failed_arms_leave_no_descriptor() -> None:
    async def arm() -> None:
        raise LedgerError("the disk is full")

    async with trap(ok) as server, transport_for(server.origin) as transport:
        with pytest.raises(LedgerError):
            await transport.submit(post(server.url(), b"{}"), arm)
        await asyncio.sleep(0.02)
        before = open_descriptors()
        for _ in range(20):
            with pytest.raises(LedgerError):
                await transport.submit(post(server.url(), b"{}"), arm)
        await asyncio.sleep(0.02)
        assert open_descriptors() == before
        assert bytes(server.received) == b""


async def test_cancelling_while_arming_sends_nothing() -> None:
    arming = asyncio.Event()

    async def arm() -> None:
        arming.set()
        await asyncio.sleep(60)

    async with trap(ok) as server, transport_for(server.origin) as transport:
        task = asyncio.create_task(transport.submit(post(server.url(), b"{}"), arm))
        await arming.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.02)
        assert bytes(server.received) == b""


async def test_each_of_many_submits_runs_its_own_arm() -> None:
    order: list[int] = []

    def arm_of(number: int) -> Callable[[], Awaitable[None]]:
        async def arm() -> None:
            await asyncio.sleep(0.001 * (number % 3))
            order.append(number)
            if number % 2:
                raise LedgerError(str(number))

        return arm

    async def one(number: int) -> str:
        try:
            await transport.submit(post(server.url(), b"%d" % number), arm_of(number))
        except LedgerError as error:
            return error.message
        return "sent"

    async with trap(ok) as server, transport_for(server.origin) as transport:
        fates = await asyncio.gather(*(one(number) for number in range(40)))
    assert fates == [str(number) if number % 2 else "sent" for number in range(40)]
    assert sorted(order) == list(range(40))
    assert sorted(int(seen.body) for seen in server.seen) == list(range(0, 40, 2))


async def test_a_slow_arm_does_not_count_as_a_slow_answer() -> None:
    async def arm() -> None:
        await asyncio.sleep(QUICK.submit_read * 2)

    async with trap(ok) as server, transport_for(server.origin, timeouts=QUICK) as transport:
        assert (await transport.submit(post(server.url(), b"{}"), arm)).status == 200


async def test_a_stalled_loop_does_not_lose_an_answer() -> None:
    """The time limit passes while the answer lies in the socket's buffer."""

    async def answer_and_stall(visit: Visit) -> None:
        await ok(visit)
        time.sleep(QUICK.submit_read * 2)  # noqa: ASYNC251  # the stall is what is tested

    async with (
        trap(answer_and_stall) as server,
        transport_for(server.origin, timeouts=QUICK) as transport,
    ):
        assert (await transport.submit(post(server.url(), b"{}"), armed)).status == 200


# --- no connection -----------------------------------------------------------------------------------------


async def test_a_refused_connection_is_unsent() -> None:
    async with trap(ok) as server:
        closed = server.url()
    armed_times = 0

    async def arm() -> None:
        nonlocal armed_times
        armed_times += 1

    async with transport_for() as transport:
        with pytest.raises(NotSentFailure, match="refused") as submitted:
            await transport.submit(post(closed, b"{}"), arm)
        with pytest.raises(NotSentFailure):
            await transport.send(get(closed))
    assert not submitted.value.permanent
    assert armed_times == 0


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://", "https://127.0.0.1:99999/"])
async def test_a_url_that_cannot_be_asked_is_unsent_for_good(url: str) -> None:
    async with transport_for() as transport:
        with pytest.raises(NotSentFailure) as caught:
            await transport.submit(post(url, b"{}"), armed)
    assert caught.value.permanent


async def test_a_header_that_cannot_be_sent_is_unsent() -> None:
    async with trap(ok) as server, transport_for() as transport:
        request = Request(method="POST", url=server.url(), headers={"X-A": "a\r\nX-B: b"}, body=(b"{}",))
        with pytest.raises((NotSentFailure, LostFailure)):
            await transport.submit(request, armed)
        await asyncio.sleep(0.02)
        assert b"X-B" not in bytes(server.received)


async def test_a_server_without_tls_is_unsent() -> None:
    impatient = Timeouts(connect=0.2)
    async with trap(ok) as server, transport_for(timeouts=impatient) as transport:
        with pytest.raises(NotSentFailure):
            await transport.submit(post(server.url().replace("http:", "https:"), b"{}"), armed)
    assert server.seen == []


async def test_fetching_does_not_connect_to_this_machine_unless_it_is_the_configured_one() -> None:
    async with trap(ok) as server, transport_for() as transport:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(RefusedAddressFailure):
                async with transport.fetch(get(f"http://{host}:{server.port}/")):
                    pass
    assert server.connections == 0


# --- TLS and proxies ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine that nobody else trusts, and its key."""
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("needs the openssl program to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [tool, *options.split(), *names, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_nobody_vouches_for_is_unsent_for_good(tls: ssl.SSLContext) -> None:
    def expected(_: object, __: object) -> None:
        """The server's own complaint on the handshake."""

    asyncio.get_running_loop().set_exception_handler(expected)
    async with trap(ok, tls) as server, transport_for(server.origin) as transport:
        with pytest.raises(NotSentFailure, match="certificate is not valid") as caught:
            await transport.submit(post(server.url(), b"{}"), armed)
    assert caught.value.permanent
    assert bytes(server.received) == b""


async def test_an_authority_of_ones_own_may_vouch(
    tls: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    trusting = ssl.create_default_context(cafile=certificate[0])
    async with trap(ok, tls) as server, transport_for(server.origin, ssl=trusting) as transport:
        assert (await transport.submit(post(server.url(), b"{}"), armed)).status == 200
        assert (await transport.send(get(server.url()))).status == 200

        async def fail() -> None:
            raise LedgerError("the disk is full")

        before = len(server.received)
        with pytest.raises(LedgerError):
            await transport.submit(post(server.url(), b"{}"), fail)
        await asyncio.sleep(0.02)
        assert len(server.received) == before


async def test_over_tls_too_a_drip_ends(tls: ssl.SSLContext, certificate: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context(cafile=certificate[0])
    async with (
        trap(drip, tls) as server,
        transport_for(server.origin, ssl=trusting, timeouts=QUICK) as transport,
    ):
        with pytest.raises(LostFailure, match="too long"):
            await transport.submit(post(server.url(), b"{}"), armed)


async def test_a_proxy_learns_nothing_before_the_submit_is_armed() -> None:
    before_arming: list[bytes] = []

    async with trap(ok) as proxy, transport_for("http://127.0.0.1:9", proxy=proxy.origin) as transport:

        async def arm() -> None:
            before_arming.append(bytes(proxy.received))

        assert (await transport.submit(post("http://127.0.0.1:9/v1", b"{}"), arm)).status == 200
    assert before_arming == [b""]
    assert proxy.seen[0].line == "POST http://127.0.0.1:9/v1 HTTP/1.1"


async def test_a_proxy_that_refuses_the_tunnel_leaves_it_unsent() -> None:
    async def refuse(visit: Visit) -> None:
        await visit.reply(b"", 407)

    async with (
        trap(refuse) as proxy,
        transport_for("https://a.example", proxy=proxy.origin) as transport,
    ):
        with pytest.raises(NotSentFailure, match="the proxy refused with status 407"):
            await transport.submit(post("https://a.example/v1", b"{}"), armed)
    assert [seen.line for seen in proxy.seen] == ["CONNECT a.example:443 HTTP/1.1"]
    assert KEY.encode() not in bytes(proxy.received)


# --- answers that are none ---------------------------------------------------------------------------------


def pieces(*data: bytes, then: str = "close") -> Script:
    """Script: send `data` piece by piece, then close, reset or stay silent."""

    async def answer(visit: Visit) -> None:
        for piece in data:
            await visit.send(piece)
            await asyncio.sleep(0.005)
        if then == "silence":
            await asyncio.sleep(60)
        await (visit.reset() if then == "reset" else visit.close())

    return answer


async def drip(visit: Visit) -> None:
    await visit.send(head(200, {"Content-Length": "100"}))
    for _ in range(100):
        await visit.send(b"x")
        await asyncio.sleep(0.05)


async def drip_to_the_end_of_the_connection(visit: Visit) -> None:
    await visit.send(head(200, {"Connection": "close"}))
    for _ in range(100):
        await visit.send(b" ")
        await asyncio.sleep(0.05)


async def flood_of_1xx(visit: Visit) -> None:
    while True:
        await visit.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 10)
        await asyncio.sleep(0.01)


BOMB = gzip.compress(bytes(20 << 20))
PACKED = gzip.compress(b'{"name": "operations/1"}')


def encoded(body: bytes, encoding: str) -> bytes:
    return head(200, {"Content-Length": str(len(body)), "Content-Encoding": encoding}) + body


MISDEEDS: dict[str, tuple[Script, str]] = {
    "closed before an answer": (pieces(), "closed the connection"),
    "reset before an answer": (pieces(then="reset"), "reset|closed"),
    "silent": (pieces(then="silence"), "no byte"),
    "half a status line": (pieces(b"HTTP/1.1 20"), "closed the connection"),
    "half a head": (pieces(b"HTTP/1.1 200 OK\r\nContent-Le"), "closed the connection"),
    "not HTTP": (pieces(b"\x16\x03\x01 what is this\r\n\r\n"), "not readable"),
    "body shorter than its length": (pieces(head(200, {"Content-Length": "99"}), b'{"na'), "cut short"),
    "body reset": (pieces(head(200, {"Content-Length": "99"}), b'{"na', then="reset"), "cut short|reset"),
    "body falls silent": (pieces(head(200, {"Content-Length": "99"}), b"{", then="silence"), "no byte"),
    "chunk cut": (pieces(head(200, {"Transfer-Encoding": "chunked"}), b"20\r\n{"), "cut short"),
    "last chunk missing": (pieces(head(200, {"Transfer-Encoding": "chunked"}), b"2\r\n{}\r\n"), "cut short"),
    "chunk of no length": (
        pieces(head(200, {"Transfer-Encoding": "chunked"}), b"zz\r\n{}"),
        "cut short|not readable",
    ),
    "200 header lines": (pieces(head(200, {f"X-{number}": "1" for number in range(200)})), "not readable"),
    "header line of 9,000 bytes": (pieces(head(200, {"X-A": "a" * 9000})), "not readable"),
    "endless header line": (
        pieces(b"HTTP/1.1 200 OK\r\nX-A: ", *[b"a" * 4096] * 4, then="silence"),
        "not readable",
    ),
    "body over the cap": (pieces(head(200, {"Connection": "close"}), b"x" * 3000), "longer than 2000"),
    "gzip bomb": (pieces(encoded(BOMB, "gzip")), "longer than 2000"),
    "gzip cut": (pieces(encoded(PACKED[:-9], "gzip")), "cut short"),
    "gzip damaged": (pieces(encoded(b"\x1f\x8b" + b"\0" * 40, "gzip")), "damaged"),
    "gzip and more": (pieces(encoded(PACKED + b"more", "gzip")), "bytes after"),
    "unknown encoding": (pieces(encoded(b"abc", "zstd")), "'zstd'"),
    "encoded fifty times": (pieces(encoded(b"abc", ", ".join(["gzip"] * 50))), "not read"),
    "drip": (drip, "too long"),
    "drip without a length": (drip_to_the_end_of_the_connection, "too long"),
    "flood of 1xx": (flood_of_1xx, "too long|no byte"),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
@pytest.mark.parametrize("kind", ["submit", "send"])
async def test_without_a_whole_answer_a_request_is_lost_and_was_sent_once(kind: str, misdeed: str) -> None:
    script, words = MISDEEDS[misdeed]
    async with trap(script) as server, transport_for(server.origin, timeouts=QUICK) as transport:
        request = Request(method="POST", url=server.url(), body=(b'{"prompt": "boat"}',), max_bytes=2000)
        if kind == "send":
            request = get(server.url(), max_bytes=2000)
        with pytest.raises(LostFailure, match=words) as caught:
            await (transport.submit(request, armed) if kind == "submit" else transport.send(request))
        await asyncio.sleep(0)
        assert [seen.line[:4] for seen in server.seen] == ["POST" if kind == "submit" else "GET "]
    assert_safe(caught.value)


async def test_a_request_is_not_sent_again_on_another_connection_either() -> None:
    """Aiohttp sends a GET again when a kept connection turns out closed."""
    count = 0

    async def once(visit: Visit) -> None:
        nonlocal count
        count += 1
        await (ok(visit) if count == 1 else visit.close())

    async with trap(once) as server, transport_for(server.origin) as transport:
        await transport.send(get(server.url()))
        with pytest.raises(LostFailure):
            await transport.send(get(server.url()))
    assert (len(server.seen), server.connections) == (2, 1)


async def test_a_gzip_bomb_takes_no_memory() -> None:
    async with (
        trap(pieces(encoded(gzip.compress(bytes(64 << 20)), "gzip"))) as server,
        transport_for(server.origin) as transport,
    ):
        tracemalloc.start()
        with pytest.raises(LostFailure):
            await transport.send(get(server.url()))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5 << 20


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
async def test_a_compressed_answer_is_read_though_none_was_asked_for(encoding: str) -> None:
    big = gzip.compress(os.urandom(700_000))
    for body, plain in ((PACKED, b'{"name": "operations/1"}'), (big, gzip.decompress(big))):
        async with trap(pieces(encoded(body, encoding))) as server, transport_for(server.origin) as transport:
            assert (await transport.send(get(server.url()))).body == plain


@pytest.mark.parametrize("status", [201, 204, 301, 302, 303, 307, 308, 400, 404, 408, 429, 500, 503, 521])
async def test_any_status_is_an_answer_and_no_redirect_is_followed(status: int) -> None:
    async with trap(ok) as elsewhere:

        async def answer(visit: Visit) -> None:
            await visit.reply(b"" if status == 204 else b"{}", status, Location=elsewhere.url("/x"))

        async with trap(answer) as server, transport_for(server.origin, elsewhere.origin) as transport:
            assert (await transport.submit(post(server.url(), b"{}"), armed)).status == status
            assert (await transport.send(get(server.url()))).status == status
    assert (len(server.seen), elsewhere.connections) == (2, 0)


async def test_an_answer_before_the_whole_body_is_an_answer() -> None:
    """A server may refuse a large body without reading it."""

    async def refuse(visit: Visit) -> None:
        await visit.reply(b"{}", 413, Connection="close")

    content = bytes(200_000)
    async with trap(refuse) as server, transport_for(server.origin) as transport:
        media = Media(data=content, size=len(content))
        assert (await transport.submit(post(server.url(), Base64Media(media)), armed)).status == 413


async def test_bytes_after_the_answer_cost_the_connection_and_not_the_answer() -> None:
    async def chatter(visit: Visit) -> None:
        await visit.send(
            head(200, {"Content-Length": "2"}) + b"{}HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
        )

    async with trap(chatter) as server, transport_for(server.origin) as transport:
        assert (await transport.send(get(server.url()))).body == b"{}"
        assert (await transport.send(get(server.url()))).body == b"{}"
    assert server.connections == 2


@pytest.mark.parametrize(
    "whole",
    [
        head(200, {"Content-Length": "2"}) + b"{}",
        head(200, {"Transfer-Encoding": "chunked"}) + b"2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["counted", "chunked"],
)
async def test_nonsense_after_the_answer_does_not_lose_a_paid_one(whole: bytes) -> None:
    """In the same piece of data: aiohttp's parser alone would throw the answer away with it."""
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"

    async with (
        trap(pieces(interim + whole + b"and more")) as server,
        transport_for(server.origin) as transport,
    ):
        assert (await transport.submit(post(server.url(), b"{}"), armed)).body == b"{}"
    async with trap(pieces(whole + b"and more")) as server, transport_for(server.origin) as transport:
        for _ in range(2):
            async with transport.fetch(get(server.url())) as fetched:
                assert b"".join([chunk async for chunk in fetched]) == b"{}"


# --- secrets -----------------------------------------------------------------------------------------------


def assert_safe(error: BaseException) -> None:
    """No key, nothing of aiohttp, nothing unprintable, nothing long."""
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert KEY not in shown
    assert KEY not in repr(error) + str(error) + repr(vars(error))
    assert (error.__cause__, error.__context__) == (None, None)
    assert "aiohttp" not in type(error).__module__
    assert pickle.loads(pickle.dumps(error)).args == error.args
    for text in (getattr(error, "reason", ""), getattr(error, "excerpt", "")):
        assert len(text) <= 500
        assert text.isprintable()


async def test_a_failure_shows_no_key_even_where_the_server_echoes_it() -> None:
    async def echo(visit: Visit) -> None:
        text = f"your key {visit.seen.headers['x-goog-api-key']} \x1b[31m is bad \u202e\x00" + "z" * 3000
        await visit.send(head(200, {"Content-Length": "9999"}) + text.encode())
        await visit.close()

    async with (
        trap(echo) as server,
        transport_for(server.origin) as transport,
    ):
        with pytest.raises(LostFailure) as caught:
            await transport.submit(post(server.url(), b"{}"), armed)
    assert "your key *** \\u001b[31m is bad" in caught.value.excerpt
    assert_safe(caught.value)


async def test_what_a_server_puts_into_its_status_line_is_escaped() -> None:
    async with (
        trap(pieces(b"HTTP/9.9 \x1b]0;owned\x07" + b"A" * 5000 + b"\r\n\r\n")) as server,
        transport_for(server.origin) as transport,
    ):
        with pytest.raises(LostFailure) as caught:
            await transport.send(get(server.url()))
    assert "owned" not in caught.value.reason
    assert "owned" in caught.value.excerpt
    assert_safe(caught.value)


async def test_unsent_failures_show_no_key() -> None:
    async with trap(ok) as server:
        closed = server.origin
    async with transport_for(closed) as transport:
        with pytest.raises(NotSentFailure) as caught:
            await transport.submit(post(f"{closed}/?key={KEY}", b"{}"), armed)
    shown = repr(caught.value) + str(caught.value)
    assert KEY not in shown
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


# --- downloads' hops and the trace -------------------------------------------------------------------------


async def test_a_fetch_gives_head_and_body_piece_by_piece() -> None:
    async with (
        trap(pieces(head(200, {"Content-Length": "6"}), b"abc", b"def")) as server,
        transport_for(server.origin) as transport,
    ):
        async with transport.fetch(get(server.url("/v"))) as fetched:
            assert (fetched.status, fetched.length, fetched.delimited) == (200, 6, True)
            assert [chunk async for chunk in fetched] == [b"abc", b"def"]
        assert fetched.received_bytes == 6


async def test_a_fetch_tells_a_body_that_is_cut_short() -> None:
    async with (
        trap(pieces(head(200, {"Content-Length": "6"}), b"abc")) as server,
        transport_for(server.origin) as transport,
        transport.fetch(get(server.url())) as fetched,
    ):
        assert await anext(fetched) == b"abc"
        with pytest.raises(LostFailure) as caught:
            await anext(fetched)
    assert_safe(caught.value)


async def test_leaving_a_fetch_early_closes_its_connection() -> None:
    async def endless(visit: Visit) -> None:
        await visit.send(head(200, {"Transfer-Encoding": "chunked"}))
        while True:
            await visit.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await asyncio.sleep(0)

    async with trap(endless) as server, transport_for(server.origin) as transport:
        before = open_descriptors()
        async with transport.fetch(get(server.url())) as fetched:
            await anext(fetched)
        await asyncio.sleep(0.05)
        assert open_descriptors() == before


async def test_the_trace_shows_the_wire_without_secrets() -> None:
    events: list[TraceEvent] = []

    async def echo(visit: Visit) -> None:
        await visit.reply(f"key {KEY}".encode() + b"." * 5000, 302, Location=f"https://b/?X-Sig={KEY}&a=1")

    async with trap(echo) as server, transport_for(server.origin, trace=events.append) as transport:
        media = Media(data=b"abc", size=3)
        await transport.submit(post(server.url("/?key=k&alt=media"), b"p", Base64Media(media)), armed)
        await transport.send(get(server.url("/op")))
        async with transport.fetch(get(server.url("/video?signature=s"))) as fetched:
            await fetched.excerpt()
        closed = server.url()
    async with transport_for(trace=events.append) as transport:
        with pytest.raises(NotSentFailure):
            await transport.send(get(closed))
    assert KEY not in repr(events)
    assert [(event.kind, event.status, event.error is None) for event in events] == [
        ("submit", 302, True),
        ("check", 302, True),
        ("download", 302, True),
        ("check", None, False),
    ]
    first = events[0]
    assert first.url == server.url("/?key=***&alt=media")
    assert (first.sent_bytes, first.request_body) == (5, "p<base64 of 3 bytes>")
    assert first.response_headers["location"] == "https://b/?X-Sig=***&a=1"
    assert first.received_bytes == len("key ***") + 5000
    assert len(first.response_body) == 2048
    assert events[2].url == server.url("/video?signature=***")
    assert events[2].received_bytes == len(f"key {KEY}") + 5000


async def test_a_trace_that_cannot_be_written_harms_nothing() -> None:
    def full(event: TraceEvent) -> None:
        raise OSError(28, "No space left on device")

    async with trap(ok) as server, transport_for(server.origin, trace=full) as transport:
        for _ in range(2):
            assert (await transport.submit(post(server.url(), b"{}"), armed)).status == 200


async def test_closing_leaves_nothing_open() -> None:
    async with trap(ok) as server:
        before, tasks = open_descriptors(), len(asyncio.all_tasks())
        async with transport_for(server.origin) as transport:
            await asyncio.gather(*(transport.send(get(server.url())) for _ in range(8)))
        await asyncio.sleep(0.02)
        assert open_descriptors() == before
        assert len(asyncio.all_tasks()) == tasks


async def test_an_echoed_credential_is_not_in_the_answer() -> None:
    """A server that echoes the key in its error text does not bring it into errors, ledgers or traces."""

    async def echo(visit: Visit) -> None:
        await visit.reply(f'{{"error": "bad key {KEY}"}}'.encode(), 401)

    async with trap(echo) as server, transport_for(server.origin) as transport:
        response = await transport.send(get(server.url()))
    assert response.body == b'{"error": "bad key ***"}'
