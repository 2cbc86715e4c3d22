"""A server that is no bottleneck: it answers every GET with an operation that still runs.

`python fake_server.py` prints its port and serves until its standard input ends. `GET /count` answers how
many status checks it has seen.
"""

from __future__ import annotations

import asyncio
import sys

END_OF_HEAD = b"\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection; parses no more than the request line."""

    checks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        *heads, self._buffer = (self._buffer + data).split(END_OF_HEAD)
        for head in heads:
            path = head[4 : head.index(b" ", 4)]
            if path == b"/count":
                body = b"%d" % Answering.checks
            else:
                Answering.checks += 1
                body = b'{"name": "%s", "metadata": {"state": "RUNNING"}}' % path.partition(b"/v1beta/")[2]
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )


async def main() -> None:
    """Serve until nobody holds the other end of the standard input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
