"""Small public documents, as the keys that webhooks are signed by: no key of ours goes along."""

from __future__ import annotations

from typing import Final

import aiohttp

from veo_async.errors import ProtocolError, VeoError

__all__ = ["fetch_document"]

_LARGEST_BYTES: Final = 256 * 1024
_TIMEOUT_S: Final = 10.0
_OK: Final = 200


async def fetch_document(url: str) -> bytes:
    """Return what stands at `url`; redirects are not followed.

    Raises:
        ProtocolError: the answer is another than a document of at most 256 KiB.
        VeoError: there is none.
    """
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
        ):
            status = response.status
            content = bytearray()
            while len(content) <= _LARGEST_BYTES and (chunk := await response.content.readany()):
                content += chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        failure = type(error).__name__
    else:
        if status != _OK or len(content) > _LARGEST_BYTES:
            raise ProtocolError(f"the answer to GET {url} is {status} with {len(content)} bytes")
        return bytes(content)
    raise VeoError(f"GET {url} failed: {failure}")
