"""How often each client sends a paid request when the answer is lost.

`python lost_replies.py [FOLDER]` installs each peer at its pinned version into a folder of its own (below
FOLDER, `.peers` unless given). Each client submits one job, at its default settings, to a server that reads
the request whole and then closes or resets the connection. Prints a table: POSTs for each submit.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from peers import GENAI, environment

Way = Literal["closed", "reset"]
WAYS: Final[Sequence[Way]] = ("closed", "reset")
LIMIT_S: Final = 300
PEERS: Mapping[str, Sequence[str]] = {
    "veo_async": (),
    "google_genai": GENAI,
    "google_genai_sync": GENAI,
    "openai": ("openai==3.54.0",),
    "runwayml": ("runwayml==5.24.0",),
    "lumaai": ("lumaai==1.21.0",),
    "fal_client": ("fal-client==1.0.3",),
}
"""Each client and what it needs; ours is taken from where this runs."""


class LosingServer:
    """Takes each request whole, counts the POSTs, and never answers."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.posts = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, and end the connection."""
        try:
            await self._read(reader)
        except asyncio.IncompleteReadError:
            pass  # a connection that was opened and never used
        else:
            if self.way == "reset":
                linger_zero = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
                writer.transport.abort()
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        self.posts += head.startswith(b"post ")
        if b"transfer-encoding: chunked" in head:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        elif b"content-length:" in head:
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))


async def posts_for(name: str, way: Way, folder: Path) -> tuple[int, str]:
    """Return how many POSTs one submit of a client became, and what it raised."""
    losing = LosingServer(way)
    server = await asyncio.start_server(losing.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    script = str(Path(__file__).with_name("lost_reply_clients.py"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, script, name, f"http://127.0.0.1:{port}"),
        env=environment(PEERS[name], folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    async with asyncio.timeout(LIMIT_S):
        raised, _ = await process.communicate()
    server.close()
    return losing.posts, raised.decode().strip() or "nothing"


async def row(name: str, folder: Path) -> str:
    """Return one line of the table."""
    found = [await posts_for(name, way, folder) for way in WAYS]
    title = " ".join([name, *(f"({package})" for package in PEERS[name][:1])])
    raised = " / ".join(dict.fromkeys(error for _, error in found))
    counts = " | ".join(str(posts) for posts, _ in found)
    return f"| {title} | {counts} | {raised} |"


async def table(folder: Path) -> None:
    """Print the table, a line at a time."""
    print("| client | POSTs, connection closed | POSTs, connection reset | raises |\n|---|---|---|---|")
    for name in PEERS:
        print(await row(name, folder), flush=True)


if __name__ == "__main__":
    asyncio.run(table(Path(*sys.argv[1:2] or [".peers"]).absolute()))
