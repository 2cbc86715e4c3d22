"""What Google's safety filters say, and what their support codes stand for.

The codes: Google's page "Responsible AI for Veo"; gateways pass the texts on as they are.
"""

from __future__ import annotations

import re
from typing import Final

from veo_async.errors import Billed

__all__ = ["CATEGORIES", "billed_by", "categories", "speaks_of_policy"]

_CODES_BY_CATEGORY: Final = {
    "child": "58061214 17301594",
    "celebrity": "29310472 15236754",
    "video safety": "64151117 42237218",
    "dangerous": "62263041",
    "hate": "57734940 22137204",
    "other": "74803281 29578790 42876398",
    "prohibited": "89371032 49114662 63429089 72817394 60599140",
    "third-party": "35561574 35561575",
    "sexual": "90789179 43188360",
    "toxic": "78610348",
    "violence": "61493863 56562880",
    "vulgar": "32635315",
}

CATEGORIES: Final = {
    code: category for category, codes in _CODES_BY_CATEGORY.items() for code in codes.split()
}
"""Category by support code."""

_CODE: Final = re.compile(r"(?<![0-9])[0-9]{8}(?![0-9])")
# "may not meet the guidelines": seed 000. The rest: Google's texts for code 3, as passed on by gateways.
_POLICY: Final = re.compile(
    r"usage guidelines|meet the guidelines|responsible ai|support codes?\b|sensitive words|content[ _]policy"
    r"|safety (?:filter|polic|setting)|blocked by .{0,40}\bsafety|moderation_blocked",
    re.IGNORECASE,
)
_NOT_CHARGED: Final = re.compile(r"(?:\bnot|n.t|\bno) (?:be |been |were |was )?charged?\b", re.IGNORECASE)


def categories(text: str) -> tuple[str, ...]:
    """Return what the support codes in `text` stand for, each once, in the order of the text."""
    known = (CATEGORIES.get(code) for code in _CODE.findall(text))
    return tuple(dict.fromkeys(category for category in known if category is not None))


def speaks_of_policy(text: str) -> bool:
    """Return whether an error's text is about the content policy."""
    return _POLICY.search(text) is not None


def billed_by(text: str) -> Billed:
    """Return "no" where the provider's words say that nothing is charged, else "unknown"."""
    return "no" if _NOT_CHARGED.search(text) else "unknown"
