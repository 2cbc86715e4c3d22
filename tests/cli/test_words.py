"""Figures and reasons read well."""

from __future__ import annotations

import pytest

from veo_async.cli.advice import advice, parting, warnings_before
from veo_async.cli.totals import total, totals_line
from veo_async.cli.words import count, duration, money, reason, size
from veo_async.engine.lifecycle import State
from veo_async.errors import AuthenticationError

from .samples import entry


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.04, "0.0 s"), (6.14, "6.1 s"), (48, "48 s"), (125.4, "2:05"), (3725, "1:02:05")]
)
def test_duration(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(("number", "told"), [(812, "812 B"), (348_160, "340 KB"), (7_550_000, "7.2 MB")])
def test_size(number: int, told: str) -> None:
    assert size(number) == told


def test_money_and_counts() -> None:
    assert (money(1234.5), money(None)) == ("$1,234.50", "?")
    assert (count(1, "request"), count(2, "request"), count(0, "was", "were")) == (
        "1 request",
        "2 requests",
        "0 were",
    )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.FILTERED, "a reason"),
        (State.FAILED, "internal error"),
        (State.REJECTED, "no"),
        (State.UNKNOWN, "sent, no readable answer (reset); may be billed"),
        (State.RUNNING, "goes on at the provider"),
        (State.QUEUED, "not sent yet"),
        (State.SUCCEEDED, "not fetched yet"),
    ],
)
def test_why_there_is_no_video(state: State, told: str) -> None:
    assert reason(entry(state)) == told


def test_totals_tell_the_money_that_may_be_owed() -> None:
    entries = [entry(state) for state in (State.SUCCEEDED, State.UNKNOWN, State.RUNNING, State.QUEUED)]
    line = totals_line(total(entries, checks=3, elapsed=61))
    assert line == (
        "1 succeeded · 1 of them without a file · 1 unknown · 1 running · 1 not sent · "
        "$0.80 billed (estimate) · $1.60 open · 3 checks · 1:01"
    )


def test_advice_for_unknown_failed_and_stopped() -> None:
    obstacle = AuthenticationError("the key is refused")
    told = advice([entry(State.UNKNOWN), entry(State.FAILED), entry(State.SUCCEEDED)], obstacle=obstacle)
    assert told[0] == "Stopped: the key is refused"
    assert "$0.80" in told[1]
    assert "--resubmit-unknown" in told[1]
    assert "--retry-failed" in told[2]


def test_sending_again_says_what_it_may_cost() -> None:
    one, two = entry(State.QUEUED), entry(State.QUEUED)
    told = warnings_before([(one, State.FAILED), (two, State.UNKNOWN)])
    assert "1 request again: about $0.80 (estimate) more" in told[0]
    assert "may be paid twice" in told[1]


def test_parting_words_hold_the_command() -> None:
    first, second = parting([entry(State.RUNNING), entry(State.QUEUED)], "veo-async batch x")
    assert "1 video goes on at the provider; 1 request is not sent yet" in first
    assert second == "  veo-async batch x"
