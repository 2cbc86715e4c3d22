"""What every test shares: asyncio as the event loop, in debug mode."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run async tests on asyncio with its debug checks on."""
    return ("asyncio", {"debug": True})
