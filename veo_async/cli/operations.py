"""`veo-async status`, `wait` and `download`: operations that anybody started."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

import anyio
from attrs import define, frozen

from veo_async.answers import (
    CheckAnswer,
    Empty,
    Finished,
    Lost,
    Missing,
    NotSent,
    Refused,
    Running,
    Unreadable,
)
from veo_async.cli.backend import open_backend
from veo_async.cli.campaign import report_for
from veo_async.cli.entries import Entry
from veo_async.cli.exits import Exit, exit_status
from veo_async.cli.files import Shelf
from veo_async.cli.flags import Settings
from veo_async.cli.identity import Todo
from veo_async.cli.interrupts import Interrupts
from veo_async.cli.reports import Opening, Report, out, say, write_json
from veo_async.cli.run import Run
from veo_async.cli.summary import STYLES
from veo_async.cli.totals import Totals, total
from veo_async.cli.tracing import open_trace
from veo_async.cli.words import count
from veo_async.engine.lifecycle import move_for
from veo_async.errors import ConfigurationError
from veo_async.job import Job
from veo_async.models import Filtered, Outcome, Succeeded, Withdrawn
from veo_async.options import Rate
from veo_async.session import VeoSession
from veo_async.transport import TraceEvent

__all__ = ["Status", "read_names", "run_operations", "run_status", "status_of"]

_FINE = frozenset({"running", "succeeded"})


def read_names(given: Sequence[str]) -> list[str]:
    """Return the operations that were named; "-" stands for those on standard input, one a line.

    Raises:
        ConfigurationError: there is none.
    """
    names: list[str] = []
    for name in given:
        names += [line.strip() for line in sys.stdin if line.strip()] if name == "-" else [name]
    if not names:
        raise ConfigurationError("name at least one operation, or - to read them from standard input")
    return names


@frozen(kw_only=True)
class Status:
    """What an operation's status is, in a word, and what is known beside it."""

    word: str
    detail: str = ""


def status_of(answer: CheckAnswer | NotSent | Lost) -> Status:
    """Return what the answer to a status check says."""
    match answer:
        case Running(progress=progress):
            return Status(word="running", detail="" if progress is None else f"{progress:.0%}")
        case Finished(outcome=outcome) | Empty(outcome=outcome):
            return Status(word=move_for(outcome).value, detail=_detail(outcome))
        case Missing(gone=gone):
            return Status(
                word="missing", detail="expired" if gone else "no such operation here, or not any more"
            )
        case Refused():
            return Status(word="refused", detail=f"{answer.kind}: {answer.message}")
        case Unreadable():
            return Status(word="unreadable", detail=answer.message)
        case NotSent() | Lost():
            return Status(word="unreachable", detail=answer.reason)


def _detail(outcome: Outcome) -> str:
    match outcome:
        case Filtered(reasons=reasons):
            return "; ".join(reasons)
        case Succeeded(result=result):
            return count(len(result.videos), "video")
        case Withdrawn():
            return ""
        case _:
            return outcome.message


@define
class _LastAnswer:
    """Keeps the last answer of the wire, for --raw where a decoded answer keeps none."""

    body: str = ""

    def take(self, event: TraceEvent) -> None:
        self.body = event.response_body


async def run_status(names: Sequence[str], settings: Settings, *, raw: bool) -> Exit:
    """Ask once for each operation and tell the answers.

    Raises:
        VeoError: a name is no operation, or something must be set differently.
    """
    last = _LastAnswer()
    words: list[str] = []
    async with AsyncExitStack() as stack:
        opening = open_backend(settings.provider, settings.brakes, settings.emulator, settings.root)
        backend = await stack.enter_async_context(opening)
        session = VeoSession(backend.provider, on_exit="abort", trace=last.take)
        await stack.enter_async_context(session)
        gap = _gap(backend.provider.limits.checks)
        for place, name in enumerate(names):
            await anyio.sleep(gap if place else 0)
            answer = await session.status(name, settings.provider.model)
            status = status_of(answer)
            words.append(status.word)
            if raw:
                _write_raw(answer, last.body)
            else:
                _tell(name, status, as_json=settings.output.json)
    return Exit.DONE if _FINE.issuperset(words) else Exit.INCOMPLETE


def _gap(rates: Sequence[Rate]) -> float:
    """Asking outside the scheduler keeps its own pace."""
    return max(rate.per / rate.count for rate in rates)


def _write_raw(answer: CheckAnswer | NotSent | Lost, body: str) -> None:
    whole = answer.outcome.raw if isinstance(answer, Finished | Empty) else None
    sys.stdout.write((json.dumps(whole) if whole is not None else body) + "\n")


def _tell(name: str, status: Status, *, as_json: bool) -> None:
    if as_json:
        write_json({"operation": name, "state": status.word, "detail": status.detail})
        return
    console = out()
    console.print(f"{status.word:<12}", style=STYLES.get(status.word, ""), end="")
    console.print(f"{name}  {status.detail}".rstrip(), markup=False, soft_wrap=True)


class RawReport:
    """Writes each operation's last answer as a JSON line and nothing else."""

    def begin(self, _opening: Opening, /) -> None:
        """Nothing is told."""

    def moved(self, _entry: Entry, _doing: str, /) -> None:
        """Nothing is told."""

    def settled(self, entry: Entry) -> None:
        """Write the answer as it came."""
        write_json(
            {"operation": _operation(entry), "answer": None if entry.outcome is None else entry.outcome.raw}
        )

    def note(self, text: str) -> None:
        """Tell people."""
        say(text)

    def end(self, _entries: Sequence[Entry], _totals: Totals, /) -> None:
        """Nothing is told."""


def _operation(entry: Entry) -> str | None:
    return None if entry.record is None else entry.record.operation


async def run_operations(names: Sequence[str], settings: Settings, *, raw: bool, fetch: bool) -> Exit:
    """Wait for operations, and fetch their videos if `fetch`.

    Raises:
        VeoError: a name is no operation, or something must be set differently.
    """
    report: Report = RawReport() if raw else report_for(settings)
    async with AsyncExitStack() as stack:
        opening = open_backend(settings.provider, settings.brakes, settings.emulator, settings.root)
        backend = await stack.enter_async_context(opening)
        trace = stack.enter_context(open_trace(settings.brakes.trace))
        # Somebody else's operations: nothing is lost when waiting for them ends early.
        session = VeoSession(backend.provider, on_exit="abort", poll=backend.poll, trace=trace)
        await stack.enter_async_context(session)
        jobs = await session.attach_many(names, model=settings.provider.model)
        entries = [_entry(place, job, fetch=fetch) for place, job in enumerate(jobs, 1)]
        report.begin(_opening(backend.provider.name, settings, len(entries)))
        if fetch:
            settings.root.mkdir(parents=True, exist_ok=True)
        run = Run(
            session,
            entries,
            report,
            Shelf(settings.root, session, renames=False) if fetch else None,
            _nothing,
            jobs,
        )
        interrupts = stack.enter_context(Interrupts())
        await interrupts.until_first(run.go())
        totals = total(entries, checks=session.statistics().checks, elapsed=run.elapsed)
    report.end(entries, totals)
    if run.obstacle is not None:
        report.note(f"Stopped: {run.obstacle.message}")
    interrupted = interrupts.first.is_set()
    troubled = totals.missing_files > 0 or run.obstacle is not None
    return exit_status((entry.state for entry in entries), interrupted=interrupted, troubled=troubled)


async def _nothing() -> None:
    """There is no manifest to keep."""


def _entry(place: int, job: Job, *, fetch: bool) -> Entry:
    name = (job.operation or "").rpartition("/")[2]
    return Entry(place=place, line_id=name, todo=Todo.RESUME, record=job.record, wants_files=fetch)


def _opening(provider: str, settings: Settings, number: int) -> Opening:
    return Opening(
        provider=provider,
        target=settings.output.out,
        requests=number,
        sends=0,
        resumes=number,
        kept=0,
        cost_estimate=None,
    )
