"""Requests as gateways take them: one flat object.

What a surface has no field for is named, with the way out, before anything is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import field, frozen

from veo_async.dialects import checks
from veo_async.dialects.instances import encoded
from veo_async.models import Media, Problem, VideoRequest
from veo_async.wire import Base64Media

__all__ = ["WISHES", "FlatRequest", "url_of"]

WISHES: Final = (
    "aspect_ratio",
    "resolution",
    "duration_seconds",
    "negative_prompt",
    "person_generation",
    "enhance_prompt",
    "seed",
    "sample_count",
    "generate_audio",
    "storage_uri",
)
"""Fields of a request that are neither text to show nor media."""

_MEDIA: Final = ("image", "last_frame", "video", "reference_images")
_WEB: Final = re.compile(r"https?://[^\s]+", re.IGNORECASE)

_USUAL: Final[Mapping[str, object]] = {"duration_seconds": 8, "sample_count": 1}
"""What every service makes of a request that says nothing: to ask for it needs no field."""

_MEDIA_REMEDIES: Final[Mapping[str, str]] = {
    "image": "leave it out",
    "last_frame": "leave it out, or use a provider that takes one, such as gptproto",
    "video": "leave it out, or extend videos with a provider that does, such as gptproto",
    "reference_images": "leave them out, or use a provider that takes them, such as gptproto",
}


def url_of(media: Media) -> str:
    """Return the URL of a medium; the session has put those of this machine where they have one."""
    return media.uri or ""


@frozen(kw_only=True)
class FlatRequest:
    """What a surface makes of a request."""

    request: VideoRequest
    model: str
    fields: Mapping[str, str]
    """The surface's field by the request's."""
    places: Mapping[str, str] = field(factory=dict[str, str])
    """What else stands in the path, by the place's name."""
    members: Mapping[str, Any] = field(factory=dict[str, Any])
    """Members of the body that are no plain copies of the request's fields."""
    media: tuple[Media, ...] = ()
    """Pictures whose bytes go into the body, in the order of their marks."""
    usual: Mapping[str, object] = field(factory=dict[str, object])
    """What this surface makes when nothing is said, beside what all do."""
    covered: frozenset[str] = frozenset()
    """Fields of the request that `members` speak of."""
    takes: frozenset[str] = frozenset()
    """Media fields that `members` speak of."""

    def problems(self) -> Iterator[Problem]:
        """Yield all that forbids sending it."""
        yield from checks.request_problems(self.request, self.model)
        for name in WISHES:
            value = getattr(self.request, name)
            if value is not None and not self._has_place(name, value):
                yield Problem(field=name, message=_no_place(name, value))
        for name in _MEDIA:
            if getattr(self.request, name) and name not in self.takes:
                message = f"this service has no place for {name}: {_MEDIA_REMEDIES[name]}"
                yield Problem(field=name, message=message)
        yield from self._odd_urls()

    def encoded(self, *, duration_as_string: bool = False) -> tuple[bytes | Base64Media, ...]:
        """Return the body's parts; fields of `extra` are the caller's last word."""
        plain = {
            key: getattr(self.request, name)
            for name, key in self.fields.items()
            if getattr(self.request, name) is not None
        }
        duration = self.fields.get("duration_seconds")
        if duration_as_string and duration in plain:
            plain[duration] = str(plain[duration])
        body = {"prompt": self.request.prompt, **self.members, **plain, **self.request.extra}
        return encoded(body, self.media)

    def _has_place(self, name: str, value: object) -> bool:
        return (
            name in self.fields
            or name in self.covered
            or any(value == usual.get(name) for usual in (_USUAL, self.usual))
        )

    def _odd_urls(self) -> Iterator[Problem]:
        references = (
            (f"reference_images[{n}]", item) for n, item in enumerate(self.request.reference_images)
        )
        named = (("image", self.request.image), ("last_frame", self.request.last_frame), *references)
        for name, media in named:
            uri = media.uri if isinstance(media, Media) else None
            if uri is not None and _WEB.fullmatch(uri) is None:
                message = f"{name} must be at an http:// or https:// URL, which this service can fetch"
                yield Problem(field=name, message=message)


def _no_place(name: str, value: object) -> str:
    shown = json.dumps(value, default=str)[:40]
    return (
        f"this service has no field for {name}: leave it out, or give the service's own field, "
        f'as in extra={{"{name}": {shown}}}'
    )
