"""CPU a status check: this library against a frozen script of bare aiohttp and json.

Both poll the same fast server, which runs in another process and, where there are two cores, on another core.
Runs alternate, so that other load hits both alike; what counts is the ratio of the medians.
"""

from __future__ import annotations

import argparse

from machine import description
from rounds import Comparison, Measures, alternate, launched
from serving import fake_server

BARE, OURS = "bare_aiohttp.py", "our_session.py"
MEASURE = "cpu_us_a_check"
GOAL = 1.15


def run(client: str, port: int, rate: int, seconds: float) -> Measures:
    """Run one client and return what it found."""
    found = launched(client, str(port), str(rate), str(seconds))
    share = found["checks"] / (rate * seconds)
    print(f"  {client:16} {found[MEASURE]:6.0f} µs a check, {share:.0%} of the asked rate", flush=True)
    return found


def compare(rate: int, seconds: float, rounds: int) -> Comparison:
    """Alternate the clients."""
    with fake_server() as port:
        return alternate(
            rounds, lambda: run(OURS, port, rate, seconds), lambda: run(BARE, port, rate, seconds)
        )


def main() -> None:
    """Alternate the clients and print the ratio."""
    parser = argparse.ArgumentParser(
        description="Measure the CPU of a status check, ours against bare aiohttp."
    )
    parser.add_argument("--rate", type=int, default=200, help="checks a second (default 200)")
    parser.add_argument("--seconds", type=float, default=10, help="measured seconds a run (default 10)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each client (default 5)")
    options = parser.parse_args()
    facts = ", ".join(f"{name} {value}" for name, value in description().items())
    print(f"{facts}; {options.rate} checks a second")
    found = compare(options.rate, options.seconds, options.rounds)
    ratios = sorted(our[MEASURE] / bare[MEASURE] for our, bare in zip(found.ours, found.theirs, strict=True))
    print(f"median: bare {found.their(MEASURE):.0f} µs, ours {found.our(MEASURE):.0f} µs a check")
    print(
        f"ratio of medians {found.ratio(MEASURE):.3f}; of single rounds {ratios[0]:.3f} to {ratios[-1]:.3f}; "
        f"goal {GOAL}"
    )


if __name__ == "__main__":
    main()
