"""The one decoder for all answers: strict JSON, since an answer decides about money.

The standard decoder takes `done` twice, NaN, numbers without end and lone surrogates. Here each of these is
an error, so that two readers can never see two things in one answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Any, Final, NoReturn, TypedDict, cast

from veo_async.dialects.excerpts import excerpt
from veo_async.dialects.fields import JsonObject, is_object
from veo_async.errors import ProtocolError

__all__ = ["LONG", "MAX_DEPTH", "MAX_DIGITS", "decode"]

MAX_DEPTH: Final = 64
"""Deepest nesting of objects and arrays."""
MAX_DIGITS: Final = 64
"""Longest integer: int() of a long text takes quadratic time."""
LONG: Final = 4096
"""Bytes from which on an answer is worth the quick ways: a page of a list is, a single operation is not."""

_MAX_TITLE: Final = 80
_TITLE: Final = re.compile(r"<title[^<>]{0,200}>([^<]{0,500})", re.IGNORECASE)
# Possessive, so that a body of nothing but escapes and open strings is still scanned once.
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(body: bytes) -> JsonObject:
    """Return the JSON object that `body` is.

    Raises:
        ProtocolError: it is anything else; `path` names the place where that is known.
    """
    _refuse_other_than_json(body)
    marks = _outside_strings(body)
    _refuse_deep(body, marks)
    try:
        value = _decoded(body.decode("utf-8"), marks)
    except UnicodeDecodeError as error:
        raise ProtocolError(f"the answer is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ProtocolError(f"the answer is not JSON: {error.msg} at character {error.pos}") from None
    if not is_object(value):
        raise ProtocolError(f"the answer must be a JSON object, not {type(value).__name__}")
    if _ESCAPED_SURROGATE.search(body):
        _refuse_lone_surrogates(value, "$")
    return value


def _refuse_other_than_json(body: bytes) -> None:
    if body.startswith(b"{"):
        return
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


def _outside_strings(body: bytes) -> bytes | None:
    """Return what stands outside of strings, for the quick ways with a long answer.

    None: it is short, or has escapes, so that it takes more to tell where its strings end.
    """
    return None if len(body) < LONG or b"\\" in body else b"".join(body.split(b'"')[::2])


def _refuse_deep(body: bytes, marks: bytes | None) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH or (marks is not None and _is_flat(marks)):
        return
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        mark = body[found.start()]
        if mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ProtocolError(f"the answer is nested deeper than {MAX_DEPTH} levels")
        elif mark in b"]}":
            depth -= 1


def _is_flat(marks: bytes) -> bool:
    """Return whether a few passes take all brackets away, pair by pair: so it is with long lists.

    A pass takes at most two levels away. For such lists this takes a seventh of a look at each mark.
    """
    brackets = marks.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH // 2):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return False


def _decoded(text: str, marks: bytes | None) -> object:
    """Decode a text; its keys are compared only where objects have fewer of them than there are colons."""
    if marks is not None:
        members = 0

        def count(found: JsonObject) -> JsonObject:
            nonlocal members
            members += len(found)
            return found

        value: object = json.JSONDecoder(object_hook=count, **_NUMBERS).decode(text)
        if members == marks.count(b":"):
            return value
    return _COMPARING.decode(text)


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
