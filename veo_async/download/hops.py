"""From a video's links to the answer that holds its bytes: candidates, redirects, statuses."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from veo_async.dialects.hints import retry_after
from veo_async.download.body import VideoBody
from veo_async.download.links import Links, shown
from veo_async.download.policy import DownloadPolicy, Hitch, problem
from veo_async.errors import DownloadError
from veo_async.transport import LostFailure, NotSentFailure, RefusedAddressFailure
from veo_async.wire import Request

if TYPE_CHECKING:
    from veo_async.transport import Fetched

__all__ = ["Fetcher", "opened"]

_FOUND = 200
_MISSING = 404
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({401, 403, 404, 410})
_PASSING = frozenset({408, 425, 429})
_SERVER_ERRORS = range(500, 600)
_TEXTS = ("text/", "application/json", "application/xml", "application/xhtml")


class Fetcher(Protocol):
    """What carries the requests: the transport, or what paces it."""

    def fetch(self, request: Request) -> AbstractAsyncContextManager[Fetched]:
        """Yield the answer to one hop, as `Transport.fetch` does."""
        ...


@asynccontextmanager
async def opened(
    fetcher: Fetcher,
    candidates: Sequence[Request],
    policy: DownloadPolicy,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[VideoBody, None]:
    """Yield the body of the first candidate that is there.

    Raises:
        Hitch: Another try may help.
        DownloadError: No try will.
    """
    links = Links(policy.own_origins, policy.download_hosts)
    async with AsyncExitStack() as stack:
        for request in candidates:
            fetched = await _followed(fetcher, links, request, policy, stack)
            if fetched.status != _MISSING or request is candidates[-1]:
                await _check_head(fetched, policy)
                yield VideoBody(fetched, policy, clock)
                return
            await stack.aclose()
    raise problem("failed", "There is no link to this video.")


async def _followed(
    fetcher: Fetcher, links: Links, request: Request, policy: DownloadPolicy, stack: AsyncExitStack
) -> Fetched:
    links.check(request.url)
    for _ in range(policy.max_redirects + 1):
        fetched = await _asked(fetcher, request, stack)
        location = fetched.headers.get("location")
        if fetched.status not in _REDIRECTS or location is None:
            return fetched
        await stack.aclose()
        request = links.redirected(request, location)
    raise problem("refused", f"The video's link redirects more than {policy.max_redirects} times.")


async def _asked(fetcher: Fetcher, request: Request, stack: AsyncExitStack) -> Fetched:
    error: Hitch | DownloadError
    try:
        return await stack.enter_async_context(fetcher.fetch(request))
    except RefusedAddressFailure as failure:
        error = problem("refused", f"The link {shown(request.url)!r} is not followed: {failure.reason}.")
    except NotSentFailure as failure:
        final = problem("failed", f"{shown(request.url)} cannot be reached: {failure.reason}.")
        error = final if failure.permanent else Hitch(final)
    except LostFailure as failure:
        error = Hitch(problem("failed", f"{shown(request.url)} gave no answer: {failure.reason}."))
    raise error


async def _check_head(fetched: Fetched, policy: DownloadPolicy) -> None:
    if fetched.status != _FOUND:
        raise await _status_error(fetched, policy)
    encoding = fetched.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise problem("refused", f"The video came compressed ({encoding[:40]!r}), which was not asked for.")
    kind = fetched.headers.get("content-type", "").strip().lower()
    if kind.startswith(_TEXTS):
        text = await fetched.excerpt()
        raise Hitch(
            problem("wrong_type", f"What came is {kind[:80]!r} and no video.", status=_FOUND, text=text)
        )
    if fetched.length is not None and fetched.length > policy.max_bytes:
        raise problem(
            "too_large", f"The video has {fetched.length} bytes; the limit is {policy.max_bytes} bytes."
        )


async def _status_error(fetched: Fetched, policy: DownloadPolicy) -> Hitch | DownloadError:
    status, text = fetched.status, await fetched.excerpt()
    place = shown(fetched.url)
    if status in _GONE:
        message = f"{place} answered {status}: the link has expired or may not be opened with this key."
        return problem("expired", message, status=status, text=text)
    error = problem("failed", f"{place} answered {status}.", status=status, text=text)
    if status in _PASSING or status in _SERVER_ERRORS:
        return Hitch(error, min(retry_after(fetched.headers, text) or 0.0, policy.max_hint))
    return error
