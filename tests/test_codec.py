"""Requests and outcomes to JSON and back: nothing is coerced, nothing is lost, every fault names its path."""

import hashlib
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from veo_async.codec import (
    OUTCOME_TAGS,
    request_digest,
    structure_outcome,
    structure_request,
    unstructure_outcome,
    unstructure_request,
)
from veo_async.engine.lifecycle import TRANSITIONS, move_for
from veo_async.errors import InvalidRequestError, LedgerError
from veo_async.models import (
    Expired,
    Failed,
    Filtered,
    Media,
    Outcome,
    Rejected,
    Result,
    Succeeded,
    Unknown,
    Video,
    VideoRequest,
    Withdrawn,
)

DIGEST = "0a" * 32

texts = st.text(max_size=12)
numbers = st.integers(-(2**53), 2**53)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
media = st.one_of(
    st.builds(Media, uri=texts, mime_type=st.none() | texts),
    st.builds(Media, path=st.from_regex(r"[a-z/]{1,9}\.png", fullmatch=True).map(Path)),
    st.builds(Media, sha256=digests, mime_type=st.none() | texts, size=st.none() | st.integers(0, 2**40)),
)
requests = st.builds(
    VideoRequest,
    texts,
    model=st.none() | texts,
    image=st.none() | media,
    last_frame=st.none() | media,
    video=st.none() | media,
    reference_images=st.lists(media, max_size=3),
    duration_seconds=st.none() | numbers | st.sampled_from(["8", "8s", ""]),
    enhance_prompt=st.none() | st.booleans(),
    seed=st.none() | numbers,
    labels=st.dictionaries(texts, texts, max_size=2),
    extra=st.dictionaries(texts, plain, max_size=3),
    idempotency_key=st.none() | texts,
)
billed = st.sampled_from(["no", "yes", "unknown"])
codes = st.none() | numbers | texts
videos = st.builds(
    Video, uri=st.none() | texts, sha256=st.none() | digests, index=st.integers(0, 9), degraded=st.booleans()
)
results = st.builds(
    Result,
    videos=st.lists(videos, min_size=1, max_size=3).map(tuple),
    filtered=st.integers(0, 3),
    filtered_reasons=st.lists(texts, max_size=2).map(tuple),
    enhanced_prompt=st.none() | texts,
    operation=st.none() | texts,
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Succeeded, result=results, billed=billed, raw=plain),
    st.builds(
        Filtered, reasons=st.lists(texts, max_size=2).map(tuple), count=numbers, billed=billed, raw=plain
    ),
    st.builds(Failed, reason=texts, code=codes, message=texts, billed=billed, raw=plain),
    st.builds(Expired, message=texts, billed=billed, raw=plain),
    st.builds(Rejected, reason=texts, code=codes, status=st.none() | numbers, billed=billed, raw=plain),
    st.builds(Withdrawn, billed=billed, raw=plain),
    st.builds(Unknown, reason=texts, message=texts, billed=billed, raw=plain),
)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def chain_of(error: BaseException) -> set[str]:
    """The packages of all exceptions that hang on one."""
    linked = [link for link in (error.__cause__, error.__context__) if link is not None]
    return {type(error).__module__.partition(".")[0]}.union(*map(chain_of, linked))


def refusal(obj: Any, where: str = "line 3") -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        structure_request(obj, where)
    error = caught.value
    assert chain_of(error) <= {"veo_async"}
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    return error


# Requests in


def test_a_line_of_a_batch_file_is_a_request() -> None:
    line = {
        "prompt": "A paper boat",
        "model": "veo-3.1-fast",
        "image": "boat.png",
        "last_frame": {"uri": "gs://bucket/last.png", "mime_type": "image/png"},
        "reference_images": ["https://pictures.example/1.png", {"path": "2.png"}],
        "duration_seconds": "8",
        "generate_audio": False,
        "labels": {"scene": "1"},
        "extra": {"quality": [1, {"deep": None}]},
    }
    assert structure_request(line) == VideoRequest(
        "A paper boat",
        model="veo-3.1-fast",
        image=Media.from_file("boat.png"),
        last_frame=Media.from_uri("gs://bucket/last.png", mime_type="image/png"),
        reference_images=("https://pictures.example/1.png", Media.from_file("2.png")),
        duration_seconds=8,
        generate_audio=False,
        labels={"scene": "1"},
        extra={"quality": [1, {"deep": None}]},
    )


def test_null_is_not_given() -> None:
    assert structure_request({"prompt": "boat", "model": None, "image": None}) == VideoRequest("boat")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"prompt": None}, "prompt: must be a string, not null"),
        ({"prompt": 5}, "prompt: must be a string, not 5"),
        ({"model": False}, "model: must be a string, not false"),
        ({"seed": True}, "seed: must be a whole number, not true"),
        ({"seed": "7"}, 'seed: must be a whole number, not "7"'),
        ({"seed": 7.0}, "seed: must be a whole number, not 7.0"),
        ({"duration_seconds": 8.0}, "duration_seconds: must be a whole number or a string, not 8.0"),
        ({"duration_seconds": True}, "duration_seconds: must be a whole number or a string, not true"),
        ({"enhance_prompt": "false"}, 'enhance_prompt: must be true or false, not "false"'),
        ({"enhance_prompt": 0}, "enhance_prompt: must be true or false, not 0"),
        ({"reference_images": "a.png"}, 'reference_images: must be a list, not "a.png"'),
        ({"reference_images": ["a.png", 2]}, "reference_images[1]: must be a path, a URL or an object"),
        ({"reference_images": [{"uri": 2}]}, "reference_images[0].uri: must be a string, not 2"),
        ({"image": {}}, 'image: must hold exactly one of "path", "uri" and "sha256"'),
        ({"image": {"uri": "gs://a", "path": "a"}}, "image: must hold exactly one of"),
        ({"image": {"sha256": "../../etc/passwd"}}, 'image: "sha256" must be 64 hexadecimal digits'),
        ({"image": {"uri": "gs://a", "data": "aGk="}}, "image.data: no such field"),
        ({"labels": {"scene": 1}}, 'labels["scene"]: must be a string, not 1'),
        ({"labels": ["scene"]}, 'labels: must be an object, not ["scene"]'),
        ({"extra": "quality"}, 'extra: must be an object, not "quality"'),
    ],
)
def test_nothing_is_coerced(fields: dict[str, Any], text: str) -> None:
    error = refusal({"prompt": "boat"} | fields)
    assert str(error).startswith(f"line 3: {text}")
    assert error.field == next(iter(fields))


@pytest.mark.parametrize("obj", [None, "boat", ["boat"], 3])
def test_what_is_no_object_is_refused(obj: Any) -> None:
    assert "must be an object" in str(refusal(obj))


def test_a_missing_prompt_is_named() -> None:
    assert str(refusal({"model": "veo-3.1"})) == "line 3: prompt: is missing"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("durationSeconds", "duration_seconds"),
        ("aspect-ratio", "aspect_ratio"),
        ("negativ_prompt", "negative_prompt"),
        ("promt", "prompt"),
        ("referenceImages", "reference_images"),
    ],
)
def test_an_unknown_field_is_guessed(name: str, meant: str) -> None:
    assert f"{name}: no such field; did you mean {meant}?" in str(refusal({"prompt": "boat", name: 1}))


def test_an_unknown_field_nobody_can_guess_is_told_where_to_go() -> None:
    text = str(refusal({"prompt": "boat", "zzz": 1}))
    assert "zzz: no such field; there are prompt, model" in text
    assert 'go under "extra"' in text


def test_all_faults_are_named_at_once() -> None:
    faulty = {"seed": "7", "reference_images": [3, 4], "labels": {"a": 1}, "promt": "boat"}
    text = str(refusal(faulty))
    for path in (
        "prompt:",
        "seed:",
        "reference_images[0]:",
        "reference_images[1]:",
        'labels["a"]:',
        "promt:",
    ):
        assert path in text


def test_a_long_value_is_not_repeated_at_length() -> None:
    assert len(str(refusal({"prompt": ["boat"] * 1000}))) < 100


# Requests out


@given(requests)
def test_a_request_comes_back_from_json(request: VideoRequest) -> None:
    written = unstructure_request(request)
    assert structure_request(through_json(written)) == request
    assert unstructure_request(structure_request(through_json(written))) == written


def test_what_is_none_or_empty_is_left_out() -> None:
    assert unstructure_request(VideoRequest("boat")) == {"prompt": "boat"}
    assert unstructure_request(VideoRequest("boat", seed=0, generate_audio=False)) == {
        "prompt": "boat",
        "seed": 0,
        "generate_audio": False,
    }


def test_kept_media_go_by_their_digest() -> None:
    kept = Media(path=Path("boat.png"), data=b"boat", sha256=DIGEST, mime_type="image/png", size=4)
    assert unstructure_request(VideoRequest("boat", image=kept))["image"] == {
        "sha256": DIGEST,
        "mime_type": "image/png",
        "size": 4,
    }


def test_bytes_must_be_kept_first() -> None:
    with pytest.raises(InvalidRequestError, match="keep them in the ledger first"):
        unstructure_request(VideoRequest("boat", image=b"boat"))


def test_extra_becomes_what_it_will_be_read_as() -> None:
    assert unstructure_request(VideoRequest("boat", extra={"size": (1, 2)}))["extra"] == {"size": [1, 2]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"labels": {"a": 1}}, 'labels["a"]'), ({"seed": "7"}, "seed"), ({"prompt": None}, "prompt")],
)
def test_what_could_not_be_read_again_is_not_written(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(f"{path}: must be")):
        unstructure_request(evolve(VideoRequest("boat"), **fields))


@pytest.mark.parametrize("extra", [{"a": {1, 2}}, {"a": b"bytes"}, {"a": object()}])
def test_extra_that_is_not_json_is_refused(extra: dict[str, Any]) -> None:
    request = VideoRequest("boat", extra=extra)
    for write in (unstructure_request, request_digest):
        with pytest.raises(InvalidRequestError) as caught:
            write(request)
        assert caught.value.field == "extra"
        assert caught.value.__context__ is None


def test_extra_that_holds_itself_is_refused() -> None:
    extra: dict[str, Any] = {}
    extra["extra"] = extra
    with pytest.raises(InvalidRequestError):
        request_digest(VideoRequest("boat", extra=extra))


# Digests


def test_the_digest_stays_the_same_over_versions() -> None:
    """It stands in ledgers and decides what is sent again: a change here is a change of the schema."""
    request = VideoRequest(
        "A paper boat",
        model="veo-3.1",
        image=Media(sha256=DIGEST),
        duration_seconds=8,
        extra={"b": 1, "a": 2},
    )
    canonical = (
        '{"duration_seconds":8,"extra":{"a":2,"b":1},"image":{"sha256":"' + DIGEST + '"},'
        '"model":"veo-3.1","prompt":"A paper boat"}'
    )
    assert request_digest(request) == hashlib.sha256(canonical.encode()).hexdigest()


def test_labels_and_key_do_not_count() -> None:
    bare = VideoRequest("boat", seed=1)
    assert request_digest(evolve(bare, labels={"a": "b"}, idempotency_key="k")) == request_digest(bare)


def test_media_count_by_their_content() -> None:
    read = Media(data=b"boat", mime_type="image/png", size=4, path=Path("boat.png"))
    kept = Media(sha256=hashlib.sha256(b"boat").hexdigest())
    assert request_digest(VideoRequest("x", image=read)) == request_digest(VideoRequest("x", image=kept))
    assert request_digest(VideoRequest("x", image=read)) != request_digest(VideoRequest("x", last_frame=kept))
    assert request_digest(VideoRequest("x", image="gs://a")) != request_digest(
        VideoRequest("x", image="gs://b")
    )


@pytest.mark.parametrize("name", [field.name for field in fields(VideoRequest)])
def test_every_other_field_counts(name: str) -> None:
    values: dict[str, Any] = {
        "extra": {"a": 1},
        "labels": {"a": "b"},
        "duration_seconds": 6,
        "prompt": "train",
    }
    media_fields = {"image": "a.png", "last_frame": "a.png", "video": "a.mp4", "reference_images": ["a.png"]}
    bare = VideoRequest("boat")
    other = evolve(bare, **{name: (values | media_fields).get(name, "other")})
    counts = name not in {"labels", "priority", "idempotency_key"}
    assert (request_digest(other) != request_digest(bare)) is counts


@given(requests)
def test_the_digest_is_that_of_the_request_read_back(request: VideoRequest) -> None:
    assert request_digest(structure_request(through_json(unstructure_request(request)))) == request_digest(
        request
    )


def test_the_digest_takes_any_text() -> None:
    assert len(request_digest(VideoRequest("\ud800 \x00 ü", extra={"\ud800": float("nan")}))) == 64


# Outcomes


@given(outcomes)
def test_an_outcome_comes_back_from_json(outcome: Outcome) -> None:
    written = unstructure_outcome(outcome)
    assert structure_outcome(through_json(written)) == outcome
    assert written["billed"] == outcome.billed


def test_tags_are_the_names_of_states() -> None:
    made: list[Outcome] = [
        Succeeded(result=Result(videos=(Video(),))),
        *(cls() for cls in (Filtered, Failed, Expired, Rejected, Withdrawn, Unknown)),
    ]
    for outcome in made:
        reached = {moves[move_for(outcome)] for moves in TRANSITIONS.values() if move_for(outcome) in moves}
        assert reached == {unstructure_outcome(outcome)["state"]}
    assert len(OUTCOME_TAGS) == len(made)


def test_bytes_of_videos_are_left_out() -> None:
    outcome = Succeeded(result=Result(videos=(Video(sha256=DIGEST, data=b"video"),)))
    written = unstructure_outcome(outcome)
    assert written["result"]["videos"] == [{"sha256": DIGEST}]
    assert structure_outcome(written) == Succeeded(result=Result(videos=(Video(sha256=DIGEST),)))


def test_fields_of_a_later_version_pass() -> None:
    assert structure_outcome({"state": "withdrawn", "weather": "fine"}) == Withdrawn()


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (None, '"state" must be one of succeeded, filtered'),
        ({}, '"state" must be one of'),
        ({"state": "running"}, 'not "running"'),
        ({"state": []}, "not []"),
        ({"state": "succeeded"}, "result: is missing"),
        ({"state": "succeeded", "result": None}, "result: must be an object, not null"),
        ({"state": "succeeded", "result": {"videos": "ab"}}, 'result.videos: must be a list, not "ab"'),
        (
            {"state": "succeeded", "result": {"videos": [{"index": "0"}]}},
            'result.videos[0].index: must be a whole number, not "0"',
        ),
        ({"state": "filtered", "reasons": "violence"}, "reasons: must be a list"),
        ({"state": "failed", "code": 1.5}, "code: must be a whole number or a string"),
        ({"state": "failed", "billed": "maybe"}, "billed: "),
    ],
)
def test_an_outcome_that_is_none_is_a_ledger_error(obj: Any, text: str) -> None:
    with pytest.raises(LedgerError) as caught:
        structure_outcome(obj, "job 1")
    assert str(caught.value).startswith("job 1: ")
    assert text in str(caught.value)
    assert chain_of(caught.value) == {"veo_async"}
