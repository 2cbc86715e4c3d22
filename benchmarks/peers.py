"""Other clients at their pinned versions, each in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GENAI = ("google-genai==2.34.0", "aiohttp==3.14.5")
"""The last version that speaks the Gemini format; it takes aiohttp where it is there."""
NEWEST_GENAI = ("google-genai==3.4.0",)


def environment(requirements: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the environment in which a client is found, installing it the first time.

    Without requirements it is the one this runs in.
    """
    if not requirements:
        return dict(os.environ)
    target = folder / requirements[0].replace("==", "-")
    if not target.exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(target), *requirements]
        subprocess.run(command, check=True)
    return dict(os.environ) | {"PYTHONPATH": str(target)}
