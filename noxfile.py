"""Checks, each in an environment of its own: `nox` runs the usual ones, `nox -s NAME` one of them.

Tests run against the built wheel in a copy of what they need, so that nothing is taken from the checkout by
accident. pip is the only installer that is asked for.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "docs", "examples", "build"]

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")
PAGE_TESTS = ("test_docs.py", "test_examples.py")
"""Tests of the pages and of the examples: they have sessions of their own."""


def group(name: str) -> list[str]:
    """Return the requirements of one dependency group."""
    return [str(requirement) for requirement in nox.project.dependency_groups(PROJECT, name)]


def empty_folder(session: nox.Session, name: str) -> Path:
    """Return a new folder of the session; `create_tmp` would send the files of tests there too."""
    folder = session.cache_dir / session.name / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def install_wheel(session: nox.Session, *requirements: str, extras: str = "[cli,emulator]") -> None:
    """Build the wheel and install it with what goes with it, in place of any older build."""
    folder = empty_folder(session, "wheel")
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    session.install("-q", f"{wheel}{extras}", *requirements)
    session.install("-q", "--force-reinstall", "--no-deps", str(wheel))


def go_to_copy_of_source(session: nox.Session, *names: str, leave_out: tuple[str, ...] = ()) -> None:
    """Copy files and folders to a place of the session's own, and work there."""
    place = empty_folder(session, "copy")
    for name in names:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", *leave_out)
            shutil.copytree(source, place / name, ignore=unwanted)
        else:
            shutil.copy2(source, place / name)
    session.chdir(place)


def go_to_copy(session: nox.Session, *names: str, leave_out: tuple[str, ...] = ()) -> None:
    """Copy files and folders to a place where the package's source is not, and work there."""
    go_to_copy_of_source(session, *names, leave_out=leave_out)
    session.run(
        "python",
        "-c",
        "import pathlib, sys, veo_async; "
        "sys.exit(pathlib.Path(sys.prefix) not in pathlib.Path(veo_async.__file__).parents)",
    )


def run_tests(session: nox.Session, *flags: str) -> None:
    """Run the tests of the package against its wheel."""
    install_wheel(session, *group("test"))
    go_to_copy(session, "tests", "examples", "benchmarks", "docs", "pyproject.toml", leave_out=PAGE_TESTS)
    # Much of the time is spent waiting for sockets and processes: one worker for each processor.
    session.run("pytest", "tests", "--numprocesses=auto", *flags, *session.posargs)


def run_campaign(session: nox.Session, module: str) -> None:
    """Run a module of the tests as a program, against the wheel."""
    install_wheel(session, *group("test"))
    go_to_copy(session, "tests", "pyproject.toml")
    session.run("python", "-m", module, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and the layers of the house."""
    session.install("-q", *group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Two type checkers at their strictest, and the share of the public names that have types."""
    install_wheel(session, *group("types"))
    session.run("mypy")
    python = Path(session.bin) / "python"
    session.run("pyright", "--pythonpath", str(python))
    go_to_copy(session, "pyproject.toml")
    session.run("pyright", "--pythonpath", str(python), "--verifytypes", "veo_async", "--ignoreexternal")


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on the interpreter that runs nox."""
    run_tests(session)


@nox.session(name="tests-on", python=["3.11", "3.12", "3.13"])
def tests_on(session: nox.Session) -> None:
    """The tests but the long ones, on each interpreter that is there, or with `-s tests-on-3.12` on one."""
    run_tests(session, "-m", "not long")


@nox.session
def docs(session: nox.Session) -> None:
    """Run every Python snippet of the README and the pages against the emulator."""
    install_wheel(session, *group("docs"))
    pages = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs")
    go_to_copy(session, "tests", "examples", "benchmarks", "pyproject.toml", *pages)
    session.run("pytest", "tests/test_docs.py", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example against the emulator."""
    install_wheel(session, *group("examples"), *group("test"))
    go_to_copy(session, "tests", "examples", "pyproject.toml")
    session.run("pytest", "tests/test_examples.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure all that benchmarks/README.md tells: a table, a file, plots; `-- ROW …` measures some rows."""
    install_wheel(session, "pybase64", extras="")
    # Not in a copy: what is found is written beside the scripts, and these find only the wheel.
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Draw 20,000 strange answers for every decoder, on every processor: about 20 minutes on two."""
    install_wheel(session, *group("test"))
    go_to_copy(session, "tests", "pyproject.toml")
    campaign = ("--hypothesis-profile=campaign", "--timeout=0", "--numprocesses=auto", "--dist=worksteal")
    session.run("pytest", "tests/test_near_misses.py", *campaign, *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Play every fault in every phase and print how many of the cells hold: about a minute."""
    run_campaign(session, "tests.faults")


@nox.session
def soak(session: nox.Session) -> None:
    """Send 10,000 jobs through one session, or as many as `-- 100000` says; print what stays behind."""
    run_campaign(session, "tests.soak")


@nox.session
def parity(session: nox.Session) -> None:
    """Compare requests with those of Google's own client, and let it run against the emulator."""
    install_wheel(session, *group("test"))
    go_to_copy(session, "tests", "pyproject.toml")
    packages = str(ROOT / ".nox" / "parity-packages")
    session.run("pytest", "tests/parity", *session.posargs, env={"VEO_PARITY_CACHE": packages})


@nox.session(name="lost-replies")
def lost_replies(session: nox.Session) -> None:
    """Count the POSTs of ours and of others when the answer to a paid submit is lost."""
    install_wheel(session)
    go_to_copy(session, "benchmarks")
    session.run("python", "benchmarks/lost_replies.py", str(ROOT / ".nox" / "peers"))


@nox.session
def simulate(session: nox.Session) -> None:
    """Play simulated worlds on all processors: `-- 100000` so many seeds, `-- --mutants` removals."""
    run_campaign(session, "tests.simulation")


@nox.session
def kills(session: nox.Session) -> None:
    """Kill processes at random instants, `-- 1000` times, and compare the bill with their ledgers."""
    run_campaign(session, "tests.crash.campaign")


@nox.session
def mutants(session: nox.Session) -> None:
    """Change the engine and the classification of answers in each way there is; say what no test notices."""
    requirements = nox.project.dependency_groups(PROJECT, "test")
    session.install("-q", *PROJECT["project"]["dependencies"], *requirements, "mutmut>=3.8.1,<4")
    go_to_copy_of_source(session, "veo_async", "tests", "docs", "pyproject.toml")
    session.run("mutmut", "run", *session.posargs, success_codes=[0, 1])
    session.run("python", "-m", "tests.mutants")


@nox.session
def build(session: nox.Session) -> None:
    """Build the source archive, the wheel from it, and look into both."""
    folder = empty_folder(session, "dist")
    session.install("-q", "build>=1.2", "twine>=6.1")
    session.run("python", "-m", "build", "--outdir", str(folder), str(ROOT))
    archives = sorted(str(path) for path in folder.iterdir())
    session.run("twine", "check", "--strict", *archives)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    foreign = [name for name in names if not name.startswith(("veo_async/", "veo_async-"))]
    if foreign or "veo_async/py.typed" not in names or not any(name.endswith("/LICENSE") for name in names):
        session.error(f"{wheel.name} lacks py.typed or LICENSE, or holds what it should not: {foreign}")
    install_wheel(session, extras="")
    go_to_copy(session)
    session.run("python", "-W", "error", "-c", "from veo_async import *")
