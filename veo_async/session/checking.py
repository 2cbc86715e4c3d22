"""Status checks: few workers take turns over many operations."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress

from veo_async.answers import CheckAnswer, Finished, Lost, NotSent, RefusalKind, Refused, Unreadable
from veo_async.engine.events import Check, CheckEnded, CheckReturned, OperationKey
from veo_async.errors import ConfigurationError, LedgerError
from veo_async.ledger.ledger import Ledger
from veo_async.models import Succeeded
from veo_async.providers import Provider
from veo_async.session.book import Book
from veo_async.transport import LostFailure, NotSentFailure, Transport

__all__ = ["CONNECTIONS", "Checker"]

CONNECTIONS = 16
"""Connections for status checks, however many operations are due."""

_FOR_ALL = frozenset(
    {RefusalKind.RATE_LIMIT, RefusalKind.QUOTA, RefusalKind.AUTHENTICATION, RefusalKind.BALANCE}
)


class Checker:
    """Carries out `Check` actions over at most `CONNECTIONS` connections."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        post: Callable[..., None],
        spawn: Callable[..., object],
        book: Book,
        ledger: Ledger,
    ) -> None:
        self._provider = provider
        self._book = book
        self._ledger = ledger
        self._transport = transport
        self._post = post
        self._spawn = spawn
        self._due: deque[OperationKey] = deque()
        self._workers = 0
        self.sent: int = 0
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
                if not self._book.waiting_for(key):
                    await self._release(_kept_for(answer))
                self._post(CheckEnded(key, answer, sent_at))
                if _holds_for_all(answer):
                    self._return_due()
        finally:
            self._workers -= 1

    def _return_due(self) -> None:
        """Give back what was granted and has not begun: the server has just asked for a pause."""
        due, self._due = self._due, deque()
        self._post(*(CheckReturned(key) for key in due))

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
        request = self._book.request_of(OperationKey(self._provider.name, operation))
        answer = dialect.read_check(response, operation, request)
        if response.parts:
            await self._release({part.sha256 for part in response.parts.values()} - _kept_for(answer))
        return answer, response.sent_at

    async def _release(self, digests: Collection[str]) -> None:
        """Let go of what came inside an answer, where no job will name it."""
        for sha256 in filter(None, digests):
            with suppress(LedgerError):  # then the next opening of the ledger removes it
                await self._ledger.release(sha256)


def _kept_for(answer: object) -> set[str]:
    """Return the digests of the videos that an answer brought with it."""
    if not isinstance(answer, Finished) or not isinstance(answer.outcome, Succeeded):
        return set()
    return {video.sha256 for video in answer.outcome.result.videos if video.sha256 is not None}


def _holds_for_all(answer: object) -> bool:
    """Return whether an answer asks that nothing of this quota be sent for now."""
    if isinstance(answer, Refused):
        return answer.kind in _FOR_ALL
    return isinstance(answer, Unreadable) and answer.throttled


def _is_key_refused(answer: object) -> bool:
    return isinstance(answer, Refused) and answer.kind is RefusalKind.AUTHENTICATION
