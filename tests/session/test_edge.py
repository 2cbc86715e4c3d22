"""A submit that the network before the service answers: it never came to the service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from veo_async import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    Provider,
    Succeeded,
    VeoSession,
    VideoRequest,
)
from veo_async.engine.lifecycle import State
from veo_async.wire import Response

from .script import ScriptedTransport, accepted

pytestmark = pytest.mark.anyio
BOAT = VideoRequest("A paper boat", model="veo-3.1-fast")
GATEWAY = """\
name = "my-gateway"
shape = "gemini"
base_url = "https://gateway.example"
key_variables = ["MY_GATEWAY_KEY"]
"""


def edge_page(status: int) -> Response:
    """Return what Cloudflare says in place of a service."""
    body = b"<!DOCTYPE html><title>gateway.example | %d</title>" % status
    return Response(status=status, headers={"content-type": "text/html"}, body=body)


def provider(folder: Path, edge: str | None) -> Provider:
    """Return a gateway, with the edge that its file names."""
    path = folder / "gateway.toml"
    path.write_text(GATEWAY + (f'edge = "{edge}"\n' if edge else ""))
    return Provider.from_file(path, api_key="sk-edge-0123456789abcdef")


@pytest.mark.parametrize("status", [521, 523, 525, 526])
async def test_what_never_came_to_the_service_waits_and_is_sent_again(
    wire: ScriptedTransport, tmp_path: Path, status: int
) -> None:
    """Those who wait are told that nothing was spent, and the job goes on by itself."""
    is_up = False
    wire.submits = lambda number, _: accepted(number) if is_up else edge_page(status)
    async with VeoSession(provider(tmp_path, "cloudflare")) as veo:
        job = await veo.enqueue(BOAT)
        with pytest.raises(NotSentError, match=str(status)) as caught:
            await job
        assert caught.value.billed == "no"
        assert job.state is State.QUEUED
        is_up = True
        await asyncio.sleep(600)  # it is tried again by itself
        assert isinstance(await job.outcome(), Succeeded)


@pytest.mark.parametrize(
    ("edge", "status"), [(None, 521), ("cloudflare", 520), ("cloudflare", 522), ("cloudflare", 524)]
)
async def test_without_that_proof_the_outcome_is_unknown(
    wire: ScriptedTransport, tmp_path: Path, edge: str | None, status: int
) -> None:
    """Of other networks nothing is known, and these are said of a service that took the request, too."""
    wire.submits = lambda _, __: edge_page(status)
    async with VeoSession(provider(tmp_path, edge)) as veo:
        with pytest.raises(OutcomeUnknownError):
            await (await veo.enqueue(BOAT))
    assert len(wire.sent) == 1


def test_an_edge_that_nothing_is_known_of_is_refused_by_its_place(tmp_path: Path) -> None:
    """A mistake in the file says where."""
    with pytest.raises(ConfigurationError, match=r"edge: must be one of cloudflare"):
        provider(tmp_path, "nginx")
