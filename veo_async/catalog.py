"""The models as they were known on a date: names, what each takes, what it costs.

Data that warns and never refuses: gateways differ, models come and go, and every name that is not here
passes as it is. Prices are estimates of Google's list; gateways have their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import frozen

from veo_async.models import Problem, VideoRequest

__all__ = [
    "AS_OF",
    "DEFAULT_MODEL",
    "MODELS",
    "Model",
    "estimate",
    "find",
    "model_name",
    "retirement",
    "warnings",
]

AS_OF: Final = "2026-09"
"""Month that the prices and abilities below were gathered in."""

GOOGLE: Final = "https://generativelanguage.googleapis.com"
"""Google's own host of the Gemini format, which served these models until they were retired."""

DEFAULT_MODEL: Final = "veo-3.1-fast"
"""Used where neither the request nor the provider names a model."""

_DEFAULT_SECONDS: Final = 8
_DEFAULT_RESOLUTION: Final = "720p"


@frozen(kw_only=True)
class Model:
    """One model, as Google's own service offers it."""

    alias: str
    names: Mapping[str, str]
    """Its name by family of providers."""
    prices: Mapping[str, float]
    """USD for a second of video by resolution."""
    seconds: tuple[int, ...]
    """Lengths it makes."""
    takes: frozenset[str] = frozenset()
    """Fields of a request that bring media."""
    samples: int = 1
    """Most videos of one prompt."""
    audio: bool = True
    """Makes sound."""
    retired: str
    """Day on which Google's own Gemini host stopped serving it, by three third parties (protocol §0)."""
    named_by: str = ""
    """Pages of gateways in the Gemini format that offer it; empty: none is known."""


_GOOGLES: Final = ("gemini", "vertex")
_PICTURE: Final = frozenset({"image"})
_ALL_MEDIA: Final = frozenset({"image", "last_frame", "reference_images", "video"})

# Names, lengths and media: Google's page "Generate videos with Veo"; names at Vertex AI: its pages "Veo 3.1
# Generate" and kin (the older ones are named alike). Prices: Google's price list.
_MODELS: Final = (
    Model(
        alias="veo-3.1",
        names={"gemini": "veo-3.1-generate-preview", "vertex": "veo-3.1-generate-001"},
        prices={"720p": 0.40, "1080p": 0.40, "4k": 0.60},
        seconds=(4, 6, 8),
        takes=_ALL_MEDIA,
        retired="2026-10-22",
        named_by="seeds 001 and 003",
    ),
    Model(
        alias="veo-3.1-fast",
        names={"gemini": "veo-3.1-fast-generate-preview", "vertex": "veo-3.1-fast-generate-001"},
        prices={"720p": 0.10, "1080p": 0.12, "4k": 0.30},
        seconds=(4, 6, 8),
        takes=_ALL_MEDIA,
        retired="2026-10-22",
        named_by="seed 003",
    ),
    Model(
        alias="veo-3.1-lite",
        names={"gemini": "veo-3.1-lite-generate-preview", "vertex": "veo-3.1-lite-generate-001"},
        prices={"720p": 0.05, "1080p": 0.08},
        seconds=(4, 6, 8),
        takes=frozenset({"image", "last_frame"}),
        retired="2026-10-22",
    ),
    Model(
        alias="veo-3.0",
        names=dict.fromkeys(_GOOGLES, "veo-3.0-generate-001"),
        prices={"720p": 0.40, "1080p": 0.40},
        seconds=(8,),
        takes=_PICTURE,
        retired="2026-06-30",
    ),
    Model(
        alias="veo-3.0-fast",
        names=dict.fromkeys(_GOOGLES, "veo-3.0-fast-generate-001"),
        prices={"720p": 0.10, "1080p": 0.12},
        seconds=(8,),
        takes=_PICTURE,
        retired="2026-06-30",
    ),
    Model(
        alias="veo-2",
        names=dict.fromkeys(_GOOGLES, "veo-2.0-generate-001"),
        prices={"720p": 0.35},
        seconds=(5, 6, 7, 8),
        takes=_PICTURE,
        samples=2,
        audio=False,
        retired="2026-06-30",
    ),
)

_GATEWAY_NAMES: Final[Mapping[str, str]] = {
    "veo-3.1": "veo3.1",
    "veo-3.1-fast": "veo3.1-fast",
    "veo-3.1-lite": "veo3.1-lite",
    "veo-3.1-pro": "veo3.1-pro",
    "veo-3.1-components": "veo3.1-components",
    "veo-3.1-fast-components": "veo3.1-fast-components",
    "veo-3.0": "veo3",
    "veo-3.0-fast": "veo3-fast",
    "veo-3.0-pro": "veo3-pro",
    "veo-2": "veo2",
}
"""Names that gateways have in common (protocol §3 and §4); the models of some of them are theirs alone."""

_NAMES_OF: Final = {"gateway": _GATEWAY_NAMES}

MODELS: Final[Mapping[str, Model]] = {model.alias: model for model in _MODELS}
"""Models by alias."""

# veo-3.1-fast-generate-preview, veo-3.0-generate-001, veo3.1-fast, veo-2.0-generate-001, …; "veo3.1-pro" and
# other names that only gateways know are models of their own.
_NAME: Final = re.compile(
    r"veo-?(?P<version>[23](?:\.[01])?)(?P<kind>-fast|-lite)?(?:-generate)?(?:-preview|-exp|-[0-9]{3})?"
)
_VERSIONS: Final = {"2": "2", "2.0": "2", "3": "3.0", "3.0": "3.0", "3.1": "3.1"}


def find(name: str) -> Model | None:
    """Return the model that an alias or a provider's name speaks of, None when it is not known."""
    if name in MODELS:
        return MODELS[name]
    found = _NAME.fullmatch(name.lower())
    if found is None or found["version"] not in _VERSIONS:
        return None
    return MODELS.get(f"veo-{_VERSIONS[found['version']]}{found['kind'] or ''}")


def model_name(name: str | None, family: str) -> str:
    """Return a family's own name for an alias; any other name passes as it is, without "models/"."""
    given = (name or DEFAULT_MODEL).removeprefix("models/")
    names = _NAMES_OF.get(family)
    if names is not None:
        return names.get(given, given)
    model = MODELS.get(given)
    return model.names.get(family, given) if model else given


def estimate(name: str, request: VideoRequest) -> float | None:
    """Return what `request` may cost with a model in USD, as of `AS_OF`; None where no price is known.

    Args:
        name: An alias or a provider's own name.
        request: What is asked; 8 seconds of 720p, once, where it does not say otherwise.
    """
    model = find(name)
    price = model.prices.get(request.resolution or _DEFAULT_RESOLUTION) if model else None
    seconds = _DEFAULT_SECONDS if request.duration_seconds is None else request.duration_seconds
    samples = 1 if request.sample_count is None else request.sample_count
    if price is None or not isinstance(seconds, int):
        return None
    return round(price * seconds * samples, 6)


_Check = tuple[str, Callable[[VideoRequest, Model], bool], str]
"""The field, whether it is questionable, and why; `{model}` is the model's alias."""


def _needs_8_s(request: VideoRequest) -> bool:
    return request.duration_seconds not in (None, _DEFAULT_SECONDS)


# Google's page "Generate videos with Veo", its table of parameters by model, unless said otherwise.
_CHECKS: Final[Sequence[_Check]] = (
    ("image", lambda r, m: r.image is not None and "image" not in m.takes, "{model} takes no image"),
    (
        "last_frame",
        lambda r, m: r.last_frame is not None and "last_frame" not in m.takes,
        "{model} takes no last frame on Google's own service: veo-3.1 does",
    ),
    (
        "reference_images",
        lambda r, m: bool(r.reference_images) and "reference_images" not in m.takes,
        "{model} takes no reference images on Google's own service: veo-3.1 does",
    ),
    (
        "reference_images",
        lambda r, _: bool(r.reference_images) and _needs_8_s(r),
        "with reference images Google's own service makes 8 seconds only: leave duration_seconds out",
    ),
    (
        "video",
        lambda r, m: r.video is not None and "video" not in m.takes,
        "{model} extends no videos on Google's own service: veo-3.1 does",
    ),
    (
        "resolution",
        lambda r, _: r.video is not None and r.resolution not in (None, _DEFAULT_RESOLUTION),
        "Google's own service extends videos in 720p only (seed 003's gateway allows more)",
    ),
    (
        "duration_seconds",
        lambda r, _: r.video is not None and _needs_8_s(r),
        "with a video to extend Google's own service takes 8 seconds only: leave duration_seconds out",
    ),
    (
        "resolution",
        lambda r, m: r.resolution is not None and r.resolution not in m.prices,
        "{model} is not known to make this resolution: 720p always works",
    ),
    (
        "duration_seconds",
        lambda r, m: r.duration_seconds is not None and r.duration_seconds not in m.seconds,
        "{model} is not known to make this length: 8 seconds always work",
    ),
    (
        "aspect_ratio",
        lambda r, _: r.aspect_ratio not in (None, "16:9", "9:16"),
        "{model} is not known to make this aspect ratio: 16:9 and 9:16 are",
    ),
    (
        "person_generation",
        lambda r, _: r.person_generation not in (None, "allow_all", "allow_adult", "dont_allow"),
        "no such value is documented: allow_all, allow_adult and dont_allow are",
    ),
    (
        "generate_audio",
        lambda r, m: r.generate_audio is True and not m.audio,
        "{model} makes no sound",
    ),
)

_FAMILY_CHECKS: Final[Mapping[str, Sequence[_Check]]] = {
    "gemini": (
        (
            "sample_count",
            lambda r, m: (r.sample_count or 1) > m.samples,
            "{model} makes fewer videos of one prompt in the Gemini format: send the request more than once",
        ),
        (
            "reference_images",
            lambda r, _: any(medium.reference_type not in (None, "asset") for medium in r.reference_images),
            "the Gemini format is known to take references of type asset only",
        ),
        ("seed", lambda r, _: r.seed is not None, "Google's own SDK sends no seed in the Gemini format"),
    ),
}
"""What a family of providers is not known to take, whatever the model."""


def retirement(name: str, family: str = "gemini", origin: str = "") -> Problem | None:
    """Return what is known of the end of a model in the Gemini format; None where it is still offered.

    Args:
        name: An alias or a provider's own name.
        family: The family of providers it is asked from; of others no end is known.
        origin: Where it is asked from; empty: not known.
    """
    model = find(name) if family == "gemini" else None
    if model is None or (model.named_by and origin != GOOGLE):
        return None
    way_out = (
        "use a gateway or Vertex AI" if origin == GOOGLE else "a gateway may have, too: veo-3.1 is offered"
    )
    return Problem(
        field="model",
        message=f"Google's own Gemini host stopped serving {model.alias} on {model.retired}, as three third "
        f"parties agree; {way_out}",
    )


def warnings(
    request: VideoRequest, model: str, family: str = "gemini", origin: str = ""
) -> Sequence[Problem]:
    """Return what a known model is known not to take on Google's own service; empty for other models.

    A model that is retired there comes first.

    Args:
        request: What is asked.
        model: An alias or a provider's own name.
        family: The family of providers it is sent to.
        origin: Where it is sent to; empty: not known.
    """
    known = find(model)
    if known is None:
        return ()
    ended = retirement(model, family, origin)
    doubts = [
        Problem(field=field, message=f"{message.format(model=known.alias)} (as of {AS_OF})")
        for field, questionable, message in (*_CHECKS, *_FAMILY_CHECKS.get(family, ()))
        if questionable(request, known)
    ]
    return [*([] if ended is None else [ended]), *doubts]
