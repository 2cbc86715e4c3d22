"""Every decoder under fire: `nox -s fuzz` draws 20,000 examples for each test here, a usual run 100."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.near_misses import (
    FUZZ,
    Dice,
    assert_closed,
    assert_fit,
    drawn,
    near_body,
    near_request,
    near_response,
)
from tests.surfaces import SURFACES, Surface
from veo_async.answers import Empty, Finished, Refused, Running, Unreadable
from veo_async.dialects import excerpts, gateway_errors, hints, operations, refusals, support_codes
from veo_async.dialects.strict_json import decode
from veo_async.dialects.tasks import fraction
from veo_async.errors import ProtocolError
from veo_async.wire import Response

each_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
BODIES = drawn(near_body)


# Surfaces -------------------------------------------------------------------------------------------------


@each_surface
def test_true_answers_are_read(surface: Surface) -> None:
    """What is changed below is no nonsense to begin with: each is readable on a submit, a check or a list."""
    for body in surface.answers:
        response = Response(status=200, headers={}, body=json.dumps(body).encode())
        assert_closed(surface, response)
        found = (
            surface.dialect.read_submit(response, "veo-3.1"),
            surface.dialect.read_check(response, surface.operation),
            surface.dialect.read_list(response, "veo-3.1"),
        )
        assert not all(isinstance(answer, Unreadable) for answer in found)


@each_surface
@FUZZ
@given(dice=drawn(lambda dice: dice))
def test_whatever_comes_is_one_of_the_answers(surface: Surface, dice: Dice) -> None:
    """Wrong types, members missing, renamed and said twice, cut bytes, HTML, nothing, depth and length."""
    assert_closed(surface, near_response(dice, surface), near_request(dice))


# What surfaces are built from -----------------------------------------------------------------------------


def said_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    assert len(members) == len(pairs)
    return members


@FUZZ
@given(BODIES)
def test_strict_json(body: bytes) -> None:
    """An object that says each thing once and reads as the standard decoder has it, or an error."""
    with suppress(ProtocolError):
        found = decode(body)
        assert isinstance(found, dict)
        assert found == json.loads(body, object_pairs_hook=said_once)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


@FUZZ
@given(drawn(lambda dice: near_response(dice, dice.pick(SURFACES))))
def test_refusals(response: Response) -> None:
    """An object only under 2xx; else a refusal or unreadable, in either reading of errors."""
    for read, rules in ((refusals.read_error, ()), (gateway_errors.read, gateway_errors.RULES)):
        found = refusals.read_body(response, read, rules)
        assert isinstance(found, dict | Refused | Unreadable)
        assert not isinstance(found, dict) or 200 <= response.status < 300
        assert_fit(found, response)


@FUZZ
@given(BODIES)
def test_errors_of_gateways(body: bytes) -> None:
    """Codes are short; only an envelope's code may be of a wrong type."""
    with suppress(ProtocolError):
        decoded = decode(body)
        for error in (gateway_errors.read(decoded), gateway_errors.read_envelope(decoded)):
            if error is not None:
                assert isinstance(error.code, int | None) or len(error.code) <= 80
                assert error.status is None or 400 <= error.status < 600


@FUZZ
@given(BODIES)
def test_operations(body: bytes) -> None:
    """Running, finished or empty, or an error with a place; an instant of creation is finite."""
    with suppress(ProtocolError):
        decoded = decode(body)
        created = operations.created_at(decoded)
        assert created is None or math.isfinite(created)
        found = operations.read_operation(decoded)
        assert isinstance(found, Running | Finished | Empty)
        assert_fit(found, Response(status=200, headers={}, body=body))


NUMBERS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([10**64, -(10**64), 1e308])
)


@FUZZ
@given(NUMBERS | st.text(max_size=12) | NUMBERS.map("{}%".format) | st.lists(NUMBERS, max_size=2))
def test_progress_of_tasks(value: object) -> None:
    """A fraction or none."""
    found = fraction(value)
    assert found is None or 0 <= found <= 1


PIECES = (
    *("retry in ", "try again in ", "5", "9" * 400, "1.5", "h", "m", "ms", "s", " ", ".", "-", "\u0663"),
    *("Tue, 06 Oct 2026 12:00:00 GMT", "Tue, 31 Feb 2026 12:00:00 GMT", "Tue, 06-Oct-26 25:00:00 +0000"),
    *("per day", "1/d/", "PerDay", "usage guidelines", "not be charged", *support_codes.CATEGORIES),
)
KEYS = ("retryDelay", "violations", "metadata", "quotaId", "quota_unit", "reason")


def words(dice: Dice) -> str:
    return "".join(dice.pick(PIECES) for _ in range(dice.below(6)))


def detail(dice: Dice, depth: int = 3) -> object:
    match dice.below(5) if depth else 0:
        case 3:
            return [detail(dice, depth - 1) for _ in range(dice.below(3))]
        case 4:
            return {dice.pick(KEYS): detail(dice, depth - 1) for _ in range(dice.below(4))}
        case kind:
            return dice.pick((words(dice), f"{words(dice)}s", None, kind))


@FUZZ
@given(drawn(lambda dice: (words(dice), words(dice), words(dice), [detail(dice), detail(dice)])))
def test_hints(drawn_: tuple[str, str, str, list[object]]) -> None:
    """A finite number of seconds of at least 0, or none."""
    until, now, message, details = drawn_
    seconds = hints.retry_after({"retry-after": until, "date": now}, message, details)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
    assert isinstance(hints.per_day(message, details), bool)
    instant = hints.answered_at({"date": now})
    assert instant is None or math.isfinite(instant)


@FUZZ
@given(drawn(words))
def test_words_of_filters(text: str) -> None:
    """Known categories, each once; money is "no" or "unknown"."""
    found = support_codes.categories(text)
    assert set(found) <= set(support_codes.CATEGORIES.values())
    assert len(set(found)) == len(found)
    assert support_codes.billed_by(text) in {"no", "unknown"}
    support_codes.speaks_of_policy(text)


KEY = "sk-0123456789abcdef"


@FUZZ
@given(st.text(max_size=60), st.text(max_size=60), st.integers(1, 100), st.booleans())
def test_excerpts(before: str, after: str, limit: int, as_bytes: bool) -> None:
    """Short and printable, and a key in it is never whole."""
    text = f"{before} {KEY} {after}"
    shown = excerpts.excerpt(text.encode("utf-8", "surrogatepass") if as_bytes else text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert KEY not in shown
