"""What a surface is to the server, and what all surfaces work with."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Literal, Protocol, TypeAlias

from aiohttp import web
from attrs import define, frozen

from veo_async.emulator.clips import Studio
from veo_async.emulator.files import FileShelf, serve_video
from veo_async.emulator.orders import Segment
from veo_async.emulator.received import Endpoint
from veo_async.emulator.refusals import RefusedError, invalid
from veo_async.emulator.service import Service
from veo_async.emulator.webhooks import WebhookSender

STORAGE_PATH: Final = "/storage/{file}.mp4"
"""Where videos lie for whoever knows their URL, without a key."""

_BEARER: Final = "Bearer "

Handler: TypeAlias = Callable[[web.Request, str], Awaitable[web.Response]]
"""Answers a request that came with a key, given as ``key-1`` and so on."""


@frozen
class Route:
    """One request a surface answers."""

    method: Literal["GET", "POST"]
    path: str
    endpoint: Endpoint
    """What faults, quotas and the log know it as."""
    handler: Handler


class Surface(Protocol):
    """One reading of the wire: its requests, where its key stands, how it says no."""

    @property
    def routes(self) -> Sequence[Route]:
        """The requests it answers."""
        ...

    def credential(self, request: web.Request) -> str:
        """The key that came with a request; empty if none did."""
        ...

    def refuse(self, refused: RefusedError) -> web.Response:
        """The answer to a refused request."""
        ...


@define
class Premises:
    """What all surfaces share: the service, its files, and where they are served."""

    service: Service
    studio: Studio
    shelf: FileShelf
    origin: str = ""
    """Set when the server listens."""
    storage_origin: str | None = None
    """A second origin, which wants no key; None: there is only the one."""
    webhooks: WebhookSender | None = None
    """Tells of jobs that are done; None: nobody does."""

    def segments(self, file: str) -> tuple[Segment, ...]:
        """What a file of ours shows; raises `RefusedError` if there is none."""
        return self.service.clip(file).segments

    def public_url(self, file: str) -> str:
        """Where a video can be fetched without a key."""
        return (self.storage_origin or self.origin) + STORAGE_PATH.format(file=file)

    async def deliver(self, request: web.Request, file: str) -> web.Response:
        """The MP4, or a redirect to where it lies if there is a second origin."""
        if self.storage_origin is None:
            return serve_video(request, await self.shelf.content(file))
        self.service.clip(file)
        return web.Response(status=302, headers={"Location": self.public_url(file)})

    async def look_at(self, images: Iterable[bytes]) -> None:
        """Refuse what can't be decoded as an image."""
        for image in images:
            try:
                await self.studio.check_image(image)
            except ValueError:
                raise invalid("Unable to process the input image: it can't be decoded.") from None


def bearer_token(request: web.Request) -> str:
    """What stands behind ``Bearer`` in the Authorization header; empty if nothing does."""
    header = request.headers.get("Authorization", "")
    return header[len(_BEARER) :].strip() if header.startswith(_BEARER) else ""
