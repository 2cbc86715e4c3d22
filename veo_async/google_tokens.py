"""Access tokens of Google's application default credentials (extra `vertex`).

google-auth blocks, on files and on the network, so all of it runs in a thread. It is imported when the first
token is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Any, Final, NoReturn

import anyio.to_thread

from veo_async.errors import ConfigurationError

__all__ = ["GoogleTokens"]

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_EARLY_S: Final = 300.0
"""A token is exchanged this long before it ends: google-auth's own threshold is 225 s."""
_AGAIN_S: Final = 30.0
"""After a failed exchange, while the token before still holds."""

_MISSING: Final = (
    "application default credentials need google-auth: pip install 'veo-async[vertex]', or give "
    "Provider.vertex(token=…), an async callable that returns an access token"
)
_NO_CREDENTIALS: Final = (
    "there are no application default credentials: run `gcloud auth application-default login`, set "
    "GOOGLE_APPLICATION_CREDENTIALS to a key file, or give Provider.vertex(token=…)"
)


class GoogleTokens:
    """An async callable for `Credential`, which sees to it that one caller at a time asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Look whether google-auth is there; nothing is read yet.

        Raises:
            ConfigurationError: it is not; says what to install.
        """
        if not _is_installed():
            raise ConfigurationError(_MISSING)
        self._clock = clock
        self._credentials: Any = None
        self._token = ""
        self._exchange_at = self._good_until = -inf

    def __reduce__(self) -> NoReturn:
        raise TypeError("tokens are never pickled: let each process make its own Provider")

    def is_stale(self) -> bool:
        """Return whether the token at hand ends soon."""
        return self._clock() >= self._exchange_at

    async def __call__(self) -> str:
        """Return a new token; the one at hand where a new one is not to be had and that still holds.

        Raises:
            ConfigurationError: there are no credentials, or Google gave no token for them.
        """
        return await anyio.to_thread.run_sync(self._exchanged)

    def _exchanged(self) -> str:
        try:
            self._exchange()
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  google-auth, requests and the system raise what they like
            failure = type(error).__name__
        else:
            return self._token
        if self._clock() >= self._good_until:
            # By its type only: its text may hold what was signed in with.
            raise ConfigurationError(f"Google gave no access token: {failure}")
        self._exchange_at = self._clock() + _AGAIN_S
        return self._token

    def _exchange(self) -> None:
        credentials = self._credentials = self._credentials or _default()
        credentials.refresh(importlib.import_module("google.auth.transport.requests").Request())
        now, left_s = self._clock(), _left_s(credentials.expiry)
        self._token = credentials.token
        self._good_until = now + left_s
        self._exchange_at = now + max(left_s - _EARLY_S, left_s / 2)


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("google.auth") is not None
    except (ImportError, ValueError):
        return False


def _default() -> Any:
    auth = importlib.import_module("google.auth")
    try:
        return auth.default(scopes=[_SCOPE])[0]
    except auth.exceptions.DefaultCredentialsError:
        pass  # raised below, so that no foreign exception hangs on ours
    raise ConfigurationError(_NO_CREDENTIALS)


def _left_s(expiry: datetime | None) -> float:
    """Return for how long a token holds; google-auth writes UTC without saying so."""
    if expiry is None:
        return inf
    return (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
