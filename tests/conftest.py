"""What every test shares: asyncio as the event loop, in debug mode."""

from __future__ import annotations

import pytest
from hypothesis import settings

from .leaks import LeakWatch

settings.register_profile("campaign", max_examples=20_000, deadline=None)
"""For an hour: `nox -s fuzz`."""
settings.register_profile("mutants", max_examples=25, deadline=None, derandomize=True, database=None)
"""For thousands of short runs: `nox -s mutants`."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep watch over the keys."""
    config.pluginmanager.register(LeakWatch(), "leaks")
    config.addinivalue_line("markers", "shows_keys: writes a key on purpose, and is not watched for it")
    config.addinivalue_line("markers", "long: takes a minute or more, and runs on one Python only")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run async tests on asyncio with its debug checks on."""
    return ("asyncio", {"debug": True})
