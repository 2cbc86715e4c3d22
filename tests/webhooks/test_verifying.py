"""Deliveries signed by a secret: what is taken, and every way to be refused. No clock, no loop."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import veo_async
from tests.test_purity import impurities
from veo_async import ConfigurationError
from veo_async.credentials import Secret
from veo_async.webhooks import Verifier, WebhookRefusedError
from veo_async.webhooks.deliveries import Deliveries
from veo_async.webhooks.signatures import SigningSecret
from veo_async.webhooks.verifying import LARGEST_BODY_BYTES

from .signing import BODY, ENVELOPE, NOW, OPERATION, OTHER_SECRET, SECRET, headers


def verifier(**options: Any) -> Verifier:
    settings: dict[str, Any] = {"secrets": SECRET} | options
    return Verifier(**settings)


def refusal(sent: dict[str, str], body: bytes = BODY, *, now: float = NOW, by: Verifier | None = None) -> str:
    """Return why a delivery is refused."""
    with pytest.raises(WebhookRefusedError) as caught:
        (by or verifier()).verify(sent, body, now)
    return caught.value.reason


def test_the_known_answer_of_the_specification_is_verified() -> None:
    """The vector of the reference suite: it passes the signature, and is no event of ours."""
    sent = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    known = verifier(secrets="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert refusal(sent, b'{"test": 2432232314}', now=1614265330, by=known) == "malformed"
    assert refusal(sent, b'{"test": 2432232315}', now=1614265330, by=known) == "bad_signature"


def test_a_signed_delivery_becomes_an_event() -> None:
    """Its type, the operation it names, and its id; headers in any case."""
    event = verifier().verify(headers(), BODY, NOW)
    assert (event.delivery_id, event.type, event.operation) == ("msg_1", "video.generated", OPERATION)
    assert event.data["file_name"] == "files/abc"


@pytest.mark.parametrize(
    ("data", "operation"),
    [({"id": "op0"}, "op0"), ({"name": "op1"}, "op1"), ({"id": 7, "operation": "op2"}, "op2"), ({}, None)],
)
def test_the_operation_may_stand_in_several_places(data: dict[str, object], operation: str | None) -> None:
    """Where it stands is documented thinly; an event without one is an event all the same."""
    body = json.dumps(ENVELOPE | {"data": data}).encode()
    assert verifier().verify(headers(body), body, NOW).operation == operation


def test_one_secret_takes_the_others_place() -> None:
    """Several secrets at the receiver, several signatures from the sender: one that matches is enough."""
    both = verifier(secrets=[OTHER_SECRET, SECRET])
    assert both.verify(headers(), BODY, NOW).type == "video.generated"
    sent = headers(delivery_id="msg_2")
    theirs = headers(delivery_id="msg_2", secret=OTHER_SECRET)["Webhook-Signature"]
    sent["Webhook-Signature"] = f"v1a,bm90IG91cnM= {theirs} {sent['Webhook-Signature']}"
    assert verifier().verify(sent, BODY, NOW).delivery_id == "msg_2"


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_each_header_is_needed(name: str) -> None:
    """None may be missing or empty."""
    sent = headers()
    assert refusal(sent | {name: ""}) == "missing_header"
    del sent[name]
    assert refusal(sent) == "missing_header"


@pytest.mark.parametrize(
    "change",
    [
        {"Webhook-Id": "msg_2"},
        {"Webhook-Timestamp": str(int(NOW) + 1)},
        {"Webhook-Signature": headers(secret=OTHER_SECRET)["Webhook-Signature"]},
        {"Webhook-Signature": headers()["Webhook-Signature"].removeprefix("v1,")},
        {"Webhook-Signature": headers()["Webhook-Signature"].replace("v1,", "v1a,")},
        {"Webhook-Signature": "v1,"},
    ],
)
def test_what_is_not_signed_so_is_refused(change: dict[str, str]) -> None:
    """Id, time and body belong to the signature; other versions of signatures are none."""
    assert refusal(headers() | change) == "bad_signature"


def test_another_body_is_refused() -> None:
    """Not one blank more."""
    assert refusal(headers(), BODY + b" ") == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Timestamp": "-1"},
        {"Webhook-Timestamp": "٣"},
        {"Webhook-Timestamp": "1" * 400},
        {"Webhook-Id": "msg_ü"},
        {"Webhook-Id": "m" * 10_000},
        {"webhook-id": "msg_1"},
    ],
)
def test_headers_that_cannot_be_read_are_refused(change: dict[str, str]) -> None:
    """Times that are no number, letters beyond ASCII, endless ones, two of a name."""
    assert refusal(headers() | change) == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"",
        b"[]",
        b"{}",
        b'{"type": 1, "data": {}}',
        b'{"type": "a", "data": []}',
        b"[" * 10_000,
        b'{"type": "a", "type": "b", "data": {}}',
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    """Other than UTF-8, other than JSON, another shape, one nested without end, one read in two ways."""
    assert refusal(headers(body), body) == "malformed"


def test_old_and_future_deliveries_are_refused() -> None:
    """Five minutes either way, to the second."""
    for at in (NOW - 300, NOW + 300):
        assert verifier().verify(headers(at=at), BODY, NOW).operation == OPERATION
    assert refusal(headers(at=NOW - 301)) == "too_old"
    assert refusal(headers(at=NOW + 301)) == "too_new"
    assert refusal(headers(at=NOW - 11), by=verifier(tolerance=10)) == "too_old"


def test_a_body_too_large_is_refused_before_all_else() -> None:
    """Though nothing else is right with it."""
    assert refusal({}, b" " * (LARGEST_BODY_BYTES + 1)) == "too_large"


def test_a_delivery_counts_once() -> None:
    """Again within the window, signed anew or not, it is a duplicate; one that was taken back is not."""
    one = verifier()
    event = one.verify(headers(), BODY, NOW)
    assert refusal(headers(), by=one) == "duplicate"
    assert refusal(headers(at=NOW + 3600), by=one, now=NOW + 3600) == "duplicate"
    one.forget(event)
    assert one.verify(headers(), BODY, NOW) == event


def test_a_refused_delivery_is_not_remembered() -> None:
    """A stranger who uses the id first keeps nobody out."""
    one = verifier()
    assert refusal(headers(secret=OTHER_SECRET), by=one) == "bad_signature"
    assert one.verify(headers(), BODY, NOW).operation == OPERATION


def test_what_is_remembered_is_bounded() -> None:
    """In number and in time; the oldest go."""
    deliveries = Deliveries(3)
    assert [deliveries.is_new(name, NOW) for name in "abcda"] == [True] * 5
    assert not deliveries.is_new("d", NOW)
    assert len(deliveries) == 3
    assert deliveries.is_new("d", NOW + 86_400)
    assert len(deliveries) == 1


@pytest.mark.parametrize(
    "secrets", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base 64 at all, this is", [], [SECRET, "whsec_?"]]
)
def test_what_can_be_no_secret_is_refused_at_once(secrets: Any) -> None:
    """Without showing it."""
    with pytest.raises(ConfigurationError) as caught:
        Verifier(secrets=secrets)
    assert "no base" not in str(caught.value)


@pytest.mark.parametrize("options", [{"tolerance": 0}, {"memory": 0}])
def test_bounds_must_leave_room(options: dict[str, float]) -> None:
    """A window of nothing would refuse all."""
    with pytest.raises(ConfigurationError):
        verifier(**options)


def test_a_secret_shows_nowhere() -> None:
    """Neither in a repr, nor by pickle, nor in what a refusal carries along."""
    one = verifier()
    secret = SigningSecret(Secret(SECRET))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    for text in (repr(one), repr(secret), repr(vars(one))):
        assert SECRET[6:-4] not in text
        assert repr(key)[2:-1] not in text
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


@pytest.mark.parametrize("name", ["deliveries", "events", "refusals", "replies", "signatures", "verifying"])
def test_verifying_only_computes(name: str) -> None:
    """No clock, no waiting, no I/O: instants and keys are given."""
    source = Path(veo_async.__file__).parent / "webhooks" / f"{name}.py"
    assert impurities(source.read_text(encoding="utf-8")) == []
