"""What may become of a list that looks for a lost operation: nothing is adopted, nothing is sent again."""

from __future__ import annotations

from typing import Final

from tests.faults.cells import LOST, Cell, Makes, Phase, cells_at, cells_of
from tests.faults.modes import BAD_JSON, BROKEN, COMPRESSED, PADDED, SERVER_PAGES, WORDLESS, elsewhere
from veo_async.emulator import Fault

__all__ = ["LISTS"]

_SILENT: Final[dict[str, Makes]] = {
    **BROKEN,
    **COMPRESSED,
    **WORDLESS,
    **BAD_JSON,
    **SERVER_PAGES,
    "a gzip bomb": Fault.gzip_bomb(8 * 2**20),
    "8 MB that are of no use": PADDED,
    "a drip that is too slow": Fault.drip(bytes_per_second=20),
    "a 500 of the provider's": Fault.internal_error(),
    "a 503 of the provider's": Fault.overloaded(),
    "a 401": Fault.unauthorized(),
    "a 403 about permission": Fault.forbidden(),
    "a 403 about the balance": Fault.insufficient_balance(),
    "a 429": Fault.rate_limited(1),
    "operations null": Fault.edit(lambda answer: answer.update(operations=None)),
    "operations an object": Fault.edit(lambda answer: answer.update(operations={"name": "x"})),
    "no operation": Fault.edit(lambda answer: answer.update(operations=[])),
}
"""Nothing can be learned: the job stays unknown, and is found by the next list that can be read."""

_NOT_OFFERED: Final[dict[str, Makes]] = {
    "a 501": Fault.gptproto(501, "not implemented"),
    "a 404": Fault.not_found(),
    "a 400": Fault.gptproto(400, "no such method"),
    **elsewhere(302, 307),
}

LISTS: Final[list[Cell]] = [
    *cells_of(Phase.LIST, LOST, _SILENT, lasts=True, asked=1),
    *cells_of(Phase.LIST, LOST, _NOT_OFFERED, lasts=True, asked=1, passes=False),
    *cells_at(Phase.LIST, LOST, "refused", "alert", "late alert"),
]
