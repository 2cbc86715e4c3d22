"""`veo-async replay`: what a recorded run would have come to under other limits and another cadence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import attrs
from attrs import asdict, frozen

from veo_async.cli.backend import limits_of
from veo_async.cli.exits import Exit
from veo_async.cli.flags import Brakes, ReplayFlags
from veo_async.cli.records import ledger_at, read_jobs
from veo_async.cli.reports import out, write_json
from veo_async.cli.words import count, duration, place_of
from veo_async.engine.lifecycle import State
from veo_async.engine.replay import Figures, PastJob, replay
from veo_async.errors import ConfigurationError
from veo_async.ledger.records import JobRecord
from veo_async.options import PollPolicy
from veo_async.session.submitting import profile_of

__all__ = ["past_jobs", "run_replay"]

_NAMES: Final = ("submits", "checks", "requests", "mean_lag", "p90_lag", "max_lag", "last_video")
_COUNTS: Final = frozenset({"submits", "checks", "requests"})
_WIDTH: Final = 12


@frozen(kw_only=True)
class _Replays:
    """A ledger's jobs, and what two replays of them came to."""

    ledger: Path
    asked: int
    jobs: Sequence[PastJob]
    took: float | None
    """Seconds to the last video, as it was recorded; None when there was none."""
    default: Figures
    """Under the default limits and cadence."""
    given: Figures
    """Under what the command line says."""


async def run_replay(path: Path, flags: ReplayFlags) -> Exit:
    """Replay the jobs of a ledger twice and tell what differs; it is only read.

    Raises:
        ConfigurationError: there is no such ledger, or nothing in it was sent.
        LedgerError: it cannot be read, or is no ledger.
    """
    ledger = ledger_at(path)
    records = await read_jobs(ledger)
    jobs = past_jobs(records, recorded_lag=flags.recorded_lag)
    if not jobs:
        raise ConfigurationError(f"{ledger}: nothing in it was sent, so there is nothing to replay")
    if flags.at_once:
        first = min(job.asked_at for job in jobs)
        jobs = [attrs.evolve(job, asked_at=first) for job in jobs]
    replays = await anyio.to_thread.run_sync(_replays, ledger, records, jobs, flags)
    if flags.json:
        write_json(_object(replays))
    else:
        for line in _lines(replays):
            out().print(line.rstrip(), markup=False, soft_wrap=True)
    return Exit.DONE


def past_jobs(records: Sequence[JobRecord], *, recorded_lag: float = 0.0) -> list[PastJob]:
    """Return the jobs of which something was sent, as they can be replayed.

    Args:
        records: A ledger's rows.
        recorded_lag: Seconds by which their ends were found late, as far as is known: no ledger has them.
    """
    return [
        PastJob(
            asked_at=record.created_at,
            state=record.state,
            profile=profile_of(record),
            submit_takes=_submit_takes(record),
            waits=_waits(record, recorded_lag),
        )
        for record in records
        if record.armed_at is not None or record.accepted_at is not None
    ]


def _submit_takes(record: JobRecord) -> float | None:
    if record.armed_at is None:
        return None
    answered_at = record.accepted_at or record.finished_at or record.armed_at
    return max(0.0, answered_at - record.armed_at)


def _waits(record: JobRecord, recorded_lag: float) -> float | None:
    if record.accepted_at is None or record.finished_at is None:
        return None
    return max(0.0, record.finished_at - recorded_lag - record.accepted_at)


def _replays(
    ledger: Path, records: Sequence[JobRecord], jobs: Sequence[PastJob], flags: ReplayFlags
) -> _Replays:
    brakes = Brakes(
        submits_per_minute=flags.submits_per_minute,
        checks_per_second=flags.checks_per_second,
        max_in_flight=flags.max_in_flight,
    )
    usual = PollPolicy()
    policy = PollPolicy(
        max_interval=flags.max_interval or usual.max_interval,
        min_interval=flags.min_interval or usual.min_interval,
        expected=flags.expected_wait or usual.expected,
        check_worth=flags.check_worth or usual.check_worth,
    )
    return _Replays(
        ledger=ledger,
        asked=len(records),
        jobs=jobs,
        took=_took(records),
        default=replay(jobs),
        given=replay(jobs, limits=limits_of(brakes), policy=policy),
    )


def _took(records: Sequence[JobRecord]) -> float | None:
    found = [record.finished_at for record in records if record.state is State.SUCCEEDED]
    last = max((at for at in found if at is not None), default=None)
    return None if last is None else last - min(record.created_at for record in records)


def _object(replays: _Replays) -> dict[str, Any]:
    return {
        "ledger": str(replays.ledger),
        "asked": replays.asked,
        "sent": _sent(replays.jobs),
        "operations": replays.default.operations,
        "recorded": {"last_video": None if replays.took is None else round(replays.took, 3)},
        "default": _figures(replays.default),
        "given": _figures(replays.given),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    rounded = {name: round(value, 3) for name, value in _values(figures).items() if value is not None}
    return {name: rounded.get(name) for name in _NAMES}


def _values(figures: Figures) -> Mapping[str, float | None]:
    return {**asdict(figures), "requests": figures.requests}


def _sent(jobs: Sequence[PastJob]) -> int:
    return sum(job.submit_takes is not None for job in jobs)


def _lines(replays: _Replays) -> list[str]:
    known = count(replays.default.operations, "operation")
    asked, sent = count(replays.asked, "job"), _sent(replays.jobs)
    took = "" if replays.took is None else f"; the last video came after {duration(replays.took)}"
    default, given = _values(replays.default), _values(replays.given)
    return [
        f"{place_of(replays.ledger)}: {asked}, {sent} of them sent; the ends of {known} are known{took}",
        "",
        _row("", "default", "given", "change"),
        *(_compared(name, default[name], given[name]) for name in _NAMES),
    ]


def _compared(name: str, default: float | None, given: float | None) -> str:
    shown: Callable[[float], str] = "{:,.0f}".format if name in _COUNTS else duration
    texts = ("" if value is None else shown(value) for value in (default, given))
    return _row(name.replace("_", " "), *texts, _change(default, given))


def _change(default: float | None, given: float | None) -> str:
    if not default or given is None:
        return ""
    return f"{100 * (given / default - 1):+.0f} %"


def _row(name: str, *cells: str) -> str:
    return f"{name:<{_WIDTH}}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)
