"""Requests and outcomes to plain JSON objects and back; every fault is named by its path."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, cast

from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from veo_async.errors import InvalidRequestError, LedgerError
from veo_async.models import (
    Expired,
    Failed,
    Filtered,
    Media,
    Outcome,
    Rejected,
    Succeeded,
    Unknown,
    Video,
    VideoRequest,
    Withdrawn,
)
from veo_async.structuring import StructureError, object_hook, shown, strict_converter, structure

__all__ = [
    "OUTCOME_TAGS",
    "request_digest",
    "structure_outcome",
    "structure_request",
    "unstructure_outcome",
    "unstructure_request",
]

OUTCOME_TAGS: Final[Mapping[str, type[Outcome]]] = {
    "succeeded": Succeeded,
    "filtered": Filtered,
    "failed": Failed,
    "expired": Expired,
    "rejected": Rejected,
    "withdrawn": Withdrawn,
    "unknown": Unknown,
}
"""The "state" of a written outcome: the name of the job's state."""

_TAG_OF: Final = {cls: tag for tag, cls in OUTCOME_TAGS.items()}
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _one_source(media: Media) -> Media:
    if sum(source is not None for source in (media.path, media.uri, media.sha256)) != 1:
        raise ValueError('must hold exactly one of "path", "uri" and "sha256"')
    if media.sha256 is not None and not _SHA256.fullmatch(media.sha256):
        raise ValueError('"sha256" must be 64 hexadecimal digits, lower case')
    return media


@cache  # made on first use: an import need not wait for it
def _request_reader() -> Converter:
    converter = strict_converter(forbid_extra_keys=True)
    as_object = object_hook(Media, converter, data=override(omit=True))

    def structure_media(value: Any, _: Any) -> Any:
        if type(value) is str:
            return value  # VideoRequest itself tells paths from URLs
        if type(value) is not dict:
            raise ValueError(f"must be a path, a URL or an object with one of them, not {shown(value)}")
        return _one_source(as_object(value, Media))

    converter.register_structure_hook(Media, structure_media)
    return converter


def _kept(media: Media) -> dict[str, Any]:
    """Return media as JSON: where it is, and what is known of it."""
    known = {"mime_type": media.mime_type, "size": media.size, "reference_type": media.reference_type}
    if media.sha256 is not None:
        source: dict[str, Any] = {"sha256": media.sha256}
    elif media.uri is not None:
        source = {"uri": media.uri}
    elif media.path is not None:
        source = {"path": str(media.path)}
    else:
        raise InvalidRequestError("media given as bytes cannot stand in JSON: keep them in the ledger first")
    return source | {name: value for name, value in known.items() if value is not None}


def _identity(media: Media) -> dict[str, Any]:
    """Return what makes media the same media: its content where that is known, and what it is to be."""
    role = {} if media.reference_type is None else {"reference_type": media.reference_type}
    if media.sha256 is None and media.data is not None:
        return {"sha256": hashlib.sha256(media.data).hexdigest(), **role}
    return {name: value for name, value in _kept(media).items() if name in ("sha256", "uri", "path")} | role


def _as_it_is(value: Any) -> Any:
    return value


@cache
def _writer(media: Callable[[Media], dict[str, Any]], *omitted: str) -> Converter:
    converter = Converter(omit_if_default=True)
    converter.register_unstructure_hook(Media, media)
    overrides: dict[str, Any] = {name: override(omit=True) for name in omitted}
    overrides["extra"] = override(unstruct_hook=_as_it_is)
    hook = make_dict_unstructure_fn(VideoRequest, converter, _cattrs_omit_if_default=True, **overrides)
    converter.register_unstructure_hook(VideoRequest, hook)
    return converter


@cache
def _outcome_writer() -> Converter:
    converter = Converter(omit_if_default=True)
    hook = make_dict_unstructure_fn(Video, converter, _cattrs_omit_if_default=True, data=override(omit=True))
    converter.register_unstructure_hook(Video, hook)
    raw = override(unstruct_hook=_as_it_is)  # JSON already, and long
    for cls in OUTCOME_TAGS.values():
        as_dict = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, raw=raw)
        converter.register_unstructure_hook(cls, as_dict)
    return converter


@cache
def _outcome_reader() -> Converter:
    # Fields this version does not know pass: a manifest may come from a later one.
    converter = strict_converter(forbid_extra_keys=False)
    converter.register_structure_hook(Video, object_hook(Video, converter, data=override(omit=True)))
    return converter


def structure_request(obj: Any, where: str = "request") -> VideoRequest:
    """Return the request that a JSON object describes.

    Args:
        obj: A decoded JSON object with the fields of `VideoRequest`. Media is a string (path or URL) or an
            object with one of "path", "uri" and "sha256".
        where: What the error's text begins with, as in "line 3".

    Raises:
        InvalidRequestError: Names every field at fault at once, and what to write instead.
    """
    try:
        return structure(_request_reader(), obj, VideoRequest)
    except StructureError as error:
        top = re.split(r"[.\[]", error.faults[0][0])[0]
        raise InvalidRequestError(f"{where}: {error}", field=top or None) from None


def _canonical(value: Any) -> str:
    """Return the one JSON text of a value.

    Raises:
        InvalidRequestError: It is not JSON.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        pass  # raised below, so that no foreign exception hangs on ours
    raise InvalidRequestError("the request holds what JSON cannot: look at extra and labels", field="extra")


def unstructure_request(request: VideoRequest) -> dict[str, Any]:
    """Return the request as a JSON object that `structure_request` reads; None and empty fields are left out.

    Raises:
        InvalidRequestError: Media is given as bytes (keep them in the ledger first), `extra` is not JSON, or
            a field is not of its type.
    """
    plain: dict[str, Any] = _writer(_kept).unstructure(request)
    if "extra" in plain:
        plain["extra"] = json.loads(_canonical(plain["extra"]))  # tuples become lists here already
    # A request is not checked when it is made, and a row that cannot be read again would be found too late.
    structure_request(plain)
    return plain


def request_digest(request: VideoRequest) -> str:
    """Return the SHA-256 of what is asked for, in hexadecimal.

    Labels, the priority and the idempotency key do not count. Media counts by its content where that is known
    (`sha256` or `data`), else by its URI or path.

    Raises:
        InvalidRequestError: `extra` is not JSON.
    """
    text = _canonical(_writer(_identity, "labels", "priority", "idempotency_key").unstructure(request))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def unstructure_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as a JSON object, its kind under "state"; bytes of videos are left out."""
    plain: dict[str, Any] = _outcome_writer().unstructure(outcome)
    # What was billed is said even where it is the kind's default: people read these lines.
    return {"state": _TAG_OF[type(outcome)], "billed": outcome.billed} | plain


def structure_outcome(obj: Any, where: str = "outcome") -> Outcome:
    """Return the outcome that `unstructure_outcome` wrote.

    Raises:
        LedgerError: It is not one; names every path at fault.
    """
    tag = cast("dict[str, Any]", obj).get("state") if isinstance(obj, dict) else None
    if not isinstance(tag, str) or tag not in OUTCOME_TAGS:
        raise LedgerError(f'{where}: "state" must be one of {", ".join(OUTCOME_TAGS)}, not {shown(tag)}')
    try:
        return structure(_outcome_reader(), obj, OUTCOME_TAGS[tag])
    except StructureError as error:
        raise LedgerError(f"{where}: {error}") from None
