"""Videos inside status answers: memory of the process and its longest callback.

Many operations of Vertex AI are done at once, each answering with one video as base64. The fake server runs
in another process and sends from one buffer. The session has a durable ledger, as programs that make that
many videos do; a ledger in memory holds the videos by its nature.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time

from callbacks import timed_callbacks
from machine import description
from resident import Peak, resident
from serving import fake_server

from veo_async import Limits, PollPolicy, Provider, Rate, VeoSession

MODEL = "projects/films/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001"
GOAL_MB, GOAL_MS = 200, 20
SERVER = """
import asyncio, base64, os, sys

VIDEO = b"\\0\\0\\0\\x18ftypmp42" + os.urandom(int(sys.argv[1]) * 3 // 4 // 3 * 3 - 12)
TEXT = memoryview(base64.b64encode(VIDEO))

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0])
            name = (await reader.readexactly(length)).split(b'"')[3]
            before = b'{"name": "%s", "done": true, "response": {"videos": [{"bytesBase64Encoded": "' % name
            after = b'", "mimeType": "video/mp4"}]}}'
            size = len(before) + len(TEXT) + len(after)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (size, before))
            for start in range(0, len(TEXT), 1 << 18):
                writer.write(TEXT[start : start + (1 << 18)])
                await writer.drain()
            writer.write(after)
    except (EOFError, OSError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


async def measure(port: int, count: int, folder: str) -> tuple[float, float, list[float], float, float]:
    """Return memory before and at its peak, how long callbacks took, most CPU in one, and the seconds of all.

    That is the CPU of all threads of the process while a callback ran: whatever of ours holds the loop up is
    in it, and nothing of what other programs take.
    """

    async def token() -> str:
        return "a-token-of-the-benchmark"

    provider = Provider.vertex(
        project="films",
        location="us-central1",
        token=token,
        base_url=f"http://127.0.0.1:{port}",
        limits=Limits(checks=Rate(1000, per=1)),
    )
    policy = PollPolicy(expected=0.5, min_interval=0.05)
    async with VeoSession(provider, ledger=f"{folder}/jobs.db", poll=policy) as veo:
        before = resident()
        peak, began_at = Peak(), time.perf_counter()
        with timed_callbacks() as took, timed_callbacks(time.process_time) as spent:
            jobs = await veo.attach_many([f"{MODEL}/operations/op{n}" for n in range(count)])
            results = await asyncio.gather(*jobs)
        seconds = time.perf_counter() - began_at
        most = peak.stop()
        assert all(result.videos[0].sha256 for result in results)
        assert veo.statistics().checks == count, "a done operation was checked again"
    return before / 1e6, most / 1e6, sorted(took), max(spent), seconds


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(
        description="Measure memory and callbacks while videos come inside answers."
    )
    parser.add_argument(
        "--answers", type=int, default=64, help="operations that are done at once (default 64)"
    )
    parser.add_argument("--megabytes", type=float, default=40, help="base64 in each, in MB (default 40)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    server = (sys.executable, "-c", SERVER, str(int(options.megabytes * 1e6)))
    with fake_server(server) as port, tempfile.TemporaryDirectory() as folder:
        before, peak, took, spent, seconds = asyncio.run(measure(port, options.answers, folder))
    longest, most = 1e3 * took[-1], 1e3 * took[-len(took) // 1000]
    if options.json:
        times = {"longest_ms": longest, "longest_cpu_ms": 1e3 * spent, "seconds": seconds}
        print(json.dumps({"before_mb": before, "peak_mb": peak, **times}))
        return
    print(", ".join(f"{name} {value}" for name, value in description().items()))
    volume = options.answers * options.megabytes
    print(f"memory {before:.0f} MB before, {peak:.0f} MB at the peak; goal {GOAL_MB}")
    print(
        f"{len(took)} callbacks: longest {longest:.1f} ms, p99.9 {most:.1f} ms; goal {GOAL_MS}; "
        f"CPU of the process during one {1e3 * spent:.1f} ms at the most"
    )
    print(f"{seconds:.1f} s, {volume / seconds:.0f} MB of base64 a second")


if __name__ == "__main__":
    main()
