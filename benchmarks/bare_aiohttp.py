"""The yardstick: the least that a careful program does with aiohttp and json. Frozen: figures compare.

The same connections, headers, session settings and tick as the library; no scheduler, no cadence, no errors.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque

import aiohttp
from measuring import CONNECTIONS, OPERATIONS_A_RATE, TICK_S, operation, report
from yarl import URL

HEADERS = {"Accept-Encoding": "identity", "User-Agent": "bare"}
CHECK_HEADERS = {"Accept": "application/json", "x-goog-api-key": "sk-benchmark"}


async def check(session: aiohttp.ClientSession, due: deque[URL], running: set[URL]) -> None:
    """Check what is due, one after the other."""
    while due:
        url = due.popleft()
        async with session.get(url, headers=CHECK_HEADERS, allow_redirects=False) as answer:
            if not json.loads(await answer.read()).get("done"):
                running.add(url)


async def poll(session: aiohttp.ClientSession, urls: list[URL], rate: int) -> None:
    """Check a share of the operations at each tick, for ever."""
    loop = asyncio.get_running_loop()
    batch = round(rate * TICK_S)
    running: set[URL] = set()
    at, position = loop.time(), 0
    async with asyncio.TaskGroup() as group:
        while True:
            due = deque(urls[position : position + batch])
            position = (position + batch) % len(urls)
            for _ in range(min(CONNECTIONS, len(due))):
                group.create_task(check(session, due, running))
            at += TICK_S
            await asyncio.sleep(at - loop.time())


async def main(port: int, rate: int, seconds: float) -> None:
    """Poll and measure."""
    origin = f"http://127.0.0.1:{port}/v1beta"
    urls = [URL(f"{origin}/{operation(n)}", encoded=True) for n in range(rate * OPERATIONS_A_RATE)]
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        headers=HEADERS,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=10, sock_connect=10, sock_read=30),
        auto_decompress=False,
    ) as session:
        polling = asyncio.create_task(poll(session, urls, rate))
        await report(port, seconds)
        polling.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
