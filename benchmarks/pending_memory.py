"""Memory that a pending job holds: ours, as `memory.py` measures it, and google-genai's loop.

Slopes of what the process holds, so that nothing constant counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import memory
from figures import Figure, Goal
from rounds import GENAIS, Setting, launched

GENAI_FEW, GENAI_MANY = 1_000, 10_000
"""Ten times fewer than ours: it opens a socket for each loop that wakes with others."""


def genai_loop(setting: Setting) -> float:
    """Return the bytes a loop that sleeps after its first check."""
    few, many = (
        setting.run(GENAIS, "asleep", operations=count)["held_bytes"] for count in (GENAI_FEW, GENAI_MANY)
    )
    return float(many - few) / (GENAI_MANY - GENAI_FEW)


def rows(setting: Setting) -> Sequence[Figure]:
    """Measure the scheduler alone, a session with one task awaiting each job, and google-genai's loops."""
    found = launched("memory.py", "--json")
    loop = genai_loop(setting)
    where = f"slope from {memory.FEW:,} to {memory.MANY:,}; google-genai's loop {loop:,.0f} B"
    return [
        Figure(
            what=f"memory a pending job, {name}",
            value=found[measure],
            unit="bytes",
            goal=Goal(most=most),
            note=where,
        )
        for measure, name, most in (
            ("engine", "the engine alone", 500),
            ("session", "with one awaiting task", 1250),
        )
    ]
