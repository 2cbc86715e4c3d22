"""A quota that moves and is not known: how much of it is used, and how often a server must say 429.

Pure and seeded, 24 virtual hours in seconds. `PollScheduler` sends from a queue that never ends; its stated
limit is higher than what the server takes. Beside it: jobs that each wait by themselves, as most clients do.

    python benchmarks/limits.py            # prints a table and writes limits.svg beside this file
    python benchmarks/limits.py --seeds 5  # the worst of five seeds for each row
"""

from __future__ import annotations

import argparse
import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

from attrs import define, field, frozen
from limits_plot import Curve, Panel, drawn

from veo_async.answers import Accepted, RefusalKind, Refused
from veo_async.engine.events import Event, Submit, SubmitEnded, SubmitQueued
from veo_async.engine.scheduler import PollScheduler
from veo_async.models import JobId
from veo_async.options import Limits, Rate

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
PHASE_S = HOUR_S
PER_MINUTE = (10, 5, 20)
"""What the server takes, one hour each, again and again."""
STATED = Rate(50, per=60)
"""What the client believes: the default."""
ANSWER_S = (0.2, 0.6)
"""How long an answer takes."""
PEERS = 500
"""Jobs at once that wait each by itself; the default of `Limits.in_flight`."""
PEER_BASE_S, PEER_CAP_S = 1.0, 60.0


def quota_at(now: float) -> int:
    """Return how many submits a minute the server takes."""
    return PER_MINUTE[int(now / PHASE_S) % len(PER_MINUTE)]


@define
class SlidingWindow:
    """Takes so many in any 60 seconds: the strictest way to count."""

    taken: deque[float] = field(factory=deque[float])

    def ask(self, now: float) -> float | None:
        """Take a submit, or return the seconds until one is taken."""
        while self.taken and self.taken[0] <= now - 60:
            self.taken.popleft()
        over = len(self.taken) - quota_at(now)
        if over >= 0:
            return self.taken[over] + 60 - now
        self.taken.append(now)
        return None


@define
class ClockMinute:
    """Takes so many in each minute of the clock: the simplest way to count."""

    minute: int = -1
    count: int = 0

    def ask(self, now: float) -> float | None:
        """Take a submit, or return the seconds until one is taken."""
        if int(now / 60) != self.minute:
            self.minute, self.count = int(now / 60), 0
        if self.count >= quota_at(now):
            return 60 * (self.minute + 1) - now
        self.count += 1
        return None


@define
class TokenBucket:
    """Tokens drip in evenly; a fifth of a minute's may be saved up."""

    level: float = 0.0
    at: float = 0.0

    def ask(self, now: float) -> float | None:
        """Take a submit, or return the seconds until one is taken."""
        drip = quota_at(now) / 60
        self.level = min(12 * drip, self.level + (now - self.at) * drip)
        self.at = now
        if self.level < 1:
            return (1 - self.level) / drip
        self.level -= 1
        return None


Server = SlidingWindow | ClockMinute | TokenBucket


@frozen
class Run:
    """What came of 24 hours."""

    taken: Sequence[float]
    refused: Sequence[float]

    @property
    def used(self) -> float:
        """Share of the quota."""
        return len(self.taken) / (sum(PER_MINUTE) / len(PER_MINUTE) * DAY_S / 60)

    @property
    def refused_an_hour(self) -> float:
        """Answers 429 an hour."""
        return len(self.refused) * HOUR_S / DAY_S

    def fullest(self, rate: Rate) -> int:
        """Return the most sends in any half-open window of the rate's length."""
        sends = sorted([*self.taken, *self.refused])
        first = most = 0
        for last, at in enumerate(sends):
            while sends[first] <= at - rate.per:
                first += 1
            most = max(most, last - first + 1)
        return most


def ours(server: Server, *, hints: bool, seed: int) -> Run:
    """Send with the scheduler, from a queue that never ends."""
    random = Random(seed)
    scheduler = PollScheduler(limits=Limits(submits=STATED), seed=seed)
    taken: list[float] = []
    refused: list[float] = []
    under_way: list[tuple[float, str, SubmitEnded]] = []
    queue = _numbered()
    events: list[Event] = [next(queue) for _ in range(100)]
    now = 0.0
    while now < DAY_S:
        for action in scheduler.handle(*events, now=now):
            assert isinstance(action, Submit)
            for job_id in action.job_ids:
                wait = server.ask(now)
                (taken if wait is None else refused).append(now)
                ended = SubmitEnded(job_id, _answer(wait, hints=hints), now, again=wait is not None)
                heapq.heappush(under_way, (now + random.uniform(*ANSWER_S), job_id, ended))
        wake_at = scheduler.next_wakeup()
        now = min(math.inf if wake_at is None else wake_at, under_way[0][0] if under_way else math.inf)
        events = []
        while under_way and under_way[0][0] <= now:
            event = heapq.heappop(under_way)[2]
            events += [event] if event.again else [event, next(queue)]
    return Run(taken, refused)


def _numbered() -> Iterator[SubmitQueued]:
    number = 0
    while True:
        yield SubmitQueued(JobId(str(number)))
        number += 1


def _answer(wait: float | None, *, hints: bool) -> Accepted | Refused:
    if wait is None:
        return Accepted(operation="x")
    return Refused(kind=RefusalKind.RATE_LIMIT, retry_after=float(math.ceil(wait)) if hints else None)


def each_by_itself(server: Server, *, hints: bool, seed: int) -> Run:
    """Send 500 jobs at once that each back off with full jitter, or for as long as the server asks."""
    random = Random(seed)
    taken: list[float] = []
    refused: list[float] = []
    heap = [(random.uniform(0, PEER_BASE_S), job, 0) for job in range(PEERS)]
    heapq.heapify(heap)
    while heap[0][0] < DAY_S:
        now, job, tries = heap[0]
        wait = server.ask(now)
        if wait is None:
            taken.append(now)
            heapq.heapreplace(heap, (now + random.uniform(*ANSWER_S), job, 0))  # the next one of the batch
            continue
        refused.append(now)
        ceiling = min(PEER_CAP_S, PEER_BASE_S * 2**tries)
        pause = max(math.ceil(wait) if hints else 0, random.uniform(0, ceiling))
        heapq.heapreplace(heap, (now + random.uniform(*ANSWER_S) + pause, job, min(tries + 1, 10)))
    return Run(taken, refused)


# ── what is told ────────────────────────────────────────────────────────────────────────────────────────

SERVERS: dict[str, Callable[[], Server]] = {
    "any 60 s": SlidingWindow,
    "minute of the clock": ClockMinute,
    "token bucket": TokenBucket,
}
LEAST_USED, MOST_REFUSED = 0.93, 150
SHOWN_H, BIN_S = 6, 120.0


def row(name: str, how: str, runs: Sequence[Run]) -> str:
    """Return the worst of some runs as a line of the table."""
    used, refused = min(run.used for run in runs), max(run.refused_an_hour for run in runs)
    return f"| {name} | {how} | {used:.1%} | {refused:,.0f} | {max(run.fullest(STATED) for run in runs)} |"


def is_good(run: Run) -> bool:
    """Return whether a run of ours reaches its goals."""
    held = run.fullest(STATED) <= STATED.count
    return held and run.used >= LEAST_USED and run.refused_an_hour <= MOST_REFUSED


def binned(instants: Sequence[float]) -> list[tuple[float, float]]:
    """Return how many a minute there were, by hours."""
    counts = [0] * int(SHOWN_H * HOUR_S / BIN_S)
    for at in instants:
        if at < SHOWN_H * HOUR_S:
            counts[int(at / BIN_S)] += 1
    return [((place + 0.5) * BIN_S / HOUR_S, 60 * count / BIN_S) for place, count in enumerate(counts)]


def quota_steps() -> list[tuple[float, float]]:
    """Return the quota as a line with corners."""
    edges = [number * PHASE_S for number in range(int(SHOWN_H * HOUR_S / PHASE_S) + 1)]
    return [(at / HOUR_S, quota_at(phase)) for phase, end in pairwise(edges) for at in (phase, end)]


def plot(mine: Run, theirs: Run) -> str:
    """Return what was sent and refused in the first hours, as SVG."""
    quota = Curve(name="quota", colour="#999", points=quota_steps(), width=2.5)
    blue, red = "#1f5fbf", "#c0392b"
    sent = Curve(name="one scheduler", colour=blue, points=binned([*mine.taken, *mine.refused]))
    mine_refused = Curve(name="one scheduler", colour=blue, points=binned(mine.refused))
    their_refused = Curve(
        name=f"{PEERS} jobs with backoff", colour=red, points=binned(theirs.refused), dashed=True
    )
    panels = (
        Panel(title="submits sent a minute", curves=(quota, sent), ticks=(0, 5, 10, 15, 20, 25)),
        Panel(
            title="answers 429 a minute (log)",
            curves=(mine_refused, their_refused),
            ticks=(0.1, 1, 10, 100, 1000, 10_000),
            logarithmic=True,
        ),
    )
    return drawn("A quota of 10, 5, 20 submits a minute that no client knows; no hints", panels, SHOWN_H)


def main() -> int:
    """Print the table, write the plot; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    seeds = range(parser.parse_args().seeds)
    began = time.process_time()
    print("| server counts | client | quota used | 429 an hour | fullest minute |\n|---|---|---|---|---|")
    every: list[Run] = []
    shown: dict[bool, Run] = {}
    for name, server in SERVERS.items():
        for hints in (False, True):
            how = "hints" if hints else "no hints"
            runs = [ours(server(), hints=hints, seed=seed) for seed in seeds]
            print(row(name, f"one scheduler, {how}", runs))
            every += runs
            shown.setdefault(True, runs[0])
    for hints in (False, True):
        how = "for the hint at least" if hints else "with full jitter"
        run = each_by_itself(SlidingWindow(), hints=hints, seed=0)
        print(row("any 60 s", f"{PEERS} jobs, each waits {how}", [run]))
        shown.setdefault(False, run)
    Path(__file__).with_suffix(".svg").write_text(plot(shown[True], shown[False]), encoding="utf-8")
    print(
        f"{time.process_time() - began:.0f} s of CPU; goals: {LEAST_USED:.0%} used, at most {MOST_REFUSED} "
        f"answers 429 an hour and {STATED.count} sends a minute"
    )
    return 0 if all(map(is_good, every)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
