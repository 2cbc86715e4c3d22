"""Reads the body of ``:predictLongRunning``, which the Gemini format and Vertex AI share but for details.

What the details are says a `Grammar`; what is refused, and in which words, follows what the live services
were seen to do.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from veo_async.emulator.documents import (
    Check,
    Object,
    as_list,
    as_object,
    check_values,
    digest_of,
    parse_object,
    prompt_of,
    refuse_unknown,
    sha256_hex,
    without_media,
)
from veo_async.emulator.models import Model, frame_size
from veo_async.emulator.orders import Order, Segment
from veo_async.emulator.refusals import invalid

FindFile: TypeAlias = Callable[[str], tuple[Segment, ...]]
"""What a file of ours shows, by its name; raises `RefusedError` if there is none."""

_EXTENSION_S: Final = 7
_FULL_LENGTH_S: Final = 8
_LONGEST_S: Final = 148
_MOST_REFERENCES: Final = 3


@frozen(kw_only=True)
class Picture:
    """An image that came with a submission."""

    content: bytes | None = None
    """Its bytes, not looked at yet; None where only a place was named, from which nothing is fetched."""


@frozen(kw_only=True)
class Grammar:
    """In what one surface's bodies differ from another's."""

    top_level: frozenset[str]
    instance: frozenset[str]
    parameters: Mapping[str, Check]
    read_image: Callable[[Any, str], Picture]
    """Reads an image's value under its field's name."""
    read_source: Callable[[Any, FindFile], tuple[Segment, ...]]
    """Reads the value of ``video``: what the video to extend shows."""
    check_rest: Callable[[Object, Object], None] | None = None
    """Looks at the fields of document and instance that only this surface has."""
    reference_types: tuple[str, ...] = ("asset",)
    most_samples: int | None = None
    """None: as many as the model makes."""
    large_needs_full_length: bool = True
    """Whether 1080p and 4k are refused for videos shorter than 8 s."""


@frozen(kw_only=True)
class Submission:
    """What a submission comes to."""

    order: Order
    images: tuple[bytes, ...]
    """The bytes of all images it brought, not looked at yet."""


@frozen(kw_only=True)
class _Given:
    """The parts of a submission, each read and found well-formed."""

    prompt: str
    image: Picture | None
    last_frame: Picture | None
    references: tuple[Picture, ...]
    source: tuple[Segment, ...] | None
    """What the video to extend shows."""
    parameters: Mapping[str, Any] = field(factory=dict[str, Any])

    @property
    def length(self) -> int:
        """The asked length in seconds."""
        return int(self.parameters.get("durationSeconds", _FULL_LENGTH_S))

    @property
    def resolution(self) -> str:
        """The asked resolution."""
        return str(self.parameters.get("resolution", "720p"))


def read_prediction(
    body: bytes, name: str, model: Model, grammar: Grammar, find_file: FindFile
) -> Submission:
    """Read the body of a submission.

    Args:
        body: the bytes as they came.
        name: the model's name in the path.
        model: that model.
        grammar: what the surface takes.
        find_file: what a file of ours shows.

    Raises:
        RefusedError: something in it is not as the service wants it; the text names the field.
    """
    document = parse_object(body)
    instance, parameters = _halves(document, grammar)
    refuse_unknown(instance, grammar.instance)
    if grammar.check_rest is not None:
        grammar.check_rest(document, instance)
    given = _given(instance, parameters, grammar, find_file)
    for fine, complaint in (*_request_rules(given, grammar), *_model_rules(given, model, grammar)):
        if not fine:
            raise invalid(complaint)
    return _submission(given, name, document)


def _halves(document: Object, grammar: Grammar) -> tuple[Object, Object]:
    for key in document:
        if key not in grammar.top_level:
            raise invalid(f'Invalid JSON payload received. Unknown name "{key}": Cannot find field.')
    instances = as_list(document.get("instances"), "instances")
    if len(instances) != 1:
        raise invalid("`instances` must hold exactly one instance.")
    return as_object(instances[0], "instances[0]"), as_object(document.get("parameters") or {}, "parameters")


def _given(instance: Object, parameters: Object, grammar: Grammar, find_file: FindFile) -> _Given:
    prompt = prompt_of(instance)
    refuse_unknown(parameters, grammar.parameters)
    check_values(parameters, grammar.parameters)

    def picture(name: str) -> Picture | None:
        return grammar.read_image(instance[name], name) if name in instance else None

    return _Given(
        prompt=prompt,
        image=picture("image"),
        last_frame=picture("lastFrame"),
        references=_references(instance, grammar),
        source=grammar.read_source(instance["video"], find_file) if "video" in instance else None,
        parameters=parameters,
    )


def _references(instance: Object, grammar: Grammar) -> tuple[Picture, ...]:
    values = as_list(instance.get("referenceImages", []), "referenceImages")
    if len(values) > _MOST_REFERENCES:
        raise invalid(f"`referenceImages` must be a list of at most {_MOST_REFERENCES} images.")
    if values and "image" in instance:
        raise invalid("`referenceImages` and `image` can't be used together.")
    return tuple(_reference(value, grammar) for value in values)


def _reference(value: Any, grammar: Grammar) -> Picture:
    reference = as_object(value, "referenceImages")
    refuse_unknown(reference, {"image", "referenceType"})
    if reference.get("referenceType") not in grammar.reference_types:
        kinds = " or ".join(f"`{kind}`" for kind in grammar.reference_types)
        raise invalid(f"`referenceImages.referenceType` must be {kinds}.")
    return grammar.read_image(reference.get("image"), "referenceImages.image")


def _request_rules(given: _Given, grammar: Grammar) -> tuple[tuple[bool, str], ...]:
    """The rules that look at several fields at once."""
    free = not grammar.large_needs_full_length or given.resolution == "720p"
    full_length = given.length == _FULL_LENGTH_S
    return (
        (
            free or full_length,
            f"`durationSeconds` must be 8 for `resolution` {given.resolution}, not {given.length}.",
        ),
        (given.source is None or given.image is None, "`video` and `image` can't be used together."),
        (
            full_length or not (given.references or given.source),
            "`durationSeconds` must be 8 with `referenceImages` or `video`.",
        ),
        (given.image is not None or given.last_frame is None, "`lastFrame` needs `image`."),
        (
            sum(segment.seconds for segment in given.source or ()) + _EXTENSION_S <= _LONGEST_S,
            f"`video` is too long to be extended: at most {_LONGEST_S} seconds in all.",
        ),
    )


def _model_rules(given: _Given, model: Model, grammar: Grammar) -> tuple[tuple[bool, str], ...]:
    """The rules that ask what the model can do."""
    most = grammar.most_samples or model.most_samples
    return (
        (
            given.length in model.durations,
            f"`durationSeconds` must be one of {model.durations}, not {given.length}.",
        ),
        (
            given.resolution in model.resolutions,
            f"`resolution` {given.resolution} isn't supported by this model.",
        ),
        (1 <= given.parameters.get("sampleCount", 1) <= most, f"`sampleCount` must be 1 to {most}."),
        (model.references or not given.references, "`referenceImages` isn't supported by this model."),
        (model.extension or given.source is None, "`video` isn't supported by this model."),
    )


def _submission(given: _Given, name: str, document: Object) -> Submission:
    parameters = given.parameters
    width, height = frame_size(given.resolution, parameters.get("aspectRatio", "16:9"))
    shown = None if given.image is None else given.image.content
    segment = Segment(
        prompt=given.prompt,
        seconds=_EXTENSION_S if given.source else given.length,
        image=None if shown is None else sha256_hex(shown),
        seed=int(parameters.get("seed", 0)),
    )
    order = Order(
        model=name,
        prompt=given.prompt,
        resolution=given.resolution,
        width=width,
        height=height,
        segments=(*(given.source or ()), segment),
        samples=int(parameters.get("sampleCount", 1)),
        digest=digest_of(name, document),
        request=without_media(document),
    )
    pictures = (given.image, given.last_frame, *given.references)
    contents = (picture.content for picture in pictures if picture is not None)
    return Submission(order=order, images=tuple(content for content in contents if content is not None))
