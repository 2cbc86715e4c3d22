"""What a delivery is answered."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Reply"]


@frozen
class Reply:
    """What to answer a delivery."""

    status: int
    """Of HTTP: 2xx only for what is proved, so that the sender tries all else again."""
    text: str
    """A word or two, for whoever reads the sender's log."""
