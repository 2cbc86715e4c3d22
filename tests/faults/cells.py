"""What a cell of the matrix is: one fault in one phase, and all that must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, Literal, Protocol, TypeAlias

from attrs import field, frozen

from veo_async import OutcomeUnknownError, ProtocolError, VeoError, WaitTimeoutError
from veo_async.emulator import Fault
from veo_async.engine.lifecycle import State
from veo_async.errors import Billed

__all__ = [
    "LOST",
    "RUNNING_ON",
    "STORED",
    "SUCCEEDED",
    "TOLD",
    "UNREADABLE",
    "Cell",
    "Ending",
    "Makes",
    "Phase",
    "Place",
    "Scenery",
    "cells_at",
    "cells_of",
]


class Phase(StrEnum):
    """Which exchange goes wrong."""

    SUBMIT = "submit"
    CHECK = "check"
    LIST = "list"
    DOWNLOAD = "download"
    HOP = "redirect hop"


Place: TypeAlias = Literal[
    "emulator", "refused", "alert", "late alert", "stranger's certificate", "downgrade"
]
"""Where the exchange leads: the emulator, or a server that does what a server of HTTP cannot."""

_NAMES: Final[Mapping[Place, str]] = {
    "refused": "connection refused",
    "alert": "TLS alert in the handshake",
    "late alert": "TLS alert after the request",
    "stranger's certificate": "a stranger's certificate",
    "downgrade": "a redirect from https to http",
}


class Scenery(Protocol):
    """What faults are made from, once the servers listen."""

    @property
    def trap(self) -> str:
        """A URL that nobody may ask."""
        ...

    @property
    def loop(self) -> str:
        """A path of the emulator's own that redirects to itself."""
        ...

    @property
    def file(self) -> str:
        """The path of the job's video, where it needs no key."""
        ...


Makes: TypeAlias = Fault | Callable[[Scenery], Fault]
"""A fault, or how it is made where it names a place."""


@frozen(kw_only=True)
class Ending:
    """What an awaiter sees and what the ledger holds, while the fault has its way."""

    error: type[VeoError] | None = None
    """None: the awaiter gets its result (or its file)."""
    reason: str | None = None
    """The error's `reason`; None: it has none, or any."""
    billed: Billed = "yes"
    state: State = State.SUCCEEDED


SUCCEEDED = Ending()
"""The job goes through: the fault is answered by patience alone."""
STORED = SUCCEEDED
LOST = Ending(error=OutcomeUnknownError, reason="lost", billed="unknown", state=State.UNKNOWN)
UNREADABLE = Ending(error=OutcomeUnknownError, reason="unreadable_ack", billed="unknown", state=State.UNKNOWN)
TOLD = Ending(error=ProtocolError, billed="unknown", state=State.RUNNING)
"""The status cannot be read: awaiters hear of it, the operation stays open."""
RUNNING_ON = Ending(error=WaitTimeoutError, billed="unknown", state=State.RUNNING)
"""Nobody hears of anything but their own time limit."""


@frozen(kw_only=True)
class Cell:
    """One fault in one phase. Its faults strike the first requests of the phase, one each, in order."""

    phase: Phase
    name: str
    faults: tuple[Makes, ...]
    ending: Ending
    lasts: bool = False
    """The last fault strikes all further requests, too."""
    place: Place = "emulator"
    asked: int | None = None
    """Requests of the phase until the ending; None: as many as it takes."""
    gap: float = 0.0
    """Seconds between the first request and the second, at least: what a server asked for."""
    patience: float = 8.0
    """Seconds that the awaiter waits."""
    passes: bool = True
    """False where it holds for the session's life: a service without lists is not asked again."""
    prompt: str = field(init=False)
    """The job's own; the bill knows it by this."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "prompt", str(self))

    def __str__(self) -> str:
        return f"{self.phase}: {self.name}"

    @property
    def throttled(self) -> bool:
        """Whether a 429 is among its faults."""
        return any(isinstance(fault, Fault) and fault.status == 429 for fault in self.faults)


def cells_of(
    phase: Phase,
    ending: Ending,
    faults: Mapping[str, Makes],
    *,
    times: int = 1,
    lasts: bool = False,
    asked: int | None = None,
    gap: float = 0.0,
    passes: bool = True,
) -> list[Cell]:
    """Return a cell for each of the faults; all end alike."""
    return [
        Cell(
            phase=phase,
            name=name,
            faults=(fault,) * times,
            ending=ending,
            lasts=lasts,
            asked=asked,
            gap=gap,
            passes=passes,
        )
        for name, fault in faults.items()
    ]


def cells_at(phase: Phase, ending: Ending, *places: Place, patience: float = 8.0) -> list[Cell]:
    """Return a cell for each place that the exchange may lead to instead; all end alike."""
    return [
        Cell(phase=phase, name=_NAMES[place], faults=(), ending=ending, place=place, patience=patience)
        for place in places
    ]
