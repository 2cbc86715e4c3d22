"""A plain client for the emulator: what any program would do, without the library's own dialects."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
from attrs import define, field, frozen

from veo_async.emulator import Emulator

MODEL = "veo-3.1-generate-preview"


@frozen(kw_only=True)
class Answer:
    """One HTTP answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    json: Any = None


@define
class Client:
    """Asks one emulator; headers are lower-case in its answers."""

    emulator: Emulator
    _session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: bytes | aiohttp.FormData | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = "",
    ) -> Answer:
        """Send one request; ``key`` "" is the emulator's, None sends none."""
        url = path if path.startswith("http") else self.emulator.base_url + path
        sent = dict(headers or {})
        if key is not None:
            sent["x-goog-api-key"] = key or self.emulator.key
        arguments: dict[str, Any] = {"json": json} if data is None else {"data": data}
        async with self._session.request(
            method, url, headers=sent, allow_redirects=False, **arguments
        ) as answer:
            body = await answer.read()
            is_json = answer.content_type == "application/json"
            return Answer(
                status=answer.status,
                headers={name.lower(): text for name, text in answer.headers.items()},
                body=body,
                json=await answer.json() if is_json and body else None,
            )

    async def bearer(self, method: str, path: str, *, token: str = "", **more: Any) -> Answer:
        """Send one request with the key behind ``Bearer``; ``token`` "" is the emulator's."""
        headers = {"Authorization": f"Bearer {token or self.emulator.key}"} | more.pop("headers", {})
        return await self.ask(method, path, key=None, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Answer:
        """Send a GET."""
        return await self.ask("GET", path, **more)

    async def send(self, instance: dict[str, Any], model: str = MODEL, **parameters: Any) -> Answer:
        """Submit an instance with parameters."""
        body = {"instances": [instance], "parameters": parameters}
        return await self.ask("POST", f"/v1beta/models/{model}:predictLongRunning", json=body)

    async def submit(self, prompt: str, model: str = MODEL, **parameters: Any) -> str:
        """Submit a prompt that is accepted; returns the operation's name."""
        answer = await self.send({"prompt": prompt}, model, **parameters)
        assert answer.status == 200, answer
        name: str = answer.json["name"]
        return name

    async def finished(self, prompt: str, model: str = MODEL, **parameters: Any) -> dict[str, Any]:
        """Submit a prompt, end its waiting and get the done operation."""
        name = await self.submit(prompt, model, **parameters)
        self.emulator.finish_all()
        answer = await self.get(f"/v1beta/{name}")
        operation: dict[str, Any] = answer.json
        assert operation.get("done") is True, operation
        return operation


@asynccontextmanager
async def serving(**options: Any) -> AsyncGenerator[Client, None]:
    """A client of a new emulator that makes tiny clips."""
    merged: dict[str, Any] = {"clip": "tiny"} | options
    async with Emulator(**merged) as emulator, Client(emulator) as client:
        yield client


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def video_uri(operation: dict[str, Any]) -> str:
    """The URI of the first video, at the documented place."""
    uri: str = operation["response"]["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"]
    return uri
