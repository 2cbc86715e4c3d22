"""The network's edge: the only package that uses aiohttp's client, imported once a `Transport` is named."""

import importlib
from typing import TYPE_CHECKING

from veo_async.transport.failures import LostFailure, NotSentFailure, RefusedAddressFailure
from veo_async.transport.traces import TraceEvent

if TYPE_CHECKING:
    from veo_async.transport.fetched import Fetched
    from veo_async.transport.transport import Transport

__all__ = [
    "Fetched",
    "LostFailure",
    "NotSentFailure",
    "RefusedAddressFailure",
    "TraceEvent",
    "Transport",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import what needs aiohttp when it is first used: importing the session stays light."""
        if name not in {"Fetched", "Transport"}:
            raise AttributeError(f"module 'veo_async.transport' has no attribute {name!r}")
        return getattr(importlib.import_module(f"veo_async.transport.{name.lower()}"), name)
