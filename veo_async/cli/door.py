"""Where the command line is read, and where every error becomes a sentence and an exit status."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from cyclopts.exceptions import CycloptsError
from rich.console import Console

from veo_async.cli.app import app
from veo_async.cli.exits import Exit
from veo_async.cli.reports import err, say
from veo_async.errors import ConfigurationError, InvalidRequestError, LedgerError, VeoError

__all__ = ["enter"]

_NOTHING_SENT = (ConfigurationError, InvalidRequestError, LedgerError)


def enter(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    # The session logs what it also tells its awaiters; here those are shown, each once.
    logging.getLogger("veo_async").addHandler(logging.NullHandler())
    try:
        status: object = app(arguments, exit_on_error=False, console=_usage_console(), error_console=err())
    except CycloptsError:
        return Exit.USAGE  # cyclopts has said what is wrong
    except VeoError as error:
        say(f"veo-async: {error.message}")
        return Exit.USAGE if isinstance(error, _NOTHING_SENT) else Exit.INCOMPLETE
    except BrokenPipeError:
        return _closed_pipe()
    return status if isinstance(status, int) else Exit.DONE


def _usage_console() -> Console:
    return Console(file=sys.stdout)


def _closed_pipe() -> int:
    """Whoever read our output has gone (`| head`): end quietly, also when Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.INCOMPLETE
