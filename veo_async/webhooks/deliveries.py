"""Which deliveries were here already: bounded in number and time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

__all__ = ["Deliveries"]

_REMEMBERED_S: Final = 86_400.0
"""A sender repeats a delivery that it thinks lost for up to 24 hours."""


class Deliveries:
    """The last deliveries by id. Only proved ones come in here, so no stranger can push others out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def is_new(self, delivery_id: str, now: float) -> bool:
        """Note a delivery; return whether it was not here before."""
        if self._until.get(delivery_id, now) > now:
            return False
        self._until[delivery_id] = now + _REMEMBERED_S
        self._until.move_to_end(delivery_id)
        while len(self._until) > self._most or next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
        return True

    def forget(self, delivery_id: str) -> None:
        """Let a delivery count as new when it comes again."""
        self._until.pop(delivery_id, None)
