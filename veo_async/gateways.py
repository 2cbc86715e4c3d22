"""Gateways as data: a small TOML file says where a service of a known shape is, and what is peculiar to it.

The services this package knows come as such files, too. A new surface is one file in `dialects` with a
`SHAPE`, and its line in `SHAPES`.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import Any, Final

from attrs import field, frozen

from veo_async.answers import RefusalKind
from veo_async.dialects.dialect import Dialect
from veo_async.dialects.edges import EDGES
from veo_async.dialects.flat_requests import WISHES
from veo_async.dialects.refusals import Rule
from veo_async.dialects.shape import Shape
from veo_async.dialects.tasks import Stage
from veo_async.errors import ConfigurationError
from veo_async.origins import read_base_url
from veo_async.structuring import StructureError, shown, strict_converter, structure

__all__ = ["PRESETS", "SHAPES", "ErrorRule", "Gateway", "preset", "read_gateway"]


def _shape(module: str) -> Shape:
    """Return the `SHAPE` of a module of `dialects`, imported by its name: its line below is all it takes."""
    shape: Shape = import_module(f"veo_async.dialects.{module}").SHAPE
    return shape


SHAPES: Final[Mapping[str, Shape]] = {
    shape.name: shape
    for shape in (
        _shape("gemini"),
        _shape("gptproto_v3"),
        _shape("unified"),
        _shape("openai_videos"),
        _shape("wrapped_videos"),
    )
}
"""The surfaces that a file may name, by name."""

PRESETS: Final = ("gptproto", "gemini", "gptproto-v3", "unified", "openai-videos", "wavespeed")
"""Services that come with the package, one file each."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HEADER: Final = re.compile(r"(?!(?:host|content-length|connection)$)[A-Za-z0-9-]{1,64}", re.IGNORECASE)
_PREFIX: Final = re.compile(r"[A-Za-z0-9-]{0,32} ?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MEMBER: Final = re.compile(r'\["([A-Za-z0-9_.-]+)"\](?=[^:]{0,80}:)')
"""A table's member as JSON's paths have it; a TOML file's reader looks for `table.member`."""
_ANY_STATUS: Final = range(200, 600)


@frozen(kw_only=True)
class ErrorRule:
    """What an error of the gateway is about; all that is given must fit."""

    kind: RefusalKind
    status: tuple[int, ...] = ()
    """HTTP status, or the number that an answer of status 200 gives instead; empty: any."""
    code: int | str | None = None
    """The error's `code` as it is written."""
    text: str | None = None
    """A regular expression, found anywhere in the error's words, in capitals or not."""

    @property
    def rule(self) -> Rule:
        """The rule as dialects have it."""
        return Rule(
            self.kind,
            self.status or _ANY_STATUS,
            None if self.text is None else re.compile(self.text, re.IGNORECASE),
            code=None if self.code is None else str(self.code),
        )


@frozen(kw_only=True)
class Gateway:
    """A service of a known shape."""

    name: str
    """What ledgers know it by: lower case, digits and hyphens."""
    shape: str
    """One of `SHAPES`."""
    base_url: str | None = None
    """Where submits go; None: the caller says."""
    status_base_url: str | None = None
    """Where checks go; None: the same."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that its key is looked for in, in order."""
    key_header: str | None = None
    """Header that carries the key; None: the shape's."""
    key_prefix: str | None = None
    """What stands before the key there, as in "Bearer "; None: the shape's."""
    download_hosts: tuple[str, ...] = ()
    """Hosts that videos may be fetched from; empty: any public host."""
    edge: str | None = None
    """The network before it whose errors prove that nothing was started, one of `EDGES`; None: unknown."""
    options: Mapping[str, bool | str] = field(factory=dict[str, "bool | str"])
    """The shape's own switches."""
    paths: Mapping[str, str] = field(factory=dict[str, str])
    """Path by purpose, where it is not the shape's."""
    models: Mapping[str, str] = field(factory=dict[str, str])
    """Its own name by alias, where it is not the family's."""
    fields: Mapping[str, str] = field(factory=dict[str, str])
    """Its own field by the request's, where it takes more than the shape does."""
    status_words: Mapping[str, Stage] = field(factory=dict[str, Stage])
    """What its words mean, where it has others than the shape."""
    errors: tuple[ErrorRule, ...] = ()
    """Rules on errors, read before all others."""

    @property
    def family(self) -> str:
        """Whose model names it takes, in the catalogue."""
        return SHAPES[self.shape].family

    @property
    def version(self) -> str:
        """A segment of its paths that a base URL may end in, and need not."""
        return str(self.options.get("version", SHAPES[self.shape].version))

    @property
    def header(self) -> str:
        """The header that carries the key."""
        return self.key_header or SHAPES[self.shape].key_header

    @property
    def prefix(self) -> str:
        """What stands before the key in its header."""
        return SHAPES[self.shape].key_prefix if self.key_prefix is None else self.key_prefix

    def dialect(
        self, base_url: str, status_base_url: str, rewrite_uri: Callable[[str], str] | None
    ) -> Dialect:
        """Return what speaks to it."""
        shape = SHAPES[self.shape]
        parts: dict[str, Any] = dict(self.options)
        if shape.paths:
            parts["paths"] = {**shape.paths, **self.paths}
            parts["fields"] = {**shape.fields, **self.fields}
            words = {word.strip().lower(): stage for word, stage in self.status_words.items()}
            parts["words"] = {**shape.words, **words}
            parts["rules"] = tuple(error.rule for error in self.errors)
        return shape.dialect(
            base_url=base_url, status_base_url=status_base_url, rewrite_uri=rewrite_uri, **parts
        )


def read_gateway(path: Path) -> Gateway:
    """Return what a provider file says.

    Raises:
        ConfigurationError: it cannot be read, or is not such a file; names every place at fault.
    """
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
        gateway = structure(_converter(), plain, Gateway)
        faults = tuple(_faults(gateway))
        if not faults:
            return gateway
        reason = str(StructureError(faults))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or type(error).__name__}"
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        reason = f"is not TOML: {error}"
    except StructureError as error:
        reason = _MEMBER.sub(r".\1", str(error))
    raise ConfigurationError(f"provider file {path}: {reason}")


@functools.cache
def preset(name: str) -> Gateway:
    """Return a gateway that comes with the package, one of `PRESETS`."""
    return read_gateway(Path(__file__).with_name("presets") / f"{name}.toml")


# ── strictness ──────────────────────────────────────────────────────────────────────────────────────────────


def _one_of(kind: type[StrEnum]) -> Callable[[Any, Any], StrEnum]:
    def hook(value: Any, _: Any) -> StrEnum:
        if not isinstance(value, str) or value not in set(kind):
            raise ValueError(f"must be one of {', '.join(kind)}, not {shown(value)}")
        return kind(value)

    return hook


def _option(value: Any, _: Any) -> bool | str:
    if not isinstance(value, bool | str):
        raise ValueError(f"must be true, false or a string, not {shown(value)}")  # noqa: TRY004  cattrs' way
    return value


@cache  # made on first use
def _converter() -> Any:
    converter = strict_converter(forbid_extra_keys=True)
    converter.register_structure_hook(RefusalKind, _one_of(RefusalKind))
    converter.register_structure_hook(Stage, _one_of(Stage))
    converter.register_structure_hook(bool | str, _option)
    return converter


_Fault = tuple[str, str]
"""Where in the file, and what is wrong there."""


def _faults(gateway: Gateway) -> Iterator[_Fault]:
    yield from _plain_faults(gateway)
    yield from _url_faults(gateway)
    shape = SHAPES.get(gateway.shape)
    if shape is None:
        yield "shape", f"must be one of {', '.join(SHAPES)}, not {shown(gateway.shape)}"
        return
    yield from _option_faults(gateway, shape)
    yield from _table_faults(gateway, shape)
    yield from _path_faults(gateway, shape)
    yield from _error_faults(gateway)


def _plain_faults(gateway: Gateway) -> Iterator[_Fault]:
    if _NAME.fullmatch(gateway.name) is None:
        yield "name", "must be lower case letters, digits and hyphens"
    if gateway.key_header is not None and _HEADER.fullmatch(gateway.key_header) is None:
        yield "key_header", "must be the name of a header of its own, as in Authorization"
    if gateway.key_prefix is not None and _PREFIX.fullmatch(gateway.key_prefix) is None:
        yield "key_prefix", 'must be a word and a blank, as in "Bearer ", or empty'
    if gateway.edge is not None and gateway.edge not in EDGES:
        yield "edge", f"must be one of {', '.join(EDGES)}, not {shown(gateway.edge)}"
    for index, variable in enumerate(gateway.key_variables):
        if _VARIABLE.fullmatch(variable) is None:
            yield (
                f"key_variables[{index}]",
                "must be the name of an environment variable; the key itself never stands here",
            )


def _url_faults(gateway: Gateway) -> Iterator[_Fault]:
    for name in ("base_url", "status_base_url"):
        url: str | None = getattr(gateway, name)
        if url is not None:
            try:
                read_base_url(url, "it")
            except ConfigurationError as error:
                yield name, error.message


def _option_faults(gateway: Gateway, shape: Shape) -> Iterator[_Fault]:
    for name, value in gateway.options.items():
        kind = shape.options.get(name)
        if kind is None:
            yield f"options.{name}", f"{shape.name} has no such option{_listed(shape.options)}"
        elif not isinstance(value, kind):
            yield f"options.{name}", f"must be {'a string' if kind is str else 'true or false'}"


def _listed(names: Mapping[str, object]) -> str:
    return f"; there are {', '.join(names)}" if names else ""


def _table_faults(gateway: Gateway, shape: Shape) -> Iterator[_Fault]:
    if not shape.paths:
        for name in ("paths", "fields", "status_words", "errors"):
            if getattr(gateway, name):
                yield name, f"the shape {shape.name} leaves nothing to say here: drop it"
    for name, own in gateway.fields.items():
        if name not in WISHES:
            yield (
                f"fields.{name}",
                f"is no field of a request that may be sent so; there are {', '.join(WISHES)}",
            )
        elif _FIELD.fullmatch(own) is None:
            yield f"fields.{name}", "must be the name of the service's field"


def _path_faults(gateway: Gateway, shape: Shape) -> Iterator[_Fault]:
    for purpose, path in gateway.paths.items() if shape.paths else ():
        usual = shape.paths.get(purpose)
        if usual is None:
            yield f"paths.{purpose}", f"{shape.name} has no such path{_listed(shape.paths)}"
        elif not path.startswith("/"):
            yield f"paths.{purpose}", "must begin with a slash: it follows the base URL"
        elif (places := _places(path)) is None or not places <= (_places(usual) or set()):
            yield f"paths.{purpose}", f"may have the places of {usual}, and no others"


def _places(path: str) -> set[str] | None:
    """Return the names in braces; None where they are not plain names."""
    try:
        parts = list(Formatter().parse(path))
    except ValueError:
        return None
    plain = all(not spec and not conversion for _, _, spec, conversion in parts)
    return {name for _, name, _, _ in parts if name is not None} if plain else None


def _error_faults(gateway: Gateway) -> Iterator[_Fault]:
    for index, rule in enumerate(gateway.errors):
        if rule.text is not None:
            try:
                re.compile(rule.text)
            except re.error as error:
                yield f"errors[{index}].text", f"is no regular expression: {error}"
        if not rule.status and rule.code is None and rule.text is None:
            yield f"errors[{index}]", "must have at least one of status, code and text"
