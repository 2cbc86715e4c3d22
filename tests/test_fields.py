"""Readers of decoded JSON: the promised type, or absent, or an error that names the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from veo_async.dialects import fields
from veo_async.errors import ProtocolError

Reader = Callable[[dict[str, object], str, str], object]


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        (fields.boolean, True, True),
        (fields.boolean, False, False),
        (fields.boolean, None, None),
        (fields.text, "", ""),
        (fields.text, None, None),
        (fields.code, 3, 3),
        (fields.code, "3", "3"),
        (fields.code, None, None),
        (fields.count, 2, 2),
        (fields.count, "2", 2),
        (fields.count, None, 0),
        (fields.sub_object, {}, {}),
        (fields.sub_object, None, None),
        (fields.objects, [{}, {"a": 1}], [{}, {"a": 1}]),
        (fields.objects, None, []),
        (fields.texts, ["a", "b"], ("a", "b")),
        (fields.texts, None, ()),
    ],
)
def test_what_is_taken(reader: Reader, value: object, expected: object) -> None:
    """Null is as good as absent."""
    assert reader({"key": value}, "key", "$") == expected
    if value is None:
        assert reader({}, "key", "$") == expected


REFUSED: list[tuple[Reader, object, str]] = [
    (fields.boolean, "false", "$.a.key must be true or false, not a string"),
    (fields.boolean, 0, "$.a.key must be true or false, not a number"),
    (fields.text, 1.5, "$.a.key must be a string, not a number"),
    (fields.text, True, "$.a.key must be a string, not a boolean"),
    (fields.code, True, "$.a.key must be a whole number or a string, not a boolean"),
    (fields.code, 1.5, "$.a.key must be a whole number or a string, not a number"),
    (fields.count, -1, "$.a.key must be a number of at least 0, not a number"),
    (fields.count, "many", "$.a.key must be a number of at least 0, not a string"),
    (fields.count, "9" * 5000, "$.a.key must be a number of at least 0, not a string"),
    (fields.sub_object, [], "$.a.key must be an object, not a list"),
    (fields.sub_object, "x", "$.a.key must be an object, not a string"),
    (fields.objects, {}, "$.a.key must be a list, not an object"),
    (fields.objects, [{}, None], "$.a.key[1] must be an object, not null"),
    (fields.texts, ["a", 1], "$.a.key[1] must be a string, not a number"),
]


@pytest.mark.parametrize(("reader", "value", "message"), REFUSED)
def test_what_is_refused(reader: Reader, value: Any, message: str) -> None:
    """Nothing is converted: "false" is no boolean, and the path says where it stood."""
    with pytest.raises(ProtocolError) as caught:
        reader({"key": value}, "key", "$.a")
    assert caught.value.message == message
    assert caught.value.path == message.split(" ", maxsplit=1)[0]
