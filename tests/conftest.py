"""What every test shares: asyncio as the event loop, in debug mode."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("campaign", max_examples=20_000, deadline=None)
"""For a night: `pytest --hypothesis-profile=campaign tests/test_unified.py --timeout=0`."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run async tests on asyncio with its debug checks on."""
    return ("asyncio", {"debug": True})
