"""What a surface says of itself where it is registered, so that a service of its shape is mere data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import field, frozen

from veo_async.dialects.dialect import Dialect

__all__ = ["Shape"]


@frozen(kw_only=True)
class Shape:
    """One surface: its dialect, and the tables that a service may add to."""

    name: str
    """As provider files and `VEO_PROVIDER` write it."""
    dialect: Callable[..., Dialect]
    """Makes the dialect of one service."""
    paths: Mapping[str, str] = field(factory=dict[str, str])
    """Path by purpose; empty: the surface's paths are its own."""
    fields: Mapping[str, str] = field(factory=dict[str, str])
    """The surface's field by the request's."""
    words: Mapping[str, str] = field(factory=dict[str, str])
    """What its status words mean; empty: it has none."""
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    version: str = ""
    """Version of the API, where that is a segment of the paths and no part of the base URL."""
    family: str = "gateway"
    """Whose model names it takes, in the catalogue."""
    options: Mapping[str, type] = field(factory=dict[str, type])
    """What else a service may set, by the dialect's own name for it, and of which type."""
