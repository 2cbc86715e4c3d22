"""A disk as a power cut would leave it: of all that was written it holds what an fsync covered."""

from __future__ import annotations

import os.path
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from .syscalls import Call

__all__ = ["Disk"]


@define(eq=False)
class _File:
    kept: bytearray = field(factory=bytearray)
    pending: list[Callable[[bytearray], None]] = field(factory=list[Callable[[bytearray], None]])
    position: int = 0

    def keep(self, count: int) -> None:
        """Do the oldest so many of the changes that wait."""
        for change in self.pending[:count]:
            change(self.kept)
        del self.pending[:count]


class Disk:
    """Follows the calls about the files of one folder whose names begin with a stem."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder = str(folder)
        self._prefix = str(folder / stem)
        self._names: dict[str, _File] = {}
        self._kept_names: dict[str, _File] = {}
        self._syncing: dict[int, Callable[[], None]] = {}
        self.syncs: int = 0
        """How often something became durable."""

    def follow(self, call: Call) -> None:
        """Take note of a call's entry or return."""
        if call.name in {"fsync", "fdatasync"}:
            self._sync(call)
        elif call.result is not None and call.result >= 0 and call.path.startswith(self._prefix):
            self._change(call, call.result)

    def copy_to(self, folder: Path) -> None:
        """Write down what is durable."""
        for path, file in self._kept_names.items():
            (folder / os.path.basename(path)).write_bytes(file.kept)  # noqa: PTH119 - a text of the trace

    def _change(self, call: Call, result: int) -> None:
        match call.name:
            case "openat" if "O_CREAT" in call.arguments:
                self._names.setdefault(call.path, _File())
            case "unlink":
                self._names.pop(call.path, None)
            case "lseek":
                self._file(call).position = result
            case "ftruncate":
                self._file(call).pending.append(_cut(call.number(-1)))
            case "pwrite64":
                self._file(call).pending.append(_put(call.data[:result], call.number(-1)))
            case "write" | "writev":
                file = self._file(call)
                file.pending.append(_put(call.data[:result], file.position))
                file.position += result
            case _:
                pass

    def _file(self, call: Call) -> _File:
        return self._names.setdefault(call.path, _File())

    def _sync(self, call: Call) -> None:
        """What was written before the call began is durable once it has returned."""
        if call.result is None:
            if call.path == self._folder:
                self._syncing[call.thread] = self._keep_names(dict(self._names))
            elif call.path in self._names:
                self._syncing[call.thread] = _keep(self._names[call.path])
        else:
            keep = self._syncing.pop(call.thread, None)
            if keep is not None and call.result == 0:
                keep()
                self.syncs += 1

    def _keep_names(self, names: dict[str, _File]) -> Callable[[], None]:
        def keep() -> None:
            self._kept_names = names

        return keep


def _keep(file: _File) -> Callable[[], None]:
    count = len(file.pending)
    return lambda: file.keep(count)


def _put(data: bytes, offset: int) -> Callable[[bytearray], None]:
    def put(content: bytearray) -> None:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data

    return put


def _cut(length: int) -> Callable[[bytearray], None]:
    def cut(content: bytearray) -> None:
        content.extend(bytes(max(0, length - len(content))))
        del content[length:]

    return cut
