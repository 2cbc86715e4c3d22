"""What videos and pictures cost: downloads against curl and google-genai, submits with an image."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from client import sizes
from figures import Figure, Goal
from inline_videos import GOAL_MB, GOAL_MS
from machine import pin
from rounds import OURS, Measures, Setting, alternate, launched
from rows_checks import against_genai
from serving import fake_server

VIDEOS, VIDEO_BYTES = 64, 8_000_000
SUBMITS, IMAGE_BYTES = 20, 10_000_000


def curl(videos: int, size: int) -> Measures:
    """Download videos with `curl --parallel`, then hash them with `openssl`; return the CPU of both."""
    with fake_server() as port, tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{port}/v1beta/files/{size}:download?alt=media"
        files = [f"{folder}/{number}.mp4" for number in range(videos)]
        config = Path(folder, "urls")
        config.write_text("\n".join(f'url = "{url}"\noutput = "{file}"' for file in files))
        stored_s = _cpu_s("curl", "--parallel", "--no-progress-meter", "--config", str(config))
        assert sizes(folder) == [size] * videos
        hashed_s = _cpu_s("openssl", "dgst", "-sha256", *files)
    return {"cpu_us_each": 1e6 * stored_s / videos, "hashed_us_each": 1e6 * (stored_s + hashed_s) / videos}


def _cpu_s(*command: str) -> float:
    """Run a command on the first core, and return the CPU of its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    pin(process.pid, first=True)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command[0]} failed"
    return usage.ru_utime + usage.ru_stime


def against_curl(setting: Setting) -> Sequence[Figure]:
    """Store 64 videos of 8 MB in files: against what only stores them, and against what hashes them too."""
    options: dict[str, Any] = {"videos": VIDEOS, "size": VIDEO_BYTES}

    def ours() -> Measures:
        hashed = setting.run(OURS, "downloads", **options, of_jobs=True)
        return {**setting.run(OURS, "downloads", **options), "hashed_us_each": hashed["cpu_us_each"]}

    found = alternate(setting.rounds, ours, lambda: curl(**options))
    return [
        Figure(
            what=f"download CPU{what}, 64 x 8 MB",
            value=found.ratio(measure),
            unit="times",
            goal=Goal(most=1.15),
            note=f"{found.our(measure) / 1e3:.1f} ms a video against {found.their(measure) / 1e3:.1f}",
            details=found.details(measure),
        )
        for what, measure in (
            (" against `curl --parallel`", "cpu_us_each"),
            (", hashed for a job's record, against `curl --parallel` and `openssl`", "hashed_us_each"),
        )
    ]


def memory(setting: Setting) -> Sequence[Figure]:
    """Store 64 videos of 8 MB, ours and google-genai as each does unless told otherwise."""
    found = setting.compare("downloads", {"videos": VIDEOS, "size": VIDEO_BYTES})
    return [
        against_genai(found, "download memory at the peak, 64 x 8 MB at once", 1 / 10, "extra_bytes", "B")
    ]


def with_image(setting: Setting) -> Sequence[Figure]:
    """Submit with an image of 10 MB, again and again."""
    found = setting.compare("uploads", {"submits": SUBMITS, "size": IMAGE_BYTES})
    return [
        against_genai(found, "submit with a 10 MB image: CPU", 1 / 15),
        against_genai(
            found, "submit with a 10 MB image: CPU of the longest callback", 1 / 50, "longest_ms", "ms"
        ),
    ]


def inside_answers(_: Setting) -> Sequence[Figure]:
    """Let 64 operations be done at once, each with 40 MB of base64 in its answer."""
    found = launched("inline_videos.py", "--json")
    what = "64 answers with videos of 40 MB inside"
    return [
        Figure(
            what=f"{what}: memory at the peak",
            value=1e6 * found["peak_mb"],
            unit="bytes",
            goal=Goal(most=1e6 * GOAL_MB),
            note=f"{found['before_mb']:.0f} MB before; {found['seconds']:.0f} s",
        ),
        Figure(
            what=f"{what}: longest callback, by the CPU of all threads meanwhile",
            value=found["longest_cpu_ms"],
            unit="ms",
            goal=Goal(most=GOAL_MS),
            note=f"{found['longest_ms']:.1f} ms by the clock",
        ),
    ]
