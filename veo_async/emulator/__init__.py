"""A Veo service for one's own machine: real HTTP on loopback, real MP4 files, and a bill.

Use it to develop, test and show programs that generate videos, without a key and without cost::

    async with Emulator(waiting=Waiting.fixed(2.0)) as emulator:
        ...  # talk to emulator.base_url with emulator.key
        assert emulator.bill.times(prompt="A paper boat") == 1

From synchronous code, or beside another event loop, run it in a thread of its own:
``with Emulator().in_thread() as emulator: ...``. Pytest users get the fixture ``veo_emulator``.

The names load on first use, so importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "MARKERS",
    "RETIRED_MODEL",
    "Bill",
    "BillEntry",
    "Delivery",
    "Emulator",
    "EmulatorThread",
    "Endpoint",
    "Fault",
    "FaultRule",
    "Faults",
    "MissingExtraError",
    "OpenAIShape",
    "Received",
    "RequestLog",
    "SampleShape",
    "UnifiedShape",
    "V3Shape",
    "Waiting",
    "Webhooks",
]

if TYPE_CHECKING:
    from veo_async.emulator.bill import Bill, BillEntry
    from veo_async.emulator.clips import MissingExtraError
    from veo_async.emulator.fates import MARKERS
    from veo_async.emulator.faults import Fault, FaultRule, Faults
    from veo_async.emulator.gemini import SampleShape
    from veo_async.emulator.gptproto_v3 import V3Shape
    from veo_async.emulator.models import RETIRED_MODEL
    from veo_async.emulator.openai_videos import OpenAIShape
    from veo_async.emulator.received import Endpoint, Received, RequestLog
    from veo_async.emulator.server import Emulator
    from veo_async.emulator.thread import EmulatorThread
    from veo_async.emulator.unified import UnifiedShape
    from veo_async.emulator.waiting import Waiting
    from veo_async.emulator.webhooks import Delivery, Webhooks
else:
    _HOMES = {
        "MARKERS": "fates",
        "RETIRED_MODEL": "models",
        "Bill": "bill",
        "BillEntry": "bill",
        "Delivery": "webhooks",
        "Emulator": "server",
        "EmulatorThread": "thread",
        "Endpoint": "received",
        "Fault": "faults",
        "FaultRule": "faults",
        "Faults": "faults",
        "MissingExtraError": "clips",
        "OpenAIShape": "openai_videos",
        "Received": "received",
        "RequestLog": "received",
        "SampleShape": "gemini",
        "UnifiedShape": "unified",
        "V3Shape": "gptproto_v3",
        "Waiting": "waiting",
        "Webhooks": "webhooks",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted(__all__)
