"""What a failure's exception says, in words that may be shown."""

from __future__ import annotations

import os
import re
import socket
import ssl
import zlib
from collections.abc import Callable
from typing import Any, Final

import aiohttp
from aiohttp.http import HttpProcessingError

from veo_async.transport.failures import UnreadableAnswer
from veo_async.transport.redaction import escaped

__all__ = ["describe", "is_permanent", "shown_bytes"]

# aiohttp's parser shows the bytes that it cannot read at the end of its words.
_BYTES: Final = re.compile(r"""[:\s]*\sb(['"].*)""", re.DOTALL)


def _os_error(error: OSError) -> str:
    if isinstance(error, ssl.SSLError | socket.gaierror):  # with numbers of their own
        return error.strerror or type(error).__name__
    if error.errno is None:
        return str(error) or type(error).__name__
    return os.strerror(error.errno)  # asyncio's own words name the address instead of the reason


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return f"the server's certificate is not valid: {getattr(cause, 'verify_message', '') or cause}"


_Head = aiohttp.ClientResponseError | HttpProcessingError
"""What aiohttp raises for a head that it cannot read: its session, and the connection itself."""


def _head(error: _Head) -> str:
    return f"the head of the answer is not readable: {' '.join(_BYTES.sub('', error.message).split())}"


# From the special to the general; aiohttp's own texts hold URLs and its reprs hold headers.
_WORDS: Final[tuple[tuple[type[BaseException], str | Callable[[Any], str]], ...]] = (
    (UnreadableAnswer, str),
    (aiohttp.ClientConnectorCertificateError, _certificate),
    (aiohttp.ConnectionTimeoutError, "no connection within the time limit"),
    (aiohttp.ClientConnectorDNSError, lambda error: f"the name look-up failed: {_os_error(error.os_error)}"),
    (aiohttp.ClientConnectorError, lambda error: f"no connection: {_os_error(error.os_error)}"),
    (aiohttp.ServerTimeoutError, "no byte arrived within the time limit"),
    (aiohttp.ServerDisconnectedError, "the server closed the connection before a whole answer"),
    (aiohttp.ClientHttpProxyError, lambda error: f"the proxy refused with status {error.status}"),
    (aiohttp.ClientResponseError, _head),
    (HttpProcessingError, _head),
    (aiohttp.ClientPayloadError, "the body of the answer was cut short"),
    (aiohttp.InvalidURL, "the URL is not one that can be asked"),
    (zlib.error, "the compressed answer is damaged"),
    (OSError, _os_error),
    (aiohttp.NonHttpUrlClientError, "only http:// and https:// can be asked"),
    (aiohttp.ClientError, lambda error: type(error).__name__),
)


def describe(error: BaseException) -> str:
    """Return what `error` says, in words that hold no header, no URL and no object of aiohttp."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return escaped(words if isinstance(words, str) else words(error))
    return escaped(f"{type(error).__name__}: {error}")


def shown_bytes(error: BaseException) -> str:
    """Return what `error` shows of a head that could not be read: evidence, and no part of a message."""
    found = _BYTES.search(error.message) if isinstance(error, _Head) else None
    return found[1] if found else ""


_PERMANENT = (aiohttp.ClientConnectorCertificateError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)


def is_permanent(error: BaseException) -> bool:
    """Return whether a failure before anything was sent would come again on every try."""
    if isinstance(error, _PERMANENT):
        return True
    # What is neither about the network nor the client's state is about the request itself.
    return not isinstance(error, OSError | aiohttp.ClientError | RuntimeError)
