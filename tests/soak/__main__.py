"""`python -m tests.soak [JOBS]` soaks a session in so many jobs (10,000), and prints what it held on to."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator

from .campaign import soak
from .figures import Figures
from .measuring import Held

WAVES = 10
"""At least; a wave has 1,000 jobs at most."""


def main(jobs: int = 10_000) -> int:
    """Return 0 if nothing was lost, billed twice or left behind."""
    logging.getLogger("veo_async").setLevel(logging.CRITICAL + 1)  # the faults are meant
    wave = min(1000, jobs // WAVES)
    figures = asyncio.run(soak(jobs // wave, wave))
    for line in _lines(figures):
        print(line)  # noqa: T201
    problems = list(figures.problems())
    for problem in problems:
        print(f"NOT SO: {problem}")  # noqa: T201
    return int(bool(problems))


def _lines(figures: Figures) -> Iterator[str]:
    for jobs, held in zip(figures.jobs, figures.samples, strict=True):
        yield (
            f"{jobs:>7} jobs: {held.rss_bytes / 1024:,.0f} KB resident, {held.heap_bytes / 1024:,.0f} KB in "
            f"use by C, {held.blocks:,} blocks by Python, {_open(held)}"
        )
    jobs = figures.jobs[-1]
    report = {state.value: count for state, count in figures.report.items()}
    ended = {state.value: count for state, count in figures.ended.items()}
    yield f"resident memory: {figures.rss_kb} KB a 1,000 jobs (95 % confidence)"
    yield f"in use by C code: {figures.heap_kb} KB, by Python: {figures.blocks} blocks a 1,000 jobs"
    yield f"at first: {_open(figures.before)}"
    yield f"in the end: {_open(figures.after)}"
    yield f"ended: {ended}; {figures.settled} unknown ones settled by the bill; report: {report}"
    yield f"billed: {figures.billed} operations, {figures.most_billed} a job at most, {figures.lost} lost"
    yield f"files: {figures.saved} saved, {figures.unsaved} not; undecided: {figures.undecided} jobs"
    yield (
        f"checks: {figures.checks / jobs:.1f} a job, begun late by {figures.lateness.quantile(0.5):.3f} s "
        f"(median) and {figures.lateness.quantile(0.99):.3f} s (p99)"
    )
    yield f"ledger: {figures.ledger_bytes / sum(report.values()):,.0f} bytes a job"
    yield f"{figures.seconds:.0f} s, {figures.cpu_seconds:.0f} s of CPU without the service"


def _open(held: Held) -> str:
    return f"{held.descriptors} descriptors, {held.tasks} tasks, {json.dumps(held.objects)}"


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
