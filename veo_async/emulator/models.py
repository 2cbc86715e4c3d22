"""Which models there are, what each takes, and what a second of video costs."""

import re

from attrs import frozen

from veo_async.emulator.refusals import not_found

RETIRED_MODEL = "veo-1.0-generate-001"
"""Answers 404 "is no longer available", as models that were switched off do."""

_GATEWAY_NAME = re.compile(r"^veo(?=[0-9])")
_PIXELS = {"720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}


@frozen(kw_only=True)
class Model:
    """What a family of models takes, and its price."""

    prefix: str
    durations: tuple[int, ...] = (4, 6, 8)
    """Lengths it can make, seconds."""
    resolutions: tuple[str, ...] = ("720p", "1080p", "4k")
    most_samples: int = 1
    references: bool = True
    extension: bool = True
    usd_per_second: tuple[float, float, float]
    """At 720p, 1080p and 4k: the vendor's list prices of 2026-09, an estimate."""


# The first prefix that fits counts, so longer ones stand before shorter ones.
MODELS = (
    Model(
        prefix="veo-3.1-lite",
        resolutions=("720p", "1080p"),
        references=False,
        extension=False,
        usd_per_second=(0.05, 0.08, 0.08),
    ),
    Model(prefix="veo-3.1-fast", usd_per_second=(0.10, 0.12, 0.30)),
    Model(prefix="veo-3.1", usd_per_second=(0.40, 0.40, 0.60)),
    Model(prefix="veo-3.0-fast", usd_per_second=(0.10, 0.12, 0.12)),
    Model(prefix="veo-3", usd_per_second=(0.40, 0.40, 0.40)),
    Model(
        prefix="veo-2",
        durations=(5, 6, 7, 8),
        resolutions=("720p",),
        most_samples=2,
        references=False,
        extension=False,
        usd_per_second=(0.35, 0.35, 0.35),
    ),
    Model(prefix="veo-", durations=(4, 5, 6, 7, 8), usd_per_second=(0.40, 0.40, 0.60)),
)


def find_model(name: str, missing: str) -> Model:
    """The model of this name; any name that begins with ``veo-`` is one, and gateways leave out the hyphen.

    Args:
        name: as the client has it.
        missing: the service's words about a model that it doesn't have.

    Raises:
        RefusedError: no such model, or the retired one.
    """
    if name == RETIRED_MODEL:
        raise not_found(f"models/{name} is no longer available. Please use a newer model.")
    found = _family(name)
    if found is None:
        raise not_found(missing)
    return found


def _family(name: str) -> Model | None:
    official = _GATEWAY_NAME.sub("veo-", name)
    return next((model for model in MODELS if official.startswith(model.prefix)), None)


def frame_size(resolution: str, aspect_ratio: str) -> tuple[int, int]:
    """Width and height in pixels."""
    width, height = _PIXELS[resolution]
    return (width, height) if aspect_ratio == "16:9" else (height, width)


def estimate_usd(name: str, resolution: str, seconds: int) -> float:
    """What so many seconds of video cost, in US dollars; an estimate."""
    model = _family(name) or MODELS[-1]
    rate = model.usd_per_second[list(_PIXELS).index(resolution)]
    return round(rate * seconds, 4)
