"""Many requests in, their outcomes out as they come: with back-pressure, and no bad one spoiling the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable

from attrs import frozen

from veo_async.endings import error_of
from veo_async.errors import InvalidRequestError, VeoError
from veo_async.job import Job
from veo_async.models import Outcome, Rejected, VideoRequest

__all__ = ["Item", "as_completed"]

Enqueue = Callable[[VideoRequest], Awaitable[Job]]


@frozen(kw_only=True)
class Item:
    """What became of one request."""

    request: VideoRequest
    job: Job | None
    """None when the request was refused before it became a job."""
    outcome: Outcome | None
    """None while the job is not decided: `error` says why waiting for it is of no use now."""
    error: VeoError | None
    """What awaiting the job raises; None on success."""


async def as_completed(
    enqueue: Enqueue,
    requests: Iterable[VideoRequest] | AsyncIterable[VideoRequest],
    max_in_flight: int,
) -> AsyncIterator[Item]:
    """Yield an item for each request, in the order in which they end."""
    ended: asyncio.Queue[Item | BaseException | None] = asyncio.Queue()
    room = asyncio.Semaphore(max_in_flight)
    feeder = asyncio.create_task(_feed(enqueue, requests, room, ended))
    try:
        while (item := await ended.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
            room.release()
    finally:
        feeder.cancel()
        await asyncio.wait({feeder})


async def _feed(
    enqueue: Enqueue,
    requests: Iterable[VideoRequest] | AsyncIterable[VideoRequest],
    room: asyncio.Semaphore,
    ended: asyncio.Queue[Item | BaseException | None],
) -> None:
    """Take requests while there is room; end the queue when all are through, or with what taking raised."""
    try:
        async with asyncio.TaskGroup() as waiting:
            async for request in _each(requests):
                await room.acquire()
                waiting.create_task(_follow(enqueue, request, ended))
        ended.put_nowait(None)
    except asyncio.CancelledError:
        raise
    except BaseExceptionGroup as group:
        ended.put_nowait(group.exceptions[0])
    except Exception as error:  # noqa: BLE001 - raised again where the items are taken
        ended.put_nowait(error)


async def _follow(
    enqueue: Enqueue, request: VideoRequest, ended: asyncio.Queue[Item | BaseException | None]
) -> None:
    job: Job | None = None
    try:
        job = await enqueue(request)
        outcome = await job.outcome()
        error = error_of(outcome, job.id, job.operation)
        ended.put_nowait(Item(request=request, job=job, outcome=outcome, error=error))
    except InvalidRequestError as error:
        refused = Rejected(reason="invalid", message=error.message)
        ended.put_nowait(Item(request=request, job=job, outcome=refused, error=error))
    except VeoError as error:
        ended.put_nowait(Item(request=request, job=job, outcome=None, error=error))


async def _each(
    requests: Iterable[VideoRequest] | AsyncIterable[VideoRequest],
) -> AsyncIterator[VideoRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
