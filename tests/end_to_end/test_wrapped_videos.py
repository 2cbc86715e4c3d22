"""A gateway of the wrapped shape that only a file knows, over real HTTP: from a request to a whole MP4."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from veo_async import (
    AuthenticationError,
    ContentBlockedError,
    InsufficientBalanceError,
    Limits,
    OperationFailedError,
    PollPolicy,
    Provider,
    Rate,
    Timeouts,
    VeoError,
    VeoSession,
    VideoRequest,
)

pytestmark = pytest.mark.anyio

KEY = "sk-0123456789abcdef"
TASK = "task_zgUBKXVW6YhJkXPvuTJ2Y0ja"
REFUSED: dict[str, object] = {"code": "insufficient_user_quota", "message": "用户额度不足", "data": None}
LIMITS = Limits(submits=Rate(12_000, per=60), checks=Rate(200, per=1))


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


VIDEO = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + box(b"moov", bytes(500)) + box(b"mdat", bytes(90_000))


class Gateway:
    """What such a service does for one task: it answers 200 to everything that it understood."""

    def __init__(self, *checks: dict[str, object], submit: dict[str, object] | None = None) -> None:
        self.submit_answer = submit or self.wrapped("NOT_START", progress="0%", fail_reason="")
        self.checks = list(checks)
        self.seen: list[str] = []
        self.base_url = ""

    @staticmethod
    def wrapped(word: str, **members: object) -> dict[str, object]:
        data = {"id": 1235905, "task_id": TASK, "status": word, **members}
        return {"code": "success", "message": "", "data": data}

    async def submit(self, request: web.Request) -> web.Response:
        self.see("submit", request)
        assert (await request.json())["seconds"] == "8"
        return web.json_response(self.submit_answer)

    async def check(self, request: web.Request) -> web.Response:
        self.see("check", request)
        assert request.match_info["task"] == TASK
        body = self.checks.pop(0) if len(self.checks) > 1 else self.checks[0]
        return web.json_response(body)

    async def content(self, request: web.Request) -> web.Response:
        self.see("content", request)
        return web.Response(body=VIDEO, content_type="video/mp4")

    def see(self, what: str, request: web.Request) -> None:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        self.seen.append(what)

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None, None]:
        app = web.Application()
        app.router.add_post("/v1/video/generations", self.submit)
        app.router.add_get("/v1/video/generations/{task}", self.check)
        app.router.add_get("/v1/videos/{task}/content", self.content)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield
        finally:
            await runner.cleanup()

    def session(self, folder: Path) -> VeoSession:
        file = folder / "gateway.toml"
        file.write_text(
            f"""
            name = "mine"
            shape = "wrapped-videos"
            base_url = "{self.base_url}"
            key_variables = ["MINE_API_KEY"]
            [paths]
            submit = "/v1/video/generations"
            check = "/v1/video/generations/{{id}}"
            """
        )
        provider = Provider.from_file(file, environ={"MINE_API_KEY": KEY}, limits=LIMITS)
        return VeoSession(
            provider,
            ledger=folder / "jobs.db",
            poll=PollPolicy(expected=0.2, min_interval=0.05),
            timeouts=Timeouts(connect=2, submit_read=2, check_read=2, shutdown=5),
            on_exit="detach",
        )


REQUEST = VideoRequest("a paper boat", duration_seconds=8)


async def test_from_a_request_to_a_file(tmp_path: Path) -> None:
    """Submitted once, asked until "SUCCESS" is the job's own word, saved whole with the key."""
    gateway = Gateway()
    async with gateway.serving():
        gateway.checks = [
            gateway.wrapped("SUBMITTED", progress="10%"),
            gateway.wrapped("IN_PROGRESS", progress="42%"),
            gateway.wrapped("SUCCESS", result_url=f"{gateway.base_url}/v1/videos/{TASK}/content"),
        ]
        async with gateway.session(tmp_path) as veo:
            job = await veo.submit(REQUEST)
            assert job.operation == TASK
            (path,) = await asyncio.wait_for(job.save(tmp_path / "boat.mp4"), 10)
            assert path.read_bytes() == VIDEO
    assert gateway.seen == ["submit", "check", "check", "check", "content"]


async def test_an_error_envelope_on_a_submit(tmp_path: Path) -> None:
    """HTTP says 200, the envelope says no: nothing was started, nothing is asked."""
    gateway = Gateway(submit=REFUSED)
    async with gateway.serving(), gateway.session(tmp_path) as veo:
        with pytest.raises(InsufficientBalanceError, match="用户额度不足") as raised:
            await asyncio.wait_for(veo.submit(REQUEST), 10)
        assert raised.value.billed == "no"
    assert gateway.seen == ["submit"]


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        ("invalid_api_key", "no such key", AuthenticationError),
        ("content_policy_violation", "no", ContentBlockedError),
        ("insufficient_user_quota", "no money", InsufficientBalanceError),
    ],
)
async def test_an_error_envelope_on_a_check(
    code: str, message: str, error: type[VeoError], tmp_path: Path
) -> None:
    """It reaches the awaiter within one check; the operation is kept."""
    gateway = Gateway({"code": code, "message": message, "data": None})
    async with gateway.serving(), gateway.session(tmp_path) as veo:
        job = await veo.submit(REQUEST)
        with pytest.raises(error):
            await asyncio.wait_for(job, 10)
        assert job.operation == TASK
    assert gateway.seen == ["submit", "check"]


async def test_a_failed_task_in_a_successful_envelope(tmp_path: Path) -> None:
    """The "success" was the request's; the job says itself that it has failed."""
    gateway = Gateway(Gateway.wrapped("FAILURE", progress="100%", fail_reason="no luck (E-1005)"))
    async with gateway.serving(), gateway.session(tmp_path) as veo:
        with pytest.raises(OperationFailedError, match="no luck"):
            await asyncio.wait_for(veo.generate(REQUEST), 10)
