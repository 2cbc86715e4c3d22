"""`veo-async generate` and `veo-async resume`: one prompt, and what earlier runs left open."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from attrs import asdict, frozen
from cyclopts import Group, Parameter

from veo_async.cli.backend import look_of
from veo_async.cli.batch_file import BatchFile, Line
from veo_async.cli.campaign import Campaign, Settings
from veo_async.cli.exits import Exit
from veo_async.cli.manifest import read_manifest
from veo_async.cli.planning import plan_resume, plan_single
from veo_async.cli.preflight import preflight
from veo_async.cli.records import LEDGER_NAME
from veo_async.cli.reports import say
from veo_async.errors import ConfigurationError
from veo_async.models import VideoRequest

__all__ = ["RequestFlags", "run_generate", "run_resume"]


@Parameter(name="*", group=Group("Request", sort_key=1))
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


async def run_generate(prompt: str, flags: RequestFlags, settings: Settings) -> Exit:
    """Make the videos of one prompt.

    Raises:
        VeoError: it could not begin; nothing was sent.
    """
    request = VideoRequest(prompt, model=settings.provider.model, **asdict(flags, recurse=False))
    provider = look_of(settings.provider, settings.brakes)
    # Place 0: a single prompt needs no number in its file's name.
    batch = BatchFile(lines=(Line(number=0, request=request),))
    checked = await anyio.to_thread.run_sync(preflight, batch, provider)
    if checked.troubles:
        for trouble in checked.troubles:
            say(trouble.message)
        return Exit.USAGE
    return await Campaign(settings, partial(plan_single, checked.entries[0]), manifest=None).run()


async def run_resume(settings: Settings) -> Exit:
    """Go on with all that the folder's ledger has open, and fetch what is missing.

    Raises:
        VeoError: it could not begin.
    """
    root: Path = settings.root
    if not (root / LEDGER_NAME).exists():
        raise ConfigurationError(
            f"{settings.output.out} holds no {LEDGER_NAME}: name the folder of the earlier run by --out"
        )
    old = read_manifest(root / "manifest.jsonl")
    return await Campaign(settings, partial(plan_resume, old), manifest=old, resuming=True).run()
