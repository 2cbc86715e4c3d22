"""Hints on waiting that servers send, in headers, details and texts.

Pure: an HTTP date is measured against the answer's own `Date` header, never against a clock of ours. Only
ASCII digits count; what is negative or odd is no hint; the engine bounds what is large.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, cast

from veo_async.dialects.fields import JsonObject, is_object

__all__ = ["answered_at", "per_day", "retry_after"]

_LONGEST_S: Final = 1e9
"""Keeps 400 digits a number."""

_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")
_RETRY_IN: Final = re.compile(
    r"(?:retry|try again) in (?:([0-9]+) ?h(?:ours?)? ?)?(?:([0-9]+) ?m(?:in(?:ute)?s?)?(?![a-z]) ?)?"
    r"(?:([0-9]+(?:\.[0-9]+)?) ?(ms|s|sec|seconds?)\b)?",
    re.IGNORECASE,
)
# IMF-fixdate, and RFC 850's form, as RFC 9110 §5.6.7 wants both read. "-0000" is UTC without a zone's name.
_DATE: Final = re.compile(
    r"[A-Z][a-z]{2,8}, ([0-9]{1,2})[ -]([A-Z][a-z]{2})[ -]([0-9]{4}|[0-9]{2}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) (?:GMT|UTC|[+-]0000)"
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PER_DAY: Final = re.compile(r"per[ _-]?day|\b1/d/|daily (?:limit|quota)|requests? a day", re.IGNORECASE)


def retry_after(
    headers: Mapping[str, str], message: str = "", details: Iterable[object] = ()
) -> float | None:
    """Return the seconds to wait that an answer asks for, None when it asks for none.

    Args:
        headers: The answer's headers, names in lower case.
        message: The error's text.
        details: The error's `details`, as they came.
    """
    hint = _header(headers)
    if hint is None:
        hint = _retry_info(details)
    return _words(message) if hint is None else hint


def answered_at(headers: Mapping[str, str]) -> float | None:
    """Return when the provider answered, in seconds since 1970 by its own clock; None: it does not say."""
    instant = _instant(headers.get("date", ""))
    return None if instant is None else instant.timestamp()


def _seconds(digits: str) -> float:
    return min(float(digits), _LONGEST_S)


def _header(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "").strip(" \t")
    if _SECONDS.fullmatch(value):
        return _seconds(value)
    until, now = _instant(value), _instant(headers.get("date", ""))
    if until is None or now is None or until < now:
        return None
    return (until - now).total_seconds()


def _instant(text: str) -> datetime | None:
    found = _DATE.fullmatch(text.strip(" \t"))
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = map(int, found.group(1, 3, 4, 5, 6))
    year += 0 if len(found[3]) == 4 else 2000  # noqa: PLR2004  RFC 850 writes two digits
    try:
        return datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _retry_info(details: Iterable[object]) -> float | None:
    for detail in details:
        delay = detail.get("retryDelay") if is_object(detail) else None
        found = _DURATION.fullmatch(delay) if isinstance(delay, str) else None
        if found:
            return _seconds(found[1])
    return None


def _words(message: str) -> float | None:
    found = _RETRY_IN.search(message)
    if found is None or not any(found.groups()):
        return None
    hours, minutes, rest, unit = found.groups()
    seconds = float(rest or 0) / (1000 if unit and unit.lower() == "ms" else 1)
    return min(3600 * float(hours or 0) + 60 * float(minutes or 0) + seconds, _LONGEST_S)


def per_day(message: str, details: Iterable[object] = ()) -> bool:
    """Return whether a 429 is about a day's quota, so that trying again soon is of no use.

    Google says so in `QuotaFailure.violations[].quotaId` ("…PerDay…") or `ErrorInfo.metadata`, gateways in
    the text.
    """
    return any(_PER_DAY.search(text) for text in (message, *_quota_texts(details)))


def _quota_texts(details: Iterable[object]) -> Iterable[str]:
    for detail in details:
        if is_object(detail):
            for violation in _listed(detail.get("violations")):
                yield from _strings(violation, "quotaId", "quotaMetric", "description")
            metadata = detail.get("metadata")
            if is_object(metadata):
                yield from _strings(metadata, "quota_limit", "quota_unit", "quota_id")


def _listed(value: object) -> Iterable[JsonObject]:
    return (
        [item for item in cast("list[object]", value) if is_object(item)] if isinstance(value, list) else ()
    )


def _strings(source: JsonObject, *keys: str) -> Iterable[str]:
    return [value for key in keys if isinstance(value := source.get(key), str)]
