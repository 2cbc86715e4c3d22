"""The lines that `veo-async emulate` prints point a program at each surface, and the page shows the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from veo_async import PollPolicy, Provider, VeoSession, VideoRequest
from veo_async.cli.emulating import environments
from veo_async.emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
SURFACES = ("gemini", "vertex", "gptproto-v3", "unified", "openai-videos")


@pytest.mark.anyio
async def test_each_line_makes_a_video() -> None:
    """As a shell would read it: variables, and nothing else is needed."""
    async with Emulator(waiting=0.05, clip="tiny") as emulator:
        lines = list(environments(emulator.base_url, emulator.key))
        for line in lines:
            environ = dict(word.split("=", 1) for word in line.split())
            provider = Provider.from_env(environ=environ)
            async with VeoSession(provider, poll=PollPolicy(expected=0.1, min_interval=0.05)) as session:
                result = await session.generate(VideoRequest("a paper boat"), timeout=30)
            assert len(result.videos) == 1
        assert len(emulator.bill) == len(SURFACES)
    assert [line.split()[0] for line in lines] == [f"VEO_PROVIDER={name}" for name in SURFACES]


def test_the_page_has_the_lines() -> None:
    """With the port that the page chose."""
    page = PAGE.read_text(encoding="utf-8")
    for line in environments("http://127.0.0.1:8500", "emulator-key"):
        assert f"export {line}\n" in page
