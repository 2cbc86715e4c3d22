"""`veo-async`, the command line; needs the extra `cli`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]

_NEEDED = ("cyclopts", "rich")
_USAGE = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Args:
        arguments: Instead of those that the process was started with.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(f"veo-async needs {' and '.join(missing)}: pip install 'veo-async[cli]'\n")
        return _USAGE
    # Imported here: without the extra it cannot be, and the line above must still be said.
    from veo_async.cli.door import enter

    try:
        return enter(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:
        return _INTERRUPTED
