"""Origins and base URLs: where a key may go is decided by comparing these texts, so they are read strictly.

Nothing is repaired. A URL that two parsers could read differently has no origin here.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from veo_async.errors import ConfigurationError

__all__ = ["host_of", "is_loopback", "origin_of", "read_base_url"]

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#\\]*)?(?P<rest>[?#].*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_BLANK: Final = re.compile(r"[\x00-\x20\x7f-\xa0]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65535


def _match(url: str) -> re.Match[str] | None:
    found = None if _BLANK.search(url) else _URL.fullmatch(url)
    if found is not None and found["port"] and not 0 < int(found["port"]) <= _LAST_PORT:
        return None
    return found


def origin_of(url: str) -> str:
    """Return `scheme://host` of an http or https URL in lower case, and `:port` where that is unusual.

    Raises:
        ValueError: the URL has no such origin, or one that could be read in two ways (userinfo, blanks,
            backslashes, letters beyond ASCII).
    """
    found = _match(url)
    if found is None:
        raise ValueError("not an http or https URL with a plain host")
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = int(found["port"] or _DEFAULT_PORTS[scheme])
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def host_of(url: str) -> str:
    """Return the host of a URL in lower case; empty where `origin_of` would raise."""
    found = _match(url)
    return "" if found is None else found["host"].lower()


def is_loopback(host: str) -> bool:
    """Return whether a host, by its text alone, is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_base_url(url: object, name: str, version: str = "") -> str:
    """Return a base URL as dialects use it: without a slash or `version` at its end.

    Args:
        url: As the caller gave it.
        name: The option's name, for the error's text.
        version: A path segment that the dialect adds itself.

    Raises:
        ConfigurationError: it has userinfo, a query, no host or another scheme, or is http off loopback.
    """
    found = _match(url) if isinstance(url, str) else None
    if found is None:
        raise ConfigurationError(f'{name} must be a URL such as "https://host" or "https://host/prefix"')
    if found["rest"]:
        raise ConfigurationError(f"{name} has a query or fragment: leave out what comes after the path")
    if found["scheme"].lower() == "http" and not is_loopback(found["host"]):
        raise ConfigurationError(
            f"{name} is http:// to another machine, where anybody on the way reads the key: use https://"
        )
    path = (found["path"] or "").rstrip("/")
    return origin_of(found[0]) + path.removesuffix(f"/{version}" if version else "")
