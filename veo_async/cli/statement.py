"""A provider's usage export as rows. Pure; nothing here knows a ledger.

No vendor documents such a format, so columns are known by what their headers say, in any order and spelling.
What cannot be read is refused rather than guessed: money is decided by it.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from attrs import evolve, frozen

from veo_async.cli.rows import Trouble
from veo_async.errors import Billed

__all__ = ["COLUMNS", "Statement", "StatementError", "Usage", "read_statement"]

COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "id": (
        *("operation", "operationname", "operationid", "taskid", "predictionid", "generationid", "videoid"),
        *("jobid", "requestid", "id"),
    ),
    "time": (
        *("createdat", "created", "createtime", "creationtime", "submittedat", "submittime", "startedat"),
        *("starttime", "requesttime", "time", "timestamp", "datetime", "date"),
    ),
    "model": ("model", "modelname", "modelid"),
    "cost": ("cost", "amount", "price", "charge", "charged", "fee", "total", "totalcost", "usd"),
    "status": ("status", "state"),
}
"""What each column may be called, the surest name first; capitals, blanks and signs do not count."""

_CHARGED_FOR: Final = frozenset(
    {"success", "succeeded", "succeed", "completed", "finished", "billed", "paid", "charged"}
)
_NOT_CHARGED_FOR: Final = frozenset(
    {"failed", "failure", "error", "refunded", "cancelled", "canceled", "rejected", "filtered"}
)
_NOT_IN_HEADERS: Final = re.compile(r"[^a-z0-9]+")
_UNIT: Final = re.compile(r"(?<=.)(usd|utc|gmt)$")
_MONEY: Final = re.compile(
    r"(?P<sign>[-+]?)\s*(?:USD|US\$|[$€£¥])?\s*(?P<figure>[0-9][0-9.,]*|[.,][0-9]+)\s*(?:USD|[$€£¥])?",
    re.IGNORECASE,
)
_EPOCH: Final = re.compile(r"[0-9]{9,19}(?:\.[0-9]+)?")
_DAY: Final = re.compile(r"[0-9]{4}[-/.]?[0-9]{2}[-/.]?[0-9]{2}")
_SEPARATORS: Final = ",;\t"
# Seconds have ten digits till the year 2286; milliseconds have thirteen, microseconds sixteen.
_UNITS_OF_EPOCH: Final = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


class StatementError(Exception):
    """A usage export cannot be read; `troubles` says where, where it is about single lines."""

    def __init__(self, message: str, troubles: Sequence[Trouble] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.troubles = troubles


@frozen(kw_only=True)
class Usage:
    """One operation as the provider charged it; all lines of one id together."""

    line: int
    """The first of its lines."""
    name: str | None = None
    """The operation's name, or what identifies it."""
    at: float | None = None
    """Seconds since the epoch; None where it does not say the time of day."""
    model: str | None = None
    cost: float | None = None
    """What was charged, refunds taken off, in the statement's currency."""
    status: str | None = None

    @property
    def billed(self) -> Billed:
        """Whether money was taken for it."""
        if self.cost is not None:
            return "yes" if self.cost > 0 else "no"
        word = (self.status or "").lower()
        return "yes" if word in _CHARGED_FOR else "no" if word in _NOT_CHARGED_FOR else "unknown"


@frozen(kw_only=True)
class Statement:
    """What a usage export says."""

    usages: tuple[Usage, ...]
    columns: Mapping[str, str]
    """Header of each column that was understood, by what it means: keys of `COLUMNS`."""
    left_out: tuple[int, ...] = ()
    """Lines that speak of no operation, as a line of totals."""
    zoned: bool = True
    """Whether every time says its zone, or the caller did."""

    @property
    def first(self) -> float | None:
        """Time of its first row."""
        return min((usage.at for usage in self.usages if usage.at is not None), default=None)

    @property
    def last(self) -> float | None:
        """Time of its last row."""
        return max((usage.at for usage in self.usages if usage.at is not None), default=None)


@frozen(kw_only=True)
class _Read:
    """A line's usage, and whether its time was said without a zone."""

    usage: Usage
    vague: bool


def read_statement(content: bytes, zone: tzinfo | None = None) -> Statement:
    """Return what a usage export says.

    Args:
        content: A CSV file with a header; commas, semicolons or tabs.
        zone: Of times that name none; without it they are taken as UTC, and `zoned` is False.

    Raises:
        StatementError: it cannot be read, or a column is missing that nothing can be compared without.
    """
    header, body = _table(content)
    columns = _columns(header)
    _refuse_too_little(columns, header)
    places = {role: header.index(name) for role, name in columns.items()}
    in_utc = _UNIT.search(_plain(columns.get("time", ""))) is not None
    read: list[_Read] = []
    left_out: list[int] = []
    troubles: list[Trouble] = []
    for line, cells in body:
        try:
            row = _row(line, cells, places, zone or UTC)
        except ValueError as error:
            troubles.append(Trouble(line=line, message=str(error)))
            continue
        if row is None:
            left_out.append(line)
        else:
            read.append(row)
    if troubles:
        raise StatementError("some lines cannot be read, so nothing is compared", troubles)
    return Statement(
        usages=tuple(_merged(_charges(row.usage for row in read))),
        columns=columns,
        left_out=tuple(left_out),
        zoned=zone is not None or in_utc or not any(row.vague for row in read),
    )


def _table(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StatementError("it is not UTF-8: export it as CSV in UTF-8") from None
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(reader, list[str]())]
        body = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise StatementError(f"line {reader.line_num} is not CSV: {error}") from None
    return header, body


def _plain(header: str) -> str:
    return _NOT_IN_HEADERS.sub("", header.lower())


def _columns(header: Sequence[str]) -> dict[str, str]:
    """Return the header of each meaning that is found, the surest."""
    plain: dict[str, str] = {}
    for name in header:
        plain.setdefault(_plain(name), name)
        plain.setdefault(_UNIT.sub("", _plain(name)), name)
    found = (
        (role, next((plain[name] for name in names if name in plain), None))
        for role, names in COLUMNS.items()
    )
    return {role: name for role, name in found if name is not None}


def _refuse_too_little(columns: Mapping[str, str], header: Sequence[str]) -> None:
    if "id" in columns or {"time", "model"} <= set(columns):
        return
    missing = [
        f"one for the {role} ({', '.join(COLUMNS[role])})"
        for role in ("id", "time", "model")
        if role not in columns
    ]
    raise StatementError(
        f"its columns are {', '.join(header) or 'none'}; missing: {'; '.join(missing)}. Either the id, "
        "or time and model together, must be there: name the columns so in the first line"
    )


def _row(line: int, cells: Sequence[str], places: Mapping[str, int], zone: tzinfo) -> _Read | None:
    """Return what a line says; None where it speaks of no operation."""
    said = {role: cells[place].strip() for role, place in places.items() if place < len(cells)}
    named, timed, model = said.get("id"), said.get("time"), said.get("model")
    nothing_else = not timed and not model and {"time", "model"} & set(places)
    if nothing_else or not (named or timed):
        return None
    at, vague = _instant(timed, zone) if timed else (None, False)
    usage = Usage(
        line=line,
        name=named or None,
        at=at,
        model=model or None,
        cost=_amount(said["cost"]) if said.get("cost") else None,
        status=said.get("status") or None,
    )
    return _Read(usage=usage, vague=vague)


def _instant(text: str, zone: tzinfo) -> tuple[float | None, bool]:
    """Return seconds since the epoch, and whether the text leaves its zone open.

    A day without a time of day is no instant.
    """
    if _EPOCH.fullmatch(text):
        number = float(text)
        return number / next((unit for least, unit in _UNITS_OF_EPOCH if number >= least), 1.0), False
    if _DAY.fullmatch(text):
        return None, False
    plain = re.sub(r"\s*(?:UTC|GMT)$", "+00:00", text.replace("/", "-"))
    try:
        read = datetime.fromisoformat(plain)
    except ValueError:
        raise ValueError(
            f"time: {text[:40]!r} is not readable: write 2026-09-01T12:00:00Z, or seconds since 1970"
        ) from None
    vague = read.tzinfo is None
    return (read.replace(tzinfo=zone) if vague else read).timestamp(), vague


def _amount(text: str) -> float:
    found = _MONEY.fullmatch(text)
    if found is None:
        raise ValueError(f"cost: {text[:40]!r} is no amount of money: write 0.80")
    figure = found["figure"]
    if re.fullmatch(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?", figure):
        figure = figure.replace(",", "")
    elif figure.count(",") == 1 and "." not in figure:
        figure = figure.replace(",", ".")
    try:
        amount = float(figure)
    except ValueError:
        raise ValueError(f"cost: {text[:40]!r} is no amount of money: write 0.80") from None
    return -amount if found["sign"] == "-" else amount


def _charges(usages: Iterable[Usage]) -> list[Usage]:
    """Return the usages, what was charged being more than zero: some write what they took as less."""
    given = list(usages)
    costs = [usage.cost for usage in given if usage.cost]
    if costs and max(costs) < 0:
        return [evolve(usage, cost=usage.cost and -usage.cost) for usage in given]
    return given


def _merged(usages: Sequence[Usage]) -> Iterator[Usage]:
    """Yield one usage an id: a charge and its refund are two lines of one operation."""
    by_name: dict[str | int, list[Usage]] = {}
    for usage in usages:
        by_name.setdefault(usage.name or usage.line, []).append(usage)
    for lines in by_name.values():
        costs = [usage.cost for usage in lines if usage.cost is not None]
        yield evolve(
            lines[0],
            at=min((usage.at for usage in lines if usage.at is not None), default=None),
            model=next((usage.model for usage in lines if usage.model), None),
            # Charges and refunds are decimal figures added up as floats.
            cost=round(math.fsum(costs), 6) if costs else None,
            status=next((usage.status for usage in reversed(lines) if usage.status), None),
        )
