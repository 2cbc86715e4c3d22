"""From one session to any number of readers, none of which can slow it."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from typing import Self

from veo_async.session.events import Dropped, SessionEvent

__all__ = ["EventStream", "Feed"]


class EventStream:
    """The events of a session from the call on, as an async iterator; ends when the session has closed.

    A slow reader never holds the session up: it loses the oldest events, and is told how many by a `Dropped`.
    Leaving the loop, cancelling and letting go of the stream are safe: it is forgotten with its last
    reference, or at once by `aclose` (and so by `contextlib.aclosing`).
    """

    def __init__(self, buffer: int, leave: Callable[[EventStream], None]) -> None:
        self._leave = leave
        self._waiting: deque[SessionEvent] = deque(maxlen=buffer)
        self._dropped = 0
        self._news = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionEvent:
        """Return the next event; cancelling loses none."""
        while not self._waiting and not self._closed:
            self._news.clear()
            await self._news.wait()
        if self._dropped:
            count, self._dropped = self._dropped, 0
            return Dropped(count=count)
        if not self._waiting:
            raise StopAsyncIteration
        return self._waiting.popleft()

    async def aclose(self) -> None:
        """Take no more events and forget those that wait; idempotent."""
        self._waiting.clear()
        self._dropped = 0
        self._leave(self)
        self.end()

    def take(self, event: SessionEvent) -> None:
        """Add an event, and let go of the oldest where there is no room."""
        if not self._closed:
            self._dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(event)
            self._news.set()

    def end(self) -> None:
        """Take no more events; those that wait can still be read."""
        self._closed = True
        self._news.set()


class Feed:
    """The streams of a session; it does not keep them alive."""

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[EventStream] = weakref.WeakSet()
        self._closed = False

    @property
    def wanted(self) -> bool:
        """Whether anybody reads: events are made only then."""
        return bool(self._streams)

    def stream(self, buffer: int) -> EventStream:
        """Return the events from now on, of which so many may wait to be read."""
        stream = EventStream(buffer, self._streams.discard)
        if self._closed:
            stream.end()
        else:
            self._streams.add(stream)
        return stream

    def tell(self, event: SessionEvent) -> None:
        """Tell all readers."""
        for stream in self._streams:
            stream.take(event)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for stream in self._streams:
            stream.end()
        self._streams.clear()
