"""Answers that almost are what a service documents: whatever comes, a dialect returns one of its answers.

Each test takes as many examples as the profile of hypothesis says: 100, or 20,000 in a `campaign`.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Final, TypeVar, cast

from attrs import define
from hypothesis import settings
from hypothesis import strategies as st

from tests.surfaces import SURFACES, Surface
from veo_async.answers import Accepted, Empty, Finished, Listed, Missing, Refused, Running, Unreadable
from veo_async.models import Failed, Filtered, Succeeded, VideoRequest
from veo_async.wire import Part, Response

__all__ = [
    "FUZZ",
    "Dice",
    "assert_closed",
    "assert_fit",
    "drawn",
    "near_body",
    "near_request",
    "near_response",
]

FUZZ: Final = settings(deadline=None)

T = TypeVar("T")


@define
class Dice:
    """Makes all choices of an example from bytes that hypothesis draws at once: many draws are far slower."""

    entropy: bytes
    place: int = 0

    def below(self, bound: int) -> int:
        """Return a number from 0 to `bound` - 1; 0 once the bytes are used up, so that it comes to an end."""
        self.place += 2
        return int.from_bytes(self.entropy[self.place - 2 : self.place]) % bound

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items; those in front are the simple ones."""
        return items[self.below(len(items))]


def drawn(make: Callable[[Dice], T]) -> st.SearchStrategy[T]:
    """Return what `make` makes of dice."""
    return st.binary(min_size=60, max_size=60).map(lambda entropy: make(Dice(entropy)))


# ── what is made ────────────────────────────────────────────────────────────────────────────────────────────

_DEEP: Final[object] = json.loads("[" * 80 + "]" * 80)
_ODD: Final = (
    *(
        None,
        True,
        False,
        0,
        1,
        45,
        200,
        401,
        404,
        429,
        503,
        -1,
        0.5,
        1e300,
        10**30,
        10**70,
        math.nan,
        math.inf,
    ),
    *("", "success", "SUCCESS ", "completed", "failed", "error", "processing", "NOT_START", "401", "45%"),
    *("nan", "inf%", "other", "../x", "a\0b", "\ud800", "é", "\u202e\n\x1b[1m", "x" * 900, "A" * 1500, "="),
    *("content policy", "Insufficient balance", "Please retry in 9s", "<cut-1>", "<cut-2>", _DEEP),
    *("2025-01-19T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.9-23:59", "2025-01-19"),
)
"""Beside the true answers' own: wrong types, words of other surfaces, and what no JSON should hold."""

_WHOLE: Final = (
    *(b"", b" \n", b"null", b"[]", b'"x"', b"{}", b"{", b'{"a": 1,}', b'{"a": 1} {}', b"\x1f\x8b\x08\0"),
    *(b"<html><title>502 Bad Gateway</title>", b"<!doctype html>" + b"<p>" * 999, b"upstream failed"),
    *(b'\xef\xbb\xbf{"id": "a"}', '{"id": "a"}'.encode("utf-16"), b'{"id": "\xff"}', b'{"id": "a\0"}'),
    *(b'{"id": "a", "id": "b"}', b'{"done": true, "done": false}', b'{"progress": NaN}', b'{"code": 1e999}'),
    *(b"[" * 9999, b'{"a":' * 9999, b'{"code": ' + b"9" * 999 + b"}", b"\\" * 9999),
    *(b'{"message": "' + b"x" * 50_000 + b'"}', b'{"data": [' + b"{}," * 5_000 + b"{}]}"),
)
_PARTS: Final = {"<cut-1>": Part(sha256="a" * 64, size=3), "<cut-2>": Part(sha256="", size=0)}
_STATUSES: Final = (*[200] * 16, 0, 204, 302, 400, 400, 401, 404, 410, 429, 500, 503, 999)
_HINTS: Final = (
    *("", "120", "-1", "1e9", "9" * 400, "soon\n", "\u0663", "https://h/a"),
    *("Tue, 06 Oct 2026 12:01:30 GMT", "Tue, 06 Oct 2026 12:00:00 GMT", "Tue, 36 Oct 2026 12:01:30 GMT"),
)
_REQUESTS: Final = (
    None,
    VideoRequest("a", sample_count=2),
    VideoRequest("a", resolution="1080p", extra={"enable_upsample": 1}),
)


def near_request(dice: Dice) -> VideoRequest | None:
    """Return what the job was submitted with, where that is known."""
    return dice.pick(_REQUESTS)


def near_response(dice: Dice, surface: Surface) -> Response:
    """Return an answer of any status."""
    headers = {name: dice.pick(_HINTS) for name in ("retry-after", "date", "location")}
    status = dice.pick(_STATUSES)
    return Response(
        status=status, headers=dice.pick([{}, headers]), body=near_body(dice, surface), parts=_PARTS
    )


def near_body(dice: Dice, surface: Surface | None = None) -> bytes:
    """Return a body: mostly a true one that was changed, else of a surface's words, or of nothing known."""
    surface = surface or dice.pick(SURFACES)
    match dice.below(8):
        case 6:
            return _written(_anything(dice, surface, 4))
        case 7:
            return dice.pick((*_WHOLE, dice.entropy[: dice.below(40)]))
        case _:
            return _mutant(dice, surface)


def _mutant(dice: Dice, surface: Surface) -> bytes:
    """Return a true answer with one to three places changed, and sometimes once more as text."""
    body: Any = copy.deepcopy(dice.pick(surface.answers))
    for _ in range(dice.below(3) + 1):
        places = list(_places(body))
        if places:
            dice.pick(_CHANGES)(dice, surface, *dice.pick(places))
    return dice.pick(_MANGLES)(dice, _written(body))


def _written(value: object) -> bytes:
    return json.dumps(value).encode()


@cache
def _keys(surface: Surface) -> Sequence[str]:
    keys = {key for true in surface.answers for _, key, _ in _places(true)}
    return sorted(key for key in keys if isinstance(key, str))


@cache
def _leaves(surface: Surface) -> Sequence[object]:
    found = [value for true in surface.answers for _, _, value in _places(true)]
    other = f"{surface.operation}9"
    return (
        *_ODD,
        surface.operation,
        other,
        other,
        *(value for value in found if not isinstance(value, dict | list)),
    )


def _anything(dice: Dice, surface: Surface, depth: int = 2) -> object:
    """Return JSON of the keys and values of a surface's true answers in any places, and of odd ones."""
    kind = dice.below(6) if depth else 0
    if kind in (4, 5):
        return {
            dice.pick(_keys(surface)): _anything(dice, surface, depth - 1) for _ in range(dice.below(4) + 1)
        }
    if kind == 3:
        return [_anything(dice, surface, depth - 1) for _ in range(dice.below(3))]
    return dice.pick(_leaves(surface))


_Place = tuple[Any, Any, Any]
"""A container, a key or index in it, and what stands there."""


def _places(value: object) -> Iterator[_Place]:
    """Yield every place in decoded JSON, the outermost first."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(cast("dict[str, object]", value).items())
    elif isinstance(value, list) and value is not _DEEP:
        items = list(enumerate(cast("list[object]", value)))
    for key, inner in items:
        yield value, key, inner
        yield from _places(inner)


def _replace(dice: Dice, surface: Surface, holder: Any, key: Any, _: object) -> None:
    holder[key] = _anything(dice, surface)


def _remove(_: Dice, __: Surface, holder: Any, key: Any, ___: object) -> None:
    del holder[key]


def _quote(_: Dice, __: Surface, holder: Any, key: Any, value: object) -> None:
    holder[key] = json.dumps(value)


def _wrap(dice: Dice, surface: Surface, holder: Any, key: Any, value: object) -> None:
    holder[key] = dice.pick(([value], {dice.pick(_keys(surface)): value}))


def _add(dice: Dice, surface: Surface, holder: Any, _: Any, __: object) -> None:
    if isinstance(holder, dict):
        holder[dice.pick(_keys(surface))] = _anything(dice, surface)


def _rename(dice: Dice, surface: Surface, holder: Any, key: Any, value: object) -> None:
    if isinstance(holder, dict):
        del holder[key]
        holder[dice.pick(_keys(surface))] = value


_CHANGES: Final[Sequence[Callable[[Dice, Surface, Any, Any, object], None]]] = (
    _replace,
    _replace,
    _remove,
    _quote,
    _wrap,
    _add,
    _rename,
)

_MEMBER: Final = re.compile(rb'"[a-zA-Z_]+": ')


def _keep(_: Dice, body: bytes) -> bytes:
    return body


def _cut(dice: Dice, body: bytes) -> bytes:
    return body[: dice.below(len(body) + 1)]


def _overwrite(dice: Dice, body: bytes) -> bytes:
    place, patch = dice.below(len(body) + 1), dice.entropy[: dice.below(4)]
    return body[:place] + patch + body[place + len(patch) :]


def _say_twice(dice: Dice, body: bytes) -> bytes:
    """Give one object a key twice, the first time with another value."""
    found = list(_MEMBER.finditer(body))
    if not found:
        return body
    member = dice.pick(found)
    return body[: member.start()] + member[0] + b"null, " + body[member.start() :]


_MANGLES: Final[Sequence[Callable[[Dice, bytes], bytes]]] = (
    *[_keep] * 6,
    _cut,
    _overwrite,
    _say_twice,
)

# ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────


def assert_closed(surface: Surface, response: Response, request: VideoRequest | None = None) -> None:
    """Every reader returns one of its answers, each fit for logs and ledgers, and nothing is raised."""
    dialect = surface.dialect
    submitted = dialect.read_submit(response, "veo-3.1")
    checked = dialect.read_check(response, surface.operation, request)
    listed = dialect.read_list(response, "veo-3.1")
    assert isinstance(submitted, Accepted | Refused | Unreadable)
    assert isinstance(checked, Running | Finished | Empty | Missing | Refused | Unreadable)
    assert isinstance(listed, Listed | Refused | Unreadable)
    for found in (submitted, checked, listed):
        assert_fit(found, response)
    if isinstance(submitted, Accepted):
        _assert_kept(surface, submitted.operation, checked, response)
    if isinstance(listed, Listed):
        for name in (*listed.answers, *listed.created_at):
            assert dialect.check(name).url.isascii()
        for entry in listed.answers.values():
            assert_fit(entry, response)
        assert dialect.list_page("veo-3.1", listed.next_page_token).url.isascii()


def _assert_kept(surface: Surface, operation: str, checked: object, response: Response) -> None:
    """What is accepted stands in the answer and can be checked; it never speaks of another operation."""
    assert surface.dialect.check(operation).url.isascii()
    name = operation.rpartition("/")[2]
    texts = [value for _, _, value in _places(json.loads(response.body)) if isinstance(value, str)]
    assert any(text.endswith(name) for text in texts)
    if name != surface.operation.rpartition("/")[2]:
        assert not isinstance(checked, Running | Finished | Empty)


def assert_fit(found: object, response: Response) -> None:
    """Words are short and printable, numbers finite, and what is wrong has a place."""
    match found:
        case Unreadable():
            assert found.path.startswith("$")
            assert found.message
            assert found.status == response.status
            assert found.throttled is (response.status == 429)
            _assert_words(found.message, found.path, found.excerpt)
            _assert_seconds(found.retry_after)
        case Refused():
            _assert_words(found.message, found.code)
            _assert_seconds(found.retry_after)
        case Missing():
            _assert_words(found.message)
        case Listed():
            assert all(math.isfinite(instant) for instant in found.created_at.values())
        case Running():
            assert found.progress is None or 0 <= found.progress <= 1
            assert found.updated_at is None or math.isfinite(found.updated_at)
            _assert_words(*found.flags)
        case Accepted(finished=Finished() | Empty() as end):
            assert_fit(end, response)
        case Finished() | Empty():
            _assert_outcome(found.outcome)
        case _:
            pass


def _assert_outcome(outcome: Succeeded | Filtered | Failed) -> None:
    assert outcome.billed in {"no", "yes", "unknown"}
    json.dumps(outcome.raw, allow_nan=False)
    match outcome:
        case Succeeded(result=result):
            assert [video.index for video in result.videos] == list(range(len(result.videos)))
            assert all(video.uri or video.data is not None or video.sha256 for video in result.videos)
        case Filtered():
            assert outcome.count > 0
            _assert_words(*outcome.reasons)
        case Failed():
            _assert_words(outcome.message, outcome.code)


def _assert_words(*texts: object) -> None:
    for text in texts:
        if isinstance(text, str):
            assert len(text) <= 700
            assert text.isprintable()


def _assert_seconds(seconds: float | None) -> None:
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
