"""The commands and their flags; each does its work in a module of its own, imported when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from veo_async import __version__
from veo_async.cli.flags import (
    AuditFlags,
    BatchFlags,
    EmulateFlags,
    Output,
    ReplayFlags,
    RequestFlags,
    Settings,
)
from veo_async.cli.rows import Form, Source
from veo_async.engine.lifecycle import State

__all__ = ["app"]

_Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="JSON on standard output.")
]
_Raw = Annotated[bool, Parameter(negative="", show_default=False, help="Print the answers as they came.")]
_File = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        help="JSON lines, CSV with a header, or one prompt a line; - is standard input.",
    ),
]
_Names = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,
        help="Names of operations, or job tokens; - reads them from standard input.",
    ),
]
_Ledger = Annotated[Path, Parameter(help="The ledger's file, or the folder of a run.")]

# Defaults are shared: all of these are frozen.
_SETTINGS = Settings()
_OUTPUT = Output()
_REQUEST = RequestFlags()
_BATCH = BatchFlags()
_AUDIT = AuditFlags()
_REPLAY = ReplayFlags()
_EMULATE = EmulateFlags()

app: App = App(
    name="veo-async",
    version=__version__,
    help=(
        "Generate many Veo videos at once; none is lost, none is paid twice.\n\n"
        "Try it without key and cost: veo-async generate 'A paper boat crosses a puddle' --provider emulator"
    ),
    help_format="plaintext",
    result_action="return_value",
    group_parameters=Group("Options", sort_key=0),
)


@app.command
async def generate(
    prompt: Annotated[str, Parameter(help="What to show.")],
    /,
    *,
    request: RequestFlags = _REQUEST,
    settings: Settings = _SETTINGS,
) -> int:
    """Make the video of one prompt.

    An open job of the same request in the same folder is gone on with; after it is decided, the same
    command makes another video.
    """
    from veo_async.cli.generate import run_generate

    return await run_generate(prompt, request, settings)


@app.command
async def batch(file: _File, /, *, flags: BatchFlags = _BATCH, settings: Settings = _SETTINGS) -> int:
    """Make the videos of a file of requests; the same command again goes on where the last one ended.

    Exit status: 0 all done, 1 something brought no video, 2 nothing was sent, 3 something was sent without an
    answer and may be billed, 130 interrupted.
    """
    from veo_async.cli.batch import run_batch

    return await run_batch(file, flags, settings)


@app.command
async def resume(
    *,
    after_restore: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="The ledger comes from a backup: what it has as not sent may have been sent since.",
        ),
    ] = False,
    settings: Settings = _SETTINGS,
) -> int:
    """Go on with all that a folder's ledger has open, and fetch missing videos; no batch file is needed."""
    from veo_async.cli.generate import run_resume

    return await run_resume(settings, after_restore=after_restore)


@app.command
async def status(*operations: _Names, raw: _Raw = False, settings: Settings = _SETTINGS) -> int:
    """Ask once how operations stand, whoever started them."""
    from veo_async.cli.operations import read_names, run_status

    return await run_status(read_names(operations), settings, raw=raw)


@app.command
async def wait(*operations: _Names, raw: _Raw = False, settings: Settings = _SETTINGS) -> int:
    """Wait until operations are done, whoever started them."""
    from veo_async.cli.operations import read_names, run_operations

    return await run_operations(read_names(operations), settings, raw=raw, fetch=False)


@app.command
async def download(*operations: _Names, raw: _Raw = False, settings: Settings = _SETTINGS) -> int:
    """Wait until operations are done and store their videos."""
    from veo_async.cli.operations import read_names, run_operations

    return await run_operations(read_names(operations), settings, raw=raw, fetch=True)


@app.command
async def jobs(
    *,
    ledger: Annotated[Path | None, Parameter(help="The ledger's file; else jobs.db in --out.")] = None,
    state: Annotated[State | None, Parameter(help="Only jobs that stand so.")] = None,
    output: Output = _OUTPUT,
) -> int:
    """List what a ledger holds; it is only read, also while a run goes on."""
    from veo_async.cli.listing import run_jobs
    from veo_async.cli.records import LEDGER_NAME, ledger_at

    return await run_jobs(ledger_at(ledger or output.out / LEDGER_NAME), state, as_json=output.json)


@app.command
async def audit(path: _Ledger, /, *, flags: AuditFlags = _AUDIT) -> int:
    """Account for every job of a ledger and its money; reads only, also while a run goes on.

    Exit status: 3 while a job is unknown, or a statement has an operation that nobody knows; else 0.
    """
    from veo_async.cli.auditing import run_audit

    return await run_audit(path, flags)


@app.command
async def replay(path: _Ledger, /, *, flags: ReplayFlags = _REPLAY) -> int:
    """Say what a recorded run would have come to under other limits and another cadence; nothing is sent.

    Requests, lag (how late ends are found) and the time to the last video, beside the same by default.
    """
    from veo_async.cli.replaying import run_replay

    return await run_replay(path, flags)


@app.command
async def prune(
    path: _Ledger,
    /,
    *,
    older_than: Annotated[str, Parameter(help="Age of what goes, since its end: 30d, 12h or 90m.")],
    json: _Json = False,
) -> int:
    """Forget prompts, media and answers of jobs that ended long ago; the accounts stay."""
    from veo_async.cli.pruning import run_prune

    return await run_prune(path, older_than, as_json=json)


@app.command
def estimate(
    file: _File,
    /,
    *,
    form: Annotated[
        Form | None, Parameter(name="--format", help="How the file is written, when its name does not tell.")
    ] = None,
    model: Annotated[str | None, Parameter(help="The model of lines that name none.")] = None,
    json: _Json = False,
) -> int:
    """Print what a batch file may cost; nothing is sent, no key is needed."""
    from veo_async.cli.estimating import run_estimate

    return run_estimate(Source(file=file, form=form, model=model), as_json=json)


@app.command
async def emulate(*, flags: EmulateFlags = _EMULATE, json: _Json = False) -> int:
    """Run a Veo service on this machine until Ctrl+C, then print its bill."""
    from veo_async.cli.emulating import run_emulate

    return await run_emulate(flags, as_json=json)


@app.command
async def doctor(
    *,
    offline: Annotated[bool, Parameter(negative="", show_default=False, help="Ask nobody.")] = False,
    settings: Settings = _SETTINGS,
) -> int:
    """Look at what is needed: versions, settings, the folder, the key, the way to the provider."""
    from veo_async.cli.doctor import run_doctor

    return await run_doctor(settings, offline=offline)
