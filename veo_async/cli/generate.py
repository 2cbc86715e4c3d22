"""`veo-async generate` and `veo-async resume`: one prompt, and what earlier runs left open."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio.to_thread
from attrs import asdict

from veo_async.cli.backend import look_of
from veo_async.cli.batch_file import BatchFile, Line
from veo_async.cli.campaign import Campaign, TakeUp
from veo_async.cli.exits import Exit
from veo_async.cli.flags import RequestFlags, Settings
from veo_async.cli.manifest import read_manifest
from veo_async.cli.planning import plan_resume, plan_single
from veo_async.cli.preflight import preflight
from veo_async.cli.records import LEDGER_NAME
from veo_async.cli.reports import say
from veo_async.errors import ConfigurationError
from veo_async.models import VideoRequest
from veo_async.session import VeoSession

__all__ = ["run_generate", "run_resume"]


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


async def run_resume(settings: Settings, *, after_restore: bool = False) -> Exit:
    """Go on with all that the folder's ledger has open, and fetch what is missing.

    Args:
        settings: What the command line says.
        after_restore: Whether the ledger comes from a backup, which knows nothing of what was sent since.

    Raises:
        VeoError: it could not begin.
    """
    root: Path = settings.root
    if not (root / LEDGER_NAME).exists():
        raise ConfigurationError(
            f"{settings.output.out} holds no {LEDGER_NAME}: name the folder of the earlier run by --out"
        )
    old = read_manifest(root / "manifest.jsonl")
    taking_up: TakeUp = partial(VeoSession.resume, after_restore=after_restore)
    return await Campaign(settings, partial(plan_resume, old), manifest=old, take_up=taking_up).run()
