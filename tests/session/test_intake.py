"""How a request becomes a job: the same content is the same request, and looking at it holds up nobody."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from veo_async import Media, VeoSession, VideoRequest

Make = Callable[..., VeoSession]

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2 << 20)


async def test_a_picture_is_known_by_its_content(session: Make, tmp_path: Path) -> None:
    """Given as a path, as bytes or as media: one job, under one key."""
    path = tmp_path / "boat.png"
    path.write_bytes(PNG)
    async with session() as veo:
        jobs = [
            await veo.enqueue(VideoRequest("a boat", image=image, idempotency_key="one"))
            for image in (path, PNG, Media.from_bytes(PNG, mime_type="image/png"))
        ]
    assert jobs[0] is jobs[1] is jobs[2]


async def test_nothing_large_is_hashed_twice_nor_in_the_loop(
    session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger hashes what it keeps; the request's digest is made from that."""
    looped: list[int] = []
    real, here = hashlib.sha256, threading.get_ident()

    def sha256(data: bytes = b"") -> object:
        if threading.get_ident() == here:
            looped.append(len(data))
        return real(data)

    monkeypatch.setattr(hashlib, "sha256", sha256)
    async with session() as veo:
        await veo.enqueue(VideoRequest("a boat", image=PNG))
    assert looped
    assert max(looped) < 64 * 1024
