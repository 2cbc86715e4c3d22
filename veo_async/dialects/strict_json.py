"""The one decoder for all answers: strict JSON, since an answer decides about money.

The standard decoder takes `done` twice, NaN, numbers without end and lone surrogates. Here each of these is
an error, so that two readers can never see two things in one answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from itertools import chain
from math import isfinite
from typing import Any, Final, NoReturn, TypedDict, cast

from veo_async.dialects.excerpts import excerpt
from veo_async.dialects.fields import JsonObject, is_object
from veo_async.errors import ProtocolError

__all__ = ["MAX_DEPTH", "MAX_DIGITS", "decode"]

MAX_DEPTH: Final = 64
"""Deepest nesting of objects and arrays."""
MAX_DIGITS: Final = 64
"""Longest integer: int() of a long text takes quadratic time."""

_MAX_TITLE: Final = 80
_TITLE: Final = re.compile(r"<title[^<>]{0,200}>([^<]{0,500})", re.IGNORECASE)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_CONTAINERS: Final = (dict, list)
_BLANKS: Final = (b" ", b"\n", b"\r", b"\t")


def decode(body: bytes) -> JsonObject:
    """Return the JSON object that `body` is.

    Raises:
        ProtocolError: it is anything else; `path` names the place where that is known.
    """
    if not body.startswith(b"{"):
        _refuse_other_than_json(body)
    # Each level takes two brackets at least, so that few of them, or few bytes, are not too deep.
    brackets = body.translate(None, _NO_BRACKETS) if len(body) > 2 * MAX_DEPTH else b""
    try:
        value = _page(body, brackets) if len(brackets) > 2 * MAX_DEPTH else _single(body)
    except UnicodeDecodeError as error:
        raise ProtocolError(f"the answer is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ProtocolError(f"the answer is not JSON: {error.msg} at character {error.pos}") from None
    if not is_object(value):
        raise ProtocolError(f"the answer must be a JSON object, not {type(value).__name__}")
    if b"\\" in body and _ESCAPED_SURROGATE.search(body):
        _refuse_lone_surrogates(value, "$")
    return value


def _refuse_other_than_json(body: bytes) -> None:
    start = body[:64].lstrip()
    if not start and not body.strip():
        raise ProtocolError("the answer is empty")
    if start.startswith(b"<"):
        raise ProtocolError(f"the answer is HTML, not JSON{_title(body)}")
    if start.startswith(b"\xef\xbb\xbf"):
        raise ProtocolError("the answer begins with a byte order mark")


def _title(body: bytes) -> str:
    found = _TITLE.search(body[:8192].decode("utf-8", "replace"))
    if found is None:
        return ""
    return f": {excerpt(' '.join(found[1].split()), _MAX_TITLE)!r}"


def _single(body: bytes) -> object:
    """Decode an answer that has too few brackets to be too deep, as that of one operation."""
    text = body.decode("utf-8")
    if text.startswith("{"):  # as nearly all do: `decode` looks for blanks on both sides first
        value, end = _COMPARING.raw_decode(text)
        if end == len(text):
            return value
    return _COMPARING.decode(text)


def _page(body: bytes, brackets: bytes) -> object:
    """Decode an answer of many objects, as a page of a list is: what all have together shows each is well.

    Only where that leaves a doubt are levels and keys looked at one by one, which costs as much again.
    """
    objects = members = 0

    def count(found: JsonObject) -> JsonObject:
        nonlocal objects, members
        objects += 1
        members += len(found)
        return found

    try:
        value: object = json.JSONDecoder(object_hook=count, **_NUMBERS).decode(body.decode("utf-8"))
    except RecursionError:
        raise _too_deep() from None
    if not _is_flat(body, brackets, objects):
        _refuse_deep(value)
    return value if _has_keys_once(body, members) else _single(body)


def _is_flat(body: bytes, brackets: bytes, objects: int) -> bool:
    """Return whether an answer of so many objects is surely no deeper than allowed.

    As many braces as its objects have leave none for a text. Then a few passes take them away, each the
    innermost pairs. Arrays are too few to matter, or all stand after a colon: at most one for each level.
    """
    braces = brackets.translate(None, b"[]")
    if len(braces) != 2 * objects:
        return False
    if len(brackets) - len(braces) > MAX_DEPTH // 2:
        arrays = body.count(b"[")
        if arrays != body.count(b":[") + body.count(b": ["):
            return False
    for _ in range(MAX_DEPTH // 4):
        if not braces:
            return True
        braces = braces.replace(b"{}", b"")
    return False


def _refuse_deep(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [one for one in level if type(one) in _CONTAINERS]
        if not level:
            return
        level = [*chain.from_iterable(map(_items, level))]
    raise _too_deep()


def _items(value: object) -> Iterable[object]:
    return value.values() if is_object(value) else cast("list[object]", value)


def _too_deep() -> ProtocolError:
    return ProtocolError(f"the answer is nested deeper than {MAX_DEPTH} levels")


def _has_keys_once(body: bytes, members: int) -> bool:
    """Return whether objects that have so many members surely lost none to a key that came twice.

    `":` is at the end of each key, unless blanks come in between, and nowhere else but in front of a text
    that begins with a colon: as many of them as members leave none for a second key.
    """
    return body.count(b'":') == members and not any(
        blank in body and blank + b":" in body for blank in _BLANKS
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise ProtocolError(f"the answer has the key {excerpt(twice, 80)!r} twice in one object")
    return members


class _Numbers(TypedDict):
    """How a decoder reads numbers."""

    parse_int: Callable[[str], int]
    parse_float: Callable[[str], float]
    parse_constant: Callable[[str], NoReturn]


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ProtocolError(f"the answer has an integer of more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise ProtocolError(f"the answer has a number beyond all bounds: {excerpt(digits, 40)}")
    return value


def _not_a_number(word: str) -> NoReturn:
    raise ProtocolError(f"the answer has {word} where JSON has no such number")


def _refuse_lone_surrogates(value: object, path: str) -> None:
    if isinstance(value, str):
        _refuse_lone_surrogate(value, path)
    elif is_object(value):
        for key, item in value.items():
            _refuse_lone_surrogate(key, path)
            _refuse_lone_surrogates(item, f"{path}.{excerpt(key, 80)}")
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            _refuse_lone_surrogates(item, f"{path}[{index}]")


def _refuse_lone_surrogate(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ProtocolError(f"{path} has a lone surrogate, which is no character", path=path) from None


_NUMBERS: Final = _Numbers(parse_int=_integer, parse_float=_finite, parse_constant=_not_a_number)
_COMPARING: Final = json.JSONDecoder(object_pairs_hook=_without_duplicates, **_NUMBERS)
