"""What all constructors take alike, and what is refused of it before anything is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from veo_async.credentials import KeySource, Secret
from veo_async.errors import ConfigurationError
from veo_async.models import Media
from veo_async.options import Limits

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Shared", "Upload", "check_key", "check_ssl"]

Upload = Callable[[Media], Awaitable[str]]
"""Puts a picture, given with `data` and `mime_type`, where the provider can fetch it; returns its URL."""

_GOOGLES_KEY: Final = "AIza"


def _hosts(hosts: Iterable[str]) -> frozenset[str]:
    if isinstance(hosts, str):
        raise ConfigurationError(f'download_hosts is a set of hosts: write {{"{hosts}"}}')
    return frozenset(host.lower() for host in hosts)


@frozen
class Shared:
    """The options of every constructor, in the order in which all of them have them."""

    download_hosts: frozenset[str] = field(default=frozenset[str](), converter=_hosts)
    rewrite_uri: Callable[[str], str] | None = None
    upload: Upload | None = None
    proxy: str | None = None
    ssl: SSLContext | None = None
    trust_env: bool = False
    limits: Limits | None = None


def check_key(name: str, api_key: KeySource) -> None:
    """Refuse a sealed key of Google's at GPTProto: a variable mixed up must not hand out a key."""
    if (
        name.startswith("gptproto")
        and isinstance(api_key, Secret)
        and api_key.reveal().startswith(_GOOGLES_KEY)
    ):
        raise ConfigurationError("this is a key of Google's: GPTProto's begins with sk-")


def check_ssl(context: object) -> None:
    """Refuse a context that does not verify certificates and host names."""
    verifies = all(getattr(context, name, False) for name in ("verify_mode", "check_hostname"))
    if context is not None and not verifies:
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext that verifies certificates and host names: a key goes over it; "
            "for an authority of your own use ssl.create_default_context(cafile=…)"
        )
