"""Keeps watch, under the whole suite, that no key shows where it must not.

Every key that a test gives to a provider is remembered. After each test it is looked for in what was logged
and printed, in the errors that the library raised (text, repr, pickle, and the locals of its frames, as a
crash reporter writes them), and in every file that the test left behind: ledgers, traces, `.part` files.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Generator, Iterator
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pytest
from attrs import define, field

import veo_async
from veo_async.credentials import Secret
from veo_async.errors import VeoError

PACKAGE: Final = str(Path(veo_async.__file__).parent)
SHORTEST_KEY: Final = 12
"""A shorter one may well be a word of the test."""
MOST_ERRORS: Final = 200
"""Of one test; a generated test raises the same few thousands of times."""
LARGEST_LOCAL: Final = 1 << 20
COUNTED: Final = ("keys", "errors", "frames", "files", "bytes")


class LeakedKeyError(AssertionError):
    """A key was found where it must not show."""


@define
class Watch:
    """What is looked for, and how much was looked at."""

    keys: set[str] = field(factory=set[str])
    errors: list[VeoError] = field(factory=list[VeoError])
    counts: dict[str, int] = field(factory=lambda: dict.fromkeys(COUNTED, 0))

    def look(self, where: str, text: str | bytes) -> None:
        """Raise when a key stands in `text`."""
        content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        self.counts["bytes"] += len(content)
        for key in self.keys:
            if key.encode() in content:
                raise LeakedKeyError(f"the key ending in {key[-4:]} shows in {where}")

    def look_at_errors(self) -> None:
        """Look at every error that was made since the last test, and at what it carries along."""
        errors, self.errors = self.errors, []
        for error in errors:
            self.counts["errors"] += 1
            kind = type(error).__name__
            self.look(f"the text of {kind}", f"{error} {error!r} {error.args!r} {vars(error)!r}")
            self.look(f"the pickle of {kind}", _pickled(error))
            for link in _chain(error):
                self.look(f"what led to {kind}", f"{link!r} {link.args!r}")
                for name, value in _locals(link.__traceback__):
                    self.counts["frames"] += 1
                    self.look(f"the locals of {kind}, {name}", _shown(value))

    def look_at_files(self, folder: Path) -> None:
        """Look at every file that a test left in its folder."""
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                self.counts["files"] += 1
                self.look(f"file {path.relative_to(folder)}", path.read_bytes())


def _pickled(error: VeoError) -> bytes:
    try:
        return pickle.dumps(error)
    except TypeError:  # a raw answer of a test's own kind
        return b""


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _locals(traceback: TracebackType | None) -> Iterator[tuple[str, object]]:
    """Yield the locals of the library's own frames, by function and name."""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith(PACKAGE):
            for name, value in traceback.tb_frame.f_locals.items():
                yield f"{name} in {code.co_qualname}", value
        traceback = traceback.tb_next


def _shown(value: object) -> str:
    if isinstance(value, bytes | bytearray | str) and len(value) > LARGEST_LOCAL:
        return ""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - half made, or gone: then it shows nothing
        return ""


class LeakWatch:
    """The hooks that keep the watch; `pytest.mark.shows_keys` sets a test free."""

    def __init__(self) -> None:
        self.watch: Final = Watch()
        self._before: list[tuple[Any, str, Any]] = []

    def pytest_sessionstart(self) -> None:
        """Remember every key and every error from here on."""
        watch = self.watch
        make_secret, make_error = Secret.__init__, VeoError.__init__

        @wraps(make_secret)
        def remember_key(secret: Secret, text: str) -> None:
            make_secret(secret, text)
            if len(text) >= SHORTEST_KEY:
                watch.keys.add(text)

        @wraps(make_error)
        def remember_error(error: VeoError, *args: Any, **facts: Any) -> None:
            make_error(error, *args, **facts)
            if len(watch.errors) < MOST_ERRORS:
                watch.errors.append(error)

        self._before = [(Secret, "__init__", make_secret), (VeoError, "__init__", make_error)]
        for owner, function in ((Secret, remember_key), (VeoError, remember_error)):
            setattr(owner, "__init__", function)  # noqa: B010 - a checker takes the assignment for a mistake
        logging.getLogger("veo_async").setLevel(logging.DEBUG)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Look at all that a test left, when it has run."""
        report = yield
        if report.when != "call":
            return report
        keys = len(self.watch.keys)
        try:
            if report.passed and item.get_closest_marker("shows_keys") is None:
                self._look(item, report)
        except LeakedKeyError as leaked:
            report.outcome = "failed"
            report.longrepr = str(leaked)
        finally:
            self.watch.counts["keys"] = max(keys, self.watch.counts["keys"])
            self.watch.errors.clear()
        return report

    def _look(self, item: pytest.Item, report: pytest.TestReport) -> None:
        for name, text in report.sections:
            self.watch.look(name, text)
        self.watch.look_at_errors()
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if isinstance(folder, Path):
            self.watch.look_at_files(folder)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Give the classes back, and the figures to whoever started this worker."""
        for owner, name, value in self._before:
            setattr(owner, name, value)
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["leaks"] = self.watch.counts

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add up what the workers looked at."""
        for name, count in getattr(node, "workeroutput", {}).get("leaks", {}).items():
            self.watch.counts[name] += count

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how much was looked at."""
        counts = self.watch.counts
        terminalreporter.write_line(
            f"No key shows: {counts['keys']} keys looked for in {counts['bytes'] / 1e6:,.0f} MB of "
            f"{counts['errors']:,} errors, {counts['frames']:,} of their locals, {counts['files']:,} files, "
            "logs and output."
        )
