"""The strict converter: each JSON type stands for itself only, and every fault is told with its path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from veo_async.structuring import StructureError, strict_converter, structure


@frozen
class Rate:
    """How often."""

    count: int
    per: float = 1.0


@frozen
class Plan:
    """A bit of everything."""

    name: str = ""
    folder: Path | None = None
    enabled: bool = True
    rates: tuple[Rate, ...] = ()
    hosts: Mapping[str, str] = {}
    code: int | str | None = None


STRICT = strict_converter(forbid_extra_keys=True)
LENIENT = strict_converter(forbid_extra_keys=False)


def test_what_is_right_is_taken() -> None:
    plain = {
        "name": "a",
        "folder": "out",
        "enabled": False,
        "rates": [{"count": 5, "per": 60}, {"count": 5}],
        "hosts": {"a": "b"},
        "code": "13",
    }
    assert structure(STRICT, plain, Plan) == Plan(
        "a", Path("out"), False, (Rate(5, 60.0), Rate(5)), {"a": "b"}, "13"
    )


@pytest.mark.parametrize(
    ("plain", "path"),
    [
        ({"name": None}, "name"),
        ({"name": 1}, "name"),
        ({"folder": 1}, "folder"),
        ({"enabled": 1}, "enabled"),
        ({"enabled": "true"}, "enabled"),
        ({"rates": {"count": 5}}, "rates"),
        ({"rates": [{"count": True}]}, "rates[0].count"),
        ({"rates": [{"count": 5}, {"count": 5, "per": "60"}]}, "rates[1].per"),
        ({"rates": [{"count": 5, "per": True}]}, "rates[0].per"),
        ({"rates": [{"per": 5}]}, "rates[0].count"),
        ({"rates": ["5/s"]}, "rates[0]"),
        ({"hosts": [["a", "b"]]}, "hosts"),
        ({"hosts": {"a": 1}}, 'hosts["a"]'),
        ({"code": 1.5}, "code"),
        ({"code": False}, "code"),
        ({"nmae": "a"}, "nmae"),
        ([], ""),
        (None, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_path(plain: Any, path: str) -> None:
    with pytest.raises(StructureError) as caught:
        structure(STRICT, plain, Plan)
    assert [where for where, _ in caught.value.faults] == [path]
    assert caught.value.__context__ is None


def test_unknown_fields_pass_where_they_may() -> None:
    assert structure(LENIENT, {"nmae": "a"}, Plan) == Plan()
