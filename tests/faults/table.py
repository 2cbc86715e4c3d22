"""The matrix as a whole: all its cells, the bill over all of them, and the table that is printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from tests.faults.cells import Cell, Phase
from tests.faults.checks import CHECKS
from tests.faults.downloads import DOWNLOADS
from tests.faults.lists import LISTS
from tests.faults.playing import Account, Played
from tests.faults.submits import SUBMITS
from veo_async.engine.lifecycle import State

__all__ = ["CELLS", "check_bill", "summary"]

CELLS: Final[Sequence[Cell]] = (*SUBMITS, *CHECKS, *LISTS, *DOWNLOADS)


def check_bill(accounts: Iterable[Account]) -> None:
    """Assert what holds for all jobs: none billed twice, none sent again unproven, none lost to a 429."""
    for account in accounts:
        assert account.billed <= 1, f"{account.cell}: {account.billed} operations on the bill"
        assert account.unproven == 0, f"{account.cell}: sent again without proof: {account.moves}"
        if account.cell.throttled and account.cell.phase is not Phase.LIST:
            assert account.state is State.SUCCEEDED, f"{account.cell}: {account.state} after a 429"


def summary(played: Sequence[Played]) -> str:
    """Return the table: cells that pass and cells, by phase, and the POSTs that a job took."""
    passing = Counter(one.cell.phase for one in played if not one.complaints)
    lines = [f"{'phase':<14}{'passing':>9}{'cells':>7}"]
    for phase in Phase:
        cells = [one for one in played if one.cell.phase is phase]
        lines.append(f"{phase:<14}{passing[phase]:>9}{len(cells):>7}")
    accounts = [one.account for one in played if one.account is not None]
    kept = [one for one in accounts if one.cell.phase is not Phase.SUBMIT or not _proves(one)]
    proven = [one for one in accounts if _proves(one)]
    return "\n".join(
        [
            *lines,
            f"{'all':<14}{passing.total():>9}{len(played):>7}",
            f"most POSTs a job without proof that nothing was started: {_most(kept)}",
            f"most POSTs a job that was proven not started ({len(proven)} jobs): {_most(proven)}",
            f"most operations billed a job: {max((one.billed for one in accounts), default=0)}",
        ]
    )


def _proves(account: Account) -> bool:
    return any(move == "not_started" for move in account.moves)


def _most(accounts: Sequence[Account]) -> int:
    return max((account.posts for account in accounts), default=0)
