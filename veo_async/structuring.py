"""A strict converter: nothing is coerced, and every fault is told with its path.

cattrs by itself turns "false" into True, null into 'None' and a string into a list of its letters.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import GenericAlias
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

__all__ = ["Structure", "StructureError", "object_hook", "shown", "strict_converter", "structure"]

T = TypeVar("T")
Structure = Callable[[Any, Any], T]
"""A cattrs structure hook: (value, type) -> structured value."""

_SHOWN: Final = 40


def shown(value: object) -> str:
    """Return the start of a value, for an error's text."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _exactly(cls: type[T], words: str) -> Structure[T]:
    def hook(value: Any, _: Any) -> T:
        if type(value) is not cls:  # not isinstance: True is an int
            raise ValueError(f"must be {words}, not {shown(value)}")
        return value

    return hook


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"must be a number, not {shown(value)}")
    return float(value)


def _whole_or_text(value: Any, _: Any) -> int | str | None:
    if value is not None and type(value) not in (int, str):
        raise ValueError(f"must be a whole number or a string, not {shown(value)}")
    whole_or_text: int | str | None = value
    return whole_or_text


def _path(value: Any, _: Any) -> Path:
    if type(value) is not str:
        raise ValueError(f"must be a string, not {shown(value)}")
    return Path(value)


def _choice_hook(cls: Any, _: Converter) -> Structure[Any]:
    choices = get_args(cls)
    words = " or ".join(filter(None, [", ".join(map(shown, choices[:-1])), shown(choices[-1])]))

    def hook(value: Any, _: Any) -> Any:
        if value not in choices:
            raise ValueError(f"must be {words}, not {shown(value)}")
        return value

    return hook


def _tuple_hook(cls: Any, converter: Converter) -> Structure[Any]:
    items = GenericAlias(list, get_args(cls)[:1])
    structure_items = converter.get_structure_hook(items)

    def hook(value: Any, _: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise ValueError(f"must be a list, not {shown(value)}")
        return tuple(structure_items(value, items))

    return hook


def _mapping_hook(cls: Any, converter: Converter) -> Structure[Any]:
    items = GenericAlias(dict, get_args(cls))
    structure_items = converter.get_structure_hook(items)

    def hook(value: Any, _: Any) -> dict[Any, Any]:
        if type(value) is not dict:
            raise ValueError(f"must be an object, not {shown(value)}")
        plain: dict[Any, Any] = structure_items(value, items)
        return plain

    return hook


def object_hook(cls: type[T], converter: Converter, **overrides: Any) -> Structure[T]:
    """Return a hook for an attrs class that takes JSON objects only; `overrides` as cattrs takes them."""
    fields = make_dict_structure_fn(cls, converter, **overrides)

    def hook(value: Any, _: Any) -> T:
        if type(value) is not dict:
            raise ValueError(f"must be an object, not {shown(value)}")
        return fields(cast("dict[str, Any]", value), cls)

    return hook


def _is_a(origin: object) -> Callable[[Any], bool]:
    return lambda cls: get_origin(cls) is origin


def strict_converter(*, forbid_extra_keys: bool) -> Converter:
    """Return a converter that takes each JSON type for itself only, and unknown fields if it is told so."""
    converter = Converter(forbid_extra_keys=forbid_extra_keys)
    converter.register_structure_hook(bool, _exactly(bool, "true or false"))
    converter.register_structure_hook(str, _exactly(str, "a string"))
    converter.register_structure_hook(int, _exactly(int, "a whole number"))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook(int | str | None, _whole_or_text)
    factories: list[tuple[Callable[[Any], bool], Any]] = [
        (_is_a(Literal), _choice_hook),
        (_is_a(tuple), _tuple_hook),
        (_is_a(Mapping), _mapping_hook),
        (attrs.has, object_hook),
    ]
    for applies, factory in factories:
        converter.register_structure_hook_factory(applies, factory)
    return converter


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).replace("-", "_").lower()


def _unknown_field(name: str, cls: Any) -> str:
    known = [field.name for field in attrs.fields(cls) if "bytes" not in str(field.type)]
    near = difflib.get_close_matches(_snake(name), known, n=1)
    if near:
        return f"no such field; did you mean {near[0]}?"
    remedy = '; a provider\'s own fields go under "extra"' if "extra" in known else ""
    return f"no such field; there are {', '.join(known)}{remedy}"


def _faults(error: BaseException, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(error, ClassValidationError):
        fields, others = error.group_exceptions()
        for fault, note in fields:
            yield from _faults(fault, f"{path}.{note.name}" if path else note.name)
        for fault in others:
            yield from _faults(fault, path)
    elif isinstance(error, IterableValidationError):
        items, others = error.group_exceptions()
        for fault, item in items:
            yield from _faults(fault, f"{path}[{json.dumps(item.index)}]")
        for fault in others:
            yield from _faults(fault, path)
    elif isinstance(error, ForbiddenExtraKeysError):
        for name in sorted(error.extra_fields, key=str):
            yield (f"{path}.{name}" if path else str(name)), _unknown_field(str(name), error.cl)
    elif isinstance(error, KeyError):
        yield path, "is missing"
    else:
        yield path, str(error)


class StructureError(ValueError):
    """A value is not of the shape asked for; its text names every fault."""

    def __init__(self, faults: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{path}: {text}" if path else text for path, text in faults))
        self.faults = faults
        """(path, what is wrong there), the path as in "videos[0].uri"."""


def structure(converter: Converter, value: Any, cls: type[T]) -> T:
    """Return `value` as a `cls`.

    Raises:
        StructureError: It is not one. No exception of cattrs hangs on it.
    """
    try:
        return converter.structure(value, cls)
    except (ClassValidationError, IterableValidationError, ValueError) as error:
        faults = tuple(_faults(error))
    raise StructureError(faults)
