"""What the disk held at the first byte of each paid request, and at each promise."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from veo_async.engine.lifecycle import State

from .disk import Disk
from .syscalls import Call

__all__ = ["Witness"]

_PROMPT: Final = re.compile(rb"boat \d+\.")
_SENT: Final = {State.ARMED, State.RUNNING, State.UNKNOWN}
"""States that say that the first byte may have left."""


@frozen
class _Row:
    state: str
    operation: str | None


@define(eq=False)
class _Stream:
    """What went out over one connection, and the jobs that the disk held when it began."""

    disk: Mapping[str, _Row]
    sent: bytearray = field(factory=bytearray)
    prompt: str | None = None


class Witness:
    """Compares the trace of one process with the order that is promised.

    The disk of the trace is opened by SQLite as it would be after a power cut at that instant, so nothing
    here knows how SQLite lays out its files.
    """

    def __init__(self, folder: Path) -> None:
        self._told = str(folder / "told.txt")
        self._disk = Disk(folder, "jobs.db")
        self._streams: dict[str, _Stream] = {}
        self._rows: tuple[int, Mapping[str, _Row]] = (0, {})
        self.breaches: list[str] = []
        """What was done before it was durable."""
        self.posts: int = 0
        """Paid requests seen."""
        self.promises: dict[str, int] = {"kept": 0, "accepted": 0}
        """Promises seen."""

    def watch(self, calls: Iterable[Call]) -> None:
        """Follow a whole trace."""
        for call in calls:
            if call.result is None and call.name in {"sendto", "sendmsg", "write", "writev"}:
                self._look_at(call)
            self._disk.follow(call)

    @property
    def syncs(self) -> int:
        """How often something became durable."""
        return self._disk.syncs

    def _look_at(self, call: Call) -> None:
        if call.path == self._told:
            for line in call.data.decode().splitlines():
                self._promise(*line.split())
        elif call.path.startswith("socket:"):
            self._send(call)

    def _promise(self, kind: str, job_id: str, operation: str | None = None) -> None:
        self.promises[kind] += 1
        row = self._on_disk().get(job_id)
        if row is None or (row.operation != operation and kind == "accepted"):
            self.breaches.append(f"{kind} {job_id}")

    def _send(self, call: Call) -> None:
        stream = self._streams.get(call.path)
        if stream is None:
            if not call.data.startswith(b"POST "):
                return
            stream = self._streams[call.path] = _Stream(self._on_disk())
        stream.sent += call.data
        found = _PROMPT.search(stream.sent)
        if stream.prompt is not None or found is None:
            return
        stream.prompt = found[0].decode()
        self.posts += 1
        row = stream.disk.get(stream.prompt)
        if row is None or row.state not in _SENT:
            self.breaches.append(f"sent {stream.prompt}")

    def _on_disk(self) -> Mapping[str, _Row]:
        """Return the durable jobs by their ids and by their keys, which are their prompts."""
        if self._rows[0] != self._disk.syncs:
            with tempfile.TemporaryDirectory() as folder:
                self._disk.copy_to(Path(folder))
                self._rows = (self._disk.syncs, _rows(Path(folder) / "jobs.db"))
        return self._rows[1]


def _rows(path: Path) -> Mapping[str, _Row]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone():
            return {}
        rows: dict[str, _Row] = {}
        for job_id, key, state, operation in connection.execute(
            "SELECT id, idempotency_key, state, operation FROM jobs"
        ):
            rows[job_id] = rows[key] = _Row(state, operation)
        return rows
