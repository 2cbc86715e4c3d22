"""Cost as work grows: CPU and memory by the number of pending jobs, ours and google-genai's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from charts import Panel, Series, page
from figures import Figure
from fits import Point, exponent, slope
from rounds import GENAIS, OURS, Setting

SIZES: Final = (10, 100, 1000, 10_000)
LARGE: Final = 100_000
"""Ours only, where asked for: as many loops are more than one core can turn."""
EACH_S: Final = 60.0
"""Gap between two checks of one job."""
NAMES: Final = {OURS: "ours", GENAIS: "google-genai"}
COLOURS: Final = {OURS: "#1f77b4", GENAIS: "#d62728"}

Measured = Mapping[str, Sequence[Point]]
"""By client."""


def measure(setting: Setting) -> tuple[Measured, Measured]:
    """Return CPU in milliseconds a second and memory in megabytes, by the number of pending jobs."""
    cpu: dict[str, list[Point]] = {OURS: [], GENAIS: []}
    memory: dict[str, list[Point]] = {OURS: [], GENAIS: []}
    for client in (OURS, GENAIS):
        for size in (*SIZES, LARGE) if client == OURS and setting.large else SIZES:
            seconds = 2 * setting.seconds
            found = setting.run(client, "pending", operations=size, interval=EACH_S, seconds=seconds)
            cpu[client].append((size, 1e3 * found["cpu_s"] / found["seconds"]))
            memory[client].append((size, found["held_bytes"] / 1e6))
    return cpu, memory


def figures(cpu: Measured, memory: Measured) -> list[Figure]:
    """Return the slopes that fit."""
    found: list[Figure] = []
    for client, name in NAMES.items():
        largest = f"up to {cpu[client][-1][0]:,.0f} jobs"
        power = exponent(cpu[client][1:])
        each = 1e3 * slope(cpu[client]) * EACH_S
        found.append(
            Figure(
                what=f"CPU grows with the number of pending jobs to the power of, {name}",
                value=power,
                unit="number",
                note=f"{each:,.0f} µs for each job a minute, {largest}, each checked every {EACH_S:.0f} s",
                details={"ms a second": cpu[client]},
            )
        )
        found.append(
            Figure(
                what=f"memory for one more pending job and its check, {name}",
                value=1e6 * slope(memory[client]),
                unit="bytes",
                note=f"a straight line by least squares, {largest}",
                details={"MB": memory[client]},
            )
        )
    return found


def plot(cpu: Measured, memory: Measured) -> str:
    """Return both as an SVG page."""
    panels = [
        panel("CPU while jobs are pending", "ms a second", cpu),
        panel("Memory of pending jobs", "MB", memory),
    ]
    return page(f"Cost as work grows: each job checked every {EACH_S:.0f} s", panels, columns=2)


def panel(title: str, unit: str, measured: Measured) -> Panel:
    """Return one panel; both its axes are logarithmic."""
    series = [Series(NAMES[client], points, COLOURS[client]) for client, points in measured.items()]
    everything = [point for points in measured.values() for point in points]
    return Panel(
        title,
        "pending jobs",
        unit,
        max(x for x, _ in everything),
        max(y for _, y in everything),
        series,
        logarithmic_from=(min(x for x, _ in everything), min(y for _, y in everything)),
    )


def rows(setting: Setting) -> Sequence[Figure]:
    """Measure, draw `growth.svg`, and return the slopes."""
    cpu, memory = measure(setting)
    (setting.results / "growth.svg").write_text(plot(cpu, memory), encoding="utf-8")
    return figures(cpu, memory)
