"""Every Python snippet of the README and of `docs/` runs, in order, against the emulator.

A page is one program: its snippets share their names, and `await` may stand at the outermost level, as in
`python -m asyncio`. Shell snippets are run by `.ci/run` and in the tests of the command line.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from veo_async.emulator import Emulator

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.timeout(180)


def snippets(page: Path) -> Iterator[str]:
    """Yield a page's Python snippets, each on the lines on which it stands in the page."""
    text = page.read_text(encoding="utf-8")
    for match in SNIPPET.finditer(text):
        yield "\n" * text.count("\n", 0, match.start(1)) + match[1]


async def run_page(page: Path) -> dict[str, Any]:
    """Run a page's snippets as one program and return what it named."""
    names: dict[str, Any] = {"__name__": "snippet"}
    for source in snippets(page):
        code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            await result
    return names


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A folder with a picture in it, and an emulator that the environment names as the provider."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copy2(ROOT / "examples" / "boat.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    with Emulator(waiting=0.2, clip="tiny").in_thread() as emulator:
        monkeypatch.setenv("VEO_PROVIDER", "gemini")
        monkeypatch.setenv("VEO_BASE_URL", emulator.base_url)
        monkeypatch.setenv("VEO_API_KEY", emulator.key)
        yield emulator


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_run(page: Path, desk: Emulator) -> None:
    """The page's snippets run to their end, and so do the tests among them."""
    names = asyncio.run(run_page(page), debug=True)
    for name in names:
        if name.startswith("test_"):
            names[name](veo_emulator=desk)


def test_snippets_are_found() -> None:
    """The README has some, and every Python fence is closed and taken."""
    for page in PAGES:
        assert page.read_text(encoding="utf-8").count("```python") == len(list(snippets(page)))
    assert len(list(snippets(PAGES[0]))) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """What a page links to within the project exists."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
