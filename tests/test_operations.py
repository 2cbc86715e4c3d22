"""Finished operations: samples wherever they stand, filters, errors, and done with nothing."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from veo_async.answers import Empty, Finished, Running
from veo_async.dialects.operations import read_operation
from veo_async.errors import ProtocolError
from veo_async.models import Failed, Filtered, Result, Succeeded, Video


def done(**members: Any) -> dict[str, Any]:
    return {"name": "models/m/operations/a", "done": True, **members}


def succeeded(response: dict[str, Any]) -> Result:
    answer = read_operation(done(response=response))
    assert isinstance(answer, Finished)
    assert isinstance(answer.outcome, Succeeded)
    return answer.outcome.result


def failed(error: dict[str, Any], **members: Any) -> Failed:
    answer = read_operation(done(error=error, **members))
    assert isinstance(answer, Finished)
    assert isinstance(answer.outcome, Failed)
    return answer.outcome


def filtered(response: dict[str, Any]) -> Filtered:
    answer = read_operation(done(response=response))
    assert isinstance(answer, Finished)
    assert isinstance(answer.outcome, Filtered)
    return answer.outcome


SAMPLE = {"video": {"uri": "https://h/a"}}


PLACES: list[dict[str, Any]] = [
    {"generateVideoResponse": {"generatedSamples": [SAMPLE]}},
    {"generatedSamples": [SAMPLE]},
    {"generatedVideos": [SAMPLE]},
    {"generated_videos": [SAMPLE]},
    {"generateVideoResponse": {"generatedVideos": [SAMPLE]}},
    {"videos": [{"gcsUri": "https://h/a"}]},
    {"videos": [{"uri": "https://h/a"}]},
    {"generatedSamples": [SAMPLE], "generatedVideos": [SAMPLE]},  # the same video told twice is one
    {"@type": "x", "generatedSamples": [{"video": {}}, {"video": None}, {}, SAMPLE]},
    {"generatedSamples": [{"video": {"uri": ""}}, {"video": {"uri": None, "gcsUri": "https://h/a"}}]},
]


@pytest.mark.parametrize("response", PLACES)
def test_places_of_samples(response: dict[str, Any]) -> None:
    """One video is found wherever a service puts it."""
    assert succeeded(response).videos == (Video(uri="https://h/a"),)


def test_all_samples_are_taken() -> None:
    """From every place, numbered through, with the type that is said."""
    response = {
        "generateVideoResponse": {
            "generatedSamples": [{"video": {"uri": "https://h/c", "encoding": "video/mp4"}}]
        },
        "generatedSamples": [{"video": {"uri": "https://h/a"}}, {"video": {"uri": "https://h/b"}}],
        "videos": [{"gcsUri": "gs://b/d", "mimeType": "video/webm"}],
    }
    assert succeeded(response).videos == (
        Video(uri="https://h/a", index=0),
        Video(uri="https://h/b", index=1),
        Video(uri="gs://b/d", index=2, mime_type="video/webm"),
        Video(uri="https://h/c", index=3, mime_type="video/mp4"),
    )


@pytest.mark.parametrize("key", ["encodedVideo", "bytesBase64Encoded"])
@pytest.mark.parametrize("size", [1, 2, 3, 196_608, 400_001])
def test_inline_videos(key: str, size: int) -> None:
    """Bytes inside the answer become the video's data, and leave only their length in `raw`."""
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    text = base64.b64encode(data).decode()
    body = done(response={"generatedSamples": [{"video": {key: text, "encoding": "video/mp4"}}]})
    answer = read_operation(body)
    assert isinstance(answer, Finished)
    assert isinstance(answer.outcome, Succeeded)
    assert answer.outcome.result.videos == (Video(data=data, mime_type="video/mp4"),)
    if size > 1000:
        assert answer.outcome.raw["response"]["generatedSamples"][0]["video"][key] == (
            f"<{len(text)} characters cut>"
        )


@pytest.mark.parametrize(
    "text", ["AAA", "AA=A", "A A=", "AA\nAA", "AA*AA", "AA==AAAA", "é", "====", "A" * 262_142 + "==AAAA"]
)
def test_inline_videos_that_are_not_base64(text: str) -> None:
    """A half video is none; the path says where."""
    with pytest.raises(ProtocolError) as caught:
        read_operation(done(response={"videos": [{"bytesBase64Encoded": text}]}))
    assert caught.value.path == "$.response.videos[0].bytesBase64Encoded"


WORDS = "Veo could not generate it. You will not be charged for this attempt. Support codes: 29310472"


@pytest.mark.parametrize("nested", [True, False])
def test_all_filtered(nested: bool) -> None:
    """No video and a count or reasons: filtered, in the provider's words, with what its codes stand for."""
    told = {"raiMediaFilteredCount": 2, "raiMediaFilteredReasons": [WORDS, "other words"]}
    outcome = filtered({"generateVideoResponse": told} if nested else told)
    assert outcome.reasons == (WORDS, "other words")
    assert outcome.count == 2
    assert outcome.categories == ("celebrity",)
    assert outcome.billed == "no"


@pytest.mark.parametrize(
    ("told", "count", "billed"),
    [
        ({"raiMediaFilteredCount": 1}, 1, "unknown"),
        ({"raiMediaFilteredCount": "1"}, 1, "unknown"),
        ({"raiMediaFilteredReasons": ["a", "a", "b"]}, 2, "unknown"),
        ({"raiMediaFilteredCount": 1, "generatedSamples": []}, 1, "unknown"),
    ],
)
def test_filtered_by_half_of_the_fields(told: dict[str, Any], count: int, billed: str) -> None:
    """A count without reasons and reasons without a count will do; money is "no" only where they say so."""
    outcome = filtered(told)
    assert (outcome.count, outcome.billed) == (count, billed)


def test_some_filtered() -> None:
    """Some videos and a count: success that says how many are missing, and why."""
    result = succeeded(
        {
            "generateVideoResponse": {
                "generatedSamples": [SAMPLE],
                "raiMediaFilteredCount": 1,
                "raiMediaFilteredReasons": [WORDS],
            }
        }
    )
    assert (len(result.videos), result.filtered, result.filtered_reasons) == (1, 1, (WORDS,))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"response": None},
        {"response": {}},
        {"response": {"generatedSamples": []}},
        {"response": {"generatedSamples": [{"video": {"uri": ""}}]}},
        {"response": {"raiMediaFilteredCount": 0, "raiMediaFilteredReasons": []}},
        {"error": None, "response": {"@type": "x"}},
        {"error": {}},
        {"error": {"code": 0}},
    ],
)
def test_done_with_nothing(members: dict[str, Any]) -> None:
    """Neither a video nor an error: empty, never a success and never an exception (python-genai#1560)."""
    body = done(**members)
    answer = read_operation(body)
    assert isinstance(answer, Empty)
    assert (answer.outcome.reason, answer.outcome.billed, answer.outcome.raw) == ("empty", "unknown", body)


@pytest.mark.parametrize("code", [3, 13, 14, "8", "INTERNAL", 429, None])
def test_errors(code: int | str | None) -> None:
    """The code stays as it came; what was billed is the provider's to say."""
    outcome = failed({"code": code, "message": "it broke"})
    assert (outcome.reason, outcome.code, outcome.message, outcome.billed) == (
        "error",
        code,
        "it broke",
        "unknown",
    )


@pytest.mark.parametrize("code", [3, "3", 400, "503", 13])
def test_safety_dressed_as_an_error(code: int | str) -> None:
    """Code 3 is a bad request or a safety block: the words tell, whatever the code."""
    outcome = failed({"code": code, "message": "violates Google's usage guidelines. Support codes: 61493863"})
    assert (outcome.reason, outcome.code, outcome.billed) == ("content", code, "no")
    assert outcome.categories == ("violence",)


def test_an_error_wins_over_a_response() -> None:
    """With both, the operation failed; the response is kept in `raw`."""
    outcome = failed({"code": 13, "message": "x"}, response={"generatedSamples": [SAMPLE]})
    assert outcome.reason == "error"
    assert outcome.raw["response"] == {"generatedSamples": [SAMPLE]}


def test_an_error_without_done_is_final() -> None:
    """An error code resolves, also where `done` was left out; not where it is false."""
    error = {"code": 13, "message": "x"}
    assert isinstance(read_operation({"name": "a", "error": error}), Finished)
    running = read_operation({"name": "a", "done": False, "error": error})
    assert running == Running(flags=("error beside an operation that is not done",))


@pytest.mark.parametrize("body", [{"name": "a"}, {"name": "a", "done": False}, {"name": "a", "done": None}])
def test_running(body: dict[str, Any]) -> None:
    """`done` absent, null or false."""
    assert read_operation(body) == Running()


def test_a_response_before_done_is_no_result() -> None:
    """It may still change; that it was there is flagged."""
    running = read_operation({"name": "a", "response": {"generatedSamples": [SAMPLE]}})
    assert running == Running(flags=("response beside an operation that is not done",))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"done": "false"}, "$.done"),
        ({"done": 0}, "$.done"),
        ({"done": 1}, "$.done"),
        ({"done": True, "error": "it broke"}, "$.error"),
        ({"done": True, "error": ["it broke"]}, "$.error"),
        ({"done": True, "error": {"code": True, "message": "x"}}, "$.error.code"),
        ({"done": True, "response": []}, "$.response"),
        ({"done": True, "response": {"generateVideoResponse": 1}}, "$.response.generateVideoResponse"),
        ({"done": True, "response": {"videos": {}}}, "$.response.videos"),
        ({"done": True, "response": {"videos": [{"uri": 1}]}}, "$.response.videos[0].uri"),
        ({"done": True, "response": {"generatedSamples": ["a"]}}, "$.response.generatedSamples[0]"),
        (
            {"done": True, "response": {"generateVideoResponse": {"generatedSamples": [{"video": "a"}]}}},
            "$.response.generateVideoResponse.generatedSamples[0].video",
        ),
        ({"done": True, "response": {"raiMediaFilteredCount": -1}}, "$.response.raiMediaFilteredCount"),
        (
            {"done": True, "response": {"raiMediaFilteredReasons": [1]}},
            "$.response.raiMediaFilteredReasons[0]",
        ),
    ],
)
def test_wrong_types_are_named_by_path(body: dict[str, Any], path: str) -> None:
    """Nothing is guessed: neither done nor running, but an error that names the place."""
    with pytest.raises(ProtocolError) as caught:
        read_operation(body)
    assert caught.value.path == path
