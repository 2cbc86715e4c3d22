"""`veo-async batch`: many requests from a file."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import anyio.to_thread

from veo_async.cli.backend import look_of
from veo_async.cli.batch_file import BatchFile, read_batch
from veo_async.cli.campaign import Campaign
from veo_async.cli.exits import Exit
from veo_async.cli.flags import BatchFlags, Settings
from veo_async.cli.identity import Again
from veo_async.cli.planning import BrokenLinesError, plan_batch
from veo_async.cli.preflight import Checked, preflight
from veo_async.cli.reports import say
from veo_async.cli.rows import STDIN, Source, Trouble, form_of
from veo_async.cli.words import count
from veo_async.errors import ConfigurationError

__all__ = ["open_batch", "run_batch", "tell_troubles"]

_MOST_TROUBLES = 50


def open_batch(source: Source) -> BatchFile:
    """Read a batch file.

    Raises:
        ConfigurationError: it cannot be read, or there is nothing in it.
    """
    content = _content(source.file)
    form = source.form or form_of(source.file, content)
    batch = read_batch(content, form, folder=source.folder, model=source.model, priority=source.priority)
    if not batch.lines and not batch.troubles:
        raise ConfigurationError(f"{source.file} holds no request: write one a line")
    return batch


def _content(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None


async def run_batch(file: str, flags: BatchFlags, settings: Settings) -> Exit:
    """Run a batch file and return the exit status.

    Raises:
        VeoError: it could not begin; nothing was sent.
    """
    source = Source(file=file, form=flags.form, model=settings.provider.model, priority=flags.priority)
    batch = open_batch(source)
    provider = look_of(settings.provider, settings.brakes)
    checked = await anyio.to_thread.run_sync(preflight, batch, provider)
    tell_troubles(file, checked)
    if checked.troubles and (not flags.keep_going or all(entry.trouble for entry in checked.entries)):
        say("Nothing was sent. Mend the lines, or run the good ones with --keep-going.")
        return Exit.USAGE
    again = Again(failed=flags.retry_failed, unknown=flags.resubmit_unknown)
    prepare = partial(plan_batch, checked.entries, again=again, keep_going=flags.keep_going)
    try:
        return await Campaign(settings, prepare, manifest=(), report_every=flags.report_every).run()
    except BrokenLinesError as broken:
        tell_troubles(file, Checked(entries=(), troubles=tuple(broken.troubles)))
        say("Nothing was sent.")
        return Exit.USAGE


def tell_troubles(file: str, checked: Checked) -> None:
    """Write every broken line with its number to standard error."""
    name = "standard input" if file == STDIN else file
    for trouble in checked.troubles[:_MOST_TROUBLES]:
        say(_sentence(name, trouble))
    more = len(checked.troubles) - _MOST_TROUBLES
    if more > 0:
        say(f"… and {count(more, 'more problem')}")


def _sentence(name: str, trouble: Trouble) -> str:
    return f"{name}:{trouble.line}: {trouble.message}"
