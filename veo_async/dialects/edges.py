"""What the network before a service (its edge) proves by statuses of its own.

Sources: https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
(521 refused connection, 523 no route, 525 and 526 no TLS). 522 is no proof: it is said too of a service that
took the connection and then fell silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from attrs import evolve

from veo_async.answers import Unreadable

__all__ = ["EDGES", "read_edge"]

EDGES: Final[Mapping[str, frozenset[int]]] = {"cloudflare": frozenset({521, 523, 525, 526})}
"""By the edge's name, the statuses that say that a request never came to the service."""

_Answer = TypeVar("_Answer")


def read_edge(answer: _Answer, edge: str | None) -> _Answer | Unreadable:
    """Return an answer as it reads where this edge, or None that is known of, stands before the service."""
    if edge is None or not isinstance(answer, Unreadable) or answer.status not in EDGES[edge]:
        return answer
    return evolve(answer, unreached=True)
