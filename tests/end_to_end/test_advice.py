"""What the catalogue knows of a model reaches the program's log, once a session."""

from __future__ import annotations

import logging

import pytest

from veo_async import PollPolicy, Provider, VeoSession, VideoRequest
from veo_async.emulator import Emulator

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("model", "logged"), [("veo-2", 1), ("veo-2.0-generate-001", 1), (None, 0)])
async def test_a_retired_model_is_logged_once_and_sent(
    caplog: pytest.LogCaptureFixture, model: str | None, logged: int
) -> None:
    """A gateway may serve it still, so both requests are made."""
    async with Emulator(waiting=0.05, clip="tiny") as emulator:
        provider = Provider.gemini(api_key=emulator.key, base_url=emulator.base_url)
        poll = PollPolicy(expected=0.1, min_interval=0.05)
        with caplog.at_level(logging.WARNING, logger="veo_async"):
            async with VeoSession(provider, poll=poll) as session:
                for prompt in ("a boat", "a train"):
                    await session.generate(VideoRequest(prompt, model=model), timeout=30)
    told = [record.getMessage() for record in caplog.records if "stopped serving" in record.getMessage()]
    assert len(told) == logged
    assert all(text.startswith("gemini may not take this: model: ") for text in told)
