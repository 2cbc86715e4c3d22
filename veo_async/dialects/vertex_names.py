"""Names at Vertex AI: models and operations stand under a project and a location.

`projects/{p}/locations/{loc}/publishers/{who}/models/{m}`, and `…/operations/{id}` behind it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from attrs import frozen

from veo_async.dialects.checks import ID, is_id, is_model_name
from veo_async.dialects.excerpts import excerpt
from veo_async.errors import InvalidRequestError, ProtocolError

__all__ = ["PROJECT", "Place", "full_name", "given_name", "is_location", "parts", "path_of", "same"]

PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9.:-]{0,98}[a-z0-9]")
"""A project's id or number; ids of old domains have a colon, as in "example.com:films"."""
_LOCATION: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_NAME: Final = re.compile(
    rf"projects/(?P<project>{PROJECT.pattern})/locations/(?P<location>{_LOCATION.pattern})"
    rf"/publishers/(?P<publisher>[a-z0-9][a-z0-9-]{{0,62}})/models/(?P<model>[^\s/]{{1,200}})"
    rf"/operations/(?P<id>{ID.pattern})"
)
_FORMS: Final = "give projects/PROJECT/locations/LOCATION/publishers/google/models/MODEL/operations/ID"


def is_location(text: str) -> bool:
    """Return whether `text` can be a location's name, as "us-central1" or "global"."""
    return _LOCATION.fullmatch(text) is not None


@frozen
class Place:
    """Where models are asked for."""

    project: str
    location: str

    def model(self, model: str) -> str:
        """Return the resource name of a model; "publishers/…/models/…" names another publisher's."""
        tail = model if model.startswith("publishers/") else f"publishers/google/models/{model}"
        return f"projects/{self.project}/locations/{self.location}/{tail}"


def path_of(resource: str) -> str:
    """Return a resource name as it stands in a URL's path."""
    return quote(resource, safe="/:")


def _match(name: str) -> re.Match[str] | None:
    found = _NAME.fullmatch(name)
    return found if found is not None and is_model_name(found["model"]) else None


def parts(operation: str) -> tuple[str, str]:
    """Return the model's resource name, and its name alone, of a full operation name.

    Raises:
        InvalidRequestError: it is no full name.
    """
    found = _match(operation)
    if found is None:
        raise InvalidRequestError(
            f"{excerpt(operation, 120)!r} is no operation name of Vertex AI: {_FORMS}", field="operation"
        )
    return operation.rpartition("/operations/")[0], found["model"]


def full_name(name: str | None) -> str:
    """Return the operation name that an answer gives.

    Raises:
        ProtocolError: the answer has no usable name.
    """
    if name is None or _match(name) is None:
        raise ProtocolError("the answer has no operation name of Vertex AI", path="$.name")
    return name


def given_name(given: str, model: str | None, place: Place) -> str:
    """Return the full name of an operation that somebody names.

    Raises:
        InvalidRequestError: it is no operation name, needs a model, or is of another location: that has
            another host.
    """
    if is_id(given):
        if model is None or not is_model_name(model):
            raise InvalidRequestError(
                f"{excerpt(given, 120)!r} does not say its model: give model= as well", field="model"
            )
        return f"{place.model(model)}/operations/{given}"
    parts(given)
    found = _match(given)
    if found is not None and found["location"] != place.location:
        raise InvalidRequestError(
            f"this operation is in {found['location']}, the provider in {place.location}: make one by "
            f"Provider.vertex(location={found['location']!r}, …)",
            field="operation",
        )
    return given


def same(name: str, operation: str) -> bool:
    """Return whether an answer's name is the asked one; the project may be named by its number."""
    if name == operation:
        return True
    answered, asked = _match(name), _match(operation)
    if answered is None or asked is None:
        return False
    return all(answered[part] == asked[part] for part in ("location", "model", "id"))
