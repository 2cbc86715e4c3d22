"""A run from its ledger to its exit status: what `generate`, `batch` and `resume` share."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from veo_async.cli.advice import advice, parting, warnings_before
from veo_async.cli.backend import open_backend
from veo_async.cli.entries import Entry
from veo_async.cli.exits import Exit, exit_status
from veo_async.cli.files import Shelf, standing
from veo_async.cli.flags import Settings
from veo_async.cli.identity import Todo, attempt_key
from veo_async.cli.interrupts import Interrupts
from veo_async.cli.live import LiveReport
from veo_async.cli.manifest import as_object, merged, write_manifest
from veo_async.cli.records import LEDGER_NAME, reading
from veo_async.cli.reports import JsonReport, LineReport, Opening, Report, out
from veo_async.cli.run import Run
from veo_async.cli.status_lines import status_lines_on_stderr
from veo_async.cli.totals import total
from veo_async.cli.tracing import open_trace
from veo_async.engine.lifecycle import State
from veo_async.errors import ConfigurationError
from veo_async.job import Job
from veo_async.ledger.records import JobRecord
from veo_async.models import JobId
from veo_async.providers import Provider
from veo_async.session import VeoSession

__all__ = ["Campaign", "Prepare", "TakeUp", "report_for"]

Prepare = Callable[[Sequence[JobRecord], Provider], Sequence[Entry]]
"""Decides, from the ledger's jobs, what a run is about and what it does about each request."""

TakeUp = Callable[[VeoSession], Awaitable[Sequence[Job]]]
"""Takes up jobs of the session's ledger, whoever made them."""

_LEAST_BETWEEN_MANIFESTS_S = 2.0
_MANIFEST_SHARE = 20.0  # of the time, writing it takes at most a twentieth


def report_for(settings: Settings) -> Report:
    """Return the report that fits where standard output goes."""
    if settings.output.json:
        return JsonReport(settings.root)
    return LiveReport() if sys.stdout.isatty() and out().is_terminal else LineReport()


class Campaign:
    """One run: opens the ledger, prepares, sends, awaits, fetches, and leaves everything told."""

    def __init__(
        self,
        settings: Settings,
        prepare: Prepare,
        *,
        manifest: Sequence[dict[str, Any]] | None,
        take_up: TakeUp | None = None,
        report_every: float | None = None,
    ) -> None:
        """Make ready.

        Args:
            settings: What the command line says.
            prepare: Decides what is done.
            manifest: Lines of manifest.jsonl that stay beside this run's; None: it is not written at all.
            take_up: Brings in jobs that earlier runs left open; None: only those that are asked for again.
            report_every: Seconds between two lines that say how the run stands, where no terminal shows it.
        """
        self._settings = settings
        self._prepare = prepare
        self._manifest = manifest
        self._take_up = take_up
        self._report = report_for(settings)
        self._report_every = None if isinstance(self._report, LiveReport) else report_every
        self._entries: Sequence[Entry] = ()
        self._manifest_lock = anyio.Lock()
        self._next_manifest = 0.0
        self._checks = 0

    async def run(self) -> Exit:
        """Return the exit status.

        Raises:
            VeoError: the run could not begin.
        """
        root = self._settings.root
        _make_folder(root)
        began = time.monotonic()
        with Interrupts() as interrupts:
            run = await self._session_of(interrupts)
            interrupted = interrupts.first.is_set()
            # The ledger has the last word: an interrupted run may know less than was recorded.
            await self._refresh()
            await self._write_manifest()
        totals = total(self._entries, checks=self._checks, elapsed=time.monotonic() - began)
        self._report.end(self._entries, totals)
        command = self._settings.command
        obstacle = None if run is None else run.obstacle
        notes = parting(self._entries, command) if interrupted else advice(self._entries, obstacle=obstacle)
        if obstacle is not None and not interrupted:
            notes += ["What is not sent is kept. When that is mended, go on with:", f"  {command}"]
        for note in notes:
            self._report.note(note)
        troubled = totals.missing_files > 0 or obstacle is not None
        return exit_status(
            (entry.state for entry in self._entries), interrupted=interrupted, troubled=troubled
        )

    async def _session_of(self, interrupts: Interrupts) -> Run | None:
        settings, root = self._settings, self._settings.root
        async with AsyncExitStack() as stack:
            opening = open_backend(settings.provider, settings.brakes, settings.emulator, root)
            backend = await stack.enter_async_context(opening)
            trace = stack.enter_context(open_trace(settings.brakes.trace))
            session = VeoSession(
                backend.provider,
                ledger=root / LEDGER_NAME,
                max_cost=settings.brakes.max_cost,
                max_unknown_cost=settings.brakes.max_unknown_cost,
                on_exit="detach",
                poll=backend.poll,
                trace=trace,
                report_every=self._report_every,
            )
            if self._report_every is not None:
                stack.enter_context(status_lines_on_stderr())
            await stack.enter_async_context(session)
            return await self._run_in(session, interrupts)

    async def _run_in(self, session: VeoSession, interrupts: Interrupts) -> Run:
        root = self._settings.root
        # Taken up before it is read: after a restore that alone may move every job.
        known = () if self._take_up is None else await self._take_up(session)
        async with reading(root / LEDGER_NAME) as ledger:
            self._entries = self._prepare(await ledger.select(), session.provider)
        run = Run(session, self._entries, self._report, Shelf(root, session), self._now_and_then, known)
        self._announce(session.provider.name)
        await self._write_manifest()
        await interrupts.until_first(run.go())
        self._checks = session.statistics().checks
        if interrupts.first.is_set():
            self._report.note(
                "Stopping: what was sent gets its answer, nothing new is sent. Ctrl+C again: at once."
            )
            await _detach(session, interrupts)
        return run

    def _announce(self, provider: str) -> None:
        todos = [entry.todo for entry in self._entries if entry.trouble is None]
        sends = [entry for entry in self._entries if entry.todo is Todo.SEND and entry.trouble is None]
        prices = [entry.price for entry in sends]
        known = None if None in prices else sum(price or 0.0 for price in prices)
        self._report.begin(
            Opening(
                provider=provider,
                target=self._settings.output.out,
                requests=len(self._entries),
                sends=len(sends),
                resumes=todos.count(Todo.RESUME),
                kept=todos.count(Todo.KEEP),
                cost_estimate=known,
            )
        )
        replaced = [(entry, entry.replaces.state) for entry in sends if entry.replaces is not None]
        for text in warnings_before(replaced):
            self._report.note(text)

    async def _refresh(self) -> None:
        path = self._settings.root / LEDGER_NAME
        if not path.exists():
            return
        async with reading(path) as ledger:
            jobs = await ledger.select()
            by_id = {job.id: job for job in jobs}
            by_key = {job.idempotency_key: job for job in jobs if job.idempotency_key is not None}
            for entry in self._entries:
                entry.record = _newest(entry, by_id, by_key)
                if entry.state == State.SUCCEEDED and not entry.files and entry.error is None:
                    assert entry.record is not None
                    records = await ledger.files(entry.record.id)
                    found = [
                        await anyio.to_thread.run_sync(standing, each, self._settings.root)
                        for each in records
                    ]
                    entry.files = tuple(file for file in found if file is not None)

    async def _now_and_then(self) -> None:
        """Keep the manifest fresh enough for whoever watches it, without writing it for every request."""
        if time.monotonic() >= self._next_manifest:
            await self._write_manifest()

    async def _write_manifest(self) -> None:
        if self._manifest is None or self._manifest_lock.locked():
            return
        async with self._manifest_lock:
            began = time.monotonic()
            root = self._settings.root
            objects = merged(self._manifest, [as_object(entry, root) for entry in self._entries])
            await anyio.to_thread.run_sync(write_manifest, root / "manifest.jsonl", objects)
            took = time.monotonic() - began
            self._next_manifest = time.monotonic() + max(_LEAST_BETWEEN_MANIFESTS_S, took * _MANIFEST_SHARE)


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--out {root} cannot be made a folder: {error.strerror}") from None


def _newest(
    entry: Entry, by_id: Mapping[JobId, JobRecord], by_key: Mapping[str, JobRecord]
) -> JobRecord | None:
    if entry.record is not None:
        return by_id.get(entry.record.id, entry.record)
    return None if entry.key is None else by_key.get(attempt_key(entry.key, entry.attempt))


async def _detach(session: VeoSession, interrupts: Interrupts) -> None:
    """Close in order; at the second signal at once."""
    closing = asyncio.ensure_future(session.aclose(mode="detach"))
    again = asyncio.ensure_future(interrupts.second.wait())
    await asyncio.wait({closing, again}, return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not closing.done():
        await session.aclose(mode="abort")
    await closing
