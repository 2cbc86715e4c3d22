"""The Gemini format: what is written, and what answers are read as."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.surfaces import answer as response
from veo_async.answers import (
    Accepted,
    Empty,
    Finished,
    Listed,
    Missing,
    RefusalKind,
    Refused,
    Running,
    Unreadable,
)
from veo_async.dialects.dialect import Capabilities, Dialect
from veo_async.dialects.gemini import GeminiDialect, gateway_uri
from veo_async.errors import InvalidRequestError
from veo_async.models import Failed, Media, Succeeded, VideoRequest
from veo_async.wire import MAX_INLINE_BYTES, Base64Media, Request

MODEL = "veo-3.1-fast-generate-preview"
OPERATION = f"models/{MODEL}/operations/abc123"
BASE = "https://gateway.example/prefix"
STATUS = "https://status.example"
PICTURE = Media(sha256="0" * 64, size=5, mime_type="image/png")
OTHER = Media(sha256="1" * 64, size=7, mime_type="image/jpeg")

dialect: Dialect = GeminiDialect(base_url=BASE, status_base_url=STATUS)


def json_of(request: Request, fill: str = "") -> Any:
    """The body as the server reads it, `fill` in the place of each picture."""
    parts = (part if isinstance(part, bytes) else fill.encode() for part in request.body)
    return json.loads(b"".join(parts))


def body_of(request: VideoRequest, **options: bool) -> Any:
    return json_of(dialect.submit(request, MODEL, **options))


# Submits --------------------------------------------------------------------------------------------------


def test_the_smallest_submit() -> None:
    """A prompt alone: nothing that is None is sent, labels and keys of ours neither."""
    request = VideoRequest("a boat", labels={"who": "me"}, idempotency_key="k")
    assert dialect.submit(request, MODEL) == Request(
        method="POST",
        url=f"{BASE}/v1beta/models/{MODEL}:predictLongRunning",
        headers={"Accept": "application/json", "Content-Type": "application/json"},
        body=(b'{"instances": [{"prompt": "a boat"}], "parameters": {}}',),
    )


def test_all_parameters() -> None:
    """Names in camel case, each with its JSON type; the duration is a number."""
    request = VideoRequest(
        "a",
        aspect_ratio="9:16",
        resolution="1080p",
        duration_seconds="8",
        negative_prompt="rain",
        person_generation="allow_adult",
        enhance_prompt=False,
        seed=0,
        sample_count=1,
        extra={"compressionQuality": "lossless", "nested": {"a": [1, None]}},
    )
    assert body_of(request)["parameters"] == {
        "aspectRatio": "9:16",
        "resolution": "1080p",
        "durationSeconds": 8,
        "negativePrompt": "rain",
        "personGeneration": "allow_adult",
        "enhancePrompt": False,
        "seed": 0,
        "sampleCount": 1,
        "compressionQuality": "lossless",
        "nested": {"a": [1, None]},
    }


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (VideoRequest("a", generate_audio=False), "generate_audio"),
        (VideoRequest("a", storage_uri="gs://b/f"), "storage_uri"),
    ],
)
def test_what_only_vertex_takes_is_refused_with_the_way_out(request_: VideoRequest, field: str) -> None:
    """Not in the Gemini format's table; `extra` is there for a gateway that differs."""
    (problem,) = dialect.problems(request_, MODEL)
    assert problem.field == field
    assert "extra=" in problem.message


def test_the_duration_as_a_string() -> None:
    """By the provider's switch, or for the one submit after a 400 that names its type."""
    request = VideoRequest("a", duration_seconds=6)
    assert body_of(request, duration_as_string=True)["parameters"] == {"durationSeconds": "6"}
    switched = GeminiDialect(base_url=BASE, status_base_url=BASE, duration_as_string=True)
    assert json_of(switched.submit(request, MODEL))["parameters"] == {"durationSeconds": "6"}
    assert json_of(switched.submit(VideoRequest("a"), MODEL))["parameters"] == {}


def test_a_webhook_stands_beside_the_instances() -> None:
    """Protocol §1 has it at the top level, where no other field of `extra` goes."""
    hook = {"uris": ["https://hook.example"]}
    body = body_of(VideoRequest("a", extra={"webhookConfig": hook, "fps": 24}))
    assert body == {"instances": [{"prompt": "a"}], "parameters": {"fps": 24}, "webhookConfig": hook}


def test_extra_is_the_callers_last_word() -> None:
    """A provider's field that is given outright is sent as it is."""
    request = VideoRequest("a", duration_seconds=8, extra={"durationSeconds": "8"})
    assert body_of(request)["parameters"] == {"durationSeconds": "8"}


def test_pictures_are_left_for_the_transport() -> None:
    """Bytes are never turned into base64 here: their places are parts of the body."""
    request = VideoRequest('"\\u00000\\u0000"', image=PICTURE, last_frame=OTHER)
    submit = dialect.submit(request, MODEL)
    assert [part for part in submit.body if not isinstance(part, bytes)] == [
        Base64Media(PICTURE),
        Base64Media(OTHER),
    ]
    assert json_of(submit, "QUJD")["instances"] == [
        {
            "prompt": '"\\u00000\\u0000"',
            "image": {"bytesBase64Encoded": "QUJD", "mimeType": "image/png"},
            "lastFrame": {"bytesBase64Encoded": "QUJD", "mimeType": "image/jpeg"},
        }
    ]


def test_references_and_a_video() -> None:
    """References are assets; a video is its URI and nothing beside it."""
    request = VideoRequest("a", reference_images=(PICTURE, OTHER, PICTURE), video="https://h/files/a")
    submit = dialect.submit(request, MODEL)
    assert [part.media for part in submit.body if isinstance(part, Base64Media)] == [PICTURE, OTHER, PICTURE]
    instance = json_of(submit, "QUJD")["instances"][0]
    assert instance["video"] == {"uri": "https://h/files/a"}
    assert instance["referenceImages"] == [
        {"image": {"bytesBase64Encoded": "QUJD", "mimeType": kind}, "referenceType": "asset"}
        for kind in ("image/png", "image/jpeg", "image/png")
    ]


def test_a_forged_place_for_a_picture_is_refused() -> None:
    """A text with NUL could look like one of our marks: it is refused even where the check was left out."""
    with pytest.raises(InvalidRequestError, match="NUL"):
        dialect.submit(VideoRequest("\x000\x00", image=PICTURE), MODEL)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30))
def test_texts_arrive_as_they_are(text: str) -> None:
    """Any text without NUL comes back from the body, beside a picture, however it quotes and escapes."""
    request = VideoRequest(text, image=PICTURE, negative_prompt=text, extra={"a": {text: text}})
    body = json_of(dialect.submit(request, MODEL), "QUJD")
    assert body["instances"][0]["prompt"] == text
    assert body["instances"][0]["image"]["bytesBase64Encoded"] == "QUJD"
    assert body["parameters"] == {"negativePrompt": text, "a": {text: text}}


@pytest.mark.parametrize(
    ("model", "segment"),
    [("veo-3.1", "veo-3.1"), ("google/veo-3.1", "google%2Fveo-3.1"), ("veo3.1:fast@1", "veo3.1%3Afast%401")],
)
def test_models_are_one_segment_of_the_path(model: str, segment: str) -> None:
    """Percent-encoded, in submits, checks and lists alike."""
    assert dialect.submit(VideoRequest("a"), model).url.endswith(f"/models/{segment}:predictLongRunning")
    assert f"/models/{segment}/operations/" in dialect.check(f"models/{model}/operations/a").url
    assert f"/models/{segment}/operations?" in dialect.list_page(model, None).url


# Problems -------------------------------------------------------------------------------------------------


def problem_fields(request: VideoRequest, model: str = MODEL) -> list[str]:
    return [problem.field for problem in dialect.problems(request, model)]


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (VideoRequest("a", image="https://h/a.png"), ["image"]),
        (VideoRequest("a", image=PICTURE, last_frame="gs://b/a.png"), ["last_frame"]),
        (VideoRequest("a", reference_images=(PICTURE, "https://h/a.png")), ["reference_images[1]"]),
        (VideoRequest("a", video=b"bytes"), ["video"]),
        (VideoRequest("a", video=Media(sha256="0" * 64)), ["video"]),
        (VideoRequest("a", image=b"bytes", last_frame="a.png"), []),
        (VideoRequest("a", video="https://h/a.mp4"), []),
    ],
)
def test_media_this_format_has_no_place_for(request_: VideoRequest, fields: Sequence[str]) -> None:
    """Pictures go as bytes, a video as a URL."""
    assert problem_fields(request_) == fields


def test_a_problem_says_the_way_out() -> None:
    """A picture's URL: download it, and give its path or bytes."""
    [problem] = dialect.problems(VideoRequest("a", image="https://h/a.png"), MODEL)
    assert "download it" in problem.message


# Answers to a submit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        (OPERATION, OPERATION),
        ("operations/abc123", OPERATION),
        ("models/veo-3.1-generate-001/operations/a", "models/veo-3.1-generate-001/operations/a"),
        ("models/google/veo/operations/a", "models/google/veo/operations/a"),
        ("operations/veo3.1:17605-euL8", f"models/{MODEL}/operations/veo3.1:17605-euL8"),
    ],
)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_accepted(name: str, operation: str, status: int) -> None:
    """Any 2xx with a name; a short name is completed by the model."""
    body = {"name": name, "metadata": {"anything": 1}}
    assert dialect.read_submit(response(body, status), MODEL) == Accepted(operation=operation, raw=body)


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        7,
        True,
        [],
        {},
        "abc123",
        "operations/",
        "operations/..",
        "operations/a/b",
        "operations/a b",
        "operations/a\n",
        "operations/%2e%2e",
        "operations/a?b",
        "operations/" + "a" * 300,
        "models//operations/a",
        "models/../operations/a",
        "models/a/../b/operations/a",
        "models/a b/operations/a",
        "files/abc",
        "operations/é",
        "/operations/a",
        "models/m/operations/a/",
        "projects/p/operations/a",
        "operations/.a",
        "operations/a\x00",
    ],
)
def test_a_submit_without_a_usable_name_is_unreadable(name: object) -> None:
    """A paid job may run under it, so nothing is made up."""
    answer = dialect.read_submit(response({"name": name}), MODEL)
    assert isinstance(answer, Unreadable)
    assert answer.path == "$.name"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html>", b'{"name": "operations/a"', b'{"name": NaN}'])
def test_a_submit_without_an_answer_is_unreadable(body: bytes) -> None:
    """Whatever the body lacks; its start is kept."""
    answer = dialect.read_submit(response(body), MODEL)
    assert isinstance(answer, Unreadable)
    assert (answer.status, answer.excerpt) == (200, body.decode())


@pytest.mark.parametrize(
    "members",
    [{}, {"done": False}, {"done": "yes"}, {"done": True, "response": 1}, {"response": {}}, {"error": "x"}],
)
def test_a_good_name_is_accepted_whatever_is_beside_it(members: dict[str, object]) -> None:
    """The job is known; the oddity is for the checks."""
    answer = dialect.read_submit(response({"name": OPERATION, **members}), MODEL)
    assert isinstance(answer, Accepted)
    assert answer.finished is None


def test_done_at_once() -> None:
    """A submit may be answered by a final operation: failed, or empty."""
    body = {"name": OPERATION, "done": True, "error": {"code": 13, "message": "x"}}
    failed = dialect.read_submit(response(body), MODEL)
    assert isinstance(failed, Accepted)
    assert isinstance(failed.finished, Finished)
    assert isinstance(failed.finished.outcome, Failed)
    empty = dialect.read_submit(response({"name": OPERATION, "done": True}), MODEL)
    assert isinstance(empty, Accepted)
    assert isinstance(empty.finished, Empty)


def test_an_error_under_status_200() -> None:
    """Without a name it refuses by its own code; without a code it says nothing."""
    refused = dialect.read_submit(response({"error": {"code": 429, "message": "slow"}}), MODEL)
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.RATE_LIMIT
    retired = dialect.read_submit(response({"name": "", "error": {"code": "404", "message": "x"}}), MODEL)
    assert isinstance(retired, Refused)
    assert "retired or misspelt" in retired.message
    assert isinstance(dialect.read_submit(response({"error": {"message": "slow"}}), MODEL), Unreadable)
    assert isinstance(dialect.read_submit(response({"error": "slow"}), MODEL), Unreadable)


# Checks ---------------------------------------------------------------------------------------------------


def test_a_check() -> None:
    """A GET at the status host, without a body; its answer may hold a video."""
    assert dialect.check(OPERATION) == Request(
        method="GET",
        url=f"{STATUS}/v1beta/models/{MODEL}/operations/abc123",
        headers={"Accept": "application/json"},
        max_bytes=MAX_INLINE_BYTES,
        cut_base64=True,
    )


def test_an_id_is_one_segment_of_the_path() -> None:
    """Percent-encoded."""
    assert dialect.check("models/m/operations/a:b=c@d+e~f").url.endswith("/operations/a%3Ab%3Dc%40d%2Be~f")


@pytest.mark.parametrize(
    "name", ["abc123", "operations/abc123", "", "models/../operations/a", "models/m/operations/"]
)
def test_a_check_needs_a_full_name(name: str) -> None:
    """Nothing is sent under half a name."""
    with pytest.raises(InvalidRequestError, match="models/MODEL/operations/ID"):
        dialect.check(name)


@pytest.mark.parametrize("name", [OPERATION, "operations/abc123"])
def test_running(name: str) -> None:
    """The name in full, or short as in seed 001."""
    assert dialect.read_check(response({"name": name}), OPERATION) == Running()


def test_an_answer_without_a_name_speaks_of_what_was_asked() -> None:
    """As long as it is an operation at all."""
    assert dialect.read_check(response({"done": False}), OPERATION) == Running()
    assert isinstance(dialect.read_check(response({"done": True}), OPERATION), Empty)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "operations/other"},
        {"name": "operations/xabc123"},
        {"name": "abc12"},
        {"name": "models/veo-3.1-generate-preview/operations/abc123"},
        {"name": "operations/other", "done": True, "response": {"videos": [{"uri": "https://h/a"}]}},
        {"name": "operations/other", "done": True, "error": {"code": 3, "message": "x"}},
        {"name": 7, "done": True},
        {"status": "ok"},
        {"name": OPERATION, "done": "true"},
        {"name": OPERATION, "done": True, "error": "x"},
        {"error": {"message": "no code"}},
    ],
)
def test_answers_about_something_else(body: dict[str, object]) -> None:
    """They never resolve this operation."""
    answer = dialect.read_check(response(body), OPERATION)
    assert isinstance(answer, Unreadable)
    assert answer.status == 200


def test_finished() -> None:
    """An operation with a video."""
    body = {"name": OPERATION, "done": True, "response": {"videos": [{"uri": "https://h/a"}]}}
    answer = dialect.read_check(response(body), OPERATION)
    assert isinstance(answer, Finished)
    assert isinstance(answer.outcome, Succeeded)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": {"code": 404, "message": ""}}'])
def test_missing(body: bytes) -> None:
    """404 and 410 are about the operation, whatever the body."""
    assert dialect.read_check(response(body, 404), OPERATION) == Missing()
    assert dialect.read_check(response(body, 410), OPERATION) == Missing(gone=True)


# Lists ----------------------------------------------------------------------------------------------------


def test_a_page_of_a_list() -> None:
    """By model, with a size, never asking for partial success."""
    url = f"{STATUS}/v1beta/models/{MODEL}/operations?pageSize=1000"
    assert dialect.list_page(MODEL, None).url == url
    assert dialect.list_page(MODEL, "a+b/c=&d").url == f"{url}&pageToken=a%2Bb%2Fc%3D%26d"
    assert dialect.list_page(MODEL, None).method == "GET"


def test_listing_is_off_unless_asked_for() -> None:
    """No gateway is known to list."""
    assert dialect.capabilities == Capabilities(can_list=False, inline_videos=True, webhook=True)


def test_reading_a_list() -> None:
    """By full name; entries that cannot be read are left out."""
    page = {
        "operations": [
            {"name": "operations/a"},
            {
                "name": f"models/{MODEL}/operations/b",
                "done": True,
                "response": {"videos": [{"uri": "https://h/b"}]},
            },
            {"name": "operations/c", "done": True},
            {"name": "operations/d", "done": "true"},
            {"name": "../e"},
            {},
        ],
        "nextPageToken": "next",
    }
    listed = dialect.read_list(response(page), MODEL)
    assert isinstance(listed, Listed)
    kinds = {name.rpartition("/")[2]: type(answer) for name, answer in listed.answers.items()}
    assert kinds == {"a": Running, "b": Finished, "c": Empty}
    assert set(listed.answers) == {f"models/{MODEL}/operations/{name}" for name in "abc"}
    assert listed.next_page_token == "next"


def test_what_has_ended_and_nobody_waits_for_is_left_out() -> None:
    """What runs is read whoever waits for it: that costs less than to ask."""
    ended = {"done": True, "response": {"videos": [{"uri": "https://h/v"}]}}
    names = [{"name": f"operations/{name}"} for name in "abc"]
    page = {"operations": [{**names[0], **ended}, {**names[1], **ended}, names[2]]}
    asked: list[str] = []

    def wanted(name: str) -> bool:
        asked.append(name)
        return name.endswith("/b")

    listed = dialect.read_list(response(page), MODEL, wanted)
    assert isinstance(listed, Listed)
    assert list(listed.answers) == [f"models/{MODEL}/operations/{name}" for name in "bc"]
    assert asked == [f"models/{MODEL}/operations/{name}" for name in "ab"]


def test_a_whole_page_of_signed_links_is_not_too_long() -> None:
    """A thousand operations with four links of 800 bytes each."""
    videos = [{"uri": f"https://h/{'x' * 800}"}] * 4
    entry = {"name": f"models/{MODEL}/operations/{'x' * 40}", "done": True, "response": {"videos": videos}}
    page = json.dumps({"operations": [entry] * 1000}).encode()
    assert len(page) <= dialect.list_page(MODEL, None).max_bytes


def test_the_last_page() -> None:
    """No token, an empty one, or nothing at all."""
    pages: list[dict[str, object]] = [{}, {"nextPageToken": ""}, {"operations": [], "nextPageToken": None}]
    for page in pages:
        assert dialect.read_list(response(page), MODEL) == Listed(answers={})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (501, {"error": {"code": 501, "message": "x", "status": "UNIMPLEMENTED"}}, RefusalKind.UNSUPPORTED),
        (404, {"error": {"code": 404, "message": "x"}}, RefusalKind.NOT_FOUND),
        (200, {"error": {"code": 12, "message": "x"}}, RefusalKind.UNSUPPORTED),
    ],
)
def test_a_server_that_does_not_list(status: int, body: object, kind: RefusalKind) -> None:
    """It says so, and is believed."""
    refused = dialect.read_list(response(body, status), MODEL)
    assert isinstance(refused, Refused)
    assert refused.kind is kind


@pytest.mark.parametrize(
    "page", [{"operations": {}}, {"operations": [1]}, {"nextPageToken": 7}, {"error": "x"}]
)
def test_an_unreadable_page(page: object) -> None:
    """A page of another shape is no list."""
    assert isinstance(dialect.read_list(response(page), MODEL), Unreadable)


# Names and downloads --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "model"),
    [("abc123", MODEL), ("operations/abc123", MODEL), (OPERATION, None), (OPERATION, "other")],
)
def test_names_that_people_give(given_: str, model: str | None) -> None:
    """Full, short or the id alone; the model fills in what is left out."""
    assert dialect.operation_name(given_, model) == OPERATION
    assert dialect.model_of(OPERATION) == MODEL


@pytest.mark.parametrize(
    ("given_", "model", "field"),
    [
        ("abc123", None, "model"),
        ("operations/abc123", None, "model"),
        ("operations/abc123", "a b", "model"),
        ("", MODEL, "operation"),
        ("https://h/v1beta/operations/a", MODEL, "operation"),
        ("a/b", MODEL, "operation"),
        ("../a", MODEL, "operation"),
    ],
)
def test_names_that_are_none(given_: str, model: str | None, field: str) -> None:
    """The error says which of the two is at fault."""
    with pytest.raises(InvalidRequestError) as caught:
        dialect.operation_name(given_, model)
    assert caught.value.field == field


def test_a_download_elsewhere_is_asked_as_it_is() -> None:
    """A URI of another host is left alone."""
    [request] = dialect.download("https://cdn.example/v1beta/files/a:download?alt=media&sig=1")
    assert request.url == "https://cdn.example/v1beta/files/a:download?alt=media&sig=1"
    assert (request.method, dict(request.headers)) == ("GET", {"Accept": "*/*"})


@pytest.mark.parametrize("base", [BASE, STATUS])
def test_a_file_of_the_service_has_two_places(base: str) -> None:
    """The second is tried where the first answers 404."""
    uri = f"{base}/v1beta/files/a-b_c:download?alt=media"
    assert [request.url for request in dialect.download(uri)] == [
        uri,
        f"{base}/upload/v1beta/files/a-b_c:download?alt=media",
    ]


def test_a_rewritten_uri_is_asked_instead() -> None:
    """The rule decides where the bytes are asked from."""
    rewriting = GeminiDialect(
        base_url=BASE, status_base_url=BASE, rewrite_uri=lambda uri: f"https://cdn/{uri[-1]}"
    )
    assert [request.url for request in rewriting.download("https://h/a")] == ["https://cdn/a"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://generativelanguage.googleapis.com/v1beta/files/abc:download?alt=media&key=AIza", "abc"),
        ("https://generativelanguage.googleapis.com:443/v1/files/abc:download", "abc"),
        ("https://GenerativeLanguage.googleapis.com/v1beta/files/abc", "abc"),
        ("https://generativelanguage.googleapis.com/v1beta/files/../x:download", None),
        ("https://generativelanguage.googleapis.com/v1beta/files/a/b:download", None),
        ("https://generativelanguage.googleapis.com.evil.example/v1beta/files/abc:download", None),
        ("https://user@generativelanguage.googleapis.com/v1beta/files/abc:download", None),
        ("https://evil.example/https://generativelanguage.googleapis.com/v1beta/files/abc:download", None),
        ("http://generativelanguage.googleapis.com/v1beta/files/abc:download", None),
        ("https://storage.googleapis.com/v1beta/files/abc:download", None),
        ("https://[bad", None),
    ],
)
def test_googles_files_at_a_gateway(uri: str, expected: str | None) -> None:
    """Only files at Google's own host are asked from the gateway, without the query of their URI."""
    wanted = uri if expected is None else f"https://gw/p/v1beta/files/{expected}:download?alt=media"
    assert gateway_uri(uri, "https://gw/p") == wanted


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_uri_can_be_asked_for(uri: str) -> None:
    """What a server calls a URI raises nothing here; the download decides whether it may be asked."""
    rewriting = GeminiDialect(base_url=BASE, status_base_url=BASE, rewrite_uri=lambda u: gateway_uri(u, BASE))
    assert rewriting.download(uri)[0].url == uri
