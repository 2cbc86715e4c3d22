"""Options are checked where they are made, and say how to do better."""

from __future__ import annotations

import attrs
import pytest

from veo_async import ConfigurationError, Limits, PollPolicy, Rate, RetryPolicy, Timeouts

NOT_POSITIVE = [0, -1, float("nan")]


@pytest.mark.parametrize(
    ("count", "per"), [(0, 1), (-1, 1), (1, 0), (1, -1), (1, float("inf")), (1, float("nan"))]
)
def test_rate_needs_a_count_and_a_window(count: int, per: float) -> None:
    """Nothing that could never send or never wait is a rate."""
    with pytest.raises(ConfigurationError, match=r"as in Rate\(50, per=60\)"):
        Rate(count, per=per)


def test_rate_reads_as_it_is_said() -> None:
    """The count comes first, the window has its name."""
    assert Rate(50, per=60) == Rate(50, per=60.0)
    assert Rate(20).per == 1.0


def test_limits_take_one_rate_or_several() -> None:
    """A minute's and a day's quota stand side by side."""
    minute, day = Rate(50, per=60), Rate(2000, per=86_400)
    assert Limits(submits=minute).submits == (minute,)
    assert Limits(submits=(minute, day)).submits == (minute, day)


def test_limits_default_to_what_the_documents_promise() -> None:
    """50 submits a minute, 20 checks a second, 500 in flight, 4 downloads."""
    limits = Limits()
    assert limits.submits == (Rate(50, per=60),)
    assert limits.checks == (Rate(20, per=1),)
    assert (limits.in_flight, limits.downloads) == (500, 4)


@pytest.mark.parametrize("value", NOT_POSITIVE)
@pytest.mark.parametrize(
    ("options", "name"),
    [
        *((Limits, name) for name in ("in_flight", "downloads")),
        *((PollPolicy, name) for name in ("max_interval", "deadline", "expected", "spread", "min_interval")),
        *((RetryPolicy, name) for name in ("base", "cap", "max_hint")),
        *((Timeouts, field.name) for field in attrs.fields(Timeouts)),
    ],
)
def test_numbers_must_be_more_than_nothing(options: type, name: str, value: float) -> None:
    """The error names the class and the field."""
    with pytest.raises(ConfigurationError, match=f"{options.__name__}.{name} must be more than 0"):
        options(**{name: value})


def test_retries_are_counted_from_one() -> None:
    """A submit is tried at least once."""
    with pytest.raises(ValueError, match="unsent_attempts"):
        RetryPolicy(unsent_attempts=0)


def test_nothing_is_paid_twice_unless_it_is_asked_for() -> None:
    """Submitting again after a server's error is off by default."""
    assert RetryPolicy().resubmit_server_errors is False


@pytest.mark.parametrize("options", [Limits, PollPolicy, RetryPolicy, Timeouts])
def test_options_are_keyword_only_and_frozen(options: type) -> None:
    """Nothing depends on an order, nothing changes under a running session."""
    made = options()
    with pytest.raises(TypeError):
        options(1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(made, attrs.fields(options)[0].name, 1)
    assert made == options()


def test_no_rate_at_all_is_refused() -> None:
    """An empty tuple would mean neither a limit nor none."""
    with pytest.raises(ConfigurationError, match="at least one rate"):
        Limits(submits=())
