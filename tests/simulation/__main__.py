"""`python -m tests.simulation 2000`: a campaign; 2000:70000 begins at seed 70000.

`--mutants` shows how soon removals are caught, `--digest 100` the fingerprint of so many seeds.
"""

from __future__ import annotations

import hashlib
import sys

from .campaign import Sum, median, play_many, seconds_of, seeds_to_find
from .mutants import MUTANTS
from .world import play

SEEDS = 2_000
RAREST = 100
"""How often each pair of fault and state fires at least in so many seeds."""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _campaign(seeds: range) -> bool:
    total = Sum()
    seconds = seconds_of(play_many(seeds), total)
    _say(
        f"{total.seeds} seeds, {total.jobs} jobs, {total.operations} operations, {total.checks} checks, "
        f"{total.hours:.0f} simulated hours in {seconds:.0f} s: {total.seeds / seconds:.1f} seeds/s, "
        f"{3600 * total.hours / seconds:.0f} times real time"
    )
    _say(f"violations: {len(total.violations)}")
    for seed, violation in sorted(total.violations)[:20]:
        _say(f"  seed {seed}: {violation}")
    _say("rarest pairs of fault and state:")
    for count, (fault, state) in total.rarest()[:8]:
        _say(f"  {count:6} {fault} / {state}")
    is_thin = total.seeds >= SEEDS and total.rarest()[0][0] < RAREST
    return not total.violations and not is_thin


def _mutants() -> bool:
    all_found = True
    for name in MUTANTS:
        counts = seeds_to_find(name)
        all_found = all_found and None not in counts
        _say(f"{median(counts):5.0f} seeds (median of {counts}): {name}")
    return all_found


def _digest(count: int) -> bool:
    _say(hashlib.sha256("".join(play(seed).digest for seed in range(count)).encode()).hexdigest())
    return True


def main(arguments: list[str]) -> int:
    """Run what the command line asks for."""
    if arguments == ["--mutants"]:
        return 0 if _mutants() else 1
    if arguments[:1] == ["--digest"]:
        return 0 if _digest(int(arguments[1])) else 1
    count, _, first = (arguments[0] if arguments else str(SEEDS)).partition(":")
    start = int(first or 0)
    return 0 if _campaign(range(start, start + int(count))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
