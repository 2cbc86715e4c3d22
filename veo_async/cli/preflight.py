"""All that can be seen wrong with a batch before anything is sent, and all of it at once."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from veo_async.cli.batch_file import BatchFile, Line
from veo_async.cli.entries import Entry
from veo_async.cli.identity import unnamed_keys
from veo_async.cli.pictures import MediaShelf
from veo_async.cli.rows import Trouble
from veo_async.codec import request_digest
from veo_async.errors import InvalidRequestError
from veo_async.providers import Provider

__all__ = ["Checked", "preflight"]


@frozen(kw_only=True)
class Checked:
    """The requests of a batch: those that can be sent, and what is wrong with the others."""

    entries: tuple[Entry, ...]
    """In the file's order; one without a key is broken."""
    troubles: tuple[Trouble, ...]


def preflight(batch: BatchFile, provider: Provider) -> Checked:
    """Check every line against the provider and its media against the disk; reads files, so use a thread."""
    shelf = MediaShelf()
    good: list[Entry] = []
    troubles = list(batch.troubles)
    for line in batch.lines:
        found = _problems(line, provider, shelf)
        if isinstance(found, str):
            good.append(_entry(line, found, provider))
        else:
            troubles += [Trouble(line=line.number, message=message) for message in found]
    _give_keys(good)
    broken = _broken(troubles, batch)
    entries = sorted([*good, *broken], key=lambda entry: entry.place)
    return Checked(entries=tuple(entries), troubles=tuple(sorted(troubles, key=lambda trouble: trouble.line)))


def _problems(line: Line, provider: Provider, shelf: MediaShelf) -> str | list[str]:
    """Return the digest of what a line asks for, or what is wrong with it."""
    request = line.request
    found: list[str] = []
    try:
        request = shelf.looked_at(request)
    except InvalidRequestError as error:
        found.append(error.message)
    model = provider.model_name(request.model)
    found += [problem.message for problem in provider.dialect.problems(request, model)]
    return found or request_digest(request)


def _entry(line: Line, digest: str, provider: Provider) -> Entry:
    price = provider.estimate(line.request)
    return Entry(place=line.number, line_id=line.id, request=line.request, digest=digest, price=price)


def _give_keys(entries: Sequence[Entry]) -> None:
    unnamed = [entry for entry in entries if entry.line_id is None]
    for entry, key in zip(unnamed, unnamed_keys(entry.digest for entry in unnamed), strict=True):
        entry.key = key
    for entry in entries:
        if entry.line_id is not None:
            entry.key = f"id:{entry.line_id}"


def _broken(troubles: Sequence[Trouble], batch: BatchFile) -> list[Entry]:
    lines = {line.number: line for line in batch.lines}
    texts: dict[int, list[str]] = {}
    for trouble in troubles:
        texts.setdefault(trouble.line, []).append(trouble.message)
    return [
        _broken_entry(number, "; ".join(messages), lines.get(number)) for number, messages in texts.items()
    ]


def _broken_entry(number: int, trouble: str, line: Line | None) -> Entry:
    if line is None:
        return Entry(place=number, trouble=trouble, settled=True)
    return Entry(place=number, line_id=line.id, request=line.request, trouble=trouble, settled=True)
