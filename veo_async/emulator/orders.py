"""What a client ordered, whatever the surface it came through."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Segment:
    """A stretch of a clip with one picture; an extension adds a segment to its source's."""

    prompt: str
    seconds: int
    image: str | None = None
    """SHA-256 of the image behind the caption, if one was given."""
    seed: int = 0


@frozen(kw_only=True)
class ClipSpec:
    """All that decides a clip's bytes, so that equal specs share one rendering."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    segments: tuple[Segment, ...]
    sample: int = 0
    """Which of the job's samples this is, from 0; samples of a job differ in colour."""

    @property
    def seconds(self) -> int:
        """Length of the whole clip in seconds."""
        return sum(segment.seconds for segment in self.segments)


@frozen(kw_only=True)
class Order:
    """One request for videos, read and found valid by a surface."""

    model: str
    prompt: str
    resolution: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    segments: tuple[Segment, ...]
    samples: int = 1
    upsampling: bool = False
    """Whether a 720p video shall be enlarged to this size, as gateways offer."""
    digest: str
    """SHA-256 over model and request: the same order has the same digest."""
    request: Mapping[str, Any]
    """The body as it came, media replaced by their SHA-256."""

    def clip(self, sample: int) -> ClipSpec:
        """The clip of one sample, counted from 0."""
        return ClipSpec(width=self.width, height=self.height, segments=self.segments, sample=sample)

    @property
    def billed_seconds(self) -> int:
        """Seconds of new video, over all samples."""
        return self.segments[-1].seconds * self.samples
