"""From flags to a provider, the emulator started where it is asked for."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import attrs
from attrs import frozen

from veo_async.cli.flags import Brakes, EmulatorFlags, ProviderFlags
from veo_async.errors import ConfigurationError
from veo_async.options import Limits, PollPolicy, Rate
from veo_async.providers import Provider

__all__ = ["EMULATOR", "Backend", "limits_of", "look_of", "open_backend", "provider_of"]

EMULATOR = "emulator"
_EMULATOR_SPREAD = 0.3
_LOOPBACK = re.compile(r"^http://127\.0\.0\.1:[0-9]+(?=/)")
_MINUTE = 60.0
_SHORTEST_WAIT = 0.05
_FINEST = 1000


@frozen(kw_only=True)
class Backend:
    """Who makes the videos, and how its operations are best checked."""

    provider: Provider
    poll: PollPolicy


@asynccontextmanager
async def open_backend(
    flags: ProviderFlags, brakes: Brakes, emulator: EmulatorFlags, folder: Path
) -> AsyncGenerator[Backend, None]:
    """Return the provider that the flags and the environment speak of; an emulator lives until the end.

    Args:
        flags: Which provider.
        brakes: Its limits.
        emulator: How an emulator behaves.
        folder: Where an emulator keeps its state, so that a later run finds its operations again.

    Raises:
        ConfigurationError: something must be set differently; says what.
    """
    if flags.provider != EMULATOR:
        yield Backend(provider=provider_of(flags, brakes), poll=_poll(brakes.expected_wait, PollPolicy()))
        return
    _refuse_emulator_flags(flags)
    from veo_async.emulator import Emulator, Waiting  # a web server: loaded by those alone who want it

    waiting = Waiting.lognormal(emulator.emulator_waiting, _EMULATOR_SPREAD)
    async with Emulator(
        waiting=waiting,
        time_scale=emulator.emulator_time_scale,
        clip=emulator.emulator_clip,
        state=folder / "emulator.db",
    ) as service:
        here = service.base_url
        provider = Provider.gemini(
            name=EMULATOR,
            api_key=service.key,
            base_url=here,
            limits=limits_of(brakes),
            # A ledger's videos name the port of the run that they were made in.
            rewrite_uri=lambda uri: _LOOPBACK.sub(here, uri),
        )
        expected = emulator.emulator_waiting / emulator.emulator_time_scale
        policy = PollPolicy(spread=_EMULATOR_SPREAD)
        yield Backend(provider=provider, poll=_poll(brakes.expected_wait or expected, policy))


def _refuse_emulator_flags(flags: ProviderFlags) -> None:
    given = [
        name
        for name in ("provider_file", "base_url", "status_base_url", "key_file", "project", "location")
        if getattr(flags, name)
    ]
    if given:
        raise ConfigurationError(
            f"--provider emulator runs inside this process and takes no --{given[0].replace('_', '-')}; "
            "for one that `veo-async emulate` started use --provider gemini --base-url URL"
        )
    if importlib.util.find_spec("av") is None:
        raise ConfigurationError("the emulator makes real videos: pip install 'veo-async[emulator]'")


def _poll(expected: float | None, usual: PollPolicy) -> PollPolicy:
    """Return when operations are checked whose waiting time is known beforehand."""
    if expected is None:
        return usual
    expected = max(_SHORTEST_WAIT, expected)
    return attrs.evolve(
        usual,
        expected=expected,
        min_interval=min(usual.min_interval, expected / 4),
        max_interval=min(usual.max_interval, max(1.0, expected)),
    )


def look_of(flags: ProviderFlags, brakes: Brakes) -> Provider:
    """Return a provider to check requests against; nothing is started, so an emulator's has no place yet.

    Raises:
        ConfigurationError: something must be set differently; says what.
    """
    if flags.provider != EMULATOR:
        return provider_of(flags, brakes)
    _refuse_emulator_flags(flags)
    return Provider.gemini(name=EMULATOR, api_key="not-used", base_url="http://127.0.0.1")


def provider_of(flags: ProviderFlags, brakes: Brakes) -> Provider:
    """Return a provider that is not the emulator.

    Raises:
        ConfigurationError: something must be set differently; says what.
    """
    try:
        provider = _described(flags, brakes) if flags.provider_file else _named(flags, brakes)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error.message}{_hint(flags, error)}") from None
    cloud = [name for name in ("project", "location") if getattr(flags, name) is not None]
    if cloud and provider.family != "vertex":
        raise ConfigurationError(f"--{cloud[0]} is for Vertex AI; {provider.name} takes none")
    return provider


def _named(flags: ProviderFlags, brakes: Brakes) -> Provider:
    """Return a provider of the package's."""
    return Provider.from_env(
        provider=flags.provider,
        base_url=flags.base_url,
        status_base_url=flags.status_base_url,
        limits=limits_of(brakes),
        environ=_environment(flags),
    )


def _described(flags: ProviderFlags, brakes: Brakes) -> Provider:
    """Return the gateway that a file describes."""
    assert flags.provider_file is not None
    if flags.provider is not None:
        raise ConfigurationError("--provider and --provider-file exclude each other: give one of them")
    return Provider.from_file(
        flags.provider_file,
        api_key=None if flags.key_file is None else _key_in(flags.key_file),
        base_url=flags.base_url,
        status_base_url=flags.status_base_url,
        limits=limits_of(brakes),
    )


def _environment(flags: ProviderFlags) -> dict[str, str]:
    """Return the environment with what the flags say instead."""
    given = {"VEO_PROJECT": flags.project, "VEO_LOCATION": flags.location}
    if flags.key_file is not None:
        given["VEO_API_KEY"] = _key_in(flags.key_file)
    return {**os.environ, **{name: value for name, value in given.items() if value is not None}}


def _key_in(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"--key-file {path} cannot be read: {reason}") from None
    if not key:
        raise ConfigurationError(f"--key-file {path} is empty")
    return key


def _hint(flags: ProviderFlags, error: ConfigurationError) -> str:
    if flags.base_url is not None and "key" in error.message:
        return "; a service on this machine wants a key, too: `veo-async emulate` prints its own"
    return "; or try it without any key: --provider emulator" if "key" in error.message else ""


def limits_of(brakes: Brakes) -> Limits:
    """Return the limits that were asked for, the library's own where none were."""
    limits = Limits()
    if brakes.submits_per_minute is not None:
        limits = attrs.evolve(limits, submits=_rate(brakes.submits_per_minute, _MINUTE))
    if brakes.checks_per_second is not None:
        limits = attrs.evolve(limits, checks=_rate(brakes.checks_per_second, 1.0))
    if brakes.max_in_flight is not None:
        limits = attrs.evolve(limits, in_flight=brakes.max_in_flight)
    return limits


def _rate(number: float, window: float) -> Rate:
    """Return a rate that may be a fraction: 0.5 a second is 1 in 2 seconds."""
    ratio = Fraction(number).limit_denominator(_FINEST) or Fraction(1, _FINEST)
    return Rate(ratio.numerator, per=window * ratio.denominator)
