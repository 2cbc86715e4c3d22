"""One hop of a download while its body is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

import aiohttp
from multidict import MultiMapping

from veo_async.transport.descriptions import describe
from veo_async.transport.direct import DirectAnswer
from veo_async.transport.failures import LostFailure
from veo_async.transport.redaction import Redactor
from veo_async.wire import Response

__all__ = ["Fetched", "LowerHeaders"]


class LowerHeaders(Mapping[str, str]):
    """Headers by their names in lower case, repeated ones joined; made when first looked at.

    Most answers to status checks are used up without a look at their headers.
    """

    __slots__ = ("_came", "_made")

    def __init__(self, came: MultiMapping[str]) -> None:
        self._came = came
        self._made: dict[str, str] | None = None

    def _headers(self) -> dict[str, str]:
        if self._made is None:
            came = self._came
            made = {name.lower(): value for name, value in came.items()}
            if len(made) != len(came):
                made = {name: ", ".join(came.getall(name)) for name in made}
            self._made = made
        return self._made

    def __getitem__(self, name: str) -> str:
        return self._headers()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers())

    def __len__(self) -> int:
        return len(self._headers())

    def __repr__(self) -> str:
        return repr(self._headers())


class Fetched:
    """The head of an answer, and its body in pieces as they arrive: `async for chunk in fetched`."""

    def __init__(self, answer: aiohttp.ClientResponse | DirectAnswer, url: str, redactor: Redactor) -> None:
        self._answer = answer
        self._redactor = redactor
        self.url = url
        """What was asked."""
        self.status: int = answer.status
        self.headers: Mapping[str, str] = LowerHeaders(answer.headers)
        """Names in lower case."""
        self.length: int | None = _length(self.headers)
        """What Content-Length says, where it says anything."""
        self._excerpt: str | None = None
        self.received_bytes: int = 0
        """Length of the body so far."""

    @property
    def delimited(self) -> bool:
        """Whether a body that is cut short shows as a failure; else it ends like a whole one."""
        return self.length is not None or "chunked" in self.headers.get("transfer-encoding", "").lower()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes of the body.

        Raises:
            LostFailure: The body was cut short, or no byte came in time.
        """
        failure = None
        try:
            chunk = await self._answer.content.readany()
        except Exception as error:  # noqa: BLE001  # whatever aiohttp raises, none of it may leave
            failure = LostFailure(self._redactor.clean(describe(error)))
        else:
            if chunk:
                self.received_bytes += len(chunk)
                return chunk
        raise failure or StopAsyncIteration

    async def excerpt(self) -> str:
        """Return the start of the body as text that may be shown, the same each time; best effort."""
        if self._excerpt is None:
            self._excerpt = self._redactor.excerpt(await self._start())
        return self._excerpt

    async def _start(self) -> bytes:
        data = b""
        try:
            async for chunk in self:
                data += chunk
                if len(data) >= 4096:  # noqa: PLR2004
                    break
        except LostFailure:
            pass
        return data

    def response(self) -> Response:
        """Return the head alone."""
        return Response(status=self.status, headers=self.headers, body=b"")


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004
