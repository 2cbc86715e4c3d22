"""A state file that others open and close while the emulator does."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from veo_async.emulator.wal import use_wal


class Locked(sqlite3.Connection):
    """A file that is locked for a while."""

    times = 0

    def execute(self, *arguments: object) -> sqlite3.Cursor:
        """Say that it is locked, or do it."""
        self.times -= 1
        if self.times >= 0:
            raise sqlite3.OperationalError("database is locked")
        return super().execute(*arguments)  # type: ignore[arg-type]


def test_a_file_that_is_locked_for_a_moment_is_tried_again(tmp_path: Path) -> None:
    """And is in this mode then."""
    pauses: list[float] = []
    with closing(sqlite3.connect(tmp_path / "a.db", factory=Locked)) as db:
        db.times = 3
        use_wal(db, pauses.append)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(pauses) == 3


def test_a_file_that_stays_locked_is_an_error(tmp_path: Path) -> None:
    """After two seconds."""
    pauses: list[float] = []
    with closing(sqlite3.connect(tmp_path / "a.db", factory=Locked)) as db:
        db.times = 1_000
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            use_wal(db, pauses.append)
    assert sum(pauses) == pytest.approx(2)
