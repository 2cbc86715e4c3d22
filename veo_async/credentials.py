"""A provider's key: checked when it is set, shown nowhere, asked for once however many wait for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Final, NoReturn, cast

import anyio

from veo_async.errors import ConfigurationError

__all__ = ["Credential", "KeySource", "Secret", "checked", "sealed"]

_NEVER_PICKLED: Final = (
    "a key is never pickled: let each process make its own Provider, as by Provider.from_env()"
)
_SHOWN: Final = 4
_LONG_ENOUGH_TO_SHOW: Final = 12
_UNSENDABLE: Final = re.compile(r"[^\x21-\x7e]")
_MARKUP: Final = re.compile(r"[<>{}\"']|\*\*\*")


class Secret:
    """A text that shows its last four characters at most, and is never pickled."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, to be written into a request and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return f"***{self._text[-_SHOWN:]}" if len(self._text) >= _LONG_ENOUGH_TO_SHOW else "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a key is never pickled: let each process make its own Provider, by Provider.from_env()"
        )


KeySource = str | Secret | Callable[[], Awaitable[str]]
"""A key, or an async callable that returns one and is asked again when the provider refuses it."""


class _NotAKey(Secret):
    """Stands for what cannot be a key, as bytes of one: that is not shown either."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        super().__init__("")
        self.kind = kind


def sealed(source: KeySource) -> KeySource:
    """Return a key as a Secret, not looked at yet: what holds it shows it in no traceback's locals."""
    if isinstance(source, str):
        return Secret(source)
    given: object = source  # whatever its type is said to be
    return source if isinstance(given, Secret) or callable(given) else _NotAKey(type(given).__name__)


def checked(key: object) -> Secret:
    """Return `key` as a Secret.

    Raises:
        ConfigurationError: it cannot be a key; its value is not in the message.
    """
    secret = sealed(cast("KeySource", key))
    del key
    if not isinstance(secret, Secret):
        raise ConfigurationError(f"the API key must be a string, not {type(secret).__name__}")
    if isinstance(secret, _NotAKey):
        raise ConfigurationError(f"the API key must be a string, not {secret.kind}")
    fault = _fault(secret.reveal())
    if fault is not None:
        raise ConfigurationError(fault)
    return secret


def _fault(text: str) -> str | None:
    if not text:
        return "the API key is empty: set the environment variable or file it comes from"
    if _UNSENDABLE.search(text):
        return "the API key has blanks, line breaks or letters beyond ASCII: was it copied with a line break?"
    if _MARKUP.search(text):
        return "the API key is a placeholder from a page: put the account's own key there"
    return None


class Credential:
    """Hands out the headers that carry the key."""

    def __init__(
        self,
        source: KeySource,
        *,
        header: str,
        prefix: str = "",
        is_stale: Callable[[], bool] | None = None,
    ) -> None:
        """Check `source` if it is a key; a callable is first asked when headers are.

        Args:
            source: The key or what returns it.
            header: Name of the header that carries it.
            prefix: What stands before it there, as in "Bearer ".
            is_stale: Whether the callable is to be asked again before the key is refused.
        """
        source = sealed(source)
        self._ask = source if callable(source) else None
        self._secret = None if callable(source) else checked(source)
        self.header = header
        self._prefix = prefix
        self._is_stale = is_stale or _never
        self._lock = anyio.Lock()
        self._asked = 0
        self._asked_at = -inf

    def __repr__(self) -> str:
        return repr(self._secret) if self._secret is not None or self._ask is None else "<asked for>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NEVER_PICKLED)

    @property
    def refreshable(self) -> bool:
        """Whether asking again may bring another key."""
        return self._ask is not None

    async def headers(self, *, refresh: bool = False, sent_at: float | None = None) -> Mapping[str, str]:
        """Return the headers that carry the key; with `refresh`, after asking for it once more.

        All that ask to refresh while it is being asked for get the one answer. Cancelling is safe.

        Args:
            refresh: The key was refused.
            sent_at: Monotonic instant of the request that was refused: a key that came later was not.

        Raises:
            ConfigurationError: what was returned can be no key, or the callable failed.
        """
        secret = self._secret
        refused = refresh and (sent_at is None or self._asked_at <= sent_at)
        if self._ask is not None and (refused or secret is None or self._is_stale()):
            secret = await self._asked_for(self._asked)
        assert secret is not None
        return {self.header: self._prefix + secret.reveal()}

    async def _asked_for(self, seen: int) -> Secret:
        assert self._ask is not None
        async with self._lock:
            if self._secret is None or self._asked == seen:
                self._secret = checked(await _answer(self._ask))
                self._asked += 1
                self._asked_at = anyio.current_time()
            return self._secret


def _never() -> bool:
    return False


async def _answer(ask: Callable[[], Awaitable[str]]) -> object:
    try:
        return await ask()
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001  whatever the caller's own code raises
        failure = type(error).__name__
    # By its type only, and outside the handler: what a failed sign-in raises may hold what it signed in with.
    raise ConfigurationError(f"the callable that returns the key failed with {failure}")
