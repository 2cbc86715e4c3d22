"""A server that is no bottleneck: it submits, tells, lists and hands out videos without looking twice.

`python fake_server.py` prints its port and serves until its standard input ends.

- `GET …/operations/NAME` still runs; one that was submitted is done after `LIFE_S`, with one small video.
- `GET …/operations` lists what was submitted, newest first, or else `LISTED` of the model that still run.
- `GET …/files/N:download` is a video of N bytes.
- `GET /served` tells what was asked for, and how many connections were open at once at the most.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import parse_qs

from measuring import LIFE_S, LISTED, SMALL_VIDEO, operation

END_OF_HEAD = b"\r\n\r\n"
JSON = b"application/json; charset=UTF-8"
PIECE = 1 << 18
PAGE_SIZE = 100
BEFORE_MODEL = "/v1beta/models/"
BEFORE_PICTURES = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x08moov"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
FILE = re.compile(rb"/files/(\d+):download")


class Served:
    """What was served, by all connections."""

    port = 0
    counts: ClassVar[Counter[str]] = Counter(checks=0, statuses=0, pages=0, submits=0, open=0, most_open=0)
    ends: ClassVar[dict[str, float]] = {}
    """When each submitted operation is done."""


def video(size: int) -> Iterator[bytes | memoryview]:
    """Yield a video of so many bytes, in pieces."""
    pictures = size - len(BEFORE_PICTURES)
    yield BEFORE_PICTURES + pictures.to_bytes(4, "big") + b"mdat"
    left = pictures - 8
    piece = memoryview(bytes(PIECE))
    while left > 0:
        yield piece[: min(left, PIECE)]
        left -= PIECE


def status(name: str) -> dict[str, object]:
    """Return the entry of one operation."""
    if Served.ends.get(name, float("inf")) > time.monotonic():
        return {"name": name, "metadata": {"state": "RUNNING"}}
    uri = f"http://127.0.0.1:{Served.port}/v1beta/files/{SMALL_VIDEO}:download?alt=media"
    samples = {"generatedSamples": [{"video": {"uri": uri}}]}
    return {"name": name, "done": True, "response": {"generateVideoResponse": samples}}


class Answering(asyncio.Protocol):
    """One connection; parses no more than it must."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._is_counted = False
        self._buffer = b""
        self._unread = 0
        self._sending: Iterator[bytes | memoryview] = iter(())
        self._is_paused = False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Count it out."""
        Served.counts["open"] -= self._is_counted

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        if self._unread:
            self._unread -= len(data)
            if not self._unread:
                self._submitted()
            return
        if not self._is_counted and not data.startswith(b"GET /served "):
            self._count()
        *heads, self._buffer = (self._buffer + data).split(END_OF_HEAD)
        for head in heads:
            if head.startswith(b"POST"):
                self._begin_submit(head)
            else:
                self._answer(head[4 : head.index(b" ", 4)])

    def _count(self) -> None:
        self._is_counted = True
        counts = Served.counts
        counts["open"] += 1
        counts["most_open"] = max(counts["open"], counts["most_open"])

    def _begin_submit(self, head: bytes) -> None:
        """Let the body pass by; nothing follows it before its answer."""
        found = LENGTH.search(head)
        assert found is not None
        self._unread = int(found[1]) - len(self._buffer)
        self._buffer = b""
        if not self._unread:
            self._submitted()

    def _submitted(self) -> None:
        Served.counts["submits"] += 1
        name = operation(10_000_000 + Served.counts["submits"])
        Served.ends[name] = time.monotonic() + LIFE_S
        self._write(b'{"name": "%s"}' % name.encode())

    def _answer(self, path: bytes) -> None:
        if path == b"/served":
            self._write(json.dumps(Served.counts).encode())
        elif found := FILE.search(path):
            self._download(int(found[1]))
        elif b"/operations?" in path:
            self._list(*path.decode().removeprefix(BEFORE_MODEL).split("/operations?"))
        else:
            Served.counts["checks"] += 1
            Served.counts["statuses"] += 1
            self._check(path.partition(b"/v1beta/")[2])

    def _check(self, name: bytes) -> None:
        if Served.ends:
            self._write(json.dumps(status(name.decode())).encode())
        else:
            self._write(b'{"name": "%s", "metadata": {"state": "RUNNING"}}' % name)

    def _list(self, model: str, query: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        names = list(reversed(Served.ends)) or [operation(number, model) for number in range(LISTED)]
        first = int(asked.get("pageToken", 0))
        end = first + int(asked.get("pageSize", PAGE_SIZE))
        page: dict[str, object] = {"operations": [status(name) for name in names[first:end]]}
        if end < len(names):
            page["nextPageToken"] = str(end)
        Served.counts["pages"] += 1
        Served.counts["statuses"] += len(names[first:end])
        self._write(json.dumps(page).encode())

    def _write(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (JSON, len(body), body)
        )

    # ── videos: no more is written than the client reads ────────────────────────────────────────────────

    def _download(self, size: int) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % size
        self._transport.write(head)
        self._sending = video(size)
        self._send()

    def _send(self) -> None:
        for piece in self._sending:
            self._transport.write(piece)
            if self._is_paused:
                return

    def pause_writing(self) -> None:
        """The client is behind."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._is_paused = False
        self._send()


async def main() -> None:
    """Serve until nobody holds the other end of the standard input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=16_384)
    Served.port = server.sockets[0].getsockname()[1]
    print(Served.port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
