"""A file that appears whole or not at all. All of it is blocking: call it in a thread."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from veo_async.download.policy import problem

__all__ = ["PartFile", "StoredFile", "file_name"]

_SPARE_BYTES: Final = 64 << 20
"""What a download leaves free on the disk."""
_MAX_SLUG: Final = 80
_CREATE: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_HAS_DIR_FD: Final = os.open in os.supports_dir_fd


@frozen
class StoredFile:
    """A file that was stored whole."""

    path: Path
    sha256: str
    """Digest of its content in hexadecimal."""
    size: int
    """Its length in bytes."""


def file_name(operation: str, index: int = 0) -> str:
    """Return a safe name for a video of `operation`: readable, and different for different operations.

    Args:
        operation: The provider's operation name, whatever is in it.
        index: Position among the operation's videos.
    """
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", operation)[-_MAX_SLUG:].strip("-")
    # The digest keeps apart what looks alike, and names that a system reserves from being reserved.
    digest = hashlib.sha256(operation.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    name = f"{slug}-{digest}" if slug else digest
    return f"{name}.mp4" if index == 0 else f"{name}-{index}.mp4"


class PartFile:
    """A file under another name until it is whole; discarded unless it is published.

    A cancelled caller goes on while its thread still works, so each step holds a lock and a discarded file
    takes no further step: nothing is written to a closed file, nothing is left behind.
    """

    def __init__(self, target: Path, *, overwrite: bool, digests: Mapping[str, bytes] | None = None) -> None:
        self._target = target
        self._overwrite = overwrite
        self._expected = dict(digests or {})
        self._hashes = {
            name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", *self._expected}
        }
        self._name = f".{secrets.token_hex(8)}.veo-part"
        self._lock = threading.Lock()
        self._folder: int | None = None
        self._file: int | None = None
        self._is_there = False
        self._discarded = False
        self._size = 0

    def refuse_existing(self) -> None:
        """Refuse before anything is fetched.

        Raises:
            DownloadError: With `reason` "exists".
        """
        if not self._overwrite and os.path.lexists(self._target):
            raise problem("exists", f"{self._target} exists; give another name, or overwrite=True.")

    def open(self, length: int | None) -> None:
        """Create the file, with room for `length` bytes."""
        with self._lock:
            self._check_open()
            folder = self._target.parent
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if free < (length or 0) + _SPARE_BYTES:
                raise problem(
                    "failed", f"{folder} has {free} bytes left, too few for {length or 'this'} bytes."
                )
            if _HAS_DIR_FD:
                self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            self._file = os.open(self._at(self._name), _CREATE, 0o600, dir_fd=self._folder)
            self._is_there = True

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append `chunks`."""
        with self._lock:
            self._check_open()
            assert self._file is not None
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            for digest in self._hashes.values():
                digest.update(data)
            self._size += len(data)
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]

    def publish(self) -> StoredFile:
        """Give the file its name, durably.

        Raises:
            DownloadError: The name was taken meanwhile, or the content is not what its server says it is.
        """
        with self._lock:
            self._check_open()
            assert self._file is not None
            self._check_digests()
            os.fsync(self._file)
            self._close_file()
            self._rename()
            if self._folder is not None:
                os.fsync(self._folder)
            return StoredFile(self._target, self._hashes["sha256"].hexdigest(), self._size)

    def discard(self, *, wait: bool = True) -> bool:
        """Remove what was not published and close all; return False when a step is still at work."""
        if not self._lock.acquire(blocking=wait):
            return False
        try:
            self._discarded = True
            self._close_file()
            self._unlink()
        finally:
            if self._folder is not None:
                os.close(self._folder)
                self._folder = None
            self._lock.release()
        return True

    def _at(self, name: str) -> str:
        return name if self._folder is not None else str(self._target.parent / name)

    def _check_open(self) -> None:
        if self._discarded:
            raise problem("failed", "The download was given up.")

    def _check_digests(self) -> None:
        for name, expected in self._expected.items():
            if self._hashes[name].digest() != expected:
                raise problem("corrupt", f"The video's {name} is not the one that its server announced.")

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _unlink(self) -> None:
        if self._is_there:
            self._is_there = False
            os.unlink(self._at(self._name), dir_fd=self._folder)

    def _rename(self) -> None:
        if self._overwrite:
            self._replace()
            return
        taken = False
        try:
            # A second name instead of a new one: unlike renaming, it never takes the place of a file.
            os.link(
                self._at(self._name),
                self._at(self._target.name),
                src_dir_fd=self._folder,
                dst_dir_fd=self._folder,
            )
        except FileExistsError:
            taken = True
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A file system without second names: all that is left is to look first.
            taken = os.path.lexists(self._target)
            if not taken:
                self._replace()
        self._unlink()
        if taken:
            raise problem(
                "exists", f"{self._target} appeared meanwhile; give another name, or overwrite=True."
            )

    def _replace(self) -> None:
        os.replace(
            self._at(self._name),
            self._at(self._target.name),
            src_dir_fd=self._folder,
            dst_dir_fd=self._folder,
        )
        self._is_there = False
