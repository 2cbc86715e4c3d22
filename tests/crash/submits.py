"""The process that is watched from outside: `python -m tests.crash.submits URL KEY FOLDER COUNT VARIANT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from .child import Errand, run
from .variants import Variant


def main() -> None:
    """Submit so many jobs, noting each promise as it is made."""
    base_url, key, folder, count, variant = sys.argv[1:]
    run(
        Errand(
            base_url=base_url,
            key=key,
            folder=Path(folder),
            prompts=tuple(f"boat {boat}." for boat in range(int(count))),
            variant=cast("Variant", variant),
            stops_when_accepted=True,
        )
    )


if __name__ == "__main__":
    main()
