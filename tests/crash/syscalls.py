"""What strace saw, as events: a call appears when it was entered and when it had returned. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import evolve, frozen

__all__ = ["OPTIONS", "Call", "calls"]

OPTIONS: Final = (
    "-f",  # all threads
    "-y",  # descriptors with their paths
    "-xx",  # strings in hexadecimal, so that no byte is mistaken for the trace's own words
    "-s1000000",
    "-esignal=none",
    "-etrace=openat,lseek,write,writev,pwrite64,ftruncate,unlink,fsync,fdatasync,sendto,sendmsg",
)

_LINE: Final = re.compile(r"(\d+) +(.*)")
_WHOLE: Final = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_BEGUN: Final = re.compile(r"(\w+)\((.*) <unfinished \.\.\.>")
_RESUMED: Final = re.compile(r"<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")
_PATH: Final = re.compile(r"\d+<([^>]*)>")
_STRING: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@frozen(kw_only=True)
class Call:
    """A system call at its entry (`result` None), or when it had returned."""

    thread: int
    name: str
    arguments: str
    result: int | None = None

    @property
    def path(self) -> str:
        """What the first descriptor stands for, or the first string is."""
        found = _PATH.match(self.arguments)
        if found is not None:
            return _plain(found[1])
        return self.data.decode(errors="replace")

    @property
    def data(self) -> bytes:
        """All strings, one after the other."""
        pieces: list[bytes] = []
        for text, cut in _STRING.findall(self.arguments):
            assert not cut, "strace cut a string short: raise its limit"
            pieces.append(bytes.fromhex(text.replace("\\x", "")))
        return b"".join(pieces)

    def number(self, place: int) -> int:
        """Return the argument at a place counted from the end, as a number."""
        return int(self.arguments.rsplit(", ", -place)[place])


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """Yield the events in the order in which the tracer saw them."""
    begun: dict[int, Call] = {}
    for line in lines:
        numbered = _LINE.match(line)
        if numbered is None:
            continue
        thread, text = int(numbered[1]), numbered[2]
        if found := _BEGUN.match(text):
            begun[thread] = Call(thread=thread, name=found[1], arguments=found[2])
            yield begun[thread]
        elif found := _RESUMED.match(text):
            call = begun.pop(thread)
            yield evolve(call, arguments=call.arguments + found[2], result=int(found[3]))
        elif found := _WHOLE.match(text):
            call = Call(thread=thread, name=found[1], arguments=found[2])
            yield call
            yield evolve(call, result=int(found[3]))


def _plain(path: str) -> str:
    return bytes.fromhex(path.replace("\\x", "")).decode() if path.startswith("\\x") else path
