"""What these tests share: plain asyncio for real traffic, and a session that notes what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from veo_async import VeoSession


class FakeSession:
    """Stands in for a session: remembers what it was told, or refuses to be told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.error: Exception | None = None

    def notify(self, operation: str) -> bool:
        if self.error is not None:
            raise self.error
        self.told.append(operation)
        return True


@pytest.fixture
def told() -> FakeSession:
    """A session that notes what it is told."""
    return FakeSession()


@pytest.fixture
def session(told: FakeSession) -> VeoSession:
    """The same, as the session that a receiver takes."""
    anything: Any = told
    result: VeoSession = anything
    return result


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on plain asyncio."""
    return ("asyncio", {})
