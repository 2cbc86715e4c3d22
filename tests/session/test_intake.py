"""How a request becomes a job: the same content is the same request, and looking at it holds up nobody."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from veo_async import InvalidRequestError, Media, VeoSession, VideoRequest

Make = Callable[..., VeoSession]

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2 << 20)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how much is hashed at once, but for what a thread does."""
    looped: list[int] = []
    real, here = hashlib.sha256, threading.get_ident()

    def sha256(data: bytes = b"") -> object:
        if threading.get_ident() == here:
            looped.append(len(data))
        return real(data)

    monkeypatch.setattr(hashlib, "sha256", sha256)
    return looped


@pytest.fixture
def boat(tmp_path: Path) -> Path:
    """A picture in a file."""
    path = tmp_path / "boat.png"
    path.write_bytes(PNG)
    return path


async def test_a_picture_is_known_by_its_content(session: Make, boat: Path) -> None:
    """Given as a path, as bytes or as media: one job, under one key."""
    async with session() as veo:
        jobs = [
            await veo.enqueue(VideoRequest("a boat", image=image, idempotency_key="one"))
            for image in (boat, PNG, Media.from_bytes(PNG, mime_type="image/png"))
        ]
    assert jobs[0] is jobs[1] is jobs[2]


@pytest.mark.parametrize("by_file", [False, True])
async def test_nothing_large_is_hashed_twice_nor_in_the_loop(
    session: Make, hashed: list[int], boat: Path, by_file: bool
) -> None:
    """The ledger hashes what it keeps, in pieces; the request's digest is made from that."""
    with_key = VideoRequest("a boat", image=PNG, idempotency_key="one")
    async with session() as veo:
        await veo.enqueue(VideoRequest("a boat", image=boat) if by_file else with_key)
    assert hashed
    assert max(hashed) < 64 * 1024


async def test_bytes_are_not_hashed_where_no_digest_is_asked_for(session: Make, hashed: list[int]) -> None:
    """In memory and without a key they go out as they are, and are let go once the provider has them."""
    async with session() as veo:
        job = await veo.enqueue(VideoRequest("a boat", image=PNG, last_frame=PNG))
        assert hashed == []
        assert job.record.digest == ""
        assert job.request is not None
        assert job.request.image is not None
        assert job.request.image.data is PNG
        await job.accepted()
        assert job.request.image == Media(mime_type="image/png", size=len(PNG))
        assert job.request.last_frame == job.request.image


async def test_a_file_is_held_once_however_many_jobs_name_it(session: Make, boat: Path) -> None:
    """Each is read anew, so without a digest a long queue would hold as many copies."""
    async with session() as veo:
        for job in [await veo.enqueue(VideoRequest("a boat", image=boat)) for _ in range(2)]:
            assert job.request is not None
            assert job.request.image == Media(
                sha256=hashlib.sha256(PNG).hexdigest(), mime_type="image/png", size=len(PNG)
            )


async def test_a_ledger_on_disk_keeps_bytes_by_digest(session: Make, tmp_path: Path) -> None:
    """A later process finds them."""
    async with session(ledger=tmp_path / "jobs.db") as veo:
        job = await veo.enqueue(VideoRequest("a boat", image=PNG))
        assert job.record.digest
        assert job.request is not None
        assert job.request.image is not None
        assert job.request.image.sha256 == hashlib.sha256(PNG).hexdigest()
        assert job.request.image.data is None


async def test_bytes_that_may_change_are_copied(session: Make) -> None:
    """What was checked is what is sent."""
    data = bytearray(PNG)
    async with session() as veo:
        job = await veo.enqueue(VideoRequest("a boat", image=Media.from_bytes(data)))  # type: ignore[arg-type]
        data[:] = b""
        assert job.request is not None
        assert job.request.image is not None
        assert job.request.image.data == PNG


async def test_a_picture_that_was_let_go_of_is_asked_for_again(session: Make) -> None:
    """In so many words: an accepted job's own request can be sent anew with its picture only."""
    async with session(on_exit="drain") as veo:
        job = await veo.submit(VideoRequest("A paper boat", image=PNG))
        assert job.request is not None
        with pytest.raises(InvalidRequestError, match="image was let go of"):
            await veo.enqueue(job.request)
