"""One scene for all cells, and at the end the bill of them all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import pytest

from tests.faults.playing import Account
from tests.faults.scene import Scene, playing
from tests.faults.table import check_bill


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run on plain asyncio: its debug mode makes real traffic many times slower."""
    return ("asyncio", {})


@pytest.fixture(scope="module")
async def scene(anyio_backend: object) -> AsyncGenerator[Scene, None]:
    async with playing() as scene:
        yield scene


@pytest.fixture(scope="module")
def accounts() -> Generator[list[Account], None, None]:
    """What each job cost; the promise above all others is looked at over the whole run."""
    accounts: list[Account] = []
    yield accounts
    check_bill(accounts)
