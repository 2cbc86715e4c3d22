"""The lines that say how a session stands, for whoever reads standard error."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from veo_async.cli.reports import say

__all__ = ["status_lines_on_stderr"]

_LOG = logging.getLogger("veo_async")


class _StatusLines(logging.Handler):
    """Says the lines that have a session's statistics with them; all else in the log is shown elsewhere."""

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "statistics"):
            say(record.getMessage())


@contextmanager
def status_lines_on_stderr() -> Generator[None]:
    """Show them for the length of the block."""
    handler, level = _StatusLines(), _LOG.level
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    try:
        yield
    finally:
        _LOG.removeHandler(handler)
        _LOG.setLevel(level)
