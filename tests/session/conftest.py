"""Fixtures for sessions on a scripted provider in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from veo_async import Provider, VeoSession

from .script import BASE, KEY, FlakyLedger, ScriptedTransport, VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on a loop with virtual time."""
    return ("asyncio", {"loop_factory": VirtualLoop, "debug": True})


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> ScriptedTransport:
    """Put a scripted provider in the place of the network."""
    scripted = ScriptedTransport()
    monkeypatch.setattr("veo_async.session.runtime.Transport", scripted)
    return scripted


@pytest.fixture
def provider() -> Provider:
    """A provider of the Gemini format."""
    return Provider.gemini(api_key=KEY, base_url=BASE)


@pytest.fixture
def session(wire: ScriptedTransport, provider: Provider) -> Callable[..., VeoSession]:
    """Make sessions on the scripted provider."""

    def make(**options: object) -> VeoSession:
        return VeoSession(provider, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> FlakyLedger:
    """Give all sessions one ledger whose disk may fail."""
    ledger = FlakyLedger()

    def open_ledger(_: object) -> FlakyLedger:
        return ledger

    monkeypatch.setattr("veo_async.session.session.open_ledger", open_ledger)
    return ledger
