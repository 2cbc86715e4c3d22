"""Names of operations in the Gemini format: `models/{model}/operations/{id}`, or shorter.

Gateways answer `operations/{id}` (seed 001); ours are always full, since the status needs the model.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from veo_async.dialects.checks import ID, is_id, is_model_name
from veo_async.dialects.excerpts import excerpt
from veo_async.errors import InvalidRequestError, ProtocolError

__all__ = ["full_name", "full_names", "given_name", "parts", "same"]

NAMES_KEPT: Final = 4096
"""Names of a model's list that are read once, however many pages they come in."""

# Seeds 001 and 003 write operations/{id}; Google's answers have the model in front.
_NAME: Final = re.compile(rf"(?:models/(?P<model>[^\s/].{{0,199}}?)/)?operations/(?P<id>{ID.pattern})")


def _name(model: str, operation_id: str) -> str:
    return f"models/{model}/operations/{operation_id}"


def parts(operation: str) -> tuple[str, str]:
    """Return model and id of a full operation name.

    Raises:
        InvalidRequestError: it is no full name.
    """
    found = _NAME.fullmatch(operation)
    if found is None or found["model"] is None or not is_model_name(found["model"]):
        raise InvalidRequestError(
            f"{excerpt(operation, 120)!r} is no full operation name: give models/MODEL/operations/ID",
            field="operation",
        )
    return found["model"], found["id"]


def full_name(name: str | None, model: str) -> str:
    """Return the full name of the operation that an answer names, `model` being what it was submitted to.

    Raises:
        ProtocolError: the answer has no usable name.
    """
    found = _NAME.fullmatch(name or "")
    if found is None:
        raise ProtocolError("the answer has no operation name", path="$.name")
    if found["model"] is None:  # seed 001: remember the model submitted to
        return _name(model, found["id"])
    if not is_model_name(found["model"]):
        raise ProtocolError("the operation name has no model's name in it", path="$.name")
    return _name(found["model"], found["id"])


class FullNames(dict[str, str]):
    """Full names of one model's operations, by the names that answers give: `full_names(model)[name]`.

    A name without use raises `ProtocolError`, as `full_name` does.
    """

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, name: str) -> str:
        full = full_name(name, self._model)
        if len(self) >= NAMES_KEPT:
            self.clear()
        self[name] = full
        return full


full_names: Final = lru_cache(maxsize=64)(FullNames)
"""Return the names of a model's operations, the same object each time."""


def given_name(given: str, model: str | None) -> str:
    """Return the full name of an operation that somebody names.

    Raises:
        InvalidRequestError: it is no operation name, or needs a model.
    """
    name = f"operations/{given}" if is_id(given) else given
    found = _NAME.fullmatch(name)
    if found is None:
        raise InvalidRequestError(
            f"{excerpt(given, 120)!r} is no operation name here: give models/MODEL/operations/ID",
            field="operation",
        )
    whose = found["model"] or model
    if whose is None or not is_model_name(whose):
        raise InvalidRequestError(
            f"{excerpt(given, 120)!r} does not say its model: give model= as well", field="model"
        )
    return _name(whose, found["id"])


def same(name: str, operation: str) -> bool:
    """Return whether an answer's name is the asked one, perhaps without its model (seed 001)."""
    return name == operation or (name.startswith("operations/") and operation.endswith(f"/{name}"))
