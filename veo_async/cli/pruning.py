"""`veo-async prune`: prompts and media go after a while, the accounts stay."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

from veo_async.cli.exits import Exit
from veo_async.cli.records import ledger_at
from veo_async.cli.reports import out, write_json
from veo_async.cli.words import count
from veo_async.errors import ConfigurationError
from veo_async.ledger.sqlite import SqliteLedger

__all__ = ["age_s", "run_prune"]

_AGE: Final = re.compile(r"(?P<number>[0-9]{1,6})\s*(?P<unit>[mhdw])")
_UNITS_S: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


def age_s(text: str) -> float:
    """Return the seconds that "30d", "12h", "90m" or "2w" stands for.

    Raises:
        ConfigurationError: it is none of these.
    """
    found = _AGE.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigurationError(f"--older-than {text}: write a number and m, h, d or w, as in 30d")
    return int(found["number"]) * _UNITS_S[found["unit"]]


async def run_prune(path: Path, older_than: str, *, as_json: bool) -> Exit:
    """Forget the words of jobs that ended before.

    Raises:
        ConfigurationError: there is no such ledger, or the age is none.
        LedgerError: somebody else has it open, or it cannot be written.
    """
    before = time.time() - age_s(older_than)
    ledger = SqliteLedger(ledger_at(path))
    await ledger.open()
    try:
        pruned = await ledger.prune(before)
    finally:
        await ledger.close()
    if as_json:
        write_json({"jobs": pruned.jobs, "contents": pruned.contents})
    else:
        jobs, contents = count(pruned.jobs, "job"), count(pruned.contents, "kept file")
        text = f"{jobs} without prompt and answer now, {contents} gone; the accounts stay"
        out().print(text, markup=False, soft_wrap=True)
    return Exit.DONE
