"""What was learned of waiting times outlives the process, by provider and profile."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from veo_async.engine.events import Profile
from veo_async.engine.waiting_times import Learned
from veo_async.ledger import Ledger
from veo_async.ledger.sqlite import SqliteLedger

pytestmark = pytest.mark.anyio

FAST = Learned(
    profile=Profile("veo-fast", "720p", 8, has_image=True), ends=3.5, bins=((7, 1.25, 0.05), (9, 0.0, 0.1))
)
SLOW = Learned(profile=Profile("veo", None, "8s"), ends=1.0, bins=((80, 1.0, 0.025),))


async def test_what_was_kept_comes_back_the_same(ledger: Ledger) -> None:
    """Each provider's own."""
    await ledger.keep_waiting_times("here", [FAST, SLOW])
    await ledger.keep_waiting_times("there", [SLOW])
    assert {known.profile: known for known in await ledger.waiting_times("here")} == {
        FAST.profile: FAST,
        SLOW.profile: SLOW,
    }
    assert list(await ledger.waiting_times("there")) == [SLOW]
    assert list(await ledger.waiting_times("elsewhere")) == []


async def test_what_is_kept_later_takes_the_place_of_the_earlier(ledger: Ledger) -> None:
    """Of the same profile; others stay."""
    later = Learned(profile=FAST.profile, ends=4.0, bins=((7, 2.0, 0.1),))
    await ledger.keep_waiting_times("here", [FAST, SLOW])
    await ledger.keep_waiting_times("here", [later])
    assert {known.ends for known in await ledger.waiting_times("here")} == {4.0, 1.0}


async def test_a_file_keeps_it_for_the_next_process(tmp_path: Path) -> None:
    first, second = SqliteLedger(tmp_path / "jobs.db"), SqliteLedger(tmp_path / "jobs.db")
    await first.open()
    await first.keep_waiting_times("here", [FAST])
    await first.close()
    await second.open()
    assert list(await second.waiting_times("here")) == [FAST]
    await second.close()


async def test_a_row_that_is_spoilt_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is an estimate: it is learned anew, and no session fails over it."""
    ledger = SqliteLedger(tmp_path / "jobs.db")
    await ledger.open()
    await ledger.keep_waiting_times("here", [FAST, SLOW])
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db")) as connection, connection:
        connection.execute("""UPDATE waiting_times SET bins = '[[1, "x"' WHERE profile LIKE '%fast%'""")
        connection.execute("INSERT INTO waiting_times VALUES ('here', '[1]', 2.0, '[]')")
    assert list(await ledger.waiting_times("here")) == [SLOW]
    assert caplog.text.count("not readable") == 2
    await ledger.close()
