"""Flags that several commands share."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from attrs import field, frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from veo_async.cli.rows import Form
from veo_async.models import Priority
from veo_async.providers.environment import NAMES

__all__ = [
    "AuditFlags",
    "BatchFlags",
    "Brakes",
    "EmulateFlags",
    "EmulatorFlags",
    "Output",
    "ProviderFlags",
    "ReplayFlags",
    "RequestFlags",
    "Settings",
]

_PROVIDER = Group("Provider", sort_key=2)
_BRAKES = Group("Limits", sort_key=3)
_EMULATOR = Group("With --provider emulator", sort_key=4)

_REQUEST = Group("Request", sort_key=1)
_MORE_THAN_ZERO = Parameter(validator=Number(gt=0))
_AT_LEAST_ZERO = Parameter(validator=Number(gte=0))
_SHARE = Parameter(validator=Number(gte=0, lte=1))
_SWITCH = Parameter(negative="", show_default=False)

_PROVIDERS = f"{', '.join(NAMES)}, or emulator: in this process, without key and cost. [env: VEO_PROVIDER]"


@Parameter(name="*", group=_PROVIDER)
@frozen(kw_only=True)
class ProviderFlags:
    """Who makes the videos. The key comes from the environment or a file, never from a flag."""

    provider: Annotated[str | None, Parameter(help=_PROVIDERS)] = None
    """One of `NAMES`, or emulator."""
    provider_file: Path | None = None
    """TOML file that describes a gateway of a known shape, instead of --provider."""
    model: str | None = None
    """An alias (veo-3.1-fast, veo-3.1, …) or the provider's own name, for requests that name none."""
    base_url: str | None = None
    """Where the service is. [env: VEO_BASE_URL]"""
    status_base_url: str | None = None
    """Where operations are checked, if that is another place."""
    key_file: Path | None = None
    """File with the key in it; else VEO_API_KEY or the provider's own variable counts."""
    project: str | None = None
    """Google Cloud project, for Vertex AI. [env: VEO_PROJECT]"""
    location: str | None = None
    """Google Cloud location, for Vertex AI. [env: VEO_LOCATION]"""


@Parameter(name="*", group=_BRAKES)
@frozen(kw_only=True)
class Brakes:
    """How fast, how many, how much."""

    submits_per_minute: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Paid submits in any minute. Default: 50."""
    checks_per_second: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Status checks in any second. Default: 20."""
    expected_wait: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Seconds a video takes in the middle, assumed until it is learned. Default: 60."""
    max_in_flight: Annotated[int | None, _MORE_THAN_ZERO] = None
    """Videos being made at once. Default: 500."""
    max_cost: Annotated[float | None, _MORE_THAN_ZERO] = None
    """US dollars, by estimate, that all jobs of the ledger may cost together."""
    max_unknown_cost: Annotated[float | None, _AT_LEAST_ZERO] = None
    """US dollars, by estimate, that jobs without a readable answer may cost before no more are sent."""
    trace: Path | None = None
    """Write what goes over the wire to this file as JSON lines, without keys."""


@Parameter(name="*", group=_EMULATOR)
@frozen(kw_only=True)
class EmulatorFlags:
    """How the emulator inside this process behaves."""

    emulator_waiting: Annotated[float, _AT_LEAST_ZERO] = 6.0
    """Seconds a video takes, in the middle."""
    emulator_time_scale: Annotated[float, _MORE_THAN_ZERO] = 1.0
    """How many times faster that passes."""
    emulator_clip: Literal["full", "tiny"] = "full"
    """full: videos of the asked size; tiny: 64x36 pixels, made in no time."""


@Parameter(name="*")
@frozen(kw_only=True)
class Output:
    """Where to, and how it is told."""

    out: Path = Path("veo-out")
    """Folder for the videos; its jobs.db remembers what was sent."""
    json: Annotated[bool, _SWITCH] = False
    """JSON lines on standard output, all else on standard error."""


@Parameter(name="*")
@frozen(kw_only=True)
class BatchFlags:
    """How a batch file is read, and what of it is sent again."""

    form: Annotated[Form | None, Parameter(name="--format")] = None
    """How the file is written, when its name does not tell."""
    keep_going: Annotated[bool, _SWITCH] = False
    """Run the good lines of a file that has broken ones."""
    priority: Priority | None = None
    """Of lines that name none: urgent goes before normal before bulk. Default: normal."""
    retry_failed: Annotated[bool, _SWITCH] = False
    """Send requests again that ended without a video: a new paid job each."""
    resubmit_unknown: Annotated[bool, _SWITCH] = False
    """Send requests again that got no answer: each may be paid twice."""
    report_every: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Seconds between two lines on standard error that say how the run stands, where no terminal shows it."""


@Parameter(name="*")
@frozen(kw_only=True)
class AuditFlags:
    """What a ledger is compared with, and what is told of it."""

    statement: Path | None = None
    """Usage export of the provider, CSV: is compared with the ledger."""
    timezone: str | None = None
    """Zone of the statement's times where they name none, as in Asia/Shanghai. Default: UTC."""
    settle: Annotated[bool, _SWITCH] = False
    """Write down what the statement proves of unknown jobs; without it that is only told."""
    salvage: Annotated[bool, _SWITCH] = False
    """List every operation's name that a damaged ledger holds, and nothing else."""
    prompts: Annotated[bool, _SWITCH] = False
    """Show prompts beside their digests."""
    json: Annotated[bool, _SWITCH] = False
    """JSON on standard output."""


@Parameter(name="*")
@frozen(kw_only=True)
class ReplayFlags:
    """Under which limits and which cadence recorded jobs are run through the scheduler once more."""

    checks_per_second: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Status checks in any second. Default: 20."""
    submits_per_minute: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Paid submits in any minute. Default: 50."""
    max_in_flight: Annotated[int | None, _MORE_THAN_ZERO] = None
    """Videos being made at once. Default: 500."""
    max_interval: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Longest gap between two checks of one operation, in seconds. Default: 60."""
    min_interval: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Shortest gap between two checks of one operation, in seconds. Default: 1."""
    expected_wait: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Seconds a video takes in the middle, assumed until it is learned. Default: 60."""
    check_worth: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Seconds of lag that one check is worth: less of them means more checks."""
    recorded_lag: Annotated[float, _AT_LEAST_ZERO] = 0.0
    """Seconds by which the recorded run found ends late, in the mean: what statistics() said. Taken off each
    waiting time."""
    at_once: Annotated[bool, _SWITCH] = False
    """As if all jobs had been asked for with the first one, not when they were."""
    json: Annotated[bool, _SWITCH] = False
    """JSON on standard output."""


@Parameter(name="*", group=_REQUEST)
@frozen(kw_only=True)
class RequestFlags:
    """What is asked beside the prompt; what is not given is not sent."""

    image: str | None = None
    """First frame: a file."""
    last_frame: str | None = None
    """Last frame: a file; goes with --image."""
    video: str | None = None
    """Video to extend: its URI."""
    reference_images: Annotated[tuple[str, ...], Parameter(name="--reference-image", negative="")] = ()
    """Picture of what shall appear, up to three: give it once for each."""
    aspect_ratio: str | None = None
    """16:9 or 9:16."""
    resolution: str | None = None
    """720p, 1080p or 4k."""
    duration_seconds: int | None = None
    """Length of the video."""
    negative_prompt: str | None = None
    """What not to show."""
    person_generation: str | None = None
    """allow_all, allow_adult or dont_allow."""
    enhance_prompt: bool | None = None
    """Whether the provider may rewrite the prompt."""
    seed: int | None = None
    """For repeatable results."""
    sample_count: int | None = None
    """Videos of this one prompt; each is billed."""
    generate_audio: bool | None = None
    """Whether to make sound."""
    storage_uri: str | None = None
    """A gs:// folder for the result, on Vertex AI."""


@Parameter(name="*")
@frozen(kw_only=True)
class EmulateFlags:
    """How the emulator behaves."""

    port: int = 0
    """Port on 127.0.0.1; 0 takes a free one."""
    key: str = field(default="emulator-key", repr=False)
    """The key it accepts; it opens nothing but this emulator."""
    waiting: Annotated[float, _AT_LEAST_ZERO] = 6.0
    """Seconds a video takes, in the middle."""
    spread: Annotated[float, _AT_LEAST_ZERO] = 0.3
    """How far waiting times lie apart: sigma of a lognormal distribution; 0: all the same."""
    time_scale: Annotated[float, _MORE_THAN_ZERO] = 1.0
    """How many times faster waiting passes."""
    filter_share: Annotated[float, _SHARE] = 0.0
    """Share of the videos, 0 to 1, that safety filters hold back."""
    failure_share: Annotated[float, _SHARE] = 0.0
    """Share of the operations, 0 to 1, that fail."""
    submits_per_minute: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Quota of submits, answered 429 above it."""
    checks_per_second: Annotated[float | None, _MORE_THAN_ZERO] = None
    """Quota of status checks, answered 429 above it."""
    seed: int = 0
    """Decides waiting times and outcomes."""
    can_list: Annotated[bool, _SWITCH] = False
    """Answers lists of operations."""
    clip: Literal["full", "tiny"] = "full"
    """full: videos of the asked size; tiny: 64x36 pixels, made in no time."""
    state: Path | None = None
    """SQLite file in which operations survive a restart."""


@Parameter(name="*")
@frozen(kw_only=True)
class Settings:
    """What the command line says of a run; its parts are groups of flags of their own."""

    output: Output = Output()
    provider: ProviderFlags = ProviderFlags()
    brakes: Brakes = Brakes()
    emulator: EmulatorFlags = EmulatorFlags()

    @property
    def root(self) -> Path:
        """The folder for everything."""
        return self.output.out.absolute()

    @property
    def command(self) -> str:
        """What was typed: typing it again goes on."""
        return shlex.join(["veo-async", *sys.argv[1:]])
