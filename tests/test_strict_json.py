"""The decoder takes what JSON is, and nothing that two readers could read in two ways."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veo_async.dialects.strict_json import MAX_DEPTH, MAX_DIGITS, decode
from veo_async.errors import ProtocolError

characters = st.characters(exclude_categories=["Cs"])
scalars = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(characters, max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
keys = st.text('abc"\\[{é', max_size=4)
json_values = st.recursive(
    scalars | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(characters, max_size=6), json_values, max_size=5))
def test_what_json_writes_is_read(value: dict[str, object]) -> None:
    """Any object comes back as it was, escaped to ASCII or not, with blanks around it or not."""
    assert decode(json.dumps(value).encode()) == value
    assert decode(b" \r\n\t" + json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n") == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"[]", "must be a JSON object, not list"),
        (b'"a"', "must be a JSON object, not str"),
        (b"null", "must be a JSON object"),
        (b'{"done": true, "done": false}', "'done' twice"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "'b' twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "beyond all bounds"),
        (b'{"a": -1e999}', "beyond all bounds"),
        (b'{"a": ' + b"9" * (MAX_DIGITS + 1) + b"}", "more than 64 digits"),
        (b'{"a": -' + b"9" * (MAX_DIGITS + 1) + b"}", "more than 64 digits"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "more than 64 digits"),
        (b'{"a": 1}\0', "not JSON"),
        (b'{"a": 1} {"a": 1}', "not JSON"),
        (b'{"a": 1},', "not JSON"),
        (b'{"a": "\x01"}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": \xd9\xa1}', "not JSON"),  # an Arabic digit one
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),  # a surrogate as bytes
        (b'{"a": "\xc0\x80"}', "not UTF-8"),  # NUL in two bytes
    ],
)
def test_what_is_refused(body: bytes, words: str) -> None:
    """Each is an error that says what is wrong."""
    with pytest.raises(ProtocolError, match=words):
        decode(body)


@st.composite
def texts_of_objects(draw: st.DrawFn, levels: int = 3) -> str:
    """Return the text of an object that may have a key twice, blanks anywhere, and colons in its strings."""
    blank = st.sampled_from(["", " ", "\n"])
    key = st.sampled_from(["done", "a", ":", ": ", '{"', "\\u0061"])

    def value() -> str:
        kind = draw(st.sampled_from(["text", "number", "list", "object"]))
        if kind == "object" and levels:
            return draw(texts_of_objects(levels - 1))
        if kind == "list" and levels:
            return f"[{draw(texts_of_objects(levels - 1))}, {draw(texts_of_objects(levels - 1))}]"
        return f'"{draw(key).replace(chr(34), "")}"' if kind == "text" else "1.5"

    names = [draw(key).replace('"', "") for _ in range(draw(st.integers(0, 3)))]
    members = [f'{draw(blank)}"{name}"{draw(blank)}:{draw(blank)}{value()}' for name in names]
    return "{" + ",".join(members) + draw(blank) + "}"


def read(body: bytes) -> object:
    """Return what a body is read as, or why it is not."""
    try:
        return decode(body)
    except ProtocolError as error:
        return error.message


@settings(max_examples=300, deadline=None)
@given(texts_of_objects())
def test_long_answers_are_read_as_short_ones_are(text: str) -> None:
    """They have a quicker way, and keys that come twice in them are found all the same."""
    many = ", ".join(['{"name": "operations/1"}'] * MAX_DEPTH)
    long = read(f'{{"a": [{many}], "b": {text}}}'.encode())
    assert (long["b"] if isinstance(long, dict) else long) == read(text.encode())


@pytest.mark.parametrize(
    "twice",
    ['"done": 1, "done": 2', '"a" :1,"a":2', '"a"\n:1,"a":2, "b": ":"', '"b": [{"a": ":", "a": {}}]'],
)
def test_a_key_that_comes_twice_in_a_long_answer_is_refused(twice: str) -> None:
    """Wherever it is, however the colons stand."""
    others = ", ".join(f'"{number}": {{"name": "operations/{number}"}}' for number in range(200))
    decode(f"{{{others}}}".encode())
    with pytest.raises(ProtocolError, match="twice"):
        decode(f"{{{others}, {twice}}}".encode())


@pytest.mark.parametrize("digits", ["9" * MAX_DIGITS, "-" + "9" * MAX_DIGITS, "0"])
def test_long_integers_are_read(digits: str) -> None:
    """64 digits are enough for anybody, and are read."""
    assert decode(b'{"a": %s}' % digits.encode()) == {"a": int(digits)}


@pytest.mark.parametrize("escape", ["\\ud800", "\\uDFFF", "\\udc00\\ud800", "a\\uD83Db"])
def test_escaped_lone_surrogates_are_refused_by_path(escape: str) -> None:
    """They could be neither stored nor sent; the path names where one is."""
    with pytest.raises(ProtocolError, match="lone surrogate") as caught:
        decode(b'{"a": [0, {"b": "%s"}]}' % escape.encode())
    assert caught.value.path == "$.a[1].b"
    with pytest.raises(ProtocolError, match="lone surrogate"):
        decode(b'{"%s": 1}' % escape.encode())


def test_escaped_pairs_are_characters() -> None:
    """A pair of surrogates is one character."""
    assert decode(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    "inside", [b"1", b'"]}"', b"", b'{"a": "["}, ' * 70 + b"1", b'{"a":[]}, ' * 70 + b"1"]
)
@pytest.mark.parametrize(
    ("opening", "closing"),
    [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]"), (b'{"a":"}","b":', b',"c":"{"}')],
)
def test_depth(opening: bytes, closing: bytes, inside: bytes) -> None:
    """64 levels are read, 65 are not, 100,000 neither, whatever the texts hold."""

    def nested(levels: int) -> bytes:
        pairs, odd = divmod(levels - 2, opening.count(b"[") + opening.count(b"{"))
        return b'{"a":%b%b[%b]%b%b}' % (b"[" * odd, opening * pairs, inside, closing * pairs, b"]" * odd)

    deepest = MAX_DEPTH - (b"{" in inside) - (b"[]" in inside)
    decode(nested(deepest))
    for levels in (deepest + 1, 100_000):
        with pytest.raises(ProtocolError, match="nested deeper than 64"):
            decode(nested(levels))


def test_brackets_in_texts_and_beside_each_other_are_no_depth() -> None:
    """Only what is open at once counts."""
    value: dict[str, object] = {"a": '[{"' * 100 + "\\", "b": [[]] * 100, "c\\": [{}] * 100}
    assert decode(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [b'{"' + b'\\"' * 400_000 + b"[" * 80, b'"' * 800_000 + b"[" * 80, b"[]" * 100_000, b"<title" * 100_000],
)
def test_hostile_bodies_take_linear_time(body: bytes) -> None:
    """No arrangement of quotes and escapes makes the scan start over."""
    start = time.process_time()
    with pytest.raises(ProtocolError):
        decode(body)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><head><title>502 Bad Gateway</title>", "the answer is HTML, not JSON: '502 Bad Gateway'"),
        (b"\n <!doctype html><p>no", "the answer is HTML, not JSON"),
        (b"<TITLE lang=en>\n a\n b </TITLE>", "the answer is HTML, not JSON: 'a b'"),
    ],
)
def test_html_is_told_by_its_title(body: bytes, message: str) -> None:
    """A page of a proxy says who it is."""
    with pytest.raises(ProtocolError) as caught:
        decode(body)
    assert caught.value.message == message


def test_a_title_is_short() -> None:
    """80 characters of it are enough."""
    with pytest.raises(ProtocolError) as caught:
        decode(b"<title>" + b"a" * 300 + b"</title>")
    assert caught.value.message == f"the answer is HTML, not JSON: '{'a' * 79}…'"
