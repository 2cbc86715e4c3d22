"""Long base64 texts are cut out of JSON as it streams by: the same for every way of splitting it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veo_async.transport import cutting
from veo_async.transport.cutting import Cut, Cutter


@pytest.fixture(autouse=True)
def short_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is long begins at 16 bytes, so that small examples reach every corner."""
    monkeypatch.setattr(cutting, "LONG", 16)


def cut(body: bytes, pieces: list[int] | None = None) -> tuple[bytes, list[tuple[str, bytes, bool]]]:
    """Return what stays of `body` and what was cut out, the body given in pieces of these lengths."""
    cutter = Cutter("nonce")
    found: list[tuple[str, bytes, bool]] = []
    text = b""
    for piece in split(body, pieces or [len(body)]):
        for event in cutter.feed(piece):
            if isinstance(event, Cut):
                found.append((event.mark, text if event.is_base64 else b"", event.is_base64))
                text = b""
            else:
                text += event
    assert cutter.skeleton_bytes == sum(map(len, cutter.skeleton))
    return b"".join(cutter.skeleton), found


def split(body: bytes, lengths: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for length in lengths:
        pieces.append(body[:length])
        body = body[length:]
    return [*pieces, body]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


Style = Callable[[str], str]


def plain(text: str) -> str:
    return text


def php(text: str) -> str:
    return text.replace("/", "\\/")


def gson(text: str) -> str:
    return text.replace("=", "\\u003d").replace("+", "\\u002B")


STYLES = (plain, php, gson)
"""What JSON encoders make of one text: as it is, with slashes escaped, with the signs of HTML escaped."""


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 14, 15, 1000])
def test_a_video_is_cut_out_and_decoded(size: int, style: Style) -> None:
    """From `LONG` on; what stays is JSON with a mark in its place."""
    data = bytes(251 - n % 251 for n in range(size))
    text = style(encoded(data))
    stays, found = cut(f'{{"a": "{text}", "b": "x\\"y"}}'.encode())
    if len(text) <= 16:
        assert not found
        assert json.loads(stays) == {"a": encoded(data), "b": 'x"y'}
        return
    ((mark, content, is_base64),) = found
    assert (content, is_base64) == (data, True)
    assert json.loads(stays) == {"a": mark, "b": 'x"y'}
    assert mark == f"<{len(text)} characters cut: nonce-1>"


LONG_TEXT = encoded(b"a video, or so it seems")


@pytest.mark.parametrize(
    "body",
    [
        {LONG_TEXT: 1},
        {"a": [LONG_TEXT, LONG_TEXT]},
        {"a": "https://example.com/a/long/path/that/is/no/base64"},
        {"a": 'with "quotes" and \\ backslashes and é and \n lines, which is long'},
        {"a": LONG_TEXT[:16]},
        {"a": "\\" * 40},
        [],
        {},
    ],
)
def test_other_texts_stay(body: object) -> None:
    """Keys, texts in lists, what is short, and what is no base64 within its first bytes."""
    written = json.dumps(body).encode()
    assert cut(written) == (written, [])


@pytest.mark.parametrize(
    "text",
    [
        LONG_TEXT + "A",
        LONG_TEXT[:-1],
        LONG_TEXT + "====",
        LONG_TEXT[:20] + "=" + LONG_TEXT[20:],
        LONG_TEXT + " AAA",
        LONG_TEXT + "-_-_",
        LONG_TEXT + "\\\\/A",
        LONG_TEXT + "\\\\u003dA",
        LONG_TEXT + "\\u0041AAA",
        "=" * 20,
    ],
)
def test_what_only_looks_like_base64_is_told(text: str) -> None:
    """It is cut out, and nothing of it is of use; what comes behind it is read on."""
    stays, found = cut(f'{{"a": "{text}", "b": 1}}'.encode())
    assert [is_base64 for *_, is_base64 in found] == [False]
    assert json.loads(stays)["b"] == 1


@pytest.mark.parametrize("length", range(60))
def test_a_truncated_answer_never_becomes_json(length: int) -> None:
    """Wherever it breaks off."""
    body = json.dumps({"a": LONG_TEXT, "b": "c"}).encode()
    stays, _ = cut(body[: min(length, len(body) - 1)])
    with pytest.raises(json.JSONDecodeError):
        json.loads(stays)


_TEXTS = st.one_of(
    st.binary(max_size=60).map(encoded),
    st.text(alphabet='ab/+="\\ é\n', max_size=40),
    st.text(alphabet="AB+/=", max_size=40),
)
_BODIES = st.recursive(
    st.none() | st.booleans() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(body=_BODIES, style=st.sampled_from(STYLES), pieces=st.lists(st.integers(1, 40), max_size=60))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_how_the_stream_is_split_does_not_matter(body: object, style: Style, pieces: list[int]) -> None:
    """Byte by byte or at once: the same stays, the same is cut out, and together they are the answer."""
    written = style(json.dumps(body, ensure_ascii=False)).encode()
    whole = cut(written)
    assert cut(written, pieces) == whole
    assert cut(written, [1] * len(written)) == whole
    try:
        expected = json.loads(written)
    except ValueError:
        return  # a style that broke an escape
    stays, found = whole
    texts = {mark: encoded(content) for mark, content, is_base64 in found if is_base64}
    if all(is_base64 for *_, is_base64 in found):
        assert json.loads(stays, object_hook=lambda held: _with_texts(held, texts)) == expected


def _with_texts(held: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    return {key: texts.get(value, value) if isinstance(value, str) else value for key, value in held.items()}


@given(body=st.binary(max_size=200), pieces=st.lists(st.integers(1, 30), max_size=30))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_no_json_is_split_alike(body: bytes, pieces: list[int]) -> None:
    """Nothing is raised, and bytes that are not cut stay as they came."""
    whole = cut(body)
    assert cut(body, pieces) == whole
    if not whole[1]:
        assert body.startswith(whole[0])


def test_a_mark_shows_no_more_than_it_says() -> None:
    """Each has a number of its own."""
    body = json.dumps({"a": LONG_TEXT, "b": LONG_TEXT}).encode()
    stays, found = cut(body)
    assert len({mark for mark, *_ in found}) == 2
    assert re.findall(rb"nonce-[0-9]+", stays) == [b"nonce-1", b"nonce-2"]
