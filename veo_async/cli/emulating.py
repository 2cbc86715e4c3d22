"""`veo-async emulate`: a Veo service on this machine, for programs under development."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from veo_async.cli.exits import Exit
from veo_async.cli.flags import EmulateFlags
from veo_async.cli.interrupts import Interrupts
from veo_async.cli.reports import out, write_json
from veo_async.cli.words import count, money
from veo_async.emulator import Bill, Emulator, Waiting
from veo_async.errors import ConfigurationError

__all__ = ["environments", "run_emulate"]

_SURFACES: Final = {
    "gemini": "",
    "vertex": " VEO_PROJECT=my-project VEO_LOCATION=us-central1",
    "gptproto-v3": "",
    "unified": "",
    "openai-videos": "",
}
"""What the emulator speaks, by the provider's name, and what that needs beside place and key."""


async def run_emulate(flags: EmulateFlags, *, as_json: bool) -> Exit:
    """Run an emulator until Ctrl+C, then print its bill.

    Raises:
        ConfigurationError: the port is taken, or what makes videos is not installed.
    """
    if importlib.util.find_spec("av") is None:
        raise ConfigurationError("the emulator makes real videos: pip install 'veo-async[emulator]'")
    emulator = Emulator(
        seed=flags.seed,
        waiting=Waiting.lognormal(flags.waiting, flags.spread),
        time_scale=flags.time_scale,
        port=flags.port,
        keys=(flags.key,),
        submits_per_minute=flags.submits_per_minute,
        checks_per_second=flags.checks_per_second,
        filter_share=flags.filter_share,
        failure_share=flags.failure_share,
        can_list=flags.can_list,
        state=flags.state,
        clip=flags.clip,
    )
    await _start(emulator, flags.port)
    try:
        with Interrupts() as interrupts:
            _greet(emulator, as_json=as_json)
            await interrupts.first.wait()
    finally:
        await emulator.stop()
    _tell_bill(emulator.bill, as_json=as_json)
    return Exit.DONE


async def _start(emulator: Emulator, port: int) -> None:
    try:
        await emulator.start()
    except OSError as error:
        raise ConfigurationError(f"--port {port} cannot be opened: {error.strerror or error}") from None


def _greet(emulator: Emulator, *, as_json: bool) -> None:
    if as_json:
        surfaces = list(_SURFACES)
        write_json(
            {"event": "ready", "base_url": emulator.base_url, "key": emulator.key, "surfaces": surfaces}
        )
        return
    url, key = emulator.base_url, emulator.key
    lines = [
        f"A Veo service listens at {url} and accepts the key {key}. Ctrl+C ends it.",
        "",
        "It speaks these surfaces; one line points a program at one of them:",
        "",
        *(f"  export {line}" for line in environments(url, key)),
        "  veo-async generate 'A paper boat crosses a puddle'",
        "",
        "Without the package, in the Gemini format:",
        "",
        f"  curl -H 'x-goog-api-key: {key}' -H 'Content-Type: application/json' \\",
        '    -d \'{"instances": [{"prompt": "A paper boat"}]}\' \\',
        f"    {url}/v1beta/models/veo-3.1-fast-generate-preview:predictLongRunning",
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def environments(base_url: str, key: str) -> Iterator[str]:
    """Yield, for each surface, the variables that point a program of this package at it."""
    for name, more in _SURFACES.items():
        yield f"VEO_PROVIDER={name} VEO_BASE_URL={base_url} VEO_API_KEY={key}{more}"


def _tell_bill(bill: Bill, *, as_json: bool) -> None:
    entries = bill.entries
    states = Counter(entry.state for entry in entries)
    doubled = sum(times - 1 for times in bill.doubled.values())
    if as_json:
        whole = {"operations": len(entries), "states": dict(states), "repeated": doubled, "total": bill.total}
        write_json({"event": "bill", **whole})
        return
    told = [count(len(entries), "operation"), *_states(states), f"{money(bill.total)} at list price"]
    if doubled:
        told.append(f"{doubled} accepted more than once")
    out().print(f"\nThe bill: {' · '.join(told)}", markup=False, soft_wrap=True)


def _states(states: Counter[str]) -> Sequence[str]:
    return [f"{number} {state}" for state, number in states.most_common()]
