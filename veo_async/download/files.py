"""A file that appears whole or not at all. What reads and writes is blocking: call it in a thread."""

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

__all__ = ["PartFile", "StoredFile", "file_name", "refuse_existing"]

_SPARE_BYTES: Final = 64 << 20
"""What a download leaves free on the disk."""
_MAX_SLUG: Final = 80
_CREATE: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)
_HAS_WRITEV: Final = hasattr(os, "writev")
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_HAS_DIR_FD: Final = os.open in os.supports_dir_fd


@frozen
class StoredFile:
    """A file that was stored whole."""

    path: Path
    sha256: str | None
    """Digest of its content in hexadecimal; None where nobody asked for it."""
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


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Refuse before anything is fetched.

    Raises:
        DownloadError: With `reason` "exists".
    """
    if not overwrite and os.path.lexists(target):
        raise problem("exists", f"{target} exists; give another name, or overwrite=True.")


class PartFile:
    """A file under another name until it is whole; discarded unless it is published.

    A cancelled caller goes on while its thread still works, so each step holds a lock and a discarded file
    takes no further step: nothing is written to a closed file, nothing is left behind.
    """

    def __init__(
        self,
        target: Path,
        *,
        overwrite: bool,
        hashed: bool = True,
        length: int | None = None,
        digests: Mapping[str, bytes] | None = None,
    ) -> None:
        self._target = target
        self._overwrite = overwrite
        self.length: int | None = length
        """How long it will be, where that is known: so much room the disk must have."""
        self._expected = dict(digests or {})
        # A third of a download's CPU, so only what is kept or compared.
        names = {"sha256", *self._expected} if hashed else set(self._expected)
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        self._name = f".{secrets.token_hex(8)}.veo-part"
        self._lock = threading.Lock()
        self._folder: int | None = None
        self._file: int | None = None
        self._is_there = False
        self._discarded = False
        self._size = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append `chunks`; the first ones create the file."""
        with self._lock:
            self._append(chunks)

    def publish(self, rest: Sequence[bytes] = ()) -> StoredFile:
        """Append `rest` and give the file its name, durably: of a short video, all there is to do.

        Raises:
            DownloadError: The name was taken meanwhile, or the content is not what its server says it is.
        """
        with self._lock:
            file = self._append(rest)
            self._check_digests()
            os.fsync(file)
            self._close_file()
            self._rename()
            if self._folder is not None:
                os.fsync(self._folder)
            sha256 = self._hashes["sha256"].hexdigest() if "sha256" in self._hashes else None
            return StoredFile(self._target, sha256, self._size)

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

    def _append(self, chunks: Sequence[bytes]) -> int:
        """Append `chunks` and return the file's descriptor."""
        self._check_open()
        file = self._create() if self._file is None else self._file
        size = 0
        for chunk in chunks:
            size += len(chunk)
            for digest in self._hashes.values():
                digest.update(chunk)
        self._size += size
        _write_all(file, chunks, size)
        return file

    def _create(self) -> int:
        folder = self._target.parent
        if not folder.is_dir():  # nearly always it is there, and a refused mkdir would look as well
            folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < (self.length or 0) + _SPARE_BYTES:
            wanted = self.length or "this"
            raise problem("failed", f"{folder} has {free} bytes left, too few for {wanted} bytes.")
        if _HAS_DIR_FD:
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._file = os.open(self._at(self._name), _CREATE, 0o600, dir_fd=self._folder)
        self._is_there = True
        return self._file

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


def _write_all(file: int, chunks: Sequence[bytes], size: int) -> None:
    """Write `chunks`, of `size` bytes together, without joining them where the system can."""
    written = os.writev(file, chunks) if _HAS_WRITEV and chunks else 0
    if written < size:
        rest = memoryview(b"".join(chunks))[written:]
        while rest:
            rest = rest[os.write(file, rest) :]
