"""What can be seen wrong with a request before it is sent, on any surface.

Refused is what no service can take, and what the seeds' own rules forbid for the models they name. What a
service merely did not take so far is for `catalog.warnings`: gateways differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, Final, cast

from veo_async.models import Media, Problem, VideoRequest

__all__ = ["ID", "MAX_REFERENCES", "is_id", "is_model_name", "request_problems"]

MAX_REFERENCES: Final = 3
MAX_SAMPLES: Final = 4
"""The most that any surface makes of one prompt (Vertex AI)."""
MAX_EXTRA_DEPTH: Final = 32

ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~:=@+-]{0,255}")
"""The id of an operation or a task: one segment of a path."""

_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+~-]*(?:/[A-Za-z0-9][A-Za-z0-9._:@+~-]*)*")
_MAX_MODEL: Final = 200
# Seed 003 names veo-3.1-generate-preview and veo-3.1-fast-generate-preview; gateways write veo3.1, too.
_VEO_3_1: Final = re.compile(r"veo-?3\.1", re.IGNORECASE)
_DURATIONS: Final = (4, 6, 8)
_LARGE: Final = ("1080p", "4k")

_TEXTS: Final = ("aspect_ratio", "resolution", "negative_prompt", "person_generation", "storage_uri")
_SWITCHES: Final = ("enhance_prompt", "generate_audio")
_NUMBERS: Final = ("seed", "sample_count", "duration_seconds")
_PICTURES: Final = ("image", "last_frame", "video")


def is_id(text: str) -> bool:
    """Return whether `text` can be the id of an operation or a task."""
    return ID.fullmatch(text) is not None


@lru_cache(maxsize=64)  # few models, and a question for each status check and each entry of a list
def is_model_name(text: str) -> bool:
    """Return whether `text` can stand in a path as a model's name."""
    return len(text) <= _MAX_MODEL and _MODEL.fullmatch(text) is not None


def request_problems(request: VideoRequest, model: str) -> Iterator[Problem]:
    """Yield all that forbids sending `request` to `model`, wherever it goes."""
    yield from _model(model)
    yield from _prompt(request.prompt)
    yield from _types(request)
    yield from _json(request.extra, "extra", 0)
    yield from _samples(request.sample_count)
    yield from _pictures(request)
    if _VEO_3_1.search(model):
        yield from _veo_3_1(request)


def _problem(field: str, message: str) -> Problem:
    return Problem(field=field, message=message)


def _model(model: str) -> Iterator[Problem]:
    if not is_model_name(model):
        yield _problem("model", 'the model must be a name such as "veo-3.1-fast", without spaces')


def _prompt(prompt: object) -> Iterator[Problem]:
    if not isinstance(prompt, str):
        yield _problem("prompt", f"the prompt must be a string, not {_type(prompt)}")
    elif not prompt.strip():
        yield _problem("prompt", "the prompt is empty: say what the video shall show")
    else:
        yield from _text("prompt", prompt)


def _type(value: object) -> str:
    return type(value).__name__


def _text(field: str, value: str) -> Iterator[Problem]:
    if "\0" in value:
        yield _problem(field, f"{field} has a NUL character: take it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        yield _problem(field, f"{field} has a lone surrogate, which is no character: take it out")


def _types(request: VideoRequest) -> Iterator[Problem]:
    for field in _TEXTS:
        value: object = getattr(request, field)
        if isinstance(value, str):
            yield from _text(field, value)
        elif value is not None:
            yield _problem(field, f"{field} must be a string, not {_type(value)}")
    for field in _SWITCHES:
        if not isinstance(value := getattr(request, field), bool | None):
            yield _problem(field, f"{field} must be True, False or None, not {_type(value)}")
    for field in _NUMBERS:
        if not isinstance(value := getattr(request, field), int | None) or isinstance(value, bool):
            yield _problem(field, f"{field} must be a whole number, not {_shown(value)}")


def _shown(value: object) -> str:
    return repr(value[:40]) if isinstance(value, str) else _type(value)


def _json(value: object, path: str, depth: int) -> Iterator[Problem]:
    """Yield what keeps `value` from being written as JSON."""
    if isinstance(value, str):
        yield from _text(path, value)
    elif depth > MAX_EXTRA_DEPTH:
        yield _problem(path, f"{path.split('.', 1)[0]} is nested deeper than {MAX_EXTRA_DEPTH} levels")
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[Any, object]", value).items():
            if isinstance(key, str):
                yield from _text(path, key)
                yield from _json(item, f"{path}.{key}", depth + 1)
            else:
                yield _problem(path, f"{path} has the key {key!r}: keys must be strings")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _json(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, float) and not isfinite(value):
        yield _problem(path, f"{path} is {value}, which JSON cannot say: give a finite number")
    elif not isinstance(value, int | float | None):
        yield _problem(path, f"{path} must be what JSON knows, not {_type(value)}")


def _samples(count: object) -> Iterator[Problem]:
    if isinstance(count, int) and not 1 <= count <= MAX_SAMPLES:
        yield _problem(
            "sample_count", f"sample_count must be 1 to {MAX_SAMPLES}: send more requests for more"
        )


def _pictures(request: VideoRequest) -> Iterator[Problem]:
    if request.last_frame is not None and request.image is None:
        yield _problem("last_frame", "last_frame needs a first frame: give image, too")
    if len(request.reference_images) > MAX_REFERENCES:
        yield _problem("reference_images", f"at most {MAX_REFERENCES} reference images are taken: drop some")
    if request.reference_images and request.image is not None:
        yield _problem("reference_images", "reference images exclude image: give one or the other")
    for field in _PICTURES:
        if not isinstance(value := getattr(request, field), Media | None):
            yield _problem(field, f"{field} must be Media, a path, bytes or a URL, not {_type(value)}")
    for position, medium in enumerate(request.reference_images):
        if not isinstance(getattr(medium, "reference_type", None), str | None):
            place = f"reference_images[{position}]"
            yield _problem(place, f'{place}: reference_type must be "asset", "style" or None')


def _veo_3_1(request: VideoRequest) -> Iterator[Problem]:
    """Yield what seed 003's tables forbid for Veo 3.1."""
    seconds = request.duration_seconds
    if isinstance(seconds, int) and seconds not in _DURATIONS:
        yield _problem("duration_seconds", f"Veo 3.1 makes videos of 4, 6 or 8 seconds, not {seconds}")
    elif isinstance(seconds, int) and seconds != _DURATIONS[-1] and request.resolution in _LARGE:
        yield _problem(
            "duration_seconds",
            f"{request.resolution} needs duration_seconds=8, not {seconds}; shorter videos are made in 720p",
        )
    if request.image is not None and request.video is not None:
        yield _problem("video", "image and video exclude each other: give a first frame or a video to extend")
