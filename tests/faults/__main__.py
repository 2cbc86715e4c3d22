"""`python -m tests.faults [WORDS]` plays the cells whose names hold the words, and prints what holds."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

from tests.faults.playing import play
from tests.faults.scene import playing
from tests.faults.table import CELLS, check_bill, summary


async def main(words: str = "") -> int:
    """Return 0 if every cell holds."""
    logging.getLogger("veo_async").setLevel(logging.CRITICAL + 1)  # the faults are meant
    started = time.monotonic()
    async with playing() as scene:
        cells = [cell for cell in CELLS if words in str(cell) and scene.can_play(cell)]
        played = [await play(cell, scene) for cell in cells]
    for one in played:
        for complaint in one.complaints:
            print(f"{one.cell}: {complaint}")  # noqa: T201
    print(summary(played))  # noqa: T201
    print(f"{time.monotonic() - started:.0f} s")  # noqa: T201
    check_bill(one.account for one in played if one.account is not None)
    return int(any(one.complaints for one in played))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
