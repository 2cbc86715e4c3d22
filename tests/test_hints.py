"""Hints on waiting: what servers say, and what is no hint."""

from __future__ import annotations

import time

import pytest

from veo_async.dialects.hints import answered_at, per_day, retry_after

NOON = "Tue, 06 Oct 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("34", 34.0),
        (" 34\t", 34.0),
        ("\u00a034", None),
        ("X34X", None),
        ("1.5", 1.5),
        ("1000000000", 1e9),
        ("9" * 400, 1e9),
        ("-1", None),
        ("+1", None),
        ("1e9", None),
        ("１２", None),  # noqa: RUF001  full-width digits
        ("٣", None),
        ("12 s", None),
        ("", None),
        ("soon", None),
    ],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    """Plain ASCII digits; whatever else is ignored; the largest is finite."""
    assert retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("until", "now", "seconds"),
    [
        ("Tue, 06 Oct 2026 12:01:30 GMT", NOON, 90.0),
        ("Tue, 06 Oct 2026 12:01:30 -0000", NOON, 90.0),  # without a zone: UTC
        ("Tue, 06 Oct 2026 12:01:30 GMT", "Tue, 06 Oct 2026 12:00:00 -0000", 90.0),
        ("Tuesday, 06-Oct-26 12:01:30 GMT", NOON, 90.0),
        ("Wed, 07 Oct 2026 12:00:00 GMT", NOON, 86400.0),
        (NOON, NOON, 0.0),
        (f"\t{NOON} ", NOON, 0.0),
        (f"\u00a0{NOON}", NOON, None),
        (NOON, f"X{NOON}", None),
        ("Tue, 06 Oct 2026 11:59:59 GMT", NOON, None),
        ("Tue, 06 Oct 2026 12:01:30 GMT", "", None),
        ("Tue, 06 Oct 2026 12:01:30 GMT", "yesterday", None),
        ("Tue, 36 Oct 2026 12:01:30 GMT", NOON, None),
        ("Tue, 06 Okt 2026 12:01:30 GMT", NOON, None),
        ("Tue, 06 Oct 2026 25:01:30 GMT", NOON, None),
        ("Tue, 06 Oct 2026 12:01:30 +0200", NOON, None),
        ("Tue, 06 Oct 0000 12:01:30 GMT", NOON, None),
        ("Tue, 0６ Oct 2026 12:01:30 GMT", NOON, None),  # noqa: RUF001
    ],
)
def test_retry_after_as_a_date(until: str, now: str, seconds: float | None) -> None:
    """A date is measured against the answer's own `Date`; without one it says nothing."""
    assert retry_after({"retry-after": until, "date": now}) == seconds


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("34.07s", 34.07), ("10s", 10.0), ("0s", 0.0), ("-3s", None), ("10", None), ("1m", None), (10, None)],
)
def test_retry_info(delay: object, seconds: float | None) -> None:
    """google.rpc.RetryInfo, a duration in protobuf's JSON."""
    details = ["odd", {"@type": "type.googleapis.com/google.rpc.Help"}, {"retryDelay": delay}]
    assert retry_after({}, "", details) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Quota exceeded. Please retry in 10.68s.", 10.68),
        ("Please retry in 437.5ms.", 0.4375),
        ("Please retry in 437ms.", 0.437),
        ("Please retry in 34.074824224s", 34.074824224),
        ("please RETRY IN 5 seconds", 5.0),
        ("retry in 1m30s", 90.0),
        ("retry in 1h2m3s", 3723.0),
        ("try again in 2 minutes", 120.0),
        ("retry in " + "9" * 400 + "s", 1e9),
        ("retry in -5s", None),
        ("retry in a while", None),
        ("retry in ５s", None),  # noqa: RUF001
        ("", None),
    ],
)
def test_words(message: str, seconds: float | None) -> None:
    """The text of an error, as Google writes it."""
    assert retry_after({}, message) == seconds


def test_the_order_of_hints() -> None:
    """Header, then RetryInfo, then the words; a header that is no hint stands in nobody's way."""
    details, message = [{"retryDelay": "2s"}], "retry in 3s"
    assert retry_after({"retry-after": "1"}, message, details) == 1.0
    assert retry_after({"retry-after": "-1"}, message, details) == 2.0
    assert retry_after({}, message, [{"retryDelay": "soon"}]) == 3.0


PER_DAY_FAILURE: dict[str, object] = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [
        {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"},
        {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"},
    ],
}


@pytest.mark.parametrize(
    ("message", "details", "expected"),
    [
        ("", [PER_DAY_FAILURE], True),
        ("", [{"violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}], False),
        ("", [{"metadata": {"quota_limit": "VideosPerDayPerProject"}}], True),
        ("", [{"metadata": {"quota_unit": "1/d/{project}"}}], True),
        ("", [{"metadata": {"quota_unit": "1/min/{project}"}}], False),
        ("limit 'Requests per day' of service", [], True),
        ("You exceeded your current quota, please check your plan", [], False),
        ("", [{"violations": "PerDay"}, {"violations": [7, {"quotaId": 7}]}, None], False),
    ],
)
def test_a_days_quota(message: str, details: list[object], expected: bool) -> None:
    """`QuotaFailure` and `ErrorInfo` say whether trying again soon is of use."""
    assert per_day(message, details) is expected


@pytest.mark.parametrize(
    "detail",
    [
        {"violations": [{"quotaId": "RequestsPerDay"}]},
        {"violations": [7, {"quotaMetric": "requests_per_day"}]},
        {"violations": [{"description": "daily limit"}]},
        {"metadata": {"quota_limit": "PerDay"}},
        {"metadata": {"quota_unit": "1/d/{project}"}},
        {"metadata": {"quota_id": "per-day"}},
    ],
)
def test_a_days_quota_is_told_in_many_places(detail: object) -> None:
    """Wherever Google's details name the quota; elsewhere the words mean nothing."""
    assert per_day("slow down", [7, None, detail])
    assert not per_day("slow down", [{"elsewhere": detail}])


def test_when_an_answer_was_given() -> None:
    """By the provider's own clock; without a date, or with an odd one, nobody knows."""
    assert answered_at({"date": NOON}) == 1_791_288_000.0
    assert answered_at({}) is None
    assert answered_at({"date": "noon"}) is None


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of the process cannot be set here")
def test_a_date_means_the_same_in_whichever_zone_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is UTC's."""
    try:
        with monkeypatch.context() as patched:
            patched.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            assert answered_at({"date": NOON}) == 1_791_288_000.0
    finally:
        time.tzset()
