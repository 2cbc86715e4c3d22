"""Kept content: files by their SHA-256 in a folder of their own, whole or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from veo_async.errors import LedgerError

__all__ = ["Blobs", "NewBlob", "Pins", "absent", "sync_folder"]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_OURS: Final = re.compile(rf"{_DIGEST.pattern}|part\.")
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
        self.pins: Pins = Pins()
        self._lock = threading.Lock()

    def put(self, data: bytes) -> str:
        """Keep content, pin it, and return its digest once it is on the disk."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._pin(sha256)
        path = self.folder / sha256
        try:
            self.make_folder()
            if not path.is_file():
                self._write(path, data)
        except OSError as error:
            self.unpin([sha256])
            raise self.unkept(len(data), error) from None
        return sha256

    def name(self, file: _NewFile, sha256: str) -> None:
        """Keep a file that was written piece by piece, and pin it."""
        self._pin(sha256)
        try:
            file.publish(self.folder / sha256)
        except OSError:
            self.unpin([sha256])
            raise

    def unkept(self, size: int, error: OSError) -> LedgerError:
        """Return the error for content that could not be written."""
        return LedgerError(
            f"cannot keep {size} bytes in {self.folder}: {error.strerror}; free some space or "
            "make the folder writable"
        )

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
                _remove(self.folder / sha256)

    def sweep(self, needed: Collection[str]) -> None:
        """Remove what a dead process left behind: half-written files and content no job needs.

        Nothing is pinned after it: what was kept while the ledger was open before, nobody will name.
        """
        with self._lock:
            self.pins.clear()
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                if path.name not in needed and _OURS.match(path.name):
                    _remove(path)

    def make_folder(self) -> None:
        """Make the folder, for its owner's eyes only."""
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700)
            sync_folder(self.folder.parent)
        self.folder.chmod(0o700)

    def _pin(self, sha256: str) -> None:
        with self._lock:
            self.pins[sha256] += 1

    def _write(self, path: Path, data: bytes) -> None:
        file = _NewFile(path.parent)
        try:
            file.write([data])
            file.publish(path)
        except BaseException:
            file.remove()
            raise


class _NewFile:
    """A file in the folder that does not have the name of its content yet."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"part.{secrets.token_hex(8)}"
        self._file = os.fdopen(os.open(self._path, _NEW_FILE, 0o600), "wb")
        os.fchmod(self._file.fileno(), 0o600)

    def write(self, pieces: Sequence[bytes]) -> None:
        self._file.writelines(pieces)

    def publish(self, path: Path) -> None:
        """Give the file its name, durably."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(path)
        sync_folder(path.parent)

    def remove(self) -> None:
        """Remove the file unless it has its name; idempotent."""
        with contextlib.suppress(OSError):
            self._file.close()
        _remove(self._path)


class NewBlob:
    """Content that is kept piece by piece; all of it blocks."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._digest = hashlib.sha256()
        self._size = 0
        self._file: _NewFile | None = None

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append pieces; the file is made with the first."""
        for piece in pieces:
            self._digest.update(piece)
            self._size += len(piece)
        try:
            if self._file is None:
                self._blobs.make_folder()
                self._file = _NewFile(self._blobs.folder)
            self._file.write(pieces)
        except OSError as error:
            raise self._blobs.unkept(self._size, error) from None

    def keep(self) -> str:
        """Keep what was written, pin it, and return its digest once it is on the disk."""
        self.write([])
        sha256 = self._digest.hexdigest()
        assert self._file is not None
        try:
            self._blobs.name(self._file, sha256)
        except OSError as error:
            raise self._blobs.unkept(self._size, error) from None
        return sha256

    def discard(self) -> None:
        """Forget what was written unless it is kept; idempotent."""
        if self._file is not None:
            self._file.remove()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # the next sweep tries again
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the files they stand for."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
