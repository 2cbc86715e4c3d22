"""What is refused before it is sent: what no service can take, and the seeds' own rules for Veo 3.1."""

from __future__ import annotations

from typing import Any, cast

import pytest
from attrs import fields as attrs_fields

from veo_async.dialects.checks import is_model_name, request_problems
from veo_async.models import VideoRequest

MODEL = "veo-3.1-fast-generate-preview"


def problem_fields(request: VideoRequest, model: str = MODEL) -> list[str]:
    return [problem.field for problem in request_problems(request, model)]


def with_field(name: str, value: object) -> VideoRequest:
    """A request as a caller without a type checker may make it."""
    known = {"prompt": "a"} | {name: value}
    return VideoRequest(**cast("dict[str, Any]", known))


def test_a_full_request_passes() -> None:
    """Everything set as documented."""
    request = VideoRequest(
        "a\nb\t😀",
        image=b"png",
        last_frame="b.png",
        aspect_ratio="16:9",
        resolution="4k",
        duration_seconds="8",
        negative_prompt="",
        person_generation="allow_all",
        enhance_prompt=True,
        seed=-5,
        sample_count=4,
        generate_audio=False,
        storage_uri="gs://b",
        extra={"a": [1, 1.5, True, None, {"b": "c"}, ("d",)]},
    )
    assert problem_fields(request) == []


@pytest.mark.parametrize("prompt", ["", "  \n", "a\0b", "\ud800", 7, None, b"a"])
def test_prompts(prompt: object) -> None:
    """It must be a text with something in it."""
    assert problem_fields(with_field("prompt", prompt)) == ["prompt"]


@pytest.mark.parametrize(
    "name", ["aspect_ratio", "resolution", "negative_prompt", "person_generation", "storage_uri"]
)
@pytest.mark.parametrize("value", [7, True, "a\0", "\udfff", ["16:9"], b"16:9"])
def test_texts(name: str, value: object) -> None:
    """Each must be a text without NUL and lone surrogates."""
    assert problem_fields(with_field(name, value)) == [name]


@pytest.mark.parametrize("name", ["enhance_prompt", "generate_audio"])
@pytest.mark.parametrize("value", [0, 1, "true"])
def test_switches(name: str, value: object) -> None:
    """Each must be True or False."""
    assert problem_fields(with_field(name, value)) == [name]


@pytest.mark.parametrize("name", ["seed", "sample_count", "duration_seconds"])
@pytest.mark.parametrize("value", [1.0, "one", True, [1]])
def test_numbers(name: str, value: object) -> None:
    """Each must be a whole number."""
    assert problem_fields(with_field(name, value), "other-model") == [name]


@pytest.mark.parametrize(
    ("count", "fields"), [(0, ["sample_count"]), (1, []), (4, []), (5, ["sample_count"])]
)
def test_sample_counts(count: int, fields: list[str]) -> None:
    """One to four."""
    assert problem_fields(VideoRequest("a", sample_count=count)) == fields


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"a": "x\0"}, "extra.a"),
        ({"a": {"b": ["x", "\ud800"]}}, "extra.a.b[1]"),
        ({"a\0": 1}, "extra"),
        ({7: 1}, "extra"),
        ({"a": float("nan")}, "extra.a"),
        ({"a": float("-inf")}, "extra.a"),
        ({"a": object()}, "extra.a"),
        ({"a": b"bytes"}, "extra.a"),
        ({"a": {1, 2}}, "extra.a"),
    ],
)
def test_extra_must_be_json(extra: dict[Any, Any], field: str) -> None:
    """The problem names the place."""
    assert problem_fields(VideoRequest("a", extra=extra)) == [field]


def test_extra_may_not_be_endless() -> None:
    """A list that holds itself is one problem, not a stack overflow."""
    endless: list[Any] = []
    endless.append(endless)
    [problem] = request_problems(VideoRequest("a", extra={"a": endless}), MODEL)
    assert "nested deeper than 32" in problem.message


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (VideoRequest("a", last_frame=b"x"), ["last_frame"]),
        (VideoRequest("a", reference_images=[b"x"] * 3), []),
        (VideoRequest("a", reference_images=[b"x"] * 4), ["reference_images"]),
        (VideoRequest("a", reference_images=[b"x"], image=b"x"), ["reference_images"]),
        (VideoRequest("a", image=b"x", video="https://h/v"), ["video"]),
    ],
)
def test_media(request_: VideoRequest, fields: list[str]) -> None:
    """Combinations that exclude each other."""
    assert problem_fields(request_) == fields


KIN = ["veo-3.1-generate-preview", "veo-3.1-fast-generate-preview", "veo3.1", "google/veo-3.1-lite"]


@pytest.mark.parametrize(
    ("seconds", "resolution", "fields"),
    [
        (4, None, []),
        (6, "720p", []),
        (8, "4k", []),
        (None, "1080p", []),
        (5, None, ["duration_seconds"]),
        (0, None, ["duration_seconds"]),
        (-8, None, ["duration_seconds"]),
        (6, "1080p", ["duration_seconds"]),
        ("4", "4k", ["duration_seconds"]),
    ],
)
@pytest.mark.parametrize("model", KIN)
def test_veo_3_1(model: str, seconds: int | str | None, resolution: str | None, fields: list[str]) -> None:
    """Seed 003: 4, 6 or 8 seconds, and 8 for 1080p and 4k."""
    request = VideoRequest("a", duration_seconds=seconds, resolution=resolution)
    assert problem_fields(request, model) == fields


@pytest.mark.parametrize("model", ["veo-2.0-generate-001", "veo-9", "seedance"])
def test_other_models_pass(model: str) -> None:
    """What we do not know is not refused."""
    request = VideoRequest("a", duration_seconds=5, resolution="8k", aspect_ratio="1:1")
    assert problem_fields(request, model) == []


def test_problems_say_what_to_do() -> None:
    """The value that is wrong and the way out."""
    request = VideoRequest("a", duration_seconds=4, resolution="4k")
    [problem] = request_problems(request, MODEL)
    assert problem.message == ("4k needs duration_seconds=8, not 4; shorter videos are made in 720p")


def test_all_are_told_at_once() -> None:
    """Nobody mends a request one field at a time."""
    request = VideoRequest("", seed=cast("int", "x"), sample_count=9, last_frame=b"x", duration_seconds=5)
    assert problem_fields(request) == ["prompt", "seed", "sample_count", "last_frame", "duration_seconds"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("veo-3.1-fast", True),
        ("google/veo_3:latest@1~a+b", True),
        ("a" * 200, True),
        ("", False),
        ("a" * 201, False),
        (".", False),
        ("..", False),
        ("a/../b", False),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("a b", False),
        ("a\n", False),
        ("é", False),
        ("a%2e", False),
        ("a?b", False),
        ("a\0", False),
    ],
)
def test_model_names(name: str, expected: bool) -> None:
    """What can stand in a path without meaning another one."""
    assert is_model_name(name) is expected
    assert problem_fields(VideoRequest("a"), name) == ([] if expected else ["model"])


def test_every_field_of_a_request_is_looked_at() -> None:
    """A field added to the request must be added to the checks, or be named here."""
    looked_at = {
        *("prompt", "image", "last_frame", "video", "reference_images", "extra"),
        *("aspect_ratio", "resolution", "negative_prompt", "person_generation", "storage_uri"),
        *("enhance_prompt", "generate_audio", "seed", "sample_count", "duration_seconds"),
    }
    ours = {"model", "labels", "priority", "idempotency_key"}
    assert {field.name for field in attrs_fields(VideoRequest)} == looked_at | ours
