"""The floors that decide are pure: no waiting, no clock, no randomness, no input or output."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

PURE = (
    *("answers", "catalog", "codec", "dialects", "endings", "engine", "errors", "models", "mp4", "options"),
    *("origins", "structuring", "tokens", "wire"),
)
"""Modules and packages of `veo_async` that only compute."""

# fmt: off
PURE_MODULES = frozenset({
    "__future__", "abc", "attrs", "base64", "binascii", "bisect", "cattrs", "collections", "contextlib",
    "copy", "dataclasses", "datetime", "difflib", "email", "enum", "fractions", "functools", "hashlib",
    "heapq", "hmac", "ipaddress", "itertools", "json", "math", "operator", "pathlib", "re", "statistics",
    "string", "struct", "types", "typing", "veo_async",
})
"""What a pure module may import; whatever else looks at the world or may come to."""
PURE_NAMES = frozenset({
    ("backoff", "expo"), ("backoff", "fibo"), ("http", "HTTPStatus"), ("os", "PathLike"), ("os", "fspath"),
    ("random", "Random"), ("urllib", "parse"),
})
"""Single names that are pure although their module is not; `Random` with a seed only."""
MIXED_MODULES = frozenset({"backoff", "os", "random"})
"""May be imported whole, since each use of their names is looked at."""
FORBIDDEN_CALLS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})
FORBIDDEN_METHODS = frozenset({
    "cwd", "exists", "expanduser", "glob", "home", "is_dir", "is_file", "iterdir", "lstat", "mkdir", "now",
    "read_bytes", "read_text", "rglob", "stat", "today", "touch", "unlink", "utcnow", "write_bytes",
    "write_text",
})
"""Methods of paths and of dates that look at the world."""
# fmt: on
WAITING = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def allowed(module: str, name: str) -> bool:
    """Whether `from module import name` (or `module.name`) is pure."""
    return (
        module.partition(".")[0] in PURE_MODULES or (module, name) in PURE_NAMES or module == "urllib.parse"
    )


def imported(node: ast.AST) -> Iterator[str]:
    """Yield what an import brings in that a pure module may not have."""
    match node:
        case ast.Import(names=names):
            for alias in names:
                seen = alias.name in MIXED_MODULES and alias.asname is None
                if not seen and not allowed(*alias.name.partition(".")[::2]):
                    yield f"imports {alias.name}"
        case ast.ImportFrom(module=str(module), names=names, level=0):
            for alias in names:
                if not allowed(module, alias.name):
                    yield f"imports {alias.name} of {module}"
        case _:
            pass


def named(node: ast.AST) -> Iterator[str]:
    """Yield the uses of names and attributes that reach out of the program."""
    match node:
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MIXED_MODULES:
            if not allowed(module, name):
                yield f"uses {module}.{name}"
        case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
            yield f"calls {name}()"
        case ast.Call(func=ast.Attribute(attr=name)) if name in FORBIDDEN_METHODS:
            yield f"calls .{name}()"
        case ast.Call(func=ast.Attribute(attr="open"), args=[] | [ast.Constant()]):
            yield "opens a file"
        case ast.Call(func=ast.Attribute(attr="Random") | ast.Name(id="Random"), args=[]):
            yield "makes a Random without a seed"
        case _:
            pass


def impurities(source: str) -> list[str]:
    """Return what is impure in `source`, with its lines; empty when it only computes."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, WAITING) or (isinstance(node, ast.comprehension) and node.is_async):
            found.append((line, "waits"))
        found.extend((line, what) for what in (*imported(node), *named(node)))
    return [f"line {line}: {what}" for line, what in sorted(found)]


def package_folder() -> Path:
    """Return where the package that is tested lies: the installed one, when there is one."""
    spec = importlib.util.find_spec("veo_async")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def pure_files() -> list[Path]:
    """Return the source files of the pure floors."""
    folder = package_folder()
    modules = [path for name in PURE if (path := folder / f"{name}.py").exists()]
    return modules + [path for name in PURE for path in sorted((folder / name).rglob("*.py"))]


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: str(path.relative_to(package_folder())))
def test_pure_floors_only_compute(path: Path) -> None:
    """No file of a pure floor waits, reads a clock, draws at random or touches the world."""
    assert impurities(path.read_text(encoding="utf-8")) == []


def test_every_pure_floor_is_looked_at() -> None:
    """A floor that was renamed does not slip out of this check."""
    names = {path.relative_to(package_folder()).parts[0].removesuffix(".py") for path in pure_files()}
    assert names == set(PURE)


@pytest.mark.parametrize(
    "source",
    [
        "async def check(): ...",
        "async def f():\n    await g()",
        "async def f():\n    return [x async for x in g()]",
        "import time",
        "import asyncio",
        "import os.path as p\nimport socket",
        "from time import monotonic",
        "from urllib.request import urlopen",
        "import urllib.request",
        "from uuid import uuid4",
        "from backoff import full_jitter",
        "import backoff\nbackoff.full_jitter(1)",
        "import random as r",
        "import random\nrandom.random()",
        "from random import uniform",
        "import random\nrandom.Random()",
        "import os\nos.urandom(4)",
        "import os\nos.environ['A']",
        "from os import getpid",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import date\ndate.today()",
        "open('a')",
        "print(1)",
        "from pathlib import Path\nPath('a').read_bytes()",
        "from pathlib import Path\nPath('a').open()",
        "from pathlib import Path\nPath('a').open('rb')",
        "if 1:\n    def f():\n        import logging",
    ],
)
def test_impure_source_is_found(source: str) -> None:
    """The checker itself works: each of these is impure in one way."""
    assert impurities(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "import os\ndef f(path: os.PathLike[str]) -> str:\n    return os.fspath(path)",
        "import backoff\nbackoff.expo(base=2)",
        "import random\nrng = random.Random(7)",
        "from urllib.parse import quote",
        "import urllib.parse\nurllib.parse.quote('a')",
        "from pathlib import Path\nPath('a') / 'b'",
        "import json, re, math, heapq, enum",
        "def handle(now: float) -> float:\n    return now + 1",
        "from collections.abc import Awaitable",
    ],
)
def test_pure_source_passes(source: str) -> None:
    """What only computes is not complained of."""
    assert impurities(source) == []
