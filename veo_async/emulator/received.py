"""The log of the requests that arrived: what a test counts rates, sockets and leaked keys by."""

import bisect
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from attrs import frozen

Endpoint: TypeAlias = Literal["submit", "check", "list", "download", "storage", "other"]
"""``storage`` is where videos are public, maybe at another origin; ``other`` is what has no route."""

_LOG_LENGTH = 100_000


@frozen(kw_only=True)
class Received:
    """One request, its key left out."""

    endpoint: Endpoint
    at: float
    """Monotonic seconds (`time.monotonic`), whatever the emulator's clock is."""
    method: str
    path: str
    """Path and query, a ``key`` in the query blotted out."""
    peer: tuple[str, int]
    """The client's address and port: one socket, as long as it is open."""
    headers: Mapping[str, str]
    """Names in lower case; without those that carry credentials."""
    key_sent: bool
    """Whether a credential came with it, in a header or the query, right or wrong."""
    key_in_url: bool
    """Whether it stood in the query, where it would land in logs."""
    cookie_sent: bool = False
    """Whether cookies came with it."""


class RequestLog:
    """All requests received, oldest first; the last 100,000 are kept. Can be read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Received] = deque(maxlen=_LOG_LENGTH)
        self._counts: Counter[str] = Counter()

    def append(self, received: Received) -> int:
        """Log one request; returns how many its endpoint has received, this one included."""
        with self._lock:
            self._entries.append(received)
            self._counts[received.endpoint] += 1
            return self._counts[received.endpoint]

    def __len__(self) -> int:
        return self._counts.total()

    def __iter__(self) -> Iterator[Received]:
        return iter(self.of())

    def of(self, *endpoints: Endpoint) -> tuple[Received, ...]:
        """The kept requests to these endpoints, or to all if none is named."""
        with self._lock:
            kept = tuple(self._entries)
        return tuple(entry for entry in kept if entry.endpoint in endpoints) if endpoints else kept

    def count(self, *endpoints: Endpoint) -> int:
        """How many requests came to these endpoints, or to all if none is named; also those not kept."""
        with self._lock:
            return sum(self._counts[name] for name in endpoints) if endpoints else self._counts.total()

    def sockets(self, *endpoints: Endpoint) -> frozenset[tuple[str, int]]:
        """The client addresses and ports these requests came from."""
        return frozenset(entry.peer for entry in self.of(*endpoints))

    def most_within(self, window_s: float, *endpoints: Endpoint) -> int:
        """The largest number of requests in any half-open window of so many seconds."""
        times = [entry.at for entry in self.of(*endpoints)]
        ends = (bisect.bisect_left(times, at + window_s) for at in times)
        return max((end - start for start, end in enumerate(ends)), default=0)

    def clear(self) -> None:
        """Forget all that was received; counts start anew, and so do the calls that faults count."""
        with self._lock:
            self._entries.clear()
            self._counts.clear()
