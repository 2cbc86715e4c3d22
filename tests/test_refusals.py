"""What a provider's own error is about, and which support codes stand for what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from veo_async.answers import RefusalKind, Refused, Unreadable
from veo_async.dialects import refusals, support_codes
from veo_async.dialects.refusals import ErrorBody, number_of, read_body, read_error
from veo_async.errors import ProtocolError
from veo_async.wire import Response


def answer(status: int, error: Any, **headers: str) -> Response:
    return Response(status=status, headers=headers, body=json.dumps({"error": error}).encode())


def google(
    code: int, word: str, message: str = "no", details: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """An error as Google writes it."""
    return {"code": code, "status": word, "message": message, "details": details or []}


DAY = [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}]
MINUTE = [{"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}]
INVALID_KEY = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
RETIRED = "models/veo-2.0-generate-001 is no longer available."
K = RefusalKind


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        # the request
        (400, google(400, "INVALID_ARGUMENT", "Unsupported aspectRatio"), K.INVALID),
        (422, google(422, ""), K.INVALID),
        (413, google(413, ""), K.INVALID),
        (415, {"message": "no"}, K.INVALID),
        (409, google(409, "ABORTED"), K.INVALID),
        # the type of the duration, and not its value
        (400, google(400, "", "The value type for `durationSeconds` needs to be a number."), K.DURATION_TYPE),
        (400, google(400, "", "json: cannot unmarshal number into field durationSeconds"), K.DURATION_TYPE),
        (400, google(400, "", "The number value for `durationSeconds` is out of bound."), K.INVALID),
        (400, google(400, "", "durationSeconds must be one of 4, 6, 8"), K.INVALID),
        (400, google(400, "", "The value type for `seed` needs to be a number."), K.INVALID),
        # the key
        (401, google(401, "UNAUTHENTICATED"), K.AUTHENTICATION),
        (403, google(403, "PERMISSION_DENIED"), K.AUTHENTICATION),
        (400, google(400, "INVALID_ARGUMENT", "no", INVALID_KEY), K.AUTHENTICATION),
        (400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass one."), K.AUTHENTICATION),
        (400, {"message": "Invalid signature", "type": "401"}, K.AUTHENTICATION),
        # money
        (402, {"message": "pay"}, K.BALANCE),
        (403, {"message": "Insufficient balance", "type": "403"}, K.BALANCE),
        (403, {"message": "Insufficient account balance", "type": 403}, K.BALANCE),
        (403, {"message": "user quota is not enough"}, K.BALANCE),
        # not here
        (404, google(404, "NOT_FOUND", RETIRED), K.NOT_FOUND),
        (404, google(404, "", "x is not found, or not supported for predictLongRunning"), K.NOT_FOUND),
        (410, google(410, ""), K.NOT_FOUND),
        (405, google(405, ""), K.UNSUPPORTED),
        (501, google(501, "UNIMPLEMENTED"), K.UNSUPPORTED),
        (400, google(400, "UNIMPLEMENTED"), K.UNSUPPORTED),
        (404, google(404, "UNIMPLEMENTED"), K.UNSUPPORTED),
        # the pace
        (429, google(429, "RESOURCE_EXHAUSTED"), K.RATE_LIMIT),
        (429, google(429, "RESOURCE_EXHAUSTED", "no", MINUTE), K.RATE_LIMIT),
        (429, google(429, "RESOURCE_EXHAUSTED", "no", DAY), K.QUOTA),
        (429, google(429, "", "Your prepayment credits are depleted."), K.QUOTA),
        (429, {"message": "Support codes: guidelines", "type": "429"}, K.RATE_LIMIT),
        # content
        (400, {"message": "Input may not meet the guidelines. Please adjust.", "type": "503"}, K.CONTENT),
        (503, {"message": "Input may not meet the guidelines. Please adjust.", "type": 503}, K.CONTENT),
        (400, google(400, "INVALID_ARGUMENT", "violates our usage guidelines"), K.CONTENT),
        (400, google(400, "", "The prompt has sensitive words. Support codes: 58061214"), K.CONTENT),
        # the service
        (500, google(500, "INTERNAL"), K.SERVER),
        (502, {"message": "x"}, K.SERVER),
        (504, google(504, "DEADLINE_EXCEEDED"), K.SERVER),
        (524, {"message": "x"}, K.SERVER),
        (408, {"message": "x"}, K.SERVER),
        (499, google(499, "CANCELLED"), K.SERVER),
        (503, google(503, "UNAVAILABLE", "The model is overloaded: high demand"), K.OVERLOADED),
        (400, {"message": "busy", "type": "503"}, K.OVERLOADED),
        # a 5xx keeps its own meaning, whatever code is inside: something may have started
        (500, {"message": "Invalid signature", "type": "401"}, K.SERVER),
        (500, {"message": "slow down", "type": "429"}, K.SERVER),
    ],
)
def test_kinds(status: int, error: dict[str, Any], kind: RefusalKind) -> None:
    """Status, code and words decide, by one table."""
    refused = read_body(answer(status, error))
    assert isinstance(refused, Refused)
    assert refused.kind is kind
    assert refused.status == status
    assert refused.raw == {"error": error}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 3, "message": "x"}, K.INVALID),
        ({"code": "3", "message": "x"}, K.INVALID),
        ({"code": 7, "message": "x"}, K.AUTHENTICATION),
        ({"code": 8, "message": "x"}, K.RATE_LIMIT),
        ({"code": 12, "message": "x"}, K.UNSUPPORTED),
        ({"code": 13, "message": "x"}, K.SERVER),
        ({"code": 14, "message": "x"}, K.OVERLOADED),
        ({"code": 16, "message": "x"}, K.AUTHENTICATION),
        ({"code": "429", "message": "x"}, K.RATE_LIMIT),
        ({"status": "RESOURCE_EXHAUSTED", "message": "x"}, K.RATE_LIMIT),
        ({"code": "RESOURCE_EXHAUSTED", "message": "x"}, K.RATE_LIMIT),
        ({"code": 200, "message": "x"}, None),
        ({"code": 0, "message": "x"}, None),
        ({"code": 77, "message": "x"}, None),
        ({"message": "Insufficient balance"}, None),
    ],
)
def test_an_error_under_status_200(error: dict[str, Any], kind: RefusalKind | None) -> None:
    """It counts by its own code, gRPC's or HTTP's; without one nothing is known."""
    response = answer(200, error)
    body = read_error({"error": error})
    assert body is not None
    refused = refusals.refusal(body, response, {})
    assert (refused and refused.kind) == kind


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"message": "m", "type": "401"}, ErrorBody(message="m", code="401")),
        ({"message": "m", "code": 401, "type": "auth"}, ErrorBody(message="m", code=401)),
        ({"code": 5}, ErrorBody(code=5)),
        ({"status": "ABORTED", "details": [1]}, ErrorBody(word="ABORTED", details=(1,))),
        ({"message": "m", "details": "none"}, ErrorBody(message="m")),
        ({}, None),
        ({"message": None}, None),
        ("Invalid signature", None),
        (["Invalid signature"], None),
        (None, None),
    ],
)
def test_shapes(error: object, expected: ErrorBody | None) -> None:
    """Google's shape and GPTProto's; anything else is not the provider's own."""
    assert read_error({"error": error}) == expected


@pytest.mark.parametrize(
    ("error", "path"),
    [
        ({"message": 1, "code": 400}, "$.error.message"),
        ({"message": "m", "code": True}, "$.error.code"),
        ({"message": "m", "code": 4.5}, "$.error.code"),
        ({"message": "m", "type": {}}, "$.error.type"),
        ({"message": "m", "code": 3, "status": 3}, "$.error.status"),
    ],
)
def test_wrong_types_are_named_by_path(error: dict[str, Any], path: str) -> None:
    """A member of another type makes the error no word of the provider."""
    with pytest.raises(ProtocolError) as caught:
        read_error({"error": error})
    assert caught.value.path == path
    unreadable = read_body(answer(500, error))
    assert isinstance(unreadable, Unreadable)
    assert unreadable.path == path


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"<html>",
        b"[]",
        b"{}",
        b'{"error": "no"}',
        b'{"detail": "no"}',
        b'{"error": null}',
        b'{"err',
    ],
)
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 503, 520])
def test_what_is_not_the_providers_shape(status: int, body: bytes) -> None:
    """It proves nothing: the answer is unreadable, with its start and its hint on waiting kept."""
    unreadable = read_body(Response(status=status, headers={"retry-after": "3"}, body=body))
    assert isinstance(unreadable, Unreadable)
    assert unreadable.status == status
    assert unreadable.excerpt == body.decode()
    assert unreadable.retry_after == 3.0
    assert unreadable.throttled is (status == 429)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"name": "operations/a"}'])
def test_redirects_are_refusals(status: int, body: bytes) -> None:
    """Whatever the body says, nothing is followed; the message says where it points and what to do."""
    headers = {"location": "https://other.example/\x1b[31m"}
    refused = read_body(Response(status=status, headers=headers, body=body))
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.REDIRECT
    assert "https://other.example/\\x1b" in refused.message
    assert "base_url" in refused.message


@pytest.mark.parametrize("status", [100, 199, 600, 999])
def test_other_statuses_are_unreadable(status: int) -> None:
    """A status out of HTTP's range is no answer."""
    assert isinstance(read_body(answer(status, {"message": "x"})), Unreadable)


def test_hints_come_with_refusals() -> None:
    """Header, details and text of a 429 are looked at."""
    error = google(429, "", "Please retry in 10.68s.", [{"retryDelay": "34.07s"}])
    by_details, by_header = (
        read_body(answer(429, error)),
        read_body(answer(429, error, **{"retry-after": "2"})),
    )
    assert isinstance(by_details, Refused)
    assert isinstance(by_header, Refused)
    assert (by_details.retry_after, by_header.retry_after) == (34.07, 2.0)


def test_messages_are_fit_to_be_shown() -> None:
    """Escaped, short, and without the key that a gateway quotes."""
    refused = read_body(answer(401, {"message": "Bad key sk-abcdefghijkl\x1b[31m " + "a" * 10_000}))
    assert isinstance(refused, Refused)
    assert refused.message.startswith("Bad key <secret>\\x1b[31m aaa")
    assert len(refused.message) == 500


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (3, 3),
        ("3", 3),
        (" 503 ", 503),
        ("x", None),
        ("", None),
        (None, None),
        ("٣", None),
        ("9" * 9, 999_999_999),
        ("9" * 10, None),
        ("9" * 5000, None),
    ],
)
def test_codes_are_numbers_or_strings(code: int | str | None, number: int | None) -> None:
    """Gateways write codes either way."""
    assert number_of(code) == number


def test_support_codes() -> None:
    """Each documented code has its category; several are kept in order, each once."""
    assert len(support_codes.CATEGORIES) == 25
    assert support_codes.categories("Support codes: 15236754, 58061214, 29310472") == ("celebrity", "child")
    assert support_codes.categories("29578790") == ("other",)
    assert support_codes.categories("1293104720 or 00000000") == ()


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("Input may not meet the guidelines. Please adjust and try again.", True),
        ("The prompt could violate Vertex AI's USAGE GUIDELINES.", True),
        ("blocked by Responsible AI practices", True),
        ("Support codes: 1", True),
        ("the input has sensitive words", True),
        ("Internal server error", False),
        ("Unsupported resolution", False),
        ("", False),
    ],
)
def test_words_of_policy(text: str, policy: bool) -> None:
    """The words that tell a safety block from a bad request."""
    assert support_codes.speaks_of_policy(text) is policy


@pytest.mark.parametrize(
    ("text", "billed"),
    [
        ("You will not be charged for this attempt.", "no"),
        ("You won't be charged.", "no"),
        ("You have not been charged", "no"),
        ("You will be charged.", "unknown"),
        ("", "unknown"),
    ],
)
def test_words_about_money(text: str, billed: str) -> None:
    """Nothing is billed where the provider says so."""
    assert support_codes.billed_by(text) == billed


def test_a_redirect_says_where_to() -> None:
    """And under which status."""
    refused = read_body(Response(status=307, headers={"location": "https://elsewhere.example/"}, body=b""))
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.status) == (K.REDIRECT, 307)
    assert refused.message == "redirects to https://elsewhere.example/; set base_url to where the API is"
    nowhere = read_body(Response(status=302, headers={}, body=b""))
    assert isinstance(nowhere, Refused)
    assert nowhere.message.startswith("redirects to nowhere; ")


def test_a_failure_without_an_error_names_its_status() -> None:
    """Any box on the way may have said it."""
    unreadable = read_body(answer(502, "no"))
    assert isinstance(unreadable, Unreadable)
    assert unreadable.message == "HTTP 502 without an error in the provider's own shape"
    assert (unreadable.path, unreadable.status) == ("$", 502)
    odd = read_body(answer(199, {"message": "no"}))
    assert isinstance(odd, Unreadable)
    assert odd.message == "HTTP 199 is no failure"


def test_a_service_has_rules_of_its_own() -> None:
    """They are read first, under statuses of failure too."""
    rules = (refusals.Rule(K.BALANCE, {418}), refusals.Rule(K.OVERLOADED, {400}, code="busy"))
    refused = read_body(answer(418, {"message": "no"}), rules=rules)
    assert isinstance(refused, Refused)
    assert refused.kind is K.BALANCE
    for code, kind in (("busy", K.OVERLOADED), ("idle", K.INVALID)):
        refused = read_body(answer(400, {"message": "no", "code": code}), rules=rules)
        assert isinstance(refused, Refused)
        assert refused.kind is kind


def test_what_is_kept_of_an_error() -> None:
    """A code's first 80 characters; details where they are a list."""
    found = read_error({"error": {"code": "x" * 200, "message": "no", "details": [1, 2]}})
    assert found is not None
    assert (len(str(found.code)), found.details) == (80, (1, 2))
    found = read_error({"error": {"code": 5, "details": "odd"}})
    assert found is not None
    assert (found.code, found.details) == (5, ())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (16, K.AUTHENTICATION),  # gRPC's numbers
        (8, K.RATE_LIMIT),
        (99, None),  # nobody's
        (100, None),  # HTTP's begin here
        (200, None),
        (399, None),
        (429, K.RATE_LIMIT),
        (1302, None),
    ],
)
def test_an_error_under_200_has_its_own_number(code: int, kind: RefusalKind | None) -> None:
    """HTTP's, gRPC's, or nobody's: then nothing is known."""
    error = ErrorBody(message="no", code=code)
    refused = refusals.refusal(error, answer(200, {}), {})
    assert (None if refused is None else refused.kind) == kind


@pytest.mark.parametrize("code", [0, 99, 100, 200, 302, 600])
def test_an_error_under_400_whose_number_is_no_failures_is_the_requests(code: int) -> None:
    """The status of the answer holds."""
    refused = refusals.refusal(ErrorBody(message="no", code=code), answer(400, {}), {})
    assert refused is not None
    assert refused.kind is K.INVALID


def test_a_model_that_is_not_found_may_be_retired() -> None:
    """The hint fits, however long the provider's words are."""
    refused = refusals.of_submit(Refused(kind=K.NOT_FOUND, message="z" * 1000))
    assert refused.message == f"{'z' * 399}… (the model's name is retired or misspelt: model= takes any name)"
