"""`veo-async audit`: every job of a ledger accounted for, beside a statement of usage if one is given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import anyio.to_thread

from veo_async.cli.audit_json import audit_object
from veo_async.cli.audit_text import audit_lines
from veo_async.cli.audits import Audit, Compared, as_found
from veo_async.cli.exits import Exit
from veo_async.cli.flags import AuditFlags
from veo_async.cli.matching import Comparison, compare
from veo_async.cli.records import ledger_at, read_jobs
from veo_async.cli.reports import out, say, write_json
from veo_async.cli.statement import Statement, StatementError, read_statement
from veo_async.cli.verdicts import change_of
from veo_async.errors import ConfigurationError
from veo_async.ledger.lock import is_held
from veo_async.ledger.records import JobRecord
from veo_async.ledger.sqlite import SqliteLedger
from veo_async.ledger.sqlite_thread import beside

__all__ = ["run_audit"]

_MOST_TROUBLES = 20


async def run_audit(path: Path, flags: AuditFlags) -> Exit:
    """Account for the jobs of a ledger and return the exit status.

    Raises:
        ConfigurationError: there is no such ledger, or the statement cannot be compared.
        LedgerError: it cannot be read; or, to settle, somebody else has it open.
    """
    ledger = ledger_at(path)
    if flags.salvage:
        return await _salvage(ledger, as_json=flags.json)
    if flags.statement is None and flags.settle:
        raise ConfigurationError("--settle writes down what a statement proves: give it by --statement")
    audit = await _audit(ledger, flags)
    if flags.json:
        write_json(audit_object(audit, prompts=flags.prompts))
    else:
        _print(audit, prompts=flags.prompts)
    return Exit.UNKNOWN if audit.owing else Exit.DONE


async def _salvage(ledger: Path, *, as_json: bool) -> Exit:
    from veo_async.ledger.salvage import salvage

    names = await anyio.to_thread.run_sync(salvage, ledger)
    for name in names:
        if as_json:
            write_json({"operation": name})
        else:
            out().print(_printable(name), markup=False, soft_wrap=True)
    if not names:
        say(f"no operation's name was found in {ledger}")
    return Exit.DONE if names else Exit.INCOMPLETE


async def _audit(ledger: Path, flags: AuditFlags) -> Audit:
    if flags.statement is None:
        return await _look(ledger)
    statement = await anyio.to_thread.run_sync(_statement, flags.statement, flags.timezone)
    if flags.settle:
        comparison = await _settled(ledger, statement)
        seen = await _look(ledger)
    else:
        seen = await _look(ledger)
        comparison = compare(seen.records, statement)
    compared = Compared(
        file=str(flags.statement), statement=statement, comparison=comparison, settled=flags.settle
    )
    return Audit(ledger=seen.ledger, owned=seen.owned, records=seen.records, compared=compared)


async def _look(ledger: Path) -> Audit:
    # Asked before the jobs are read: an owner that comes in between only has newer ones.
    owned = await anyio.to_thread.run_sync(is_held, beside(ledger, ".lock"))
    return Audit(ledger=ledger, owned=owned, records=as_found(await read_jobs(ledger), owned=owned))


async def _settled(path: Path, statement: Statement) -> Comparison:
    """Write down what the statement proves, as the ledger's owner, and return all that was found."""
    ledger = SqliteLedger(path)
    await ledger.open()
    try:
        records: Sequence[JobRecord] = await ledger.select()
        comparison = compare(records, statement)
        for finding in comparison.proven:
            await ledger.apply(change_of(finding, time.time()))
    finally:
        await ledger.close()
    return comparison


def _statement(path: Path, timezone: str | None) -> Statement:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"--statement {path} cannot be read: {error.strerror}") from None
    try:
        return read_statement(content, None if timezone is None else _zone(timezone))
    except StatementError as error:
        for trouble in error.troubles[:_MOST_TROUBLES]:
            say(f"{path}:{trouble.line}: {trouble.message}")
        raise ConfigurationError(f"--statement {path}: {error.message}") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"--timezone {name}: no such zone; as in Asia/Shanghai or UTC") from None


def _print(audit: Audit, *, prompts: bool) -> None:
    console = out()
    for line in audit_lines(audit, prompts=prompts):
        console.print(_printable(line), markup=False, soft_wrap=True)


def _printable(line: str) -> str:
    """Statements and damaged files are other people's text: no terminal shall obey it."""
    return "".join(character if character.isprintable() else "?" for character in line)
