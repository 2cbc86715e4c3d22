"""The public names and their shapes, held in `public_api.txt`.

A change is made on purpose or not at all. After one made on purpose run
`PYTHONPATH=. python tests/test_public_api.py > tests/public_api.txt` and tell of it in the changelog.
"""

from __future__ import annotations

import enum
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import GenericAlias
from typing import Any

import attrs

import veo_async

SNAPSHOT = Path(__file__).with_name("public_api.txt")
NAMES = sorted(set(dir(veo_async)) - {"__version__"})
VALUES: dict[str, Any] = {name: getattr(veo_async, name) for name in NAMES}
CLASSES: list[Any] = [value for value in VALUES.values() if isinstance(value, type)]
STARS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}


def type_text(annotation: object) -> str:
    """Return an annotation as it is written, alike on all versions of Python."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias):
        return str(annotation.__qualname__)
    return str(annotation).replace("typing.", "")


def parameter_text(parameter: inspect.Parameter) -> str:
    """Return one parameter as in a `def`."""
    text = STARS.get(parameter.kind.name, "") + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {type_text(parameter.annotation)}"
    if parameter.default is not parameter.empty:
        text += f" = {default_text(parameter.default)}"
    return text


def default_text(default: Any) -> str:
    """Return a default as in a `def`; of what has no short text only that it is there."""
    shown = (str, int, float, bool, tuple, frozenset, type(None), veo_async.Limits)
    text = repr(default)
    return text if isinstance(default, shown) and not isinstance(default, enum.Enum) else "…"


def signature_text(function: Any) -> str:
    """Return the parameters and the result of something that can be called."""
    signature = inspect.signature(function)
    parts: list[str] = []
    starred = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        starred = starred or parameter.kind is parameter.VAR_POSITIONAL
        parts.append(parameter_text(parameter))
    result = signature.return_annotation
    return f"({', '.join(parts)})" + ("" if result is signature.empty else f" -> {type_text(result)}")


def members_of(cls: type) -> dict[str, Any]:
    """Return what stands in the class itself."""
    return dict(vars(cls))


def member_lines(name: str, member: Any) -> Iterator[str]:
    """Yield the line of one member of a class, if it is for callers."""
    kind = ""
    if type(member) in {classmethod, staticmethod}:
        kind = f"{type(member).__name__} "
        member = member.__func__
    if isinstance(member, property):
        getter: Any = member.fget
        yield f"    {name}: {type_text(inspect.signature(getter).return_annotation)}  (property)"
    elif inspect.isasyncgenfunction(member) or inspect.iscoroutinefunction(member):
        yield f"    {kind}async {name}{signature_text(member)}"
    elif inspect.isfunction(member):
        yield f"    {kind}{name}{signature_text(member)}"


def class_lines(cls: Any) -> Iterator[str]:
    """Yield what callers see of a class: bases, how it is made, fields, members."""
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    yield f"class {cls.__name__}({bases})" if bases else f"class {cls.__name__}"
    if issubclass(cls, enum.Enum):
        yield from (f"    {member.name} = {member.value!r}" for member in cls)
        return
    if "__init__" in vars(cls):
        yield f"    __init__{signature_text(cls.__init__)}"
    if attrs.has(cls):
        # As written: reading a field's type may resolve it, and versions of Python print that differently.
        written = {name: text for base in cls.__mro__ for name, text in inspect.get_annotations(base).items()}
        public = (field.name for field in attrs.fields(cls) if not field.name.startswith("_"))
        yield from (f"    {name}: {type_text(written[name])}" for name in public)
    special = {"__aenter__", "__aexit__", "__aiter__", "__await__"}
    for name, member in sorted(members_of(cls).items()):
        if name in special or not name.startswith("_"):
            yield from member_lines(name, member)


def api_text() -> str:
    """Return the whole public API as text."""
    lines: list[str] = []
    for name, value in VALUES.items():
        if value in CLASSES:
            lines += class_lines(value)
        else:
            lines.append(f"{name} = {type_text(value).replace('veo_async.models.', '')}")
        lines.append("")
    return "\n".join(lines)


def test_public_api_is_what_was_promised() -> None:
    """Names, parameters, fields and members are those of the snapshot."""
    assert api_text() == SNAPSHOT.read_text(encoding="utf-8"), "changed on purpose? see this file's docstring"


def test_every_public_name_is_explained() -> None:
    """Every public class has a docstring, and so has every public method of it."""
    bare = [cls.__name__ for cls in CLASSES if not inspect.getdoc(cls)]
    bare += [
        f"{cls.__name__}.{name}"
        for cls in CLASSES
        for name, member in members_of(cls).items()
        if not name.startswith("_") and inspect.isroutine(member) and not inspect.getdoc(getattr(cls, name))
    ]
    assert bare == []


def test_unknown_names_are_refused() -> None:
    """The lazy package answers for a missing name as any module does."""
    assert not hasattr(veo_async, "VeoClient")
    assert len(NAMES) > 40


def loaded_after(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter holds after `statement`."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


NOT_ON_IMPORT = {
    *("aiohttp", "yarl", "multidict", "cattrs", "anyio.abc", "backoff", "sqlite3", "tomllib", "email"),
    *("concurrent.futures.process", "cyclopts", "rich", "av", "PIL"),
    *("veo_async.codec", "veo_async.dialects", "veo_async.emulator", "veo_async.gateways"),
    *("veo_async.ledger.memory", "veo_async.session.runtime", "veo_async.transport", "veo_async.webhooks"),
}
"""What costs time, and serves nobody before a provider or a session is made."""


def test_importing_the_main_names_is_cheap() -> None:
    """What a session or a provider works with is loaded when one is made or opened, not on import."""
    loaded = loaded_after("from veo_async import VeoSession, VideoRequest, Provider")
    assert "veo_async.session" in loaded
    assert loaded.isdisjoint(NOT_ON_IMPORT)


def test_making_a_session_loads_no_client() -> None:
    """aiohttp, with its tenth of a second, comes with `async with`; SQLite with a ledger on disk."""
    provider = "Provider.gptproto(api_key='sk-1234567890')"
    loaded = loaded_after(f"from veo_async import VeoSession, Provider\nVeoSession({provider})")
    assert "veo_async.dialects" in loaded
    assert loaded.isdisjoint({"aiohttp", "yarl", "multidict", "sqlite3"})


def test_a_star_brings_every_public_name() -> None:
    """Names that are loaded late are all there, and nothing else is."""
    everything: dict[str, object] = {}
    exec("from veo_async import *", everything)
    assert set(everything) - {"__builtins__"} == set(dir(veo_async))


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    """`import veo_async` alone reads one file."""
    assert {name for name in loaded_after("import veo_async") if name.startswith("veo_async.")} == set()


if __name__ == "__main__":
    sys.stdout.write(api_text())
