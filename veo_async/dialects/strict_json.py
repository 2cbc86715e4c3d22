"""The one decoder for all answers: strict JSON, since an answer decides about money.

The standard decoder takes `done` twice, NaN, numbers without end and lone surrogates. Here each of these is
an error, so that two readers can never see two things in one answer.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, Final, NoReturn, cast

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
    _refuse_deep(body)
    try:
        value: object = _DECODER.decode(body.decode("utf-8"))
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


def _refuse_deep(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH or _is_flat(body):
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


def _is_flat(body: bytes) -> bool:
    """Return whether a few passes take all brackets away, pair by pair: so it is with long lists.

    A pass takes at most two levels away. For such lists this takes a seventh of a look at each mark.
    """
    if b"\\" in body:
        return False  # it takes more to tell where a string ends
    outside = b"".join(body.split(b'"')[::2])
    brackets = outside.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH // 2):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return False


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise ProtocolError(f"the answer has the key {excerpt(twice, 80)!r} twice in one object")
    return members


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


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_without_duplicates,
    parse_int=_integer,
    parse_float=_finite,
    parse_constant=_not_a_number,
)
