"""Every fault in every phase: what an awaiter sees, what the ledger holds, what is sent and what it costs."""

from __future__ import annotations

import pytest

from tests.faults.cells import Cell
from tests.faults.playing import Account, play
from tests.faults.scene import Scene
from tests.faults.table import CELLS

pytestmark = [pytest.mark.anyio, pytest.mark.long]


def test_no_cell_is_there_twice() -> None:
    """Each has a name of its own, as the bill knows its job by it."""
    assert len({str(cell) for cell in CELLS}) == len(CELLS)


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_cell(cell: Cell, scene: Scene, accounts: list[Account]) -> None:
    """All that is promised of one fault in one phase."""
    if not scene.can_play(cell):
        pytest.skip("needs the openssl program to make a certificate")
    played = await play(cell, scene)
    assert played.account is not None
    accounts.append(played.account)
    assert played.complaints == []
