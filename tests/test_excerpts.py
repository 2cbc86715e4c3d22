"""Words of strangers are shown short, escaped, and without keys or videos."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veo_async.dialects.excerpts import MAX_EXCERPT, excerpt, without_base64


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 😀", "plain é 😀"),
        (b"plain \xc3\xa9", "plain é"),
        (b"\xff\x00", "\\\\xff\\x00".replace("\\\\", "\\")),
        ("a\x1b[31m\r\nb\x7f\x9b", "a\\x1b[31m\\r\\nb\\x7f\\x9b"),
        ("\u202eevil\u2028", "\\u202eevil\\u2028"),
        ("\ud800", "\\ud800"),
        ("key sk-abcdefghijkl.", "key <secret>"),
        ("key AIzaSyABCDEFGH1234 bad", "key <secret> bad"),
        ("Authorization: Bearer abcdefgh", "Authorization: <secret>"),
        ("https://host/v?a=1&key=abcdefgh&b=2", "https://host/v?a=1<secret>&b=2"),
        ("", ""),
    ],
)
def test_excerpts(text: str | bytes, shown: str) -> None:
    """All that is unprintable is escaped, all that looks like a key is left out."""
    assert excerpt(text) == shown


def test_a_key_across_the_cut_is_left_out() -> None:
    """No half of it remains."""
    assert "sk-" not in excerpt("a" * (MAX_EXCERPT - 8) + " sk-" + "b" * 60)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=700) | st.binary(max_size=700), st.integers(10, 500))
def test_excerpts_are_short_and_printable(text: str | bytes, limit: int) -> None:
    """Never longer than asked, never a control character."""
    shown = excerpt(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


def test_long_base64_is_cut() -> None:
    """Videos are not kept twice; other texts and all numbers stay."""
    video, words = "AAAA" * 5000, "some words " * 200
    data_uri = "data:video/mp4;base64," + video
    value = {"a": [{"encodedVideo": video, "uri": data_uri}, words, 1, None, True], "b": "AAAA"}
    assert without_base64(value) == {
        "a": [
            {"encodedVideo": "<20000 characters cut>", "uri": "<20022 characters cut>"},
            words,
            1,
            None,
            True,
        ],
        "b": "AAAA",
    }
    assert value["b"] == "AAAA"
