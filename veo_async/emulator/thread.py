"""An emulator in a thread of its own: for synchronous programs, and beside any other event loop."""

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from anyio.from_thread import start_blocking_portal

if TYPE_CHECKING:
    from veo_async.emulator.server import Emulator


class EmulatorThread:
    """Runs an emulator in a thread with an event loop of its own, between ``with`` and its end.

    While it runs, its ``base_url``, ``key``, ``bill``, ``faults``, ``requests`` and ``finish_all()``
    may be used from any thread; ``start()`` and ``stop()`` are this context manager's business.

    Example:
        ``with EmulatorThread(Emulator(clip="tiny")) as emulator: ...``
    """

    def __init__(self, emulator: "Emulator") -> None:
        """A thread for this emulator, which must not be running."""
        self._emulator = emulator
        self._stack = ExitStack()

    def __enter__(self) -> "Emulator":
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio", name="veo-emulator"))
            emulator = stack.enter_context(portal.wrap_async_context_manager(self._emulator))
            self._stack = stack.pop_all()
        return emulator

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
