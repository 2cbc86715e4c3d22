"""Real traffic runs without asyncio's debug mode, which makes it many times slower."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on plain asyncio."""
    return ("asyncio", {})
