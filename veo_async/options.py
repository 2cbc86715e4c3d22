"""What a caller may set: rates, polling, retries, timeouts. All durations are seconds."""

from __future__ import annotations

from attrs import field, frozen, validators

from veo_async.errors import ConfigurationError

__all__ = ["Limits", "PollPolicy", "Rate", "RetryPolicy", "Timeouts"]


@frozen
class Rate:
    """At most `count` requests in any window of `per` seconds."""

    count: int
    """Requests a window, at least 1."""
    per: float = field(kw_only=True, default=1.0)
    """Length of the window in seconds, more than 0."""

    def __attrs_post_init__(self) -> None:
        if self.count < 1 or not 0 < self.per < float("inf"):
            raise ConfigurationError(
                f"Rate({self.count}, per={self.per:g}) is not a rate: give a count of at least 1 "
                "and a window of more than 0 seconds, as in Rate(50, per=60)"
            )


def _rates(value: Rate | tuple[Rate, ...]) -> tuple[Rate, ...]:
    rates = (value,) if isinstance(value, Rate) else tuple(value)
    if not rates:
        raise ConfigurationError("Limits needs at least one rate: leave it out for the default")
    return rates


def _positive(instance: object, attribute: object, value: float) -> None:
    if not value > 0:
        name = getattr(attribute, "name", "value")
        raise ConfigurationError(f"{type(instance).__name__}.{name} must be more than 0, not {value:g}")


@frozen(kw_only=True)
class Limits:
    """How much a provider may be asked: rates of requests, and how much at once."""

    submits: tuple[Rate, ...] = field(default=(Rate(50, per=60),), converter=_rates)
    """Paid submits; one rate or several (a minute's and a day's)."""  # Vertex AI's quota for GA models
    checks: tuple[Rate, ...] = field(default=(Rate(20, per=1),), converter=_rates)
    """Status checks; one rate or several."""
    in_flight: int = field(default=500, validator=_positive)
    """Operations that may run at the provider at once; further jobs stay queued."""
    downloads: int = field(default=4, validator=_positive)
    """Downloads at once."""
    download_rates: tuple[Rate, ...] = field(default=(Rate(50, per=1),), converter=_rates)
    """Requests for videos, redirects among them; one rate or several."""


@frozen(kw_only=True)
class PollPolicy:
    """When operations are checked."""

    max_interval: float = field(default=60.0, validator=_positive)
    """Longest gap between two checks of one operation, in seconds."""
    deadline: float = field(default=1200.0, validator=_positive)
    """Seconds after which an operation that is not done counts as stalled: its awaiters are told, slow
    checks go on."""  # 20 min: three times the longest documented waiting time of 6 min
    expected: float = field(default=60.0, validator=_positive)
    """The prior: the median waiting time in seconds that is assumed until enough is learned. It weighs as
    much as two operations, and until five were seen to end no gap is longer than 10 s."""  # 55 to 113 s
    spread: float = field(default=0.5, validator=_positive)
    """The prior's width: the standard deviation of the waiting time's logarithm."""
    check_worth: float = field(default=0.6, validator=_positive)
    """Seconds of lag that one status check is worth: with half of it, checks are 1.4 times as many and an end
    is known so much sooner. Gaps are √(2 · check_worth / h), where h is the rate at which operations of that
    age end."""  # 0.6: no more checks a job than a loop that sleeps 10 s, where the median is 60 s
    min_interval: float = field(default=1.0, validator=_positive)
    """Shortest gap between two checks of one operation, in seconds."""
    use_list: bool = True
    """Where the provider lists operations (its `can_list`): one list request answers many checks, as soon as
    eight operations of a model wait. Lists that prove useless are given up. False: one request a check."""


@frozen(kw_only=True)
class RetryPolicy:
    """What may be tried again, and how often."""

    unsent_attempts: int = field(default=5, validator=validators.ge(1))
    """How often a submit is tried whose request provably never left, before its awaiters are told."""
    resubmit_server_errors: bool = False
    """Send again after the provider's own, well-formed 5xx answer. That answer may follow a start, so this
    may pay twice; off unless you say so."""
    base: float = field(default=1.0, validator=_positive)
    """First ceiling of the growing, fully jittered wait, in seconds."""
    cap: float = field(default=20.0, validator=_positive)
    """Largest ceiling of that wait, in seconds."""
    max_hint: float = field(default=600.0, validator=_positive)
    """A server's hint on waiting is honoured up to this many seconds."""


@frozen(kw_only=True)
class Timeouts:
    """How long the network may take. A submit has no total: a stalled event loop must not lose a paid job."""

    connect: float = field(default=10.0, validator=_positive)
    """Seconds for name look-up, connection and TLS."""
    submit_read: float = field(default=120.0, validator=_positive)
    """Seconds without a byte after which a submit's answer counts as lost."""
    check_read: float = field(default=30.0, validator=_positive)
    """Seconds without a byte after which a status check is given up and tried again."""
    download_read: float = field(default=60.0, validator=_positive)
    """Seconds without a byte after which a download is given up."""
    shutdown: float = field(default=30.0, validator=_positive)
    """Seconds that closing waits for submits already sent."""
