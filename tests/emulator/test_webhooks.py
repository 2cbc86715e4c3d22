"""Webhooks of the emulator: to whom, signed by what, and how often."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import web
from attrs import define, field
from jwt.algorithms import RSAAlgorithm

from veo_async.emulator import Webhooks

from .client import MODEL, Client, serving

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()


@define
class Listener:
    """An address that notes what comes, and answers as it is told."""

    uri: str = ""
    answers: list[int] = field(factory=list[int])
    """Statuses of the first answers; then 200."""
    received: list[tuple[dict[str, str], bytes]] = field(factory=list[tuple[dict[str, str], bytes]])

    async def hear(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append((headers, await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def until(self, count: int) -> None:
        """Return once so many deliveries came."""
        while len(self.received) < count:  # noqa: ASYNC110 - short, and plain
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(*answers: int) -> AsyncGenerator[Listener]:
    """Listen on loopback."""
    listener = Listener(answers=list(answers))
    app = web.Application()
    app.router.add_post("/hook", listener.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.uri = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield listener
    finally:
        await runner.cleanup()


async def submit(client: Client, config: Any = None, prompt: str = "A boat") -> Any:
    """Submit with a `webhookConfig`; return the answer."""
    body: dict[str, Any] = {"instances": [{"prompt": prompt}]}
    if config is not None:
        body["webhookConfig"] = config
    return await client.ask("POST", f"/v1beta/models/{MODEL}:predictLongRunning", json=body)


def is_signed(headers: dict[str, str], body: bytes) -> bool:
    """Whether a delivery is signed as the specification has it."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


async def test_addresses_of_a_submission_are_told_when_it_is_done() -> None:
    """Not before; with the thin payload, signed."""
    async with listening() as listener, serving(waiting=60.0, webhooks=Webhooks(secret=SECRET)) as client:
        name = (await submit(client, {"uris": [listener.uri], "userMetadata": {"a": "b"}})).json["name"]
        await submit(client)
        await asyncio.sleep(0.1)
        assert listener.received == []
        client.emulator.finish_all()
        await listener.until(1)
        await asyncio.sleep(0.1)
        ((headers, body),) = listener.received
    document = json.loads(body)
    assert (document["type"], document["version"], document["data"]["id"]) == ("video.generated", "v1", name)
    assert is_signed(headers, body)
    made = [(one.uri, one.status, one.genuine) for one in client.emulator.deliveries]
    assert made == [(listener.uri, 200, True)]


async def test_addresses_given_once_for_all_are_told_of_every_job() -> None:
    """By the id alone, where that is asked for."""
    async with listening() as listener:
        webhooks = Webhooks(secret=SECRET, uris=(listener.uri,), short_ids=True)
        async with serving(waiting=0.0, webhooks=webhooks) as client:
            names = {(await submit(client, prompt=f"boat {number}")).json["name"] for number in range(3)}
            await listener.until(3)
        ids = {json.loads(body)["data"]["id"] for _, body in listener.received}
        assert ids == {name.rpartition("/")[2] for name in names}


async def test_what_is_not_taken_is_sent_again() -> None:
    """The same id, until a 2xx; a redirect is none."""
    async with listening(500, 302, 401) as listener:
        webhooks = Webhooks(secret=SECRET, uris=(listener.uri,))
        async with serving(waiting=0.0, webhooks=webhooks) as client:
            await submit(client)
            await listener.until(4)
            await asyncio.sleep(0.05)
        assert len({headers["webhook-id"] for headers, _ in listener.received}) == 1
        assert [delivery.status for delivery in client.emulator.deliveries] == [500, 302, 401, 200]


async def test_forged_and_doubled_deliveries_are_sent_as_asked_for() -> None:
    """The forged ones first, each with another id; the copies alike."""
    async with listening() as listener:
        webhooks = Webhooks(secret=SECRET, uris=(listener.uri,), forged=3, copies=2)
        async with serving(waiting=0.0, webhooks=webhooks) as client:
            await submit(client)
            await listener.until(5)
    assert [is_signed(headers, body) for headers, body in listener.received] == [False] * 3 + [True] * 2
    assert len({headers["webhook-id"] for headers, _ in listener.received}) == 4


async def test_tokens_are_signed_by_the_published_key() -> None:
    """RS256, for the address, from this emulator, with the event in it."""
    async with listening() as listener:
        async with serving(waiting=0.0, webhooks=Webhooks(secret=SECRET, tokens=True)) as client:
            name = (await submit(client, {"uris": [listener.uri]})).json["name"]
            await listener.until(1)
            jwks = (await client.ask("GET", "/.well-known/jwks.json", key=None)).json
            issuer = client.emulator.base_url
        token = listener.received[0][0]["webhook-signature"]
        (entry,) = jwks["keys"]
        assert entry["kid"] == jwt.get_unverified_header(token)["kid"]
        key: Any = RSAAlgorithm.from_jwk(entry)
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=listener.uri, issuer=issuer)
        assert claims["data"]["id"] == name
        assert "d" not in entry


@pytest.mark.parametrize(
    "config",
    [
        {"uris": ["https://hooks.example/a"]},
        {"uris": ["http://127.0.0.1.example/a"]},
        {"uris": ["http://127.0.0.1@hooks.example/a"]},
        {"uris": ["file:///etc/passwd"]},
        {"uris": [7]},
        {"uris": "http://127.0.0.1/a"},
        {"url": "http://127.0.0.1/a"},
        [],
    ],
)
async def test_only_this_machine_is_called(config: Any) -> None:
    """A submission that names another is refused, and not billed."""
    async with serving(webhooks=Webhooks(secret=SECRET)) as client:
        answer = await submit(client, config)
        assert answer.status == 400
        assert len(client.emulator.bill) == 0


async def test_without_webhooks_nobody_is_called() -> None:
    """The field is taken, as it always was; there are no keys to publish."""
    async with serving(waiting=0.0) as client:
        assert (await submit(client, {"uris": ["https://hooks.example/a"]})).status == 200
        assert (await client.get("/.well-known/jwks.json")).status == 404
        assert client.emulator.deliveries == []


def test_addresses_elsewhere_are_refused_at_once() -> None:
    """And the secret shows in no repr."""
    with pytest.raises(ValueError, match="this machine only"):
        Webhooks(secret=SECRET, uris=("https://hooks.example/a",))
    assert SECRET not in repr(Webhooks(secret=SECRET))


async def test_jobs_of_an_earlier_run_are_told_of() -> None:
    """A stopped emulator keeps its jobs, and who waits for them."""
    async with listening() as listener, serving(waiting=60.0, webhooks=Webhooks(secret=SECRET)) as client:
        await submit(client, {"uris": [listener.uri]})
        await client.emulator.stop()
        await client.emulator.start()
        client.emulator.finish_all()
        await listener.until(1)
