"""A video whose link has expired by the time it is fetched."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import evolve

from veo_async import DownloadError, PollPolicy, Provider, Result, VeoSession, VideoRequest
from veo_async.emulator import Emulator

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def finished() -> AsyncGenerator[tuple[VeoSession, Result]]:
    """Yield a session and the result of its one job, whose link is of no use any more."""
    async with Emulator(waiting=0.05, clip="tiny") as emulator:
        provider = Provider.gemini(api_key=emulator.key, base_url=emulator.base_url)
        async with VeoSession(provider, poll=PollPolicy(expected=0.3, min_interval=0.05)) as veo:
            result = await veo.generate(VideoRequest("A paper boat", model="veo-3.1-fast"))
            gone = f"{emulator.base_url}/v1beta/files/gone:download?alt=media"
            yield veo, evolve(result, videos=(evolve(result.videos[0], uri=gone),))


async def test_a_link_that_has_expired_is_asked_for_anew(tmp_path: Path) -> None:
    """One status check brings the link that works, and the file is whole."""
    async with finished() as (veo, result):
        checks = veo.statistics().checks
        (path,) = await veo.save(result, tmp_path / "boat.mp4")
        assert veo.statistics().checks == checks + 1
    assert path.read_bytes()[4:8] == b"ftyp"


async def test_a_forgotten_operation_brings_no_link(tmp_path: Path) -> None:
    """What is told is that the link has expired."""
    async with finished() as (veo, result):
        forgotten = evolve(result, operation="models/veo-3.1-fast-generate-preview/operations/nobody")
        with pytest.raises(DownloadError) as caught:
            await veo.save(forgotten, tmp_path / "boat.mp4")
    assert caught.value.reason == "expired"
