"""Ledgers to test: every test that takes `ledger` runs with both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from veo_async.ledger import Ledger, open_ledger
from veo_async.ledger.sqlite import SqliteLedger


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An open ledger of either kind."""
    made = open_ledger(None if request.param == "memory" else tmp_path / "jobs.db")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """An open ledger in a file."""
    made = SqliteLedger(tmp_path / "jobs.db")
    await made.open()
    yield made
    await made.close()
