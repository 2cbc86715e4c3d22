"""A receiver: what it answers, what it tells the session, when it fetches keys, and its ASGI side."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, MutableMapping, Sequence
from typing import Any

import pytest

from veo_async import ConfigurationError, ProtocolError, SessionClosedError, VeoSession
from veo_async.webhooks import Receiver, TokenRules
from veo_async.webhooks import receiver as receiver_module
from veo_async.webhooks.key_cache import KeyCache
from veo_async.webhooks.verifying import LARGEST_BODY_BYTES

from .conftest import FakeSession
from .signing import BODY, KEY_ID, NOW, OPERATION, OTHER_SECRET, SECRET, headers, jwks, public_entry, token

pytestmark = pytest.mark.anyio


def now() -> float:
    return NOW


@pytest.fixture
def receiver(session: VeoSession) -> Receiver:
    """A receiver with a secret, whose clock stands still."""
    return Receiver(session, secrets=SECRET, clock=now)


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_proved_delivery_is_passed_on_once(receiver: Receiver, told: FakeSession) -> None:
    """A doubled one is answered as well, so that it does not come a third time, and tells nothing."""
    assert (await receiver.receive(headers(), BODY)).status == 200
    again = await receiver.receive(headers(), BODY)
    assert (again.status, again.text) == (200, "duplicate")
    assert told.told == [OPERATION]
    assert (receiver.received, receiver.refused) == (1, Counter(duplicate=1))


@pytest.mark.parametrize(
    ("sent", "body", "status"),
    [
        ({}, BODY, 400),
        (headers(secret=OTHER_SECRET), BODY, 401),
        (headers(at=NOW - 400), BODY, 400),
        (headers(b"[]"), b"[]", 400),
        (headers(), BODY + b" " * LARGEST_BODY_BYTES, 413),
    ],
)
async def test_what_is_not_proved_tells_nothing(
    receiver: Receiver, told: FakeSession, sent: dict[str, str], body: bytes, status: int
) -> None:
    """No 2xx, no notice, and a word or two."""
    reply = await receiver.receive(sent, body)
    assert reply.status == status
    assert len(reply.text) < 30
    assert told.told == []


async def test_a_delivery_that_no_session_takes_may_come_again(receiver: Receiver, told: FakeSession) -> None:
    """503, and it is not remembered: the sender's next try counts."""
    told.error = SessionClosedError("the session is closed")
    assert (await receiver.receive(headers(), BODY)).status == 503
    told.error = None
    assert (await receiver.receive(headers(), BODY)).text == "received"


async def test_events_about_other_things_are_taken_and_ignored(receiver: Receiver, told: FakeSession) -> None:
    """A 2xx, since the sender has done its part."""
    body = b'{"type": "batch.failed", "data": {}}'
    assert (await receiver.receive(headers(body), body)).status == 200
    assert told.told == []


async def test_refusals_are_told_loudly_once(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """A flood does not flood the log; nothing that a stranger wrote stands in it."""
    with caplog.at_level(logging.INFO, "veo_async"):
        for number in range(50):
            await receiver.receive(headers(secret=OTHER_SECRET, delivery_id=f"stranger{number}"), BODY)
    assert [record.getMessage() for record in caplog.records] == ["a webhook was refused: bad_signature"]


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────


class Keys:
    """A JWKS that can change and fail, and a clock."""

    def __init__(self) -> None:
        self.document = jwks()
        self.fetched = 0
        self.fails = False
        self.now = 0.0

    async def fetch(self) -> bytes:
        self.fetched += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ProtocolError("the answer is 500")
        return self.document

    def clock(self) -> float:
        return self.now


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    """What stands in the place of the sender's JWKS."""
    published = Keys()

    def make(_: object) -> KeyCache:
        return KeyCache(published.fetch, published.clock)

    monkeypatch.setattr(receiver_module, "KeyCache", make)
    return published


@pytest.fixture
def by_token(session: VeoSession, keys: Keys) -> Receiver:
    """A receiver that believes tokens."""
    return Receiver(session, tokens=TokenRules(audience="us", issuer="sender"), clock=now)


def sent(**claims: Any) -> dict[str, str]:
    return {"webhook-signature": token(**claims)}


async def test_keys_are_fetched_when_needed_and_kept(
    by_token: Receiver, keys: Keys, told: FakeSession
) -> None:
    """Once for many deliveries, those at the same time too."""
    assert keys.fetched == 0
    replies = await asyncio.gather(*(by_token.receive(sent(jti=f"{number}"), BODY) for number in range(5)))
    assert {reply.status for reply in replies} == {200}
    assert (keys.fetched, told.told) == (1, [OPERATION] * 5)


async def test_unknown_keys_are_looked_for_once_a_minute(by_token: Receiver, keys: Keys) -> None:
    """Whatever strangers name: a new key is found, a flood is not passed on to the sender."""
    assert (await by_token.receive(sent(kid="key-2", signed_by="key-2"), BODY)).text == "unknown_key"
    keys.document = jwks(public_entry(), public_entry("key-2"))
    for number in range(20):
        assert (await by_token.receive(sent(kid=f"stranger{number}"), BODY)).text == "unknown_key"
    assert (await by_token.receive(sent(kid="key-2", signed_by="key-2"), BODY)).status == 401
    assert keys.fetched == 1
    keys.now = 60.0
    assert (await by_token.receive(sent(kid="key-2", signed_by="key-2"), BODY)).status == 200
    assert keys.fetched == 2


async def test_a_key_taken_back_is_believed_for_an_hour_at_most(by_token: Receiver, keys: Keys) -> None:
    """Also when the JWKS is not to be had then."""
    assert (await by_token.receive(sent(jti="a"), BODY)).status == 200
    keys.document = jwks(public_entry("key-2"))
    keys.now = 3600.0
    assert (await by_token.receive(sent(jti="b"), BODY)).status == 200
    keys.now = 3601.0
    keys.fails = True
    assert (await by_token.receive(sent(jti="c"), BODY)).text == "unknown_key"
    keys.fails = False
    keys.now = 3700.0
    assert (await by_token.receive(sent(jti="c"), BODY)).text == "unknown_key"
    assert (await by_token.receive(sent(jti="c", kid="key-2", signed_by="key-2"), BODY)).status == 200


async def test_tokens_signed_otherwise_do_not_fetch_keys(by_token: Receiver, keys: Keys) -> None:
    """What is refused for another reason is refused at once."""
    assert (await by_token.receive({"webhook-signature": "a.b.c"}, BODY)).text == "malformed"
    assert keys.fetched == 0
    assert KEY_ID not in by_token.refused


# ── bodies and ASGI ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_body_too_large_is_not_read_to_its_end(receiver: Receiver) -> None:
    """However long it would go on."""
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield bytes(10_000)

    assert (await receiver.take(headers(), endless())).status == 413
    assert given == 7


async def test_a_body_that_drips_is_not_waited_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ten seconds it is given up."""
    monkeypatch.setattr(receiver_module, "_BODY_S", 0.01)

    async def dripping() -> AsyncGenerator[bytes]:
        while True:
            await asyncio.sleep(0.001)
            yield b" "

    assert (await receiver.take(headers(), dripping())).status == 408


async def call(
    receiver: Receiver, messages: Sequence[Mapping[str, Any]], **scope: Any
) -> list[dict[str, Any]]:
    """Serve one request over ASGI and return what was sent."""
    waiting = iter(messages)
    answers: list[dict[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return dict(next(waiting))

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(dict(message))

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers().items()]
    await receiver({"type": "http", "method": "POST", "headers": raw} | scope, receive, send)
    return answers


async def test_asgi_serves_a_body_in_parts(receiver: Receiver, told: FakeSession) -> None:
    """The bytes are put together as they were sent."""
    kind: dict[str, Any] = {"type": "http.request"}
    parts = [kind | {"body": BODY[:9], "more_body": True}, kind | {"body": BODY[9:]}]
    start, body = await call(receiver, parts)
    assert (start["status"], body["body"], told.told) == (200, b"received", [OPERATION])


async def test_asgi_refuses_what_is_no_delivery(receiver: Receiver, told: FakeSession) -> None:
    """Other methods, web sockets, a sender who goes away, headers that came twice."""
    assert (await call(receiver, [], method="GET"))[0]["status"] == 405
    assert await call(receiver, [], type="websocket") == [{"type": "websocket.close"}]
    gone: list[dict[str, Any]] = [
        {"type": "http.request", "body": BODY, "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert (await call(receiver, gone))[0]["status"] == 400
    whole = [{"type": "http.request", "body": BODY}]
    twice = [(b"webhook-id", b"msg_1"), (b"Webhook-Id", b"msg_2")]
    raw = [(name.lower().encode(), value.encode()) for name, value in headers().items()][1:]
    assert (await call(receiver, whole, headers=[*twice, *raw]))[0]["status"] == 401
    with pytest.raises(NotImplementedError):
        await call(receiver, [], type="lifespan")
    assert told.told == []


def test_a_secret_that_is_none_is_not_shown(session: VeoSession) -> None:
    """Neither in the error nor in what a traceback would print: the watch over all tests looks there."""
    with pytest.raises(ConfigurationError, match="whsec_ and Base64"):
        Receiver(session, secrets=["whsec_copied with a blank in it"])
