"""Where the cells are played: one emulator, the servers beside it, and limits that make waiting short."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from unittest import mock
from urllib.parse import urlsplit

from attrs import define, field

from tests.faults.cells import Cell, Phase
from tests.faults.modes import HINT_S
from tests.faults.servers import Elsewhere, Tls, certified, elsewhere
from veo_async import Limits, PollPolicy, Provider, Rate, RetryPolicy, Timeouts, VeoSession, VideoRequest
from veo_async.download import DownloadPolicy
from veo_async.emulator import Emulator, Endpoint, Fault, FaultRule
from veo_async.engine import scheduler, watches
from veo_async.session import delivery
from veo_async.transport import transport

__all__ = ["ENDPOINTS", "MODEL", "Scene", "hurried", "playing"]

ENDPOINTS: Final[dict[Phase, Endpoint]] = {
    Phase.SUBMIT: "submit",
    Phase.CHECK: "check",
    Phase.LIST: "list",
    Phase.DOWNLOAD: "download",
    Phase.HOP: "storage",
}

MODEL: Final = "veo-3.1-generate-preview"
_QUICK: Final = Timeouts(connect=2, submit_read=0.4, check_read=0.4, download_read=0.4, shutdown=2)
_SOON: Final = RetryPolicy(unsent_attempts=2, base=0.01, cap=0.02, max_hint=HINT_S)
_OFTEN: Final = PollPolicy(expected=0.01, min_interval=0.01, max_interval=0.02)
_LIMITS: Final = Limits(submits=Rate(12_000, per=60), checks=Rate(500, per=1))
_REFUSED: Final = "http://127.0.0.1:9"
"""A port at which nobody listens: "discard", long out of use."""


@contextmanager
def hurried() -> Generator[None, None, None]:
    """Shorten the waits that are no options: those that a real service needs are minutes."""
    quick = partial(DownloadPolicy, base=0.01, cap=0.02, rate_window=0.3, max_hint=HINT_S)
    with ExitStack() as stack:
        for module, name, value in (
            (watches, "TICK_S", 0.01),
            (scheduler, "TICK_S", 0.01),
            (watches, "NEW_S", 0.15),
            (watches, "MISSING_GAP_S", 0.05),
            (watches, "EMPTY_GAPS_S", (0.02, 0.02, 0.02)),
            (transport, "_PATIENCE", 2),
            (delivery, "DownloadPolicy", quick),
        ):
            stack.enter_context(mock.patch.object(module, name, value))
        yield


@define
class Scene:
    """The servers, set up anew for each cell."""

    emulator: Emulator
    places: Elsewhere
    folder: Path
    tls: Tls | None
    file: str = ""
    """The path of the current job's video, where it needs no key."""
    loop: str = ""
    _rules: list[FaultRule] = field(factory=list[FaultRule])

    @property
    def trap(self) -> str:
        """A URL that nobody may ask."""
        return self.places.origins["trap"] + "/trap"

    async def warm_up(self) -> None:
        """Let the emulator load what makes videos, which takes longer than the limits here."""
        provider = Provider.gemini(api_key=self.emulator.key, base_url=self._here, limits=_LIMITS)
        async with VeoSession(provider, poll=_OFTEN) as veo:
            job = await veo.submit(VideoRequest("warming up"))
            await job.save(self.folder / "warm.mp4")

    def can_play(self, cell: Cell) -> bool:
        """Whether there is the server that the cell needs."""
        return cell.place in {"emulator", "refused", *self.places.origins}

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.emulator.faults.clear()

    def reset(self) -> None:
        """Forget the last cell."""
        self.clear()
        self.emulator.requests.clear()
        self.places.trapped = 0
        self.loop = f"/v1beta/models/{MODEL}:predictLongRunning"

    def strike(self, cell: Cell) -> None:
        """Let the cell's faults meet the requests that come now."""
        endpoint = ENDPOINTS[cell.phase]
        for position, made in enumerate(cell.faults, 1):
            fault = made if isinstance(made, Fault) else made(self)
            is_last = position == len(cell.faults)
            self.emulator.faults.add(endpoint, fault, times=None if cell.lasts and is_last else 1)

    def found(self, uri: str, phase: Phase) -> None:
        """Take note of where the job's video is; for a redirect hop its link redirects there."""
        link = urlsplit(uri)
        name = link.path.rpartition("/")[2].removesuffix(":download")
        self.file = f"/storage/{name}.mp4"
        self.loop = self.file if phase is Phase.HOP else f"{link.path}?{link.query}"
        if phase is Phase.HOP:
            self.emulator.faults.add("download", Fault.redirect(self.file, 302))

    def session(self, cell: Cell, ledger: Path) -> VeoSession:
        """Make the session whose exchange goes wrong."""
        there = self._origin(cell) if cell.phase in {Phase.SUBMIT, Phase.CHECK, Phase.LIST} else self._here
        return self._session(
            self._here if cell.phase in {Phase.CHECK, Phase.LIST} else there,
            there,
            ledger,
            trusting=cell.place != "stranger's certificate",
            can_list=cell.phase is Phase.LIST,
        )

    def courier(self, cell: Cell) -> VeoSession:
        """Make a session that fetches from elsewhere, as its provider's own origin."""
        return self._session(
            self._origin(cell), self._here, None, trusting=cell.place != "stranger's certificate"
        )

    def link(self, cell: Cell) -> str:
        """Return a link to elsewhere, for a redirect hop by way of the emulator."""
        target = f"{self._origin(cell)}/video.mp4"
        if cell.phase is Phase.DOWNLOAD:
            return target
        self.emulator.faults.add("download", Fault.redirect(target, 302))
        return f"{self._here}/v1beta/files/any:download?alt=media"

    @property
    def _here(self) -> str:
        return self.emulator.base_url

    def _origin(self, cell: Cell) -> str:
        if cell.place == "emulator":
            return self._here
        return _REFUSED if cell.place == "refused" else self.places.origins[cell.place]

    def _session(
        self, base_url: str, status_url: str, ledger: Path | None, *, trusting: bool, can_list: bool = False
    ) -> VeoSession:
        context: ssl.SSLContext | None = self.tls.client if self.tls and trusting else None
        provider = Provider.gemini(
            api_key=self.emulator.key,
            base_url=base_url,
            status_base_url=status_url,
            can_list=can_list,
            ssl=context,
            limits=_LIMITS,
        )
        return VeoSession(
            provider, ledger=ledger, poll=_OFTEN, retry=_SOON, timeouts=_QUICK, on_exit="detach"
        )


@asynccontextmanager
async def playing() -> AsyncGenerator[Scene, None]:
    """Run everything that cells need."""
    with hurried(), tempfile.TemporaryDirectory(prefix="veo-faults-") as name:
        folder = Path(name)
        tls = certified(folder)
        async with (
            Emulator(waiting=0.0, clip="tiny", can_list=True) as emulator,
            elsewhere(tls, f"{emulator.base_url}/storage/any.mp4") as places,
        ):
            scene = Scene(emulator, places, folder, tls)
            await scene.warm_up()
            yield scene
