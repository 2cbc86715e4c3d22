"""Which addresses may be asked by a link from strangers. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

__all__ = ["is_public", "literal_address", "looks_numeric"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Beyond what `is_global` refuses: these lead to other machines, or carry another address inside.
_DENIED: Final[tuple[_Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is a cloud's metadata
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's host agent under a public address
        "224.0.0.0/3",  # multicast and reserved
        "64:ff9b::/96",  # NAT64: an IPv4 address inside
        "64:ff9b:1::/48",
        "2001::/23",  # protocol assignments, Teredo among them: an IPv4 address inside
        "2002::/16",  # 6to4: an IPv4 address inside
        "::/96",  # IPv4-compatible
        "::ffff:0:0:0/96",  # IPv4-translated
        "fec0::/10",  # site-local
        "ff00::/8",
    )
)
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)\Z")


def is_public(text: str) -> bool:
    """Return whether the IP address `text` is a public unicast one."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast:
        return False
    return not any(address.version == network.version and address in network for network in _DENIED)


def literal_address(host: str) -> _Address | None:
    """Return the address that `host` is in the usual notation, or None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def looks_numeric(host: str) -> bool:
    """Return whether a resolver may read `host` as an address in an unusual notation, as in 0x7f.1."""
    return _NUMERIC_LABEL.match(host.rstrip(".").rpartition(".")[2]) is not None
