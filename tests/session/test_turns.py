"""Who is sent first: the urgent before the bulk, and one of each tenant in turn."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.surfaces import SURFACES, Surface, body_of
from veo_async import InvalidRequestError, Limits, Provider, Rate, VeoSession, VideoRequest
from veo_async.models import Priority

from .script import BASE, KEY, MODEL, ScriptedTransport, unreachable

pytestmark = pytest.mark.anyio
SLOW = Provider.gemini(api_key=KEY, base_url=BASE, limits=Limits(submits=Rate(1, per=10)))
"""One submit in ten seconds, so that the others wait."""


def asked(prompt: str, tenant: str | None = None, priority: Priority = "normal") -> VideoRequest:
    labels = {} if tenant is None else {"tenant": tenant}
    return VideoRequest(prompt, labels=labels, priority=priority)


def prompts(wire: ScriptedTransport) -> list[str]:
    """Return what was asked for, in the order in which it was sent."""
    bodies: list[Any] = [body_of(request) for request in wire.sent]
    return [body["instances"][0]["prompt"] for body in bodies]


async def test_a_tenants_batch_does_not_starve_another_ones_request(wire: ScriptedTransport) -> None:
    """It is sent after one of the batch, and those without the label count as one tenant more."""
    async with VeoSession(SLOW, on_exit="abort") as veo:
        for number in range(50):
            await veo.enqueue(asked(f"a{number}", "a"))
        await asyncio.sleep(5)
        await veo.enqueue(asked("b0", "b"))
        for number in range(2):
            await veo.enqueue(asked(f"c{number}"))
        await asyncio.sleep(75)
    assert prompts(wire)[:7] == ["a0", "a1", "b0", "c0", "a2", "c1", "a3"]


@pytest.mark.parametrize(
    ("fair_by", "order"), [("user", ["a0", "a1", "b0", "a2"]), (None, ["a0", "a1", "a2", "b0"])], ids=str
)
async def test_fair_by_names_the_label(
    wire: ScriptedTransport, fair_by: str | None, order: list[str]
) -> None:
    """None: first come, first served."""
    async with VeoSession(SLOW, on_exit="abort", fair_by=fair_by) as veo:
        for name in ("a0", "a1", "a2", "b0"):
            await veo.enqueue(VideoRequest(name, labels={"user": name[0], "tenant": "same"}))
        await asyncio.sleep(35)
    assert prompts(wire) == order


async def test_urgent_jobs_are_sent_first_also_after_a_restart(
    wire: ScriptedTransport, tmp_path: Path
) -> None:
    """The ledger keeps priority and tenant."""
    ledger = tmp_path / "jobs.db"
    answers, wire.submits = wire.submits, unreachable
    async with VeoSession(SLOW, ledger=ledger) as veo:
        for name in ("b0", "b1"):
            await veo.enqueue(asked(name, priority="bulk"))
        for name in ("n0", "n1"):
            await veo.enqueue(asked(name, tenant="t"))
        await veo.enqueue(asked("n2"))
        await veo.enqueue(asked("u0", priority="urgent"))
    assert prompts(wire) == []
    wire.submits = answers
    async with VeoSession(SLOW, ledger=ledger, on_exit="abort") as veo:
        for job in await veo.resume():
            await job.accepted()
    assert prompts(wire) == ["u0", "n0", "n2", "n1", "b0", "b1"]


async def test_the_priority_is_no_part_of_what_is_asked_for(wire: ScriptedTransport, tmp_path: Path) -> None:
    """The same key with another priority is the same job; its row keeps the first one."""
    async with VeoSession(SLOW, ledger=tmp_path / "jobs.db", on_exit="abort") as veo:
        request = VideoRequest("a boat", idempotency_key="k")
        job = await veo.enqueue(request)
        assert await veo.enqueue(evolve(request, priority="urgent")) is job
        assert job.request is not None
        assert job.request.priority == "normal"


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_it_is_never_on_the_wire(surface: Surface) -> None:
    """Nor are labels."""
    plain = VideoRequest("a boat", duration_seconds=8)
    ours = evolve(plain, priority="urgent", labels={"tenant": "a"})
    bodies = [surface.dialect.submit(request, MODEL, duration_as_string=False) for request in (plain, ours)]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("field", "value"), [("priority", "high"), ("labels", {"tenant": ["a"]}), ("labels", {1: "a"})], ids=str
)
async def test_what_is_no_priority_or_no_label_is_refused(
    wire: ScriptedTransport, field: str, value: object
) -> None:
    """Before anything is kept or sent."""
    odd: dict[str, Any] = {field: value}
    async with VeoSession(SLOW) as veo:
        with pytest.raises(InvalidRequestError, match=field) as refusal:
            await veo.enqueue(VideoRequest("a boat", **odd))
        assert refusal.value.field == field
        assert not veo.jobs
