"""Serves a video's bytes: whole, or the range that a client still needs."""

import hashlib
import re

from aiohttp import web

from veo_async.emulator.clips import Studio
from veo_async.emulator.service import Service

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


class FileShelf:
    """The files of finished jobs, made when they are first asked for."""

    def __init__(self, service: Service, studio: Studio) -> None:
        self._service = service
        self._studio = studio

    async def content(self, file: str) -> bytes:
        """The MP4 of this name.

        Raises:
            RefusedError: no such file, not finished yet, or its retention is over.
        """
        # The serial makes each file's bytes its own where clips are tiny and look alike.
        return await self._studio.clip(self._service.clip(file), serial=file)

    async def storage(self, request: web.Request) -> web.Response:
        """``GET /storage/{file}.mp4``, which wants no key."""
        return serve_video(request, await self.content(request.match_info["file"]))


def serve_video(request: web.Request, content: bytes) -> web.Response:
    """The answer to a download: 200, 206 for a range whose If-Range still holds, or 416."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "video/mp4"}
    fresh = request.headers.get("If-Range", etag) == etag
    wanted = _byte_range(request.headers.get("Range", ""), len(content)) if fresh else None
    if wanted is None:
        return web.Response(body=content, headers=headers)
    if not wanted:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(content)}"
    return web.Response(status=206, body=content[wanted.start : wanted.stop], headers=headers)


def _byte_range(header: str, size: int) -> range | None:
    """The asked bytes; None for the whole file, empty if there are none such."""
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)
