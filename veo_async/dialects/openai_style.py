"""Requests of the OpenAI style, `{model, prompt, seconds, size, input_reference}` (protocol §5).

Gateways take them whatever shape their answers have: a surface of this style adds how those are read.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, Final

from attrs import Factory, field, frozen

from veo_async.dialects.dialect import Capabilities
from veo_async.dialects.flat_requests import FlatRequest
from veo_async.dialects.instances import mark
from veo_async.dialects.tasks import TaskDialect
from veo_async.models import Media, VideoRequest

__all__ = ["FIELDS", "OPTIONS", "OpenAIStyleDialect"]

FIELDS: Final[Mapping[str, str]] = {}
OPTIONS: Final[Mapping[str, type]] = {"seconds_as_number": bool, "reference_as_object": bool}

_SIZES: Final[Mapping[tuple[str, str], str]] = {
    ("720p", "16:9"): "1280x720",
    ("720p", "9:16"): "720x1280",
    ("1080p", "16:9"): "1920x1080",
    ("1080p", "9:16"): "1080x1920",
    ("4k", "16:9"): "3840x2160",
    ("4k", "9:16"): "2160x3840",
}
"""`size` by resolution and aspect ratio."""


@frozen(kw_only=True)
class OpenAIStyleDialect(TaskDialect, ABC):
    """A surface that takes requests of the OpenAI style."""

    fields: Mapping[str, str] = FIELDS
    seconds_as_number: bool = False
    """Write `seconds` as a number; OpenAI documents a string."""
    reference_as_object: bool = False
    """Write `input_reference` as `{"image_url": …}` and not as the URL itself."""
    capabilities: Capabilities = field(
        default=Factory(
            lambda self: Capabilities(duration_as_string=not self.seconds_as_number), takes_self=True
        )
    )

    def flat(self, request: VideoRequest, model: str) -> FlatRequest:
        """Return the body; a picture's bytes go as a data URL."""
        size, seconds = _size(request), request.duration_seconds
        members: dict[str, Any] = {"model": model}
        if seconds is not None:
            members["seconds"] = seconds if self.seconds_as_number else str(seconds)
        if size is not None:
            members["size"] = size
        media: tuple[Media, ...] = ()
        if request.image is not None:
            media = () if request.image.uri else (request.image,)
            members["input_reference"] = self._reference(request.image)
        return FlatRequest(
            request=request,
            model=model,
            fields=self.fields,
            members=members,
            media=media,
            takes=frozenset({"image"}),
            covered=frozenset({"duration_seconds", *(("resolution", "aspect_ratio") if size else ())}),
        )

    def _reference(self, image: Media) -> str | dict[str, str]:
        url = image.uri or f"data:{image.mime_type or 'image/png'};base64,{mark(0)}"
        return {"image_url": url} if self.reference_as_object else url


def _size(request: VideoRequest) -> str | None:
    """Return the size that is asked for; None where nothing is, or no size is known for it."""
    if request.resolution is None and request.aspect_ratio is None:
        return None
    return _SIZES.get((request.resolution or "720p", request.aspect_ratio or "16:9"))
