"""The emulator: the service behind real HTTP on loopback."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web
from anyio import CancelScope

from veo_async.emulator import misdeeds
from veo_async.emulator.bill import Bill
from veo_async.emulator.clips import MissingExtraError, Studio
from veo_async.emulator.faults import Faults
from veo_async.emulator.files import FileShelf
from veo_async.emulator.gemini import KEY_HEADER, Dress, GeminiSurface, SampleShape
from veo_async.emulator.gemini_errors import ErrorStyle
from veo_async.emulator.gptproto_v3 import GPTProtoV3Surface, V3Shape
from veo_async.emulator.jobs import SQLiteStore
from veo_async.emulator.openai_videos import OpenAIShape, OpenAIVideosSurface
from veo_async.emulator.received import Endpoint, Received, RequestLog
from veo_async.emulator.refusals import Refusal, RefusedError
from veo_async.emulator.service import Service, Terms
from veo_async.emulator.surfaces import STORAGE_PATH, Premises, Route, Surface
from veo_async.emulator.unified import UnifiedShape, UnifiedSurface
from veo_async.emulator.vertex import VertexSurface
from veo_async.emulator.waiting import Waiting
from veo_async.emulator.webhooks import JWKS_PATH, Delivery, Webhooks, WebhookSender

if TYPE_CHECKING:
    from veo_async.emulator.thread import EmulatorThread

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]
_Route: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CREDENTIALS = frozenset({KEY_HEADER, "authorization", "proxy-authorization", "cookie"})
_LARGEST_BODY_BYTES: Final = 64 * 2**20
_SHUTDOWN_S: Final = 0.5

logger: logging.Logger = logging.getLogger(__name__)


class Emulator:
    """A Veo service on loopback that speaks every known surface of Veo; an async context manager.

    The Gemini format, Vertex AI, GPTProto's v3 format, the unified video format and the OpenAI style of
    videos are served side by side, from the same jobs and the same bill. A job is only seen through the
    surface it came by.

    Every request is real HTTP, every video a real MP4, and `bill` holds every operation that was accepted.
    Same seed, same orders: same waiting times and outcomes, in whatever order concurrent requests arrive.
    Operation ids differ from run to run, as no real service hands one out twice. Markers in a prompt decide
    how its job ends: see `MARKERS`.

    Args:
        seed: decides waiting times, outcomes and which calls meet a fault given by share.
        waiting: how long jobs take, a `Waiting` or fixed seconds.
        time_scale: how many times faster waiting passes; 10 makes a minute 6 seconds.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        keys: the API keys that are accepted, wherever a surface has them: in ``x-goog-api-key`` (Gemini
            format) or ``Authorization`` (the others; for Vertex AI they are the access tokens).
        submits_per_minute: quota of submissions, answered 429 above it; None: no quota.
        checks_per_second: quota of status and list requests, answered 429 above it; None: no quota.
        filter_share: share of the jobs, 0 to 1, that end filtered.
        failure_share: share of the jobs, 0 to 1, that fail with code 13.
        can_list: whether operations of the Gemini format can be listed; else 501.
        retention: seconds after which a finished job's operation and files answer 404.
        state: a SQLite file in which jobs survive a restart; None: memory only.
        clip: "full" renders each video in the asked size; "tiny" serves one of 64x36 pixels in the asked
            shape and length, each file with bytes of its own, at next to no cost: for load tests.
        gptproto_v3: in which shapes the v3 surface reads and answers.
        unified: in which shapes the surface of the unified video format reads and answers.
        openai_videos: in which shapes the OpenAI-style surface answers.
        error_style: "google" or "gptproto", the shape of error bodies; this and the options from here to
            ``google_uris`` are about the Gemini format.
        sample_shape: where a done operation carries its videos.
        short_names: submissions answer ``operations/{id}`` without the model, as GPTProto may.
        explicit_done: running operations carry ``done: false`` instead of no ``done``.
        list_omits_response: done operations in a list carry neither response nor error.
        list_oldest_first: a list begins with the oldest operation instead of the newest.
        list_page_size: most operations in one page of a list, whatever is asked for.
        google_uris: videos are at a ``generativelanguage.googleapis.com`` URI, as in GPTProto's answers, and
            served under the same path here; else the URI has the emulator's own origin.
        redirect_downloads: downloads redirect to a second origin, which wants no key; see `storage_url`.
            The public URLs of other surfaces are then at that origin, too.
        download_prefix: files are at ``{prefix}/v1beta/files/…``; only "" and "/upload" exist.
        webhooks: how addresses of this machine, those of ``webhookConfig`` (Gemini format) among them, are
            told that jobs are done, see `Webhooks`; None: nobody is told.
        clock: seconds since 1970, for waiting, quotas and retention; a test may pass its own.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        waiting: Waiting | float = Waiting(median=3.0, sigma=0.3),  # noqa: B008 - frozen
        time_scale: float = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Sequence[str] = ("emulator-key",),
        submits_per_minute: float | None = None,
        checks_per_second: float | None = None,
        filter_share: float = 0.0,
        failure_share: float = 0.0,
        can_list: bool = False,
        retention: float = 172_800.0,
        state: str | PathLike[str] | None = None,
        clip: Literal["full", "tiny"] = "full",
        gptproto_v3: V3Shape = V3Shape(),  # noqa: B008 - frozen
        unified: UnifiedShape = UnifiedShape(),  # noqa: B008 - frozen
        openai_videos: OpenAIShape = OpenAIShape(),  # noqa: B008 - frozen
        error_style: ErrorStyle = "google",
        sample_shape: SampleShape | str = SampleShape.GENERATE_VIDEO_RESPONSE,
        short_names: bool = False,
        explicit_done: bool = False,
        list_omits_response: bool = False,
        list_oldest_first: bool = False,
        list_page_size: int = 1000,
        google_uris: bool = False,
        redirect_downloads: bool = False,
        download_prefix: Literal["", "/upload"] = "",
        webhooks: Webhooks | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not keys or isinstance(keys, str):
            raise ValueError("keys must hold at least one API key")
        self._keys = {key: f"key-{place}" for place, key in enumerate(keys, 1)}
        self._host, self._port = host, port
        self._redirects = redirect_downloads
        self._tiny = clip == "tiny"
        self._state = None if state is None else Path(state)
        self._clock = clock
        self._terms = Terms(
            seed=seed,
            waiting=Waiting.of(waiting),
            time_scale=time_scale,
            submits_per_minute=submits_per_minute,
            checks_per_second=checks_per_second,
            filter_share=filter_share,
            failure_share=failure_share,
            retention=retention,
        )
        self._dress = Dress(
            error_style=error_style,
            sample_shape=SampleShape(sample_shape),
            short_names=short_names,
            explicit_done=explicit_done,
            can_list=can_list,
            list_omits_response=list_omits_response,
            list_oldest_first=list_oldest_first,
            list_page_size=list_page_size,
            google_uris=google_uris,
            download_prefix=download_prefix,
        )
        self._shapes = (gptproto_v3, unified, openai_videos)
        self.key: str = keys[0]
        """The first of the accepted API keys."""
        self.faults: Faults = Faults(seed)
        """What shall go wrong, and when."""
        self._webhooks = webhooks
        self.deliveries: list[Delivery] = []
        """Every webhook sent, in order."""
        self.requests: RequestLog = RequestLog()
        """Every request received."""
        self._service: Service | None = None
        self.bill: Bill = Bill(lambda: () if self._service is None else self._service.jobs, clock)
        """Every operation accepted."""
        self._running: _Running | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def base_url(self) -> str:
        """The API's origin, ``http://127.0.0.1:PORT``.

        Raises:
            RuntimeError: the emulator is not running.
        """
        return self._require_running().premises.origin

    @property
    def storage_url(self) -> str | None:
        """The origin that downloads are redirected to, if they are."""
        return self._require_running().premises.storage_origin

    async def start(self) -> None:
        """Begin to listen. Jobs of an earlier run are taken up from ``state``.

        Raises:
            RuntimeError: it is running already.
            OSError: the port is taken.
        """
        if self._running is not None:
            raise RuntimeError("the emulator is running already: stop it first")
        store = None if self._state is None else SQLiteStore(self._state)
        service = self._service
        if service is None or store is not None:
            service = Service(self._terms, self._clock, store)
        self._service = service
        studio = Studio(service.media, tiny=self._tiny)
        running = _Running(Premises(service, studio, FileShelf(service, studio)))
        if self._webhooks is not None:
            running.premises.webhooks = WebhookSender(self._webhooks, service, self.deliveries)
        try:
            await self._listen(running)
        except BaseException:
            await running.stop()
            service.close()
            raise
        self._running = running

    async def _listen(self, running: "_Running") -> None:
        premises = running.premises
        surfaces = self._surfaces(premises)
        storage = web.get(STORAGE_PATH, self._open("storage", premises.shelf.storage, surfaces[0], running))
        routes = [
            self._web_route(route, surface, running) for surface in surfaces for route in surface.routes
        ]
        if premises.webhooks is not None:
            jwks = self._open("other", premises.webhooks.serve_keys, surfaces[0], running)
            routes.append(web.get(JWKS_PATH, jwks))
        rest = web.route("*", "/{tail:.*}", self._open("other", _no_route, surfaces[0], running))
        premises.origin = await running.serve([*routes, storage, rest], self._host, self._port)
        if self._redirects:
            premises.storage_origin = await running.serve([storage], self._host, 0)
        if premises.webhooks is not None:
            premises.webhooks.begin(premises.origin)

    def _surfaces(self, premises: Premises) -> Sequence[Surface]:
        v3, unified, openai_videos = self._shapes
        return (
            GeminiSurface(premises, self._dress),
            VertexSurface(premises),
            GPTProtoV3Surface(premises, v3),
            UnifiedSurface(premises, unified),
            OpenAIVideosSurface(premises, openai_videos),
        )

    async def stop(self) -> None:
        """Close all connections and stop listening; what was never going to be answered ends too.

        The bill stays readable. A stopped emulator can be started again and keeps its jobs, in a file if
        ``state`` was given, else in memory.
        """
        running, self._running = self._running, None
        if running is not None and self._service is not None:
            await running.stop()
            self._service.close()

    def finish_all(self) -> int:
        """End the waiting of all running jobs, so that the next check finds them done; returns how many.

        Jobs marked ``never-finishes`` go on. May be called from any thread.

        Raises:
            RuntimeError: the emulator is not running.
        """
        self._require_running()
        assert self._service is not None
        return self._service.finish_all()

    def in_thread(self) -> "EmulatorThread":
        """A synchronous context manager that runs this emulator in a thread and event loop of its own."""
        from veo_async.emulator.thread import EmulatorThread  # it imports this module

        return EmulatorThread(self)

    def _require_running(self) -> "_Running":
        if self._running is None:
            raise RuntimeError("the emulator is not running: use `async with`, or start() first")
        return self._running

    def _web_route(self, route: Route, surface: Surface, running: "_Running") -> web.RouteDef:
        admit = running.gates.get(route.endpoint)

        async def answer(request: web.Request) -> web.Response:
            key = self._keys.get(surface.credential(request))
            if key is None:
                raise RefusedError(Refusal.KEY, "API key not valid. Please pass a valid API key.")
            if admit is not None:
                admit()
            return await route.handler(request, key)

        define = web.get if route.method == "GET" else web.post
        return define(route.path, self._open(route.endpoint, answer, surface, running))

    def _open(self, endpoint: Endpoint, handler: _Handler, surface: Surface, running: "_Running") -> _Route:
        async def answer(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except RefusedError as refused:
                return surface.refuse(refused)
            except MissingExtraError as missing:
                logger.error("%s", missing)  # noqa: TRY400 - a trace adds nothing to the advice
                return surface.refuse(RefusedError(Refusal.INTERNAL, str(missing)))

        async def serve(request: web.Request) -> web.StreamResponse:
            received = _received(endpoint, request)
            fault = self.faults.draw(received, self.requests.append(received))
            if fault is None:
                return await answer(request)
            return await misdeeds.commit(fault, request, answer, running.stopping)

        return serve


class _Running:
    """What exists only while the emulator listens."""

    def __init__(self, premises: Premises) -> None:
        self.premises = premises
        service = premises.service
        self.gates: Mapping[Endpoint, Callable[[], None]] = {
            "submit": service.admit_submit,
            "check": service.admit_check,
            "list": service.admit_check,
        }
        self.stopping = asyncio.Event()
        self._runners: list[web.AppRunner] = []

    async def serve(self, routes: Sequence[web.RouteDef], host: str, port: int) -> str:
        """Listen for these routes; returns the origin."""
        application = web.Application(client_max_size=_LARGEST_BODY_BYTES)
        application.add_routes(routes)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, host, port, backlog=1024).start()
        bound = runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{bound}"

    async def stop(self) -> None:
        """Close everything."""
        self.stopping.set()
        self.premises.studio.close()
        # Shielded, since a cancelled scope would leave sockets open behind it.
        with CancelScope(shield=True):
            if self.premises.webhooks is not None:
                await self.premises.webhooks.stop()
            for runner in self._runners:
                await runner.cleanup()


async def _no_route(request: web.Request) -> web.Response:
    raise RefusedError(Refusal.NOT_FOUND, f"{request.method} {request.path} is not served here.")


def _received(endpoint: Endpoint, request: web.Request) -> Received:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    headers = {name.lower(): value for name, value in request.headers.items()}
    key_in_url = "key" in request.query
    path = request.path_qs
    return Received(
        endpoint=endpoint,
        at=time.monotonic(),
        method=request.method,
        path=urlsplit(path).path + "?key=***" if key_in_url else path,
        peer=(peer[0], peer[1]) if peer else ("", 0),
        headers=MappingProxyType({name: text for name, text in headers.items() if name not in _CREDENTIALS}),
        key_sent=key_in_url or not _CREDENTIALS.isdisjoint(headers),
        key_in_url=key_in_url,
        cookie_sent="cookie" in headers,
    )
