"""Application default credentials: google-auth on the edge, faked here; nothing goes over a network."""

from __future__ import annotations

import asyncio
import importlib.machinery
import pickle
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from attrs import define, field

from veo_async import ConfigurationError, Provider
from veo_async.google_tokens import GoogleTokens

pytestmark = pytest.mark.anyio


class DefaultCredentialsError(Exception):
    """As google-auth's own."""


@define
class Google:
    """Stands in for google-auth and for Google."""

    life_s: float | None = 3600.0
    failure: Exception | None = None
    has_credentials: bool = True
    looked: int = 0
    exchanged: int = 0
    threads: set[int] = field(factory=set[int])
    scopes: list[str] = field(factory=list[str])
    token: str = ""
    expiry: datetime | None = None

    def default(self, scopes: list[str]) -> tuple[Google, str]:
        self.looked += 1
        self.threads.add(threading.get_ident())
        self.scopes = scopes
        if not self.has_credentials:
            raise DefaultCredentialsError("with /a/path in it")
        return self, "a-project"

    def refresh(self, _: object) -> None:
        self.threads.add(threading.get_ident())
        if self.failure is not None:
            raise self.failure
        self.exchanged += 1
        self.token = f"ya29.token-{self.exchanged:04}"
        now = datetime.now(UTC).replace(tzinfo=None)
        self.expiry = None if self.life_s is None else now + timedelta(seconds=self.life_s)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Google:
    fake = Google()

    def module(name: str, **members: object) -> None:
        made = ModuleType(name)
        made.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        made.__path__ = []
        made.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, made)

    exceptions = ModuleType("google.auth.exceptions")
    exceptions.__dict__["DefaultCredentialsError"] = DefaultCredentialsError
    module("google")
    module("google.auth", default=fake.default, exceptions=exceptions)
    module("google.auth.transport")
    module("google.auth.transport.requests", Request=object)
    return fake


@define
class Clock:
    """A clock that is set by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def provider() -> Provider:
    return Provider.vertex(project="films", location="us-central1")


async def test_the_token_comes_from_the_default_credentials_and_is_kept(google: Google) -> None:
    """Nothing is read before it is needed; all of it happens in a thread, once."""
    vertex = provider()
    assert google.looked == 0
    headers = await asyncio.gather(*(vertex.authorization() for _ in range(20)))
    assert headers == [{"Authorization": "Bearer ya29.token-0001"}] * 20
    assert (google.looked, google.exchanged) == (1, 1)
    assert google.scopes == ["https://www.googleapis.com/auth/cloud-platform"]
    assert threading.get_ident() not in google.threads
    assert vertex.refreshable


async def test_a_refused_token_is_exchanged_once_by_all(google: Google) -> None:
    """Also by those whose refusal arrives after the exchange: what they sent was the old one."""
    vertex = provider()
    await vertex.authorization()
    sent_at = asyncio.get_running_loop().time()
    await asyncio.gather(*(vertex.authorization(refresh=True, sent_at=sent_at) for _ in range(9)))
    late = await vertex.authorization(refresh=True, sent_at=sent_at)
    assert late == {"Authorization": "Bearer ya29.token-0002"}
    await vertex.authorization(refresh=True, sent_at=asyncio.get_running_loop().time())
    assert (google.looked, google.exchanged) == (1, 3)


@pytest.mark.parametrize(
    ("life_s", "after_s", "stale"),
    [(3600, 3290, False), (3600, 3301, True), (200, 90, False), (200, 101, True), (None, 1e9, False)],
)
async def test_a_token_is_exchanged_before_it_ends(
    google: Google, life_s: float | None, after_s: float, stale: bool
) -> None:
    """Five minutes before, a short one at half its life, one without an end never."""
    clock = Clock()
    google.life_s = life_s
    tokens = GoogleTokens(clock)
    assert tokens.is_stale()
    await tokens()
    clock.now += after_s
    assert tokens.is_stale() == stale


async def test_an_exchange_that_fails_early_does_no_harm(google: Google) -> None:
    """The token at hand serves till its end, tried again every 30 s; then the error is told."""
    clock = Clock()
    tokens = GoogleTokens(clock)
    first = await tokens()
    google.failure = OSError("no network, and a secret")
    clock.now += 3400
    assert await tokens() == first
    assert not tokens.is_stale()
    clock.now += 31
    assert tokens.is_stale()
    clock.now += 200
    with pytest.raises(ConfigurationError, match="OSError") as raised:
        await tokens()
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_without_credentials_the_error_says_what_to_do(google: Google) -> None:
    """Through the provider, too."""
    google.has_credentials = False
    with pytest.raises(ConfigurationError, match="gcloud auth application-default login") as raised:
        await provider().authorization()
    assert "/a/path" not in str(raised.value)


@pytest.mark.parametrize("make", [provider, GoogleTokens])
def test_without_google_auth_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    """At once, before anything is sent."""
    monkeypatch.setitem(sys.modules, "google", None)
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'veo-async\[vertex\]'"):
        make()


def test_tokens_are_never_pickled(google: Google) -> None:
    """Each process signs in by itself."""
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(GoogleTokens())
