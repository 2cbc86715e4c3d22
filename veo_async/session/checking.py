"""Status checks: few workers take turns over many operations."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from veo_async.answers import CheckAnswer, Lost, NotSent, RefusalKind, Refused
from veo_async.engine.events import Check, CheckEnded, Event, OperationKey
from veo_async.errors import ConfigurationError
from veo_async.models import VideoRequest
from veo_async.providers import Provider
from veo_async.transport import LostFailure, NotSentFailure, Transport

__all__ = ["CONNECTIONS", "Checker"]

CONNECTIONS = 16
"""Connections for status checks, however many operations are due."""


class Checker:
    """Carries out `Check` actions over at most `CONNECTIONS` connections."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        post: Callable[[Event], None],
        spawn: Callable[..., object],
        request_of: Callable[[OperationKey], VideoRequest | None],
    ) -> None:
        self._provider = provider
        self._request_of = request_of
        self._transport = transport
        self._post = post
        self._spawn = spawn
        self._due: deque[OperationKey] = deque()
        self._workers = 0
        self.sent = 0
        """Status checks sent so far."""

    def check(self, action: Check) -> None:
        """Begin to check the operations of `action`."""
        self._due += action.keys
        for _ in range(min(len(self._due), CONNECTIONS) - self._workers):
            self._workers += 1
            self._spawn(self._work)

    async def status(self, operation: str) -> CheckAnswer | NotSent | Lost:
        """Return what the provider says of one operation now."""
        answer, _ = await self._ask(operation)
        return answer

    async def _work(self) -> None:
        try:
            while self._due:
                key = self._due.popleft()
                answer, sent_at = await self._ask(key.name)
                self._post(CheckEnded(key, answer, sent_at))
        finally:
            self._workers -= 1

    async def _ask(self, operation: str) -> tuple[CheckAnswer | NotSent | Lost, float | None]:
        answer, sent_at = await self._exchange(operation)
        if self._provider.refreshable and _is_key_refused(answer):
            with suppress(ConfigurationError):  # then the refusal stands
                await self._provider.authorization(refresh=True, sent_at=sent_at)
                answer, sent_at = await self._exchange(operation)
        return answer, sent_at

    async def _exchange(self, operation: str) -> tuple[CheckAnswer | NotSent | Lost, float | None]:
        self.sent += 1
        dialect = self._provider.dialect
        try:
            response = await self._transport.send(dialect.check(operation))
        except NotSentFailure as failure:
            return NotSent(reason=failure.reason, permanent=failure.permanent), None
        except ConfigurationError as error:  # the callable that gives the key
            return NotSent(reason=error.message), None
        except LostFailure as failure:
            lost = Lost(reason=failure.reason, excerpt=failure.excerpt)
            return lost, asyncio.get_running_loop().time()
        request = self._request_of(OperationKey(self._provider.name, operation))
        return dialect.read_check(response, operation, request), response.sent_at


def _is_key_refused(answer: object) -> bool:
    return isinstance(answer, Refused) and answer.kind is RefusalKind.AUTHENTICATION
