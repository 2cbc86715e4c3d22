"""A sender's public keys, fetched when they are needed and not more than once a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

import anyio

from veo_async.errors import VeoError
from veo_async.webhooks.tokens import Keys, read_keys

__all__ = ["KeyCache"]

_LOG = logging.getLogger("veo_async")
_AGAIN_S: Final = 60.0
"""Between two fetches, however many tokens name keys that nobody knows."""
_TRUSTED_S: Final = 3600.0
"""A key that the sender takes back is believed for so long at most."""


class KeyCache:
    """The keys that stand at one URL."""

    def __init__(
        self, fetch: Callable[[], Awaitable[bytes]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`fetch` returns the JWKS as it stands now, or raises `VeoError`."""
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys = {}
        self._fetched_at = self._asked_at = -inf
        self._lock = anyio.Lock()

    @property
    def keys(self) -> Keys:
        """The keys that are believed now."""
        return self._keys if self._clock() - self._fetched_at <= _TRUSTED_S else {}

    async def refresh(self) -> None:
        """Fetch the keys, unless that was tried within the last minute; who asks meanwhile waits along."""
        async with self._lock:
            if self._clock() - self._asked_at < _AGAIN_S:
                return
            self._asked_at = self._clock()
            try:
                self._keys = read_keys(await self._fetch())
            except VeoError as error:
                _LOG.warning("the keys that webhooks are verified by could not be fetched: %s", error.message)
            else:
                self._fetched_at = self._clock()
