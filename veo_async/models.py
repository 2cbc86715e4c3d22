"""What is asked for and what comes back: requests, media, videos, results, outcomes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NewType

from attrs import field, frozen

from veo_async.errors import Billed

__all__ = [
    "Eta",
    "Expired",
    "Failed",
    "Filtered",
    "JobId",
    "Media",
    "MediaSource",
    "Outcome",
    "Priority",
    "Problem",
    "Rejected",
    "Result",
    "Succeeded",
    "Unknown",
    "Video",
    "VideoRequest",
    "Withdrawn",
]

JobId = NewType("JobId", str)
"""A job's id in its session and ledger: a UUID4."""

Priority = Literal["urgent", "normal", "bulk"]
"""Whose request goes first where there is no room for all."""

_URI = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def _shown_bytes(value: bytes | None) -> str:
    return "None" if value is None else f"<{len(value)} bytes>"


@frozen(kw_only=True)
class Media:
    """A picture or video that goes with a request: a file, bytes or a URI, exactly one of them.

    Files are opened when the job is enqueued, in a thread; their type is read off their first bytes.
    """

    path: Path | None = None
    """A file on this machine."""
    data: bytes | None = field(default=None, repr=_shown_bytes)
    """The content itself."""
    uri: str | None = None
    """Where the provider finds it: `https://…` or `gs://…`."""
    sha256: str | None = None
    """Content that the ledger keeps, by its digest in hexadecimal."""
    mime_type: str | None = None
    """As in "image/png"; None until the content was looked at."""
    size: int | None = None
    """Length in bytes, once the content was looked at."""
    reference_type: str | None = None
    """Among reference images: "asset" (what None means) or, where a service takes that, "style"."""

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, mime_type: str | None = None, reference_type: str | None = None
    ) -> Media:
        """Return media that is read from `path` when the job is enqueued."""
        return cls(path=Path(path), mime_type=mime_type, reference_type=reference_type)

    @classmethod
    def from_bytes(
        cls, data: bytes, *, mime_type: str | None = None, reference_type: str | None = None
    ) -> Media:
        """Return media with the content `data`."""
        return cls(data=data, mime_type=mime_type, reference_type=reference_type)

    @classmethod
    def from_uri(cls, uri: str, *, mime_type: str | None = None, reference_type: str | None = None) -> Media:
        """Return media that the provider fetches from `uri`."""
        return cls(uri=uri, mime_type=mime_type, reference_type=reference_type)


MediaSource = Media | str | os.PathLike[str] | bytes
"""What a request takes where it takes media: Media, a path, bytes, or a URL as a string."""


def _media(value: MediaSource) -> Media:
    if isinstance(value, Media):
        return value
    if isinstance(value, bytes):
        return Media.from_bytes(value)
    if isinstance(value, str) and _URI.match(value):
        return Media.from_uri(value)
    return Media.from_file(value)


def _optional_media(value: MediaSource | None) -> Media | None:
    return None if value is None else _media(value)


def _media_tuple(values: Iterable[MediaSource]) -> tuple[Media, ...]:
    return tuple(_media(value) for value in values)


def _labels(value: Mapping[str, str]) -> dict[str, str]:
    return dict(value)


def _extra(value: Mapping[str, Any]) -> dict[str, Any]:
    return dict(value)


def _seconds(value: int | str | None) -> int | str | None:
    """Take 8 and "8" alike; anything else is left for the check of the request to name."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


@frozen
class VideoRequest:
    """One request for video. What is None or empty is not sent.

    Nothing is checked here: `VeoSession.enqueue` checks the whole request against the provider and raises
    `InvalidRequestError` before anything is sent.
    """

    prompt: str
    """What to show; audio cues may be part of it."""
    model: str | None = field(default=None, kw_only=True)
    """An alias ("veo-3.1", "veo-3.1-fast", …) or the provider's own name; None: the provider's default."""
    image: Media | None = field(default=None, kw_only=True, converter=_optional_media)
    """First frame."""
    last_frame: Media | None = field(default=None, kw_only=True, converter=_optional_media)
    """Last frame; goes with `image`."""
    video: Media | None = field(default=None, kw_only=True, converter=_optional_media)
    """A video to extend."""
    reference_images: tuple[Media, ...] = field(default=(), kw_only=True, converter=_media_tuple)
    """Up to three pictures of what shall appear; excludes `image`."""
    aspect_ratio: str | None = field(default=None, kw_only=True)
    """"16:9" or "9:16"."""
    resolution: str | None = field(default=None, kw_only=True)
    """"720p", "1080p" or "4k"."""
    duration_seconds: int | str | None = field(default=None, kw_only=True, converter=_seconds)
    """Length of the video in seconds; 8 and "8" are the same."""
    negative_prompt: str | None = field(default=None, kw_only=True)
    """What not to show."""
    person_generation: str | None = field(default=None, kw_only=True)
    """"allow_all", "allow_adult" or "dont_allow"."""
    enhance_prompt: bool | None = field(default=None, kw_only=True)
    """Whether the provider may rewrite the prompt."""
    seed: int | None = field(default=None, kw_only=True)
    """For repeatable results, where the model takes one."""
    sample_count: int | None = field(default=None, kw_only=True)
    """Videos to make of this one prompt; each is billed."""
    generate_audio: bool | None = field(default=None, kw_only=True)
    """Whether to make sound, where the provider lets one choose."""
    storage_uri: str | None = field(default=None, kw_only=True)
    """A `gs://` folder for the result, on Vertex AI."""
    labels: Mapping[str, str] = field(factory=dict[str, str], kw_only=True, converter=_labels)
    """Ours, never on the wire: grouping, fairness, reports."""
    priority: Priority = field(default="normal", kw_only=True)
    """Ours, never on the wire: "urgent" goes before "normal" before "bulk" wherever there is no room for all;
    so that none starves, one turn in ten is for each that waits."""
    extra: Mapping[str, Any] = field(factory=dict[str, Any], kw_only=True, converter=_extra)
    """Provider fields this library does not know: merged into the parameters as they are."""
    idempotency_key: str | None = field(default=None, kw_only=True)
    """Same key, same ledger: the same job, never a second submit. Another request under it is refused."""


@frozen(kw_only=True)
class Problem:
    """What is wrong, or questionable, about a request before it is sent."""

    field: str
    """The request's field, as in "duration_seconds"."""
    message: str
    """What is wrong and what to do."""


@frozen(kw_only=True)
class Video:
    """One finished video; `VeoSession.save` stores it, `VeoSession.stream` hands out its bytes."""

    uri: str | None = field(default=None)
    """Where its bytes are; may need the provider's key, which `save` and `stream` add where it belongs."""
    sha256: str | None = None
    """Digest of a video that came inside the answer; the session's ledger holds its bytes."""
    data: bytes | None = field(default=None, repr=_shown_bytes)
    """The bytes of a video that came inside the answer, until the ledger has taken them over."""
    mime_type: str | None = None
    """As in "video/mp4", where the provider says it."""
    index: int = 0
    """Position among the operation's videos, from 0."""
    degraded: bool = False
    """True when the provider hands out a lesser version than asked for (an upscale that failed)."""


@frozen(kw_only=True)
class Result:
    """What a job that succeeded brought."""

    videos: tuple[Video, ...]
    """At least one."""
    filtered: int = 0
    """How many further videos the provider's safety filters held back."""
    filtered_reasons: tuple[str, ...] = ()
    """Why, in the provider's words."""
    enhanced_prompt: str | None = None
    """The prompt as the provider rewrote it, as it came, where it says so."""
    thumbnails: tuple[str, ...] = ()
    """URLs of still pictures of the videos, where the provider gives them."""
    job_id: str | None = None
    """The job this came from."""
    operation: str | None = None
    """The provider's operation name."""


@frozen(kw_only=True)
class Succeeded:
    """There is at least one video."""

    result: Result
    billed: Billed = "yes"
    raw: Any = field(default=None, repr=False)
    """The answer that said so, decoded; long base64 texts cut out."""


@frozen(kw_only=True)
class Filtered:
    """The provider's safety filters held all videos back."""

    reasons: tuple[str, ...] = ()
    """The provider's reasons, in its words."""
    count: int = 0
    """How many videos were held back, where the provider says it."""
    categories: tuple[str, ...] = ()
    """What the reasons' support codes stand for, as in ("celebrity",); open-ended."""
    billed: Billed = "no"
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Failed:
    """The operation ended without a video."""

    reason: str = "error"
    """"error", "content" (a safety refusal dressed as an error) or "empty" (done without a video)."""
    code: int | str | None = None
    """The operation's error code as it came."""
    message: str = ""
    """The provider's own words."""
    categories: tuple[str, ...] = ()
    """What the message's support codes stand for, as in ("celebrity",); open-ended."""
    billed: Billed = "unknown"
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Expired:
    """The provider no longer knows the operation; its name stays in the ledger."""

    message: str = ""
    billed: Billed = "unknown"
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Rejected:
    """The provider refused the job in its own words."""

    reason: str = "invalid"
    """A `RefusalKind` as a string: "invalid", "content", "server", "redirect", …"""
    code: int | str | None = None
    """The provider's code as it came."""
    status: int | None = None
    """HTTP status of the refusal."""
    message: str = ""
    """The provider's own words."""
    billed: Billed = "no"
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Withdrawn:
    """Taken back before anything was sent."""

    billed: Billed = "no"
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Unknown:
    """Sent, and no readable answer came: it may run and be billed. May later move; the others are final."""

    reason: str = "lost"
    """"lost", "unreadable_ack", "duplicate_name", "crashed" or "restored"."""
    message: str = ""
    billed: Billed = "unknown"
    raw: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Eta:
    """When the provider is likely to have finished, in seconds from now; 0 where that is past already.

    Whoever awaits the job hears of it with the next status check after that.
    """

    p50: float
    """As likely sooner as later."""
    p90: float
    """Sooner nine times in ten."""


Outcome = Succeeded | Filtered | Failed | Expired | Rejected | Withdrawn | Unknown
"""How a job ended; exhaustive under `match`."""
