"""No seed breaks a promise, the same seed is the same run, and what breaks a promise is caught."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from .campaign import FIRST_MUTANT_SEED, PAIRS, Sum, find
from .mutants import MUTANTS
from .weather import Fault
from .world import play

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    # anyio drops what is spawned into a task group that is being cancelled, and Python says so.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CHUNKS, SEEDS_A_CHUNK = 40, 50
"""What two cores play in a minute and a half; `nox -s simulate` plays many more."""
MOST_SEEDS_TO_FIND = 50
SAME = 100


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """Let what dead processes left be collected here, and complain here."""
    yield
    gc.collect()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_seed_breaks_a_promise(chunk: int) -> None:
    """Whatever goes wrong: nothing is lost, doubled or forgotten, and all comes to its end."""
    total = Sum()
    for seed in range(chunk * SEEDS_A_CHUNK, (chunk + 1) * SEEDS_A_CHUNK):
        total.add(play(seed))
    assert total.violations == []
    assert total.jobs > 5 * SEEDS_A_CHUNK
    assert total.operations > 4 * SEEDS_A_CHUNK
    assert sum(total.pairs[pair] > 0 for pair in PAIRS) > len(PAIRS) / 2


def test_the_same_seed_is_the_same_run() -> None:
    """Here, and in a process whose strings hash differently."""
    here = [play(seed).digest for seed in range(SAME)]
    assert len(set(here)) == SAME
    together = hashlib.sha256("".join(here).encode()).hexdigest()
    assert _digest_elsewhere("1") == together


def _digest_elsewhere(hash_seed: str) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--digest", str(SAME)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


@pytest.mark.parametrize("name", MUTANTS)
def test_what_breaks_a_promise_is_caught(name: str) -> None:
    """Each removal is found within a few seeds."""
    assert find(name, FIRST_MUTANT_SEED, MOST_SEEDS_TO_FIND) is not None


def test_every_fault_has_states_that_it_can_meet() -> None:
    """The table of pairs leaves no fault out."""
    assert {fault for fault, _ in PAIRS} == {fault.value for fault in Fault}
