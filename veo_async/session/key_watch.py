"""A refused key: the callable that gives keys is asked now and then whether there is another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from veo_async.engine.events import KeyRenewed
from veo_async.errors import ConfigurationError
from veo_async.providers import Provider

__all__ = ["KeyWatch"]

FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 300.0


class KeyWatch:
    """Ends a pause for key or money when the provider's callable gives a new key.

    Status checks ask for a key by themselves; this is for when there is none left to check.
    """

    def __init__(
        self,
        provider: Provider,
        is_paused: Callable[[], bool],
        post: Callable[..., None],
        spawn: Callable[..., object],
    ) -> None:
        self._provider = provider
        self._is_paused = is_paused
        self._post = post
        self._spawn = spawn
        self._is_watching = False

    def begin(self) -> None:
        """Watch until there is a new key or the pause ends; does nothing for a key that is fixed."""
        if self._provider.refreshable and not self._is_watching:
            self._is_watching = True
            self._spawn(self._watch)

    async def _watch(self) -> None:
        refused = await self._key(refresh=False)
        wait = FIRST_WAIT_S
        while True:
            await asyncio.sleep(wait)
            if not self._is_paused():
                break
            key = await self._key(refresh=True)
            if key is not None and key != refused:
                self._post(KeyRenewed())
                break
            wait = min(LONGEST_WAIT_S, 2 * wait)
        self._is_watching = False

    async def _key(self, *, refresh: bool) -> Mapping[str, str] | None:
        with suppress(ConfigurationError):  # it failed, or gave what can be no key
            return await self._provider.authorization(refresh=refresh)
        return None
