"""`python -m tests.mutants`, after `mutmut run`: how many changes the tests notice, and those they don't."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping

LEAST_SHARE = 0.9
NOTICED = frozenset({"killed", "timeout", "suspicious", "caught by type check"})


def _mutmut(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def fates(results: str) -> dict[str, str]:
    """Return what became of each change, by its name, from the words of `mutmut results --all true`."""
    pairs = (line.strip().rpartition(": ") for line in results.splitlines() if ": " in line)
    return {name: fate for name, _, fate in pairs}


def table(fate_of: Mapping[str, str]) -> Iterator[str]:
    """Yield a line a module: changes, and the share that was noticed."""
    made = Counter(_module(name) for name in fate_of)
    noticed = Counter(_module(name) for name, fate in fate_of.items() if fate in NOTICED)
    for module, count in sorted(made.items()):
        yield f"{module:40} {count:5} {noticed[module] / count:7.1%}"
    yield f"{'all':40} {made.total():5} {noticed.total() / made.total():7.1%}"


def share(fate_of: Mapping[str, str]) -> float:
    """Return the share of the changes that was noticed."""
    return sum(fate in NOTICED for fate in fate_of.values()) / len(fate_of)


def _module(name: str) -> str:
    return name.rpartition(".")[0].removeprefix("veo_async.")


def _change(name: str) -> str:
    lines = _mutmut("show", name).splitlines()
    changed = (line for line in lines if line[:1] in "+-" and not line.startswith(("---", "+++")))
    return "\n".join(f"    {line}" for line in changed)


def main() -> int:
    """Print the survivors and the table; 1 where too many live."""
    fate_of = fates(_mutmut("results", "--all", "true"))
    for name, fate in fate_of.items():
        if fate not in NOTICED:
            sys.stdout.write(f"{name}: {fate}\n{_change(name)}\n")
    sys.stdout.write("\n".join(table(fate_of)) + "\n")
    return 0 if share(fate_of) >= LEAST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
