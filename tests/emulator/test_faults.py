"""Faults on the wire: what a client sees of each, and whether the submission was billed."""

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from veo_async.emulator import Emulator, Fault, Faults, Received

from .client import MODEL, Client, video_uri

pytestmark = pytest.mark.anyio

SUBMIT_PATH = f"/v1beta/models/{MODEL}:predictLongRunning"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Emulator(clip="tiny", waiting=0.0) as emulator, Client(emulator) as client:
        yield client


def received(path: str = "/") -> Received:
    return Received(
        endpoint="check",
        at=0.0,
        method="GET",
        path=path,
        peer=("", 0),
        headers={},
        key_sent=True,
        key_in_url=False,
    )


def test_a_rule_strikes_the_calls_it_names_as_often_as_it_may() -> None:
    """By call, by count, by predicate; the first rule that fits wins."""
    faults = Faults()
    first, second = Fault.close(), Fault.silence()
    by_call = faults.add("check", first, call=(2, 3))
    by_path = faults.add("check", second, times=1, where=lambda request: "x" in request.path)
    struck = [faults.draw(received(path), call) for call, path in enumerate("axxx", 1)]
    assert struck == [None, first, first, second]
    assert (by_call.fired, by_path.fired) == (2, 1)
    faults.clear()
    assert faults.draw(received(), 2) is None


def test_a_share_is_the_same_in_every_run() -> None:
    """Drawn from the seed."""

    def run(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add("check", Fault.close(), share=0.3)
        return [faults.draw(received(), call) is not None for call in range(200)]

    assert run(1) == run(1) != run(2)
    assert 40 <= sum(run(1)) <= 80


ABRUPT: dict[str, Any] = {
    "reset_after_reading": Fault.reset_after_reading,
    "close": Fault.close,
    "half_header": Fault.half_header,
    "short_body": Fault.short_body,
    "chunk_cut": Fault.chunk_cut,
    "reset_within": Fault.reset_within,
    "half_status_line": Fault.half_status_line,
    "garbage": Fault.garbage,
    "many_headers": Fault.many_headers,
    "long_header": Fault.long_header,
}


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("name", ABRUPT)
async def test_a_lost_answer_is_billed_if_and_only_if_accepted(
    client: Client, name: str, accepted: bool
) -> None:
    """The money rows: the client can't tell the two apart, the bill can."""
    client.emulator.faults.add("submit", ABRUPT[name](accepted=accepted), call=1)
    with pytest.raises(aiohttp.ClientError):
        await client.send({"prompt": "A boat"})
    assert client.emulator.bill.times(prompt="A boat") == int(accepted)
    assert client.emulator.requests.count("submit") == 1
    await client.submit("The next one is fine")


async def test_a_reset_before_reading_bills_nothing(client: Client) -> None:
    """RST, seen on a bare socket."""
    client.emulator.faults.add("submit", Fault.reset_before_reading())
    with pytest.raises(aiohttp.ClientError):
        await client.send({"prompt": "A boat"})
    assert len(client.emulator.bill) == 0


Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask_bare(client: Client, path: str, method: str = "GET") -> Socket:
    """Send a request on a socket of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(client.emulator.base_url).port)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nx-goog-api-key: {client.emulator.key}\r\n"
    writer.write((head + "Connection: close\r\nContent-Length: 0\r\n\r\n").encode())
    return reader, writer


async def shut(writer: asyncio.StreamWriter) -> None:
    """Close a socket, whatever became of it."""
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def bare(client: Client, path: str, method: str = "GET") -> bytes:
    """All bytes of an answer as they come; raises if the connection is reset."""
    reader, writer = await ask_bare(client, path, method)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        await shut(writer)


async def test_reset_is_a_reset_and_close_is_a_close(client: Client) -> None:
    """ECONNRESET against an orderly end of file."""
    client.emulator.faults.add("check", Fault.reset_after_reading(), call=1)
    client.emulator.faults.add("check", Fault.close(), call=2)
    path = f"/v1beta/models/{MODEL}/operations/x"
    with pytest.raises(ConnectionResetError):
        await bare(client, path)
    assert await bare(client, path) == b""


async def test_raw_bytes_go_as_they_are(client: Client) -> None:
    """Garbage, floods, anything."""
    client.emulator.faults.add("check", Fault.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"garbage"))
    seen = await bare(client, f"/v1beta/models/{MODEL}/operations/x")
    assert seen == b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"garbage"


async def test_half_a_header_has_no_end(client: Client) -> None:
    """A status line, and then the line breaks off."""
    client.emulator.faults.add("check", Fault.half_header())
    seen = await bare(client, f"/v1beta/models/{MODEL}/operations/x")
    assert seen.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in seen


async def test_cuts_of_a_download_send_half_the_file(client: Client) -> None:
    """Full length announced, a chunk not finished, or no framing at all: only the last looks complete."""
    uri = video_uri(await client.finished("A boat"))
    whole = (await client.get(uri)).body
    half = whole[: len(whole) // 2]
    faults = client.emulator.faults
    faults.add("download", Fault.short_body(), call=2)
    faults.add("download", Fault.chunk_cut(), call=3)
    faults.add("download", Fault.unframed_cut(), call=4)
    parts = urlsplit(uri)
    path = f"{parts.path}?{parts.query}"
    for framing in (f"Content-Length: {len(whole)}", "Transfer-Encoding: chunked", "Connection: close"):
        head, _, body = (await bare(client, path)).partition(b"\r\n\r\n")
        assert framing in head.decode()
        assert body.endswith(half)
    assert (await client.get(uri)).body == whole


async def test_a_cut_without_framing_is_silent_in_aiohttp(client: Client) -> None:
    """Which is why the boxes of a video have to be walked."""
    uri = video_uri(await client.finished("A boat"))
    client.emulator.faults.add("download", Fault.unframed_cut())
    assert (await client.get(uri)).status == 200


async def test_drip_sends_the_true_answer_slowly(client: Client) -> None:
    """At the asked pace, whole in the end."""
    name = await client.submit("A boat")
    client.emulator.faults.add("check", Fault.drip(bytes_per_second=4000))
    started = time.monotonic()
    answer = await client.get(f"/v1beta/{name}")
    assert answer.json["done"] is True
    assert time.monotonic() - started > len(answer.body) / 4000 * 0.5


@pytest.mark.parametrize("fault", [Fault.silence(), Fault.drip(bytes_per_second=1)])
async def test_stopping_ends_what_never_ends(fault: Fault) -> None:
    """Silent and dripping handlers don't hold the emulator up, nor do open keep-alive connections."""
    emulator = Emulator(clip="tiny", waiting=0.0)
    async with emulator, Client(emulator) as client:
        name = await client.submit("A boat")
        emulator.faults.add("check", fault)
        check = asyncio.create_task(client.get(f"/v1beta/{name}"))
        while emulator.requests.count("check") == 0:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.01)
        started = time.monotonic()
        await emulator.stop()
        assert time.monotonic() - started < 1.0
        with pytest.raises(aiohttp.ClientError):
            await check


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (Fault.html(502), 502, b"<html>"),
        (Fault.html(200), 200, b"<html>"),
        (Fault.rate_limited(7), 429, b"RESOURCE_EXHAUSTED"),
        (Fault.rate_limited(None), 429, b"RESOURCE_EXHAUSTED"),
        (Fault.rate_limited_until(1_800_000_000), 429, b"RESOURCE_EXHAUSTED"),
        (Fault.retry_info(10.68), 429, b'"retryDelay": "10.68s"'),
        (Fault.daily_quota(), 429, b"PerDay"),
        (Fault.policy(), 400, b'"type": "503"'),
        (Fault.policy(503), 503, b"guidelines"),
        (Fault.unauthorized(), 401, b'{"error": {"message": "Invalid signature", "type": "401"}}'),
        (Fault.forbidden(), 403, b'"type": "403"'),
        (Fault.not_found(), 404, b"NOT_FOUND"),
        (Fault.not_found(410), 410, b"NOT_FOUND"),
        (Fault.insufficient_balance(), 403, b"Insufficient balance"),
        (Fault.internal_error(), 500, b'"type": "500"'),
        (Fault.overloaded(), 503, b"UNAVAILABLE"),
        (Fault.redirect("http://127.0.0.1:9/trap", 307), 307, b""),
        (Fault.answer(204), 204, b""),
        (Fault.answer(200, {"name": None}), 200, b'{"name": null}'),
        (Fault.answer(418, "short and stout"), 418, b"stout"),
    ],
)
async def test_answers_in_place_of_the_true_one(
    client: Client, fault: Fault, status: int, words: bytes
) -> None:
    """Each with its status and body, and nothing billed."""
    client.emulator.faults.add("submit", fault)
    answer = await client.send({"prompt": "A boat"})
    assert answer.status == status
    assert words in answer.body
    assert len(client.emulator.bill) == 0


async def test_hints_and_places_stand_in_the_headers(client: Client) -> None:
    """Retry-After as seconds, date or oddity; Location."""
    faults = client.emulator.faults
    faults.add("submit", Fault.rate_limited(7), call=1)
    faults.add("submit", Fault.rate_limited_until(1_800_000_000), call=2)
    faults.add("submit", Fault.rate_limited("-1"), call=3)
    faults.add("submit", Fault.redirect("http://127.0.0.1:9/trap"), call=4)
    answers = [await client.send({"prompt": "A boat"}) for _ in range(4)]
    hints = [answer.headers.get("retry-after") for answer in answers]
    assert hints == ["7", "Fri, 15 Jan 2027 08:00:00 GMT", "-1", None]
    assert answers[3].headers["location"] == "http://127.0.0.1:9/trap"


async def test_an_answer_can_be_replaced_after_acceptance(client: Client) -> None:
    """A proxy's page in place of the name that was given: billed, and unknown to the client."""
    client.emulator.faults.add("submit", Fault.html(504, accepted=True))
    assert (await client.send({"prompt": "A boat"})).status == 504
    assert len(client.emulator.bill) == 1


async def test_an_edit_changes_the_true_answer(client: Client) -> None:
    """In place, or by another value."""
    name = await client.submit("A boat")
    client.emulator.faults.add("check", Fault.edit(lambda answer: answer.update(done="false")), call=1)
    client.emulator.faults.add("check", Fault.edit(lambda answer: [answer["name"]]), call=2)
    assert (await client.get(f"/v1beta/{name}")).json["done"] == "false"
    assert (await client.get(f"/v1beta/{name}")).json == [name]


async def test_a_rewrite_says_what_no_encoder_writes(client: Client) -> None:
    """The true answer's bytes, changed."""
    name = await client.submit("A boat")
    client.emulator.faults.add("check", Fault.rewrite(lambda body: body[:-1] + b', "done": false}'))
    seen = await bare(client, f"/v1beta/{name}")
    assert seen.count(b'"done"') == 2


async def test_headers_are_added_to_the_true_answer(client: Client) -> None:
    """A cookie, a type, an encoding: the body stays what it is; whoever returns the cookie is in the log."""
    fault = Fault.with_headers({"Set-Cookie": "lb=1", "Content-Type": "text/plain"})
    client.emulator.faults.add("submit", fault, call=1)
    client.emulator.faults.add("submit", Fault.encoded("gzip, zstd"), call=2)
    answer = await client.send({"prompt": "A boat"})
    assert (answer.headers["set-cookie"], answer.headers["content-type"]) == ("lb=1", "text/plain")
    assert b'"name"' in answer.body
    assert b"Content-Encoding: gzip, zstd" in await bare(client, SUBMIT_PATH, "POST")
    await client.ask("POST", SUBMIT_PATH, headers={"Cookie": "lb=1"}, json={})
    assert [entry.cookie_sent for entry in client.emulator.requests.of("submit")] == [False, False, True]


async def test_a_length_can_lie_and_an_answer_can_have_more_after_it(client: Client) -> None:
    """Too small a Content-Length; bytes nobody asked for."""
    client.emulator.faults.add("check", Fault.long_body(), call=1)
    client.emulator.faults.add("check", Fault.surplus(b"and more"), call=2)
    path = f"/v1beta/{await client.submit('A boat')}"
    head, _, body = (await bare(client, path)).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body) // 2}".encode() in head
    head, _, more = (await bare(client, path)).partition(b"\r\n\r\n")
    assert more == body + b"and more"
    assert f"Content-Length: {len(body)}".encode() in head


async def test_a_reset_within_the_answer_comes_after_half_of_it(client: Client) -> None:
    """The head and half of the body arrive, then the connection is reset."""
    client.emulator.faults.add("check", Fault.reset_within())
    path = f"/v1beta/{await client.submit('A boat')}"
    reader, writer = await ask_bare(client, path)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    await shut(writer)
    client.emulator.faults.clear()
    client.emulator.faults.add("check", Fault.reset_within(0.9))
    reader, writer = await ask_bare(client, path)
    assert b"HTTP/1.1 200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    await shut(writer)


async def test_interim_answers_have_no_end_but_the_clients(client: Client) -> None:
    """One after the other, until the client goes; the emulator serves on."""
    client.emulator.faults.add("check", Fault.flood_1xx(), call=1)
    path = f"/v1beta/{await client.submit('A boat')}"
    reader, writer = await ask_bare(client, path)
    for _ in range(100):
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 102 Processing\r\n\r\n"
    await shut(writer)
    assert (await client.get(path)).json["done"] is True


async def test_a_gzip_bomb_is_small_on_the_wire(client: Client) -> None:
    """A thousand times smaller than what it unpacks to."""
    client.emulator.faults.add("check", Fault.gzip_bomb(8 * 2**20))
    seen = await bare(client, f"/v1beta/models/{MODEL}/operations/x")
    head, _, body = seen.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert len(body) < 20_000
    assert len(gzip.decompress(body)) == 8 * 2**20


async def test_a_client_that_leaves_early_is_no_trouble(client: Client) -> None:
    """Half a request, then gone; the emulator serves on."""
    port = urlsplit(client.emulator.base_url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port)) as half:
        half.sendall(b"POST /v1beta/models/veo-3.1:predictLongRunning HTTP/1.1\r\nHost: x\r\nContent-Len")
    await client.submit("A boat")
    assert len(client.emulator.bill) == 1
