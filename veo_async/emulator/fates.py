"""How a job ends: by a marker in its prompt, else by the seed and the asked shares."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final

from attrs import evolve, frozen


class Ending(StrEnum):
    """How a job ends."""

    SUCCEEDED = "succeeded"
    FILTERED = "filtered"
    """No sample, or fewer than asked, passed the content filter."""
    FAILED = "failed"
    EMPTY = "empty"
    """Done with neither an answer nor an error, as happens in the wild (python-genai#1560)."""
    ENDLESS = "endless"
    """Never done."""
    REFUSED = "refused"
    """Not even accepted: refused on submission by the content policy."""


@frozen(kw_only=True)
class Fate:
    """What becomes of a job when its waiting time is over."""

    ending: Ending
    code: int = 0
    """gRPC status number of the error, for failed ones."""
    message: str = ""
    """The error's text, or the reason of the filter."""
    kept: int = 0
    """How many samples a filter lets pass."""
    upsampled: bool = True
    """Whether upsampling, where it was asked for, succeeds."""


SUCCEEDED: Final = Fate(ending=Ending.SUCCEEDED)

_FILTER_TEXT = (
    "Veo could not generate the video because it may violate the usage guidelines of Responsible AI. "
    "You have not been charged for this attempt. Try rephrasing the prompt. Support codes: 61493863"
)
_FILTERED = Fate(ending=Ending.FILTERED, message=_FILTER_TEXT)
_INTERNAL = Fate(ending=Ending.FAILED, code=13, message="Internal error. Please try again later.")

MARKERS: Final[Mapping[str, Fate]] = MappingProxyType(
    {
        "refuse-policy": Fate(ending=Ending.REFUSED),
        "fail-internal": _INTERNAL,
        "fail-safety": Fate(
            ending=Ending.FAILED,
            code=3,
            message="The prompt violates our usage guidelines. Support codes: 56562880",
        ),
        "fail-overloaded": Fate(
            ending=Ending.FAILED, code=8, message="The model is overloaded. Please try again later."
        ),
        "fail-upsampling": evolve(SUCCEEDED, upsampled=False),
        "empty-result": Fate(ending=Ending.EMPTY),
        "never-finishes": Fate(ending=Ending.ENDLESS),
        "half-filtered": Fate(ending=Ending.FILTERED, message=_FILTER_TEXT, kept=1),
        "forbidden": _FILTERED,
    }
)
"""Words that decide a job's fate when they stand anywhere in its prompt, in any case; the first one counts.

``forbidden`` is accepted and filtered later, ``refuse-policy`` refused on submission (GPTProto's "503" under
HTTP 400), ``fail-internal`` ends with code 13, ``fail-safety`` with code 3 and the safety text,
``fail-overloaded`` with code 8, ``empty-result`` is done with nothing, ``never-finishes`` never done,
``half-filtered`` keeps one sample of those asked, and ``fail-upsampling`` leaves a 720p video where a gateway
was asked to enlarge it.
"""


def fate_of(prompt: str, random: Random, *, filter_share: float, failure_share: float) -> Fate:
    """The fate of a job; draws one number whatever the prompt, so that later draws stay the same."""
    chance = random.random()
    folded = prompt.casefold()
    for marker, fate in MARKERS.items():
        if marker in folded:
            return fate
    if chance < filter_share:
        return _FILTERED
    return _INTERNAL if chance < filter_share + failure_share else SUCCEEDED
