"""`veo-async estimate`: what a batch may cost, before anything is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from attrs import frozen
from rich import box
from rich.table import Table

from veo_async import catalog
from veo_async.cli.batch import open_batch, tell_troubles
from veo_async.cli.exits import Exit
from veo_async.cli.preflight import Checked
from veo_async.cli.reports import out, say, write_json
from veo_async.cli.rows import Source
from veo_async.cli.words import count, money
from veo_async.models import VideoRequest

__all__ = ["Share", "run_estimate", "shares"]

_SECONDS = 8
_RESOLUTION = "720p"


@frozen(kw_only=True, order=True)
class Share:
    """Requests that have one price a second."""

    model: str
    resolution: str
    requests: int
    seconds: int
    """Of video, all samples counted."""
    dollars: float | None
    """None where no price is known."""


def shares(requests: Sequence[VideoRequest]) -> list[Share]:
    """Return what requests may cost, by model and resolution."""
    groups: Mapping[tuple[str, str], list[VideoRequest]] = defaultdict(list)
    for request in requests:
        groups[request.model or catalog.DEFAULT_MODEL, request.resolution or _RESOLUTION].append(request)
    return [_share(model, resolution, group) for (model, resolution), group in sorted(groups.items())]


def _share(model: str, resolution: str, group: Sequence[VideoRequest]) -> Share:
    prices = [catalog.estimate(model, request) for request in group]
    known = [price for price in prices if price is not None]
    return Share(
        model=model,
        resolution=resolution,
        requests=len(group),
        seconds=sum(_seconds(request) * (request.sample_count or 1) for request in group),
        dollars=round(sum(known), 4) if len(known) == len(prices) else None,
    )


def _seconds(request: VideoRequest) -> int:
    return request.duration_seconds if isinstance(request.duration_seconds, int) else _SECONDS


def run_estimate(source: Source, *, as_json: bool) -> Exit:
    """Print what a batch may cost.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    batch = open_batch(source)
    tell_troubles(source.file, Checked(entries=(), troubles=batch.troubles))
    found = shares([line.request for line in batch.lines])
    if as_json:
        _print_json(found)
    else:
        _print_table(found)
    for warning in _retired(found):
        say(warning)
    if batch.troubles:
        say(f"{count(len(batch.troubles), 'broken line')} not counted")
    return Exit.USAGE if batch.troubles else Exit.DONE


def _retired(found: Sequence[Share]) -> list[str]:
    """Return what is known of the ends of the models; which provider they are asked from is not."""
    ends = (catalog.retirement(share.model) for share in found)
    return list(dict.fromkeys(end.message for end in ends if end is not None))


def _total(found: Sequence[Share]) -> float:
    return round(sum(share.dollars or 0.0 for share in found), 4)


def _print_json(found: Sequence[Share]) -> None:
    names = ("model", "resolution", "requests", "seconds", "dollars")
    parts = [{name: getattr(share, name) for name in names} for share in found]
    unknown = sum(share.requests for share in found if share.dollars is None)
    write_json(
        {
            "estimate": _total(found),
            "prices_of": catalog.AS_OF,
            "without_price": unknown,
            "parts": parts,
            "warnings": _retired(found),
        }
    )


def _print_table(found: Sequence[Share]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("model", "resolution", "requests", "seconds", "estimate"):
        table.add_column(name, justify="left" if name in {"model", "resolution"} else "right")
    for share in found:
        figures = (str(share.requests), str(share.seconds), money(share.dollars))
        table.add_row(share.model, share.resolution, *figures)
    console = out()
    console.print(table)
    requests = sum(share.requests for share in found)
    console.print(
        f"{count(requests, 'request')}: about [bold]{money(_total(found))}[/bold], an estimate by Google's "
        f"list prices of {catalog.AS_OF}; gateways have their own."
    )
    unknown = sum(share.requests for share in found if share.dollars is None)
    if unknown:
        console.print(f"{count(unknown, 'request')} not counted: no price is known for some models.")
