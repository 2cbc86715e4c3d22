"""Status checks: few workers take turns over many operations.

An answer that changes nothing waits for the others of its tick, since a turn of the scheduler for each few
answers is dear.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

from veo_async.answers import (
    CheckAnswer,
    Finished,
    Listed,
    Lost,
    NotSent,
    RefusalKind,
    Refused,
    Running,
    Unreadable,
)
from veo_async.engine.events import (
    Check,
    CheckEnded,
    CheckList,
    CheckReturned,
    ListEnded,
    ListReturned,
    OperationKey,
)
from veo_async.engine.retries import holds_for_all
from veo_async.errors import ConfigurationError, LedgerError
from veo_async.ledger.ledger import Ledger
from veo_async.models import Succeeded
from veo_async.providers import Provider
from veo_async.session.book import Book
from veo_async.transport import LostFailure, NotSentFailure, Transport

__all__ = ["CONNECTIONS", "Checker"]

REQUESTS_KEPT = 4096
"""Requests of status checks that are written once for all their checks."""
CONNECTIONS = 16
"""Connections for status checks, however many operations are due."""

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")
_Answered = tuple[_Answer, float | None]
"""What came, and when it was asked for."""
_Page = Listed | Refused | Unreadable


class Checker:
    """Carries out `Check` actions over at most `CONNECTIONS` connections."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        post: Callable[..., None],
        post_soon: Callable[[CheckEnded], None],
        spawn: Callable[..., object],
        book: Book,
        ledger: Ledger,
    ) -> None:
        self._provider = provider
        self._book = book
        self._ledger = ledger
        self._transport = transport
        self._request = lru_cache(maxsize=REQUESTS_KEPT)(provider.dialect.check)
        self._post = post
        self._post_soon = post_soon
        self._spawn = spawn
        self._due: deque[OperationKey | CheckList] = deque()
        self._workers = 0
        self.sent: int = 0
        """Status checks sent so far, pages of lists among them."""
        self.saved: int = 0
        """Status checks that were not needed so far: one's answer served several jobs."""

    def check(self, action: Check) -> None:
        """Begin to check the operations of `action`."""
        self._due += action.keys
        self._begin()

    def list(self, action: CheckList) -> None:
        """Begin to ask for a page of operations, before all single checks: it answers more."""
        self._due.appendleft(action)
        self._begin()

    def _begin(self) -> None:
        more = min(len(self._due), CONNECTIONS) - self._workers
        if more > 0:
            self._workers += more
            if more == 1:
                self._spawn(self._work)
            else:
                self._spawn(self._round, more)

    async def status(self, operation: str) -> CheckAnswer | NotSent | Lost:
        """Return what the provider says of one operation now."""
        answer, _ = await self._ask(self._exchange, operation)
        return answer

    async def _round(self, workers: int) -> None:
        async with asyncio.TaskGroup() as group:  # plain tasks: these come with every tick
            for _ in range(workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._due:
                due = self._due.popleft()
                await (self._check_page(due) if isinstance(due, CheckList) else self._check(due))
        finally:
            self._workers -= 1

    async def _check(self, key: OperationKey) -> None:
        answer, sent_at = await self._ask(self._exchange, key.name)
        waiting = len(self._book.waiting_for(key))
        self.saved += max(0, waiting - 1)
        if isinstance(answer, Running):
            self._post_soon(CheckEnded(key, answer, sent_at))
            return
        if not waiting:
            await self._release(_kept_for(answer))
        self._post(CheckEnded(key, answer, sent_at))
        if holds_for_all(answer):
            self._return_due()

    async def _check_page(self, action: CheckList) -> None:
        answer, sent_at = await self._ask(self._exchange_page, action)
        parent = action.parent
        if isinstance(answer, Listed):
            self.saved += max(0, self._book.count_waiting(parent.provider, answer.answers) - 1)
        self._post(ListEnded(parent, answer, sent_at))
        if holds_for_all(answer):
            self._return_due()

    def _return_due(self) -> None:
        """Give back what was granted and has not begun: the server has just asked for a pause."""
        due, self._due = self._due, deque()
        self._post(
            *(ListReturned(one.parent) if isinstance(one, CheckList) else CheckReturned(one) for one in due)
        )

    async def _ask(
        self, exchange: Callable[[_Asked], Awaitable[_Answered[_Answer]]], asked: _Asked
    ) -> _Answered[_Answer | NotSent | Lost]:
        """Return what came of an exchange; one whose key was refused is made again with a new one."""
        try:
            answer, sent_at = await exchange(asked)
            if self._provider.refreshable and _is_key_refused(answer) and await self._has_new_key(sent_at):
                answer, sent_at = await exchange(asked)
        except NotSentFailure as failure:
            return NotSent(reason=failure.reason, permanent=failure.permanent), None
        except ConfigurationError as error:  # the callable that gives the key
            return NotSent(reason=error.message), None
        except LostFailure as failure:
            lost = Lost(reason=failure.reason, excerpt=failure.excerpt)
            return lost, asyncio.get_running_loop().time()
        return answer, sent_at

    async def _has_new_key(self, sent_at: float | None) -> bool:
        try:
            await self._provider.authorization(refresh=True, sent_at=sent_at)
        except ConfigurationError:
            return False  # then the refusal stands
        return True

    async def _exchange(self, operation: str) -> _Answered[CheckAnswer]:
        dialect = self._provider.dialect
        self.sent += 1
        response = await self._transport.send(self._request(operation))
        request = self._book.request_of(OperationKey(self._provider.name, operation))
        answer = dialect.read_check(response, operation, request)
        if response.parts:
            await self._release({part.sha256 for part in response.parts.values()} - _kept_for(answer))
        return answer, response.sent_at

    async def _exchange_page(self, action: CheckList) -> _Answered[_Page]:
        dialect, model = self._provider.dialect, action.parent.name or ""
        self.sent += 1
        response = await self._transport.send(dialect.list_page(model, action.page_token))
        return dialect.read_list(response, model, self._is_waited_for), response.sent_at

    def _is_waited_for(self, operation: str) -> bool:
        return bool(self._book.waiting_for(OperationKey(self._provider.name, operation)))

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


def _is_key_refused(answer: object) -> bool:
    return isinstance(answer, Refused) and answer.kind is RefusalKind.AUTHENTICATION
