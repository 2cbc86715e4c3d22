"""`veo-async doctor`: is everything there that is needed, and does the provider answer?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import anyio.to_thread
from attrs import asdict, define, frozen
from rich.text import Text

from veo_async import __version__
from veo_async.answers import CheckAnswer, Lost, Missing, NotSent, RefusalKind, Refused
from veo_async.cli.backend import open_backend
from veo_async.cli.exits import Exit
from veo_async.cli.flags import Settings
from veo_async.cli.reports import out, write_json
from veo_async.cli.words import place_of
from veo_async.errors import VeoError
from veo_async.models import VideoRequest
from veo_async.providers import Provider
from veo_async.session import VeoSession
from veo_async.transport import TraceEvent

__all__ = ["Finding", "clock_finding", "judge", "run_doctor"]

_NEEDED = ("aiohttp", "anyio", "attrs", "backoff", "cattrs")
_EXTRAS = {
    "cli": ("cyclopts", "rich"),
    "emulator": ("av", "pillow"),
    "fast": ("uvloop", "pybase64"),
}
_VARIABLES = (
    "VEO_PROVIDER",
    "VEO_API_KEY",
    "VEO_BASE_URL",
    "VEO_PROJECT",
    "VEO_LOCATION",
    "GPTPROTO_API_KEY",
    "CHAINHUB_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_LOCATION",
)
_SHARED_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"})
_NOBODYS_OPERATION = "veo-async-doctor-asks-for-nothing"
_MOST_SKEW_S = 60.0
_OLDEST_PYTHON = (3, 11)


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: Literal["good", "note", "bad"]
    told: str


def _good(what: str, told: str) -> Finding:
    return Finding(what=what, verdict="good", told=told)


def _note(what: str, told: str) -> Finding:
    return Finding(what=what, verdict="note", told=told)


def _bad(what: str, told: str) -> Finding:
    return Finding(what=what, verdict="bad", told=told)


async def run_doctor(settings: Settings, *, offline: bool) -> Exit:
    """Print what was found; the status is 1 when anything stands in the way."""
    findings = [_python(), *_packages(), _variables()]
    findings += await anyio.to_thread.run_sync(_folder, settings.root)
    if not offline:
        findings += await _provider(settings)
    for finding in findings:
        _print(finding, as_json=settings.output.json)
    return Exit.INCOMPLETE if any(finding.verdict == "bad" for finding in findings) else Exit.DONE


def _print(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        write_json(asdict(finding))
        return
    sign = {"good": ("✓", "green"), "note": ("·", "dim"), "bad": ("✗", "bold red")}[finding.verdict]
    out().print(Text.assemble(sign, f" {finding.what:<14} {finding.told}"), soft_wrap=True)


def _python() -> Finding:
    told = f"{platform.python_version()} on {platform.system()}, veo-async {__version__}"
    return (_good if sys.version_info >= _OLDEST_PYTHON else _bad)("python", told)


def _packages() -> Iterator[Finding]:
    versions = {name: _version(name) for name in _NEEDED}
    missing = [name for name, version in versions.items() if version is None]
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    yield _bad("packages", f"missing: {', '.join(missing)}") if missing else _good("packages", told)
    for extra, names in _EXTRAS.items():
        yield _extra(extra, {name: _version(name) for name in names})


def _extra(extra: str, versions: dict[str, str | None]) -> Finding:
    what = f"extra {extra}"
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return _note(what, f"not installed: {', '.join(missing)}; pip install 'veo-async[{extra}]'")
    return _good(what, ", ".join(f"{name} {version}" for name, version in versions.items()))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _variables() -> Finding:
    """Names only: a value may be a key."""
    found = [name for name in _VARIABLES if os.environ.get(name)]
    return _note("environment", f"set: {', '.join(found)}" if found else "nothing of ours is set")


def _folder(root: Path) -> Iterator[Finding]:
    standing = next(path for path in [root, *root.parents] if path.exists())
    yield _writable(root, standing)
    kind = _file_system(standing)
    if kind in _SHARED_FILE_SYSTEMS:
        yield _bad(
            "file system",
            f"{kind}: a ledger needs locks that network file systems don't keep; use a local disk",
        )
    else:
        yield _good("file system", kind or "a local one, as far as can be seen")
    yield _good("sqlite", sqlite3.sqlite_version)


def _writable(root: Path, standing: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        return _bad("folder", f"{place_of(root)} cannot be written: {error.strerror}")
    return _good("folder", f"{place_of(root)} can be written")


def _file_system(path: Path) -> str | None:
    """Return the kind of the mount that `path` is on; None where the system does not tell."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    mounts = [(fields[1], fields[2]) for fields in map(str.split, lines)]
    holding = [(place, kind) for place, kind in mounts if path.resolve().is_relative_to(place)]
    return max(holding, key=lambda mount: len(mount[0]))[1] if holding else None


@define
class _Dates:
    """Takes the server's clock off the answers' heads."""

    skew: float | None = None
    """Seconds that our clock is ahead."""

    def take(self, event: TraceEvent) -> None:
        try:
            told = parsedate_to_datetime(event.response_headers.get("date", ""))
        except ValueError:
            return
        self.skew = time.time() - told.timestamp()


async def _provider(settings: Settings) -> list[Finding]:
    """Ask for an operation that nobody has: "not found" proves way, origin and key, and costs nothing."""
    dates = _Dates()
    try:
        async with AsyncExitStack() as stack:
            opening = open_backend(
                settings.provider, settings.brakes, settings.emulator, _scratch(settings, stack)
            )
            backend = await stack.enter_async_context(opening)
            session = VeoSession(backend.provider, on_exit="abort", trace=dates.take)
            await stack.enter_async_context(session)
            model = backend.provider.model_name(settings.provider.model)
            answer = await session.status(_NOBODYS_OPERATION, model)
            told = (judge(backend.provider, answer), clock_finding(dates.skew))
            return [*told, *_model(backend.provider, settings.provider.model)]
    except VeoError as error:
        return [_bad("provider", error.message)]


def _scratch(settings: Settings, stack: AsyncExitStack) -> Path:
    """An emulator's state would otherwise make the very folder that is only looked at."""
    if settings.root.is_dir():
        return settings.root
    return Path(stack.enter_context(tempfile.TemporaryDirectory()))


def _model(provider: Provider, model: str | None) -> list[Finding]:
    """Return what the catalogue has against the model: a bare request leaves it nothing else to doubt."""
    return [_note(doubt.field, doubt.message) for doubt in provider.warnings(VideoRequest("a"), model)]


def judge(provider: Provider, answer: CheckAnswer | NotSent | Lost) -> Finding:
    """Return what the answer about nobody's operation says of the provider."""
    where = f"{provider.name} at {provider.status_base_url}"
    match answer:
        case Missing():
            return _good("provider", f"{where} answers and takes the key")
        case NotSent() | Lost():
            return _bad(
                "provider", f"{where} cannot be reached: {answer.reason}; look at --base-url and the network"
            )
        case Refused(kind=RefusalKind.AUTHENTICATION):
            return _bad(
                "provider",
                f"{where} refuses the key ({answer.message}); check it, and that it is for this host",
            )
        case Refused(kind=RefusalKind.BALANCE):
            return _bad("provider", f"{where} takes the key, but the account has no money: {answer.message}")
        case Refused():
            return _note("provider", f"{where} answers: {answer.message or answer.kind}")
        case _:
            return _note(
                "provider", f"{where} answers, but not as expected; is --base-url the API's own address?"
            )


def clock_finding(skew: float | None) -> Finding:
    """Return what the difference between our clock and the provider's says; ours only labels records."""
    if skew is None:
        return _note("clock", "the provider did not tell its time")
    if abs(skew) > _MOST_SKEW_S:
        return _bad(
            "clock", f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the provider's: set it by NTP"
        )
    return _good("clock", "agrees with the provider's")
