"""Errors as gateways write them: which words and codes count, and which stand for what."""

from __future__ import annotations

from typing import Any

import pytest

from veo_async.dialects.gateway_errors import read, read_envelope
from veo_async.dialects.refusals import ErrorBody


@pytest.mark.parametrize(
    ("error", "code", "word", "status"),
    [
        ({"code": "insufficient_quota"}, "insufficient_quota", "insufficient_quota", 402),
        ({"code": " Rate_Limit_Exceeded "}, " Rate_Limit_Exceeded ", " Rate_Limit_Exceeded ", 429),
        ({"code": 404}, 404, "", 404),
        ({"code": "503"}, "503", "503", 503),
        ({"code": 400}, 400, "", 400),
        ({"code": 599}, 599, "", 599),
        # a gateway's own numbers are nobody's status
        ({"code": 1302}, 1302, "", None),
        ({"code": 399}, 399, "", None),
        ({"code": "200"}, "200", "200", None),
        # the first that stands for a status counts; words of both are looked at
        ({"code": "odd", "type": "not_found"}, "odd", "odd not_found", 404),
        ({"code": 7, "type": "server_error"}, 7, "server_error", 500),
        # neither an empty text nor a truth value is a code
        ({"code": "", "type": "server_error"}, "server_error", "server_error", 500),
        ({"code": True, "type": 500}, 500, "", 500),
        ({"message": "no"}, None, "", None),
    ],
)
def test_codes(error: dict[str, Any], code: object, word: str, status: int | None) -> None:
    """Numbers and words, of `code` and of `type`."""
    found = read({"error": error})
    message = error.get("message", "")
    assert found == ErrorBody(message=message, code=code, word=word, status=status)  # type: ignore[arg-type]


def test_an_error_without_a_word_is_none() -> None:
    """An empty object, or one of odd members, says nothing."""
    assert read({"error": {}}) is None
    assert read({"error": {"code": None, "message": "", "type": [7]}}) is None
    assert read({"error": {"param": "x"}, "message": "outside"}) == ErrorBody(message="outside")


def test_a_long_code_is_cut() -> None:
    """A page in the place of a code fills no log."""
    found = read({"error": {"code": "x" * 500}})
    assert found is not None
    assert len(str(found.code)) == 80


@pytest.mark.parametrize(
    ("body", "code", "word", "status"),
    [
        ({"code": "fail", "error": {"code": "not_found"}}, "fail", "fail not_found", 404),
        ({"code": "fail", "error": {"code": 429}}, "fail", "fail", 429),
        ({"code": "fail", "error": {"message": "no"}}, "fail", "fail", None),
        ({"code": "server_error", "error": {"code": "server_error"}}, "server_error", "server_error", 500),
        ({"code": 500}, 500, "", 500),
    ],
)
def test_an_envelopes_code_and_the_error_in_it(
    body: dict[str, Any], code: object, word: str, status: int | None
) -> None:
    """Both count, the envelope's first, the same one once."""
    found = read_envelope(body)
    assert found is not None
    assert (found.code, found.word, found.status) == (code, word, status)


@pytest.mark.parametrize("code", [None, 0, 200, 299, "0", "200", "", "success", " OK "])
def test_an_envelope_of_success_holds_no_error(code: object) -> None:
    """Whatever stands beside it."""
    assert read_envelope({"code": code, "error": {"message": "no"}}) is None
