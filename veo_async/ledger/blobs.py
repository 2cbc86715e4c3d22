"""Kept content: files by their SHA-256 in a folder of their own, whole or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import threading
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from veo_async.errors import LedgerError

__all__ = ["Blobs", "Pins", "absent", "sync_folder"]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def absent(sha256: str) -> LedgerError:
    """Return the error for content that is not kept."""
    return LedgerError(
        f"content {sha256} is not kept here: the media of a request are dropped once it was accepted"
    )


class Pins(Counter[str]):
    """How often content was kept and not yet named by a job: such content may not be dropped.

    Without it, content that a new job is about to name goes away with an old job that named it too.
    """

    def release(self, digests: Iterable[str]) -> None:
        """Take one pin off each, where there is one."""
        for sha256 in digests:
            if self[sha256] > 1:
                self[sha256] -= 1
            else:
                del self[sha256]


class Blobs:
    """The folder; `put` runs in a thread of its own, all else in the ledger's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pins = Pins()
        self._lock = threading.Lock()

    def put(self, data: bytes) -> str:
        """Keep content, pin it, and return its digest once it is on the disk."""
        sha256 = hashlib.sha256(data).hexdigest()
        with self._lock:
            self.pins[sha256] += 1
        path = self.folder / sha256
        try:
            self._make_folder()
            if not path.is_file():
                self._write(path, data)
        except OSError as error:
            self.unpin([sha256])
            raise LedgerError(
                f"cannot keep {len(data)} bytes in {self.folder}: {error.strerror}; free some space or "
                "make the folder writable"
            ) from None
        return sha256

    def find(self, sha256: str) -> Path:
        """Return the file of kept content; raise `LedgerError` where there is none."""
        path = self.folder / sha256
        if not _DIGEST.fullmatch(sha256) or not path.is_file():
            raise absent(sha256)
        return path

    def unpin(self, digests: Iterable[str]) -> None:
        """Take one pin off each: a job names them now."""
        with self._lock:
            self.pins.release(digests)

    def drop(self, sha256: str) -> None:
        """Remove content that no job needs, unless it is pinned."""
        with self._lock:
            if sha256 not in self.pins:
                self._remove(self.folder / sha256)

    def sweep(self, needed: Collection[str]) -> None:
        """Remove what a dead process left behind: half-written files and content no job needs."""
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                if path.name not in needed and _DIGEST.match(path.name):
                    self._remove(path)

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700)
            sync_folder(self.folder.parent)
        self.folder.chmod(0o700)

    def _write(self, path: Path, data: bytes) -> None:
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(part, _NEW_FILE, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        except BaseException:
            self._remove(part)
            raise

    def _remove(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # the next sweep tries again
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the files they stand for."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
