"""Readers of decoded JSON that take a member of the promised type, or its absence, and nothing else.

Plain functions and not cattrs: the shapes here are open (a member may stand in any of four places), and a
reader costs well under a microsecond where a structured class would copy the whole answer. null counts as
absent everywhere; `"done": "false"` and `"done": 0` are errors that name their path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeGuard, cast

from veo_async.errors import ProtocolError

__all__ = ["JsonObject", "boolean", "code", "count", "is_object", "objects", "sub_object", "text", "texts"]

JsonObject = dict[str, object]
"""A decoded JSON object."""

_NAMES: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Return whether `value` is a JSON object."""
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _wrong(path: str, wanted: str, value: object) -> ProtocolError:
    found = _NAMES.get(type(value), "null")
    return ProtocolError(f"{path} must be {wanted}, not {found}", path=path)


def boolean(parent: JsonObject, key: str, path: str) -> bool | None:
    """Return the boolean `parent[key]`, None when it is absent; `path` is the parent's."""
    value = parent.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise _wrong(f"{path}.{key}", "true or false", value)


def text(parent: JsonObject, key: str, path: str) -> str | None:
    """Return the string `parent[key]`, None when it is absent."""
    value = parent.get(key)
    if value is None or isinstance(value, str):
        return value
    raise _wrong(f"{path}.{key}", "a string", value)


def code(parent: JsonObject, key: str, path: str) -> int | str | None:
    """Return `parent[key]`, a number or a string: gateways write codes either way."""
    value = parent.get(key)
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    raise _wrong(f"{path}.{key}", "a whole number or a string", value)


def count(parent: JsonObject, key: str, path: str) -> int:
    """Return the whole number `parent[key]`, also written as a string; 0 when it is absent."""
    value = code(parent, key, path)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:  # noqa: PLR2004
        value = int(value)  # protobuf's JSON writes 64-bit numbers as strings
    if value is None or (isinstance(value, int) and value >= 0):
        return value or 0
    raise _wrong(f"{path}.{key}", "a number of at least 0", value)


def sub_object(parent: JsonObject, key: str, path: str) -> JsonObject | None:
    """Return the object `parent[key]`, None when it is absent."""
    value = parent.get(key)
    if value is None or is_object(value):
        return value
    raise _wrong(f"{path}.{key}", "an object", value)


def _items(parent: JsonObject, key: str, path: str) -> list[object]:
    value = parent.get(key)
    if value is None:
        return []
    if _is_list(value):
        return value
    raise _wrong(f"{path}.{key}", "a list", value)


def objects(parent: JsonObject, key: str, path: str) -> list[JsonObject]:
    """Return the objects of the list `parent[key]`; an absent list is an empty one."""
    items = _items(parent, key, path)
    if set(map(type, items)) <= {dict}:
        return cast("list[JsonObject]", items)
    index, item = next((index, item) for index, item in enumerate(items) if not is_object(item))
    raise _wrong(f"{path}.{key}[{index}]", "an object", item)


def texts(parent: JsonObject, key: str, path: str) -> tuple[str, ...]:
    """Return the strings of the list `parent[key]`; an absent list is an empty one."""
    found: list[str] = []
    for index, item in enumerate(_items(parent, key, path)):
        if not isinstance(item, str):
            raise _wrong(f"{path}.{key}[{index}]", "a string", item)
        found.append(item)
    return tuple(found)
