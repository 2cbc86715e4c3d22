"""What a verified delivery says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from veo_async.dialects.fields import is_object
from veo_async.webhooks.refusals import WebhookRefusedError

__all__ = ["WebhookEvent", "read_event"]

_NAMES: Final = ("id", "name", "operation")
"""Where the operation may stand in `data`: documented is `id`, but not whether it is the whole name."""
_LONGEST_NAME: Final = 512


@frozen(kw_only=True)
class WebhookEvent:
    """A delivery whose sender is proved. A hint all the same: what became of a job is said by a check."""

    delivery_id: str
    """By which the same delivery is known again."""
    type: str
    """As in "video.generated"; an open set."""
    operation: str | None
    """What it names: a whole operation name or the id alone; None where it names nothing."""
    data: Mapping[str, Any] = field(repr=False)
    """All that it says, as it came."""


def read_event(document: Mapping[str, Any], delivery_id: str) -> WebhookEvent:
    """Return the event of an envelope `{"type": …, "version": …, "timestamp": …, "data": {…}}`.

    Raises:
        WebhookRefusedError: it is no such envelope.
    """
    kind, data = document.get("type"), document.get("data")
    if not isinstance(kind, str) or not is_object(data):
        raise WebhookRefusedError("malformed")
    names = (data.get(name) for name in _NAMES)
    operation = next(
        (name for name in names if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME), None
    )
    return WebhookEvent(delivery_id=delivery_id, type=kind, operation=operation, data=data)
