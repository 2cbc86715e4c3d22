"""Reads a submission in the Gemini format, as strictly as the live service does.

What is refused, and in which words, follows what the live service was seen to do: a ``durationSeconds`` that
is a string, an ``image`` other than ``{bytesBase64Encoded, mimeType}``, any parameter it doesn't know.
"""

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

from attrs import field, frozen

from veo_async.emulator.models import Model, find_model, frame_size
from veo_async.emulator.orders import Order, Segment
from veo_async.emulator.refusals import RefusedError, invalid

Object: TypeAlias = dict[str, Any]
FindFile: TypeAlias = Callable[[str], tuple[Segment, ...]]

_EXTENSION_S: Final = 7
_FULL_LENGTH_S: Final = 8
_LONGEST_S: Final = 148
_MOST_REFERENCES: Final = 3
_FILE_URI = re.compile(r"(?:^|/)files/([a-z0-9]+)(?::download)?(?:\?alt=media)?$")


@frozen(kw_only=True)
class Submission:
    """What a submission comes to."""

    order: Order
    images: tuple[bytes, ...]
    """All images it brought, not looked at yet."""


@frozen(kw_only=True)
class _Given:
    """The parts of a submission, each read and found well-formed."""

    prompt: str
    image: bytes | None
    others: tuple[bytes, ...]
    """Last frame and reference images."""
    references: int
    source: tuple[Segment, ...] | None
    """What the video to extend shows."""
    parameters: Mapping[str, Any] = field(factory=dict[str, Any])


def read_submission(body: bytes, name: str, version: str, find_file: FindFile) -> Submission:
    """Read the body of a submission.

    Args:
        body: the bytes as they came.
        name: the model's name in the path.
        version: the API version in the path, for error texts.
        find_file: what a file shows, by its name; raises `RefusedError` if there is none.

    Raises:
        RefusedError: something in it is not as the service wants it; the text names the field.
    """
    model = find_model(name, version)
    document = _parse(body)
    instance, parameters = _halves(document)
    _known(instance, _INSTANCE_FIELDS)
    given = _given(instance, parameters, find_file)
    _fit(given, model)
    return _submission(given, name, document)


def _parse(body: bytes) -> Object:
    try:
        document: Any = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise invalid("Invalid JSON payload received. The body could not be parsed.") from None
    if not isinstance(document, dict):
        raise invalid("Invalid JSON payload received. The root element must be an object.")
    return cast("Object", document)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _halves(document: Object) -> tuple[Object, Object]:
    for key in document:
        if key not in {"instances", "parameters", "webhookConfig"}:
            raise invalid(f'Invalid JSON payload received. Unknown name "{key}": Cannot find field.')
    instances = _list(document.get("instances"), "instances")
    if len(instances) != 1:
        raise invalid("`instances` must hold exactly one instance.")
    return _object(instances[0], "instances[0]"), _object(document.get("parameters") or {}, "parameters")


def _object(value: Any, name: str) -> Object:
    if not isinstance(value, dict):
        raise invalid(f"The value type for `{name}` needs to be an object.")
    return cast("Object", value)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(f"The value type for `{name}` needs to be a list.")
    return list(cast("Iterable[Any]", value))


def _known(fields: Mapping[str, Any], names: Mapping[str, Any] | frozenset[str]) -> None:
    for key in fields:
        if key not in names:
            raise invalid(
                f"`{key}` isn't supported by this model. Please remove it or refer to the Gemini API "
                "documentation for supported usage."
            )


def _given(instance: Object, parameters: Object, find_file: FindFile) -> _Given:
    prompt = instance.get("prompt", "")
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("`prompt` must be a text that is not empty.")
    references = _references(instance)
    last_frame = (_image(instance["lastFrame"], "lastFrame"),) if "lastFrame" in instance else ()
    return _Given(
        prompt=prompt,
        image=_image(instance["image"], "image") if "image" in instance else None,
        others=(*last_frame, *references),
        references=len(references),
        source=_source(instance["video"], find_file) if "video" in instance else None,
        parameters=_parameters(parameters),
    )


def _image(value: Any, name: str) -> bytes:
    image = _object(value, name)
    _known(image, frozenset({"bytesBase64Encoded", "mimeType"}))
    encoded, kind = image.get("bytesBase64Encoded"), image.get("mimeType")
    if not isinstance(encoded, str) or not isinstance(kind, str) or not kind.startswith("image/"):
        raise invalid(f"`{name}` needs `bytesBase64Encoded` and an image's `mimeType`.")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"`{name}.bytesBase64Encoded` is not valid Base64.") from None


def _references(instance: Object) -> tuple[bytes, ...]:
    values = _list(instance.get("referenceImages", []), "referenceImages")
    if len(values) > _MOST_REFERENCES:
        raise invalid(f"`referenceImages` must be a list of at most {_MOST_REFERENCES} images.")
    if values and "image" in instance:
        raise invalid("`referenceImages` and `image` can't be used together.")
    return tuple(_reference(value) for value in values)


def _reference(value: Any) -> bytes:
    reference = _object(value, "referenceImages")
    _known(reference, frozenset({"image", "referenceType"}))
    if reference.get("referenceType") != "asset":
        raise invalid("`referenceImages.referenceType` must be `asset`.")
    return _image(reference.get("image"), "referenceImages.image")


def _source(value: Any, find_file: FindFile) -> tuple[Segment, ...]:
    video = _object(value, "video")
    _known(video, frozenset({"uri"}))
    uri = video.get("uri")
    match = _FILE_URI.search(uri) if isinstance(uri, str) else None
    if match is None:
        raise invalid("`video.uri` must be the URI of a video made by this service.")
    try:
        return find_file(match[1])
    except RefusedError as refused:
        raise invalid(f"`video.uri` can't be used: {refused.message}") from None


def _parameters(parameters: Object) -> Object:
    _known(parameters, _PARAMETERS)
    for name, value in parameters.items():
        complaint = _PARAMETERS[name](value)
        if complaint:
            raise invalid(f"The value {complaint}".replace("{}", f"`{name}`"))
    return parameters


_Check: TypeAlias = Callable[[Any], str | None]


def _number(value: Any) -> str | None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return None if fine else "type for {} needs to be a number."


def _whole(value: Any) -> str | None:
    return _number(value) or (None if value == int(value) else "of {} needs to be a whole number.")


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "type for {} needs to be a string."


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "type for {} needs to be a boolean."


def _one_of(*choices: str) -> _Check:
    def check(value: Any) -> str | None:
        return None if value in choices else f"of {{}} is not valid: it must be one of {', '.join(choices)}."

    return check


_INSTANCE_FIELDS = frozenset({"prompt", "image", "lastFrame", "video", "referenceImages"})
_PARAMETERS: Mapping[str, _Check] = {
    "aspectRatio": _one_of("16:9", "9:16"),
    "resolution": _one_of("720p", "1080p", "4k"),
    "durationSeconds": _whole,
    "personGeneration": _one_of("allow_all", "allow_adult", "dont_allow"),
    "negativePrompt": _text,
    "sampleCount": _whole,
    "enhancePrompt": _flag,
    "seed": _whole,
}


def _fit(given: _Given, model: Model) -> None:
    """The rules that look at several fields at once, or at what the model can do."""
    parameters = given.parameters
    length = int(parameters.get("durationSeconds", _FULL_LENGTH_S))
    resolution = parameters.get("resolution", "720p")
    samples = parameters.get("sampleCount", 1)
    rules: tuple[tuple[bool, str], ...] = (
        (length in model.durations, f"`durationSeconds` must be one of {model.durations}, not {length}."),
        (resolution in model.resolutions, f"`resolution` {resolution} isn't supported by this model."),
        (
            resolution == "720p" or length == _FULL_LENGTH_S,
            f"`durationSeconds` must be 8 for `resolution` {resolution}, not {length}.",
        ),
        (1 <= samples <= model.most_samples, f"`sampleCount` must be 1 to {model.most_samples}."),
        (model.references or not given.references, "`referenceImages` isn't supported by this model."),
        (model.extension or given.source is None, "`video` isn't supported by this model."),
        (given.source is None or given.image is None, "`video` and `image` can't be used together."),
        (
            length == _FULL_LENGTH_S or not (given.references or given.source),
            "`durationSeconds` must be 8 with `referenceImages` or `video`.",
        ),
        (
            given.image is not None or len(given.others) == given.references,
            "`lastFrame` needs `image`.",
        ),
        (
            sum(segment.seconds for segment in given.source or ()) + _EXTENSION_S <= _LONGEST_S,
            f"`video` is too long to be extended: at most {_LONGEST_S} seconds in all.",
        ),
    )
    for fine, complaint in rules:
        if not fine:
            raise invalid(complaint)


def _submission(given: _Given, name: str, document: Object) -> Submission:
    parameters = given.parameters
    resolution = parameters.get("resolution", "720p")
    width, height = frame_size(resolution, parameters.get("aspectRatio", "16:9"))
    length = _EXTENSION_S if given.source else int(parameters.get("durationSeconds", _FULL_LENGTH_S))
    segment = Segment(
        prompt=given.prompt,
        seconds=length,
        image=None if given.image is None else hashlib.sha256(given.image).hexdigest(),
        seed=int(parameters.get("seed", 0)),
    )
    order = Order(
        model=name,
        prompt=given.prompt,
        resolution=resolution,
        width=width,
        height=height,
        segments=(*(given.source or ()), segment),
        samples=int(parameters.get("sampleCount", 1)),
        digest=_digest(name, document),
        request=_without_media(document),
    )
    first = () if given.image is None else (given.image,)
    return Submission(order=order, images=(*first, *given.others))


def _digest(name: str, document: Object) -> str:
    canonical = json.dumps([name, document], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _without_media(value: Any) -> Any:
    """The body with media replaced by their SHA-256: the bill shall stay small."""
    if isinstance(value, list):
        return [_without_media(item) for item in cast("Iterable[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("Object", value)
    return {key: _media_digest(key, item) or _without_media(item) for key, item in fields.items()}


def _media_digest(key: str, value: Any) -> str | None:
    if key != "bytesBase64Encoded":
        return None
    return "sha256:" + hashlib.sha256(base64.b64decode(value)).hexdigest()
