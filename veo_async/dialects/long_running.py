"""Answers about Google's long-running operations, as the Gemini format and Vertex AI both give them.

What differs is how operations are named; a surface says it by the functions it passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from veo_async.answers import (
    Accepted,
    CheckAnswer,
    Empty,
    Finished,
    Missing,
    Refused,
    Running,
    SubmitAnswer,
    Unreadable,
)
from veo_async.dialects import fields, operations, refusals
from veo_async.dialects.excerpts import excerpt, without_base64
from veo_async.dialects.fields import JsonObject
from veo_async.errors import ProtocolError
from veo_async.wire import Part, Response

__all__ = ["read_check", "read_submit", "refused_in"]

_NOT_FOUND: Final = 404
_GONE: Final = 410


def read_submit(response: Response, full_name: Callable[[str | None], str]) -> SubmitAnswer:
    """Return what the answer to a submit says.

    Args:
        response: The answer.
        full_name: Makes the name that an answer gives the one that is kept; raises `ProtocolError` for none.
    """
    body = refusals.read_body(response)
    if isinstance(body, Unreadable):
        return body
    if isinstance(body, Refused):
        return refusals.of_submit(body)
    try:
        refused = refused_in(body, response)
        return refusals.of_submit(refused) if refused else _accepted(body, full_name)
    except ProtocolError as error:
        return refusals.unreadable(response, error.message, error.path)


def read_check(response: Response, operation: str, is_same: Callable[[str, str], bool]) -> CheckAnswer:
    """Return what the answer to a check of `operation` says.

    Args:
        response: The answer.
        operation: What was asked for.
        is_same: Whether an answer's name, given first, is that of the operation.
    """
    if response.status in (_NOT_FOUND, _GONE):
        return _missing(response)  # whatever the body: it is the operation that was asked for
    body = refusals.read_body(response)
    if isinstance(body, Refused | Unreadable):
        return body
    try:
        return refused_in(body, response) or _checked(body, operation, is_same, response.parts)
    except ProtocolError as error:
        return refusals.unreadable(response, error.message, error.path)


def refused_in(body: JsonObject, response: Response) -> Refused | None:
    """Return the refusal that a 200 of a gateway holds; None when the answer holds none.

    Raises:
        ProtocolError: an error that no rule knows.
    """
    if body.get("error") is None or operations.is_operation(body):
        return None
    error = refusals.read_error(body)
    refused = error and refusals.refusal(error, response, body)
    if not refused:
        raise ProtocolError("an error under status 200 that says nothing known", path="$.error")
    return refused


def _accepted(body: JsonObject, full_name: Callable[[str | None], str]) -> Accepted:
    name = full_name(fields.text(body, "name", "$"))
    return Accepted(operation=name, finished=_finished(body), raw=without_base64(body))


def _finished(body: JsonObject) -> Finished | Empty | None:
    """Return what an operation that is done at once brought; oddities beside a good name are for a check."""
    try:
        status = operations.read_operation(body)
    except ProtocolError:
        return None
    return None if isinstance(status, Running) else status


def _checked(
    body: JsonObject, operation: str, is_same: Callable[[str, str], bool], parts: Mapping[str, Part]
) -> Running | Finished | Empty:
    name = fields.text(body, "name", "$")
    if name is None and fields.boolean(body, "done", "$") is None:
        raise ProtocolError("the answer is no operation: it has neither name nor done")
    if name is not None and not is_same(name, operation):
        raise ProtocolError(f"the answer is about {excerpt(name, 120)!r}, not {operation!r}", path="$.name")
    return operations.read_operation(body, parts=parts)


def _missing(response: Response) -> Missing:
    body = refusals.read_body(response)
    message = body.message if isinstance(body, Refused) else ""
    return Missing(message=message, gone=response.status == _GONE)
