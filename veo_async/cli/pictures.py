"""Media files looked at before anything is sent: are they there, and what are they?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import attrs

from veo_async.errors import InvalidRequestError
from veo_async.models import Media, VideoRequest
from veo_async.sniffing import HEAD_BYTES, mime_type_of

__all__ = ["MediaShelf"]


class MediaShelf:
    """Looks at each file once, however many lines name it; what is kept is its digest, not its bytes."""

    def __init__(self) -> None:
        self._seen: dict[Path, Media] = {}

    def looked_at(self, request: VideoRequest) -> VideoRequest:
        """Return the request with its media known by their content.

        Raises:
            InvalidRequestError: a file is missing, cannot be read, or is not what it is given as.
        """
        references = [
            (f"reference_images[{place}]", media) for place, media in enumerate(request.reference_images)
        ]
        return attrs.evolve(
            request,
            image=self._look("image", request.image),
            last_frame=self._look("last_frame", request.last_frame),
            video=self._look("video", request.video),
            reference_images=tuple(filter(None, (self._look(name, media) for name, media in references))),
        )

    def _look(self, name: str, media: Media | None) -> Media | None:
        if media is None or media.path is None:
            return media
        known = self._seen.get(media.path)
        if known is None:
            known = self._seen[media.path] = _read(name, media.path)
        wanted = "video" if name == "video" else "image"
        if not (known.mime_type or "").startswith(wanted):
            found = known.mime_type or "of no known type"
            give = "a PNG, JPEG or WebP file" if wanted == "image" else "an MP4 file"
            raise InvalidRequestError(
                f"{name}: {media.path} is no {wanted} ({found}); give {give}", field=name
            )
        return attrs.evolve(known, mime_type=media.mime_type or known.mime_type)


def _read(name: str, path: Path) -> Media:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return Media(sha256=digest, size=stream.tell(), mime_type=mime_type_of(head))
    except FileNotFoundError:
        problem = "there is no such file: paths are relative to the batch file's folder"
    except OSError as error:
        problem = error.strerror or "cannot be read"
    raise InvalidRequestError(f"{name}: {path}: {problem}", field=name)
