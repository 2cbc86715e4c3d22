"""Finished operations: samples wherever they stand, filters, errors, and done with nothing."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from veo_async.answers import Empty, Finished, Running
from veo_async.dialects.operations import created_at, is_operation, read_operation
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


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"name": "operations/a"}, True),
        ({"done": True}, True),
        ({"done": False}, True),
        ({"name": ""}, False),
        ({"name": 7}, False),
        ({"name": "", "done": None}, False),
        ({"error": {"code": 400}}, False),
    ],
)
def test_what_is_an_operation_at_all(body: dict[str, Any], is_one: bool) -> None:
    """It has a name, or says whether it is done."""
    assert is_operation(body) is is_one


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ({"createTime": "2026-10-06T12:00:00Z"}, 1_791_288_000.0),
        ({"createTime": "2026-10-06T14:00:00+02:00"}, 1_791_288_000.0),
        ({"createTime": "2026-10-06T12:00:00.5Z"}, 1_791_288_000.5),
        ({"createTime": "2026-10-06T12:00:00"}, None),  # whose clock?
        ({"createTime": "yesterday"}, None),
        ({"createTime": 1_791_288_000}, None),
        ({}, None),
        (7, None),
        (None, None),
    ],
)
def test_when_it_was_created(metadata: object, seconds: float | None) -> None:
    """As RFC 3339 has it, with a zone."""
    assert created_at({"metadata": metadata}) == seconds


def test_an_error_of_code_0_without_a_word_is_none() -> None:
    """That is gRPC's OK; with words, or with a code, it is one."""
    assert isinstance(read_operation(done(error={"code": 0})), Empty)
    assert failed({"code": 0, "message": "no"}).message == "no"
    assert failed({"code": 13, "message": ""}).code == 13


def test_outcomes_keep_the_answer() -> None:
    """For whoever has to find out why."""
    body = done(response={"raiMediaFilteredCount": 1})
    answer = read_operation(body)
    assert isinstance(answer, Finished)
    assert answer.outcome.raw == body
    empty = read_operation(done())
    assert isinstance(empty, Empty)
    message = "the operation is done and has neither a video nor an error"
    assert empty.outcome == Failed(reason="empty", message=message, raw=done())


def test_words_of_several_reasons_do_not_run_together() -> None:
    """A support code is looked for in each."""
    held = filtered({"raiMediaFilteredReasons": ["Support codes: 17301594", "61493863"]})
    assert held.categories == ("child", "violence")
    assert filtered({"raiMediaFilteredReasons": ["held back", "not charged"]}).billed == "no"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AAA=AAAA", "it goes on after its padding"),
        ("A=AA", "it goes on after its padding"),
        ("A===", "is not base64"),
        ("!", "is not base64"),
    ],
)
def test_odd_base64_is_named(text: str, message: str) -> None:
    """With where it stands."""
    with pytest.raises(ProtocolError, match=message) as raised:
        read_operation(done(response={"videos": [{"bytesBase64Encoded": text}]}))
    assert raised.value.path == "$.response.videos[0].bytesBase64Encoded"


def test_an_odd_member_is_named_with_its_place() -> None:
    """Of a sample, of an error, wherever the operation stands."""
    sample = {"uri": "https://h/a", "mimeType": 7}
    with pytest.raises(ProtocolError) as raised:
        read_operation(done(response={"videos": [sample]}), "$.operations[3]")
    assert raised.value.path == "$.operations[3].response.videos[0].mimeType"
    with pytest.raises(ProtocolError) as raised:
        read_operation(done(error={"message": 7}), "$.operations[3]")
    assert raised.value.path == "$.operations[3].error.message"
