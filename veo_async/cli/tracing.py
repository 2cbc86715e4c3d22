"""`--trace FILE`: what goes over the wire, one JSON line an exchange."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import attrs

from veo_async.errors import ConfigurationError
from veo_async.transport import TraceEvent

__all__ = ["open_trace"]

_OWNER_ONLY = 0o600  # prompts stand in it


@contextmanager
def open_trace(path: Path | None) -> Generator[Callable[[TraceEvent], None] | None, None, None]:
    """Return what takes the events and appends them to `path`; None without a path.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _OWNER_ONLY)
    except OSError as error:
        raise ConfigurationError(f"--trace {path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:

        def take(event: TraceEvent) -> None:
            stream.write(json.dumps(attrs.asdict(event)) + "\n")
            stream.flush()

        yield take
