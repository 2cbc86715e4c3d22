"""Answers that could not be committed: a file beside the ledger that takes lines when the disk takes no more.

Its blocks are written and synced when the ledger is opened, so that a line later needs no new ones. (A file
system that copies on write may need some all the same; then the line fails as the commit did.)
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from veo_async.codec import structure_outcome, unstructure_outcome
from veo_async.engine.lifecycle import Move
from veo_async.errors import LedgerError
from veo_async.ledger.blobs import sync_folder
from veo_async.ledger.records import Change
from veo_async.models import JobId

__all__ = ["Spill"]

SIZE_BYTES: Final = 256 << 10
"""Room for about a thousand accepted jobs; a longer file is made where that is not enough."""
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
# An answer is kept whatever its raw part holds.
_encode: Final = json.JSONEncoder(default=repr).encode


@define(eq=False)
class Spill:
    """The file, and the changes in it that wait to be applied. Lives in the ledger's thread."""

    path: Path
    waiting: list[Change] = field(factory=list[Change], init=False)
    """In the order in which they were kept."""
    _descriptor: int = field(default=-1, init=False)
    _end: int = field(default=0, init=False)
    _failed: OSError | None = field(default=None, init=False)

    def open(self) -> None:
        """Make the file long enough, and find what a process before left in it.

        Raises:
            OSError: The system's complaint.
        """
        new = not self.path.exists()
        self._descriptor = os.open(self.path, _FLAGS, 0o600)
        os.fchmod(self._descriptor, 0o600)
        content = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        if len(content) < SIZE_BYTES:
            # Zeros that were written have their blocks; a hole or a reserved extent may still need some.
            _write(self._descriptor, bytes(SIZE_BYTES - len(content)), len(content))
            os.fsync(self._descriptor)
        if new:
            sync_folder(self.path.parent)
        self.waiting = changes_in(content)
        self._end = len(content.rstrip(b"\0"))

    def append(self, change: Change) -> None:
        """Keep a change; it is on the disk when this returns.

        Raises:
            LedgerError: It could not be kept.
        """
        if self._failed is not None:
            raise self._unkept(change, self._failed)
        line = line_of(change)
        try:
            _write(self._descriptor, line, self._end)
        except OSError as error:  # the next line goes over the torn one
            raise self._unkept(change, error) from None
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            # The kernel may forget what it could not write and report success the next time.
            self._failed = error
            raise self._unkept(change, error) from None
        self._end += len(line)
        self.waiting.append(change)

    def empty(self) -> None:
        """Forget what was applied; where that fails, it is applied again, which changes nothing."""
        self.waiting = []
        try:
            os.ftruncate(self._descriptor, SIZE_BYTES)
            _write(self._descriptor, bytes(SIZE_BYTES), 0)
            os.fsync(self._descriptor)
        except OSError:
            return  # the next lines go behind the old ones
        self._end, self._failed = 0, None

    def close(self) -> None:
        """Close the file; idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _unkept(self, change: Change, error: OSError) -> LedgerError:
        return LedgerError(
            f"job {change.job_id}: its answer ({change.move}) could not be kept in {self.path} either "
            f"({error.strerror})",
            job_id=change.job_id,
            operation=change.operation,
        )


def line_of(change: Change) -> bytes:
    """Return a change as a line: a checksum, and JSON."""
    facts: dict[str, Any] = {"job_id": change.job_id, "move": change.move.value, "at": change.at}
    if change.operation is not None:
        facts["operation"] = change.operation
    if change.outcome is not None:
        facts["outcome"] = unstructure_outcome(change.outcome)
    if change.adopted is not None:
        facts["adopted"] = change.adopted
    text = _encode(facts).encode()
    return b"\n%08x %s\n" % (zlib.crc32(text), text)


def changes_in(content: bytes) -> list[Change]:
    """Return the changes whose lines are whole; what is torn is passed over."""
    texts = [line[9:] for line in content.split(b"\n") if line[:9] == b"%08x " % zlib.crc32(line[9:])]
    try:
        return [_change_of(json.loads(text)) for text in texts]
    except (LedgerError, KeyError, ValueError) as error:
        message = f"the spilled answers were written by a later veo-async: upgrade this one ({error})"
    raise LedgerError(message)


def _change_of(facts: dict[str, Any]) -> Change:
    outcome = facts.get("outcome")
    return Change(
        job_id=JobId(facts["job_id"]),
        move=Move(facts["move"]),
        at=facts["at"],
        operation=facts.get("operation"),
        outcome=None if outcome is None else structure_outcome(outcome),
        adopted=facts.get("adopted"),
    )


def _write(descriptor: int, data: bytes, start: int) -> None:
    """Write all of it: a disk that is nearly full takes a part."""
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], start + done)
