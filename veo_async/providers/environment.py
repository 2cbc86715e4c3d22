"""Which provider the environment speaks of, and where its key stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, Self

from attrs import field, frozen

from veo_async.credentials import Secret
from veo_async.errors import ConfigurationError
from veo_async.gateways import PRESETS, preset

__all__ = ["NAMES", "VERTEX", "Environment", "variables_of"]

VERTEX: Final = "vertex"
NAMES: Final = (*PRESETS, VERTEX)
"""What `VEO_PROVIDER` may be; underscores count as hyphens."""

_PROJECTS: Final = ("VEO_PROJECT", "GOOGLE_CLOUD_PROJECT")
_LOCATIONS: Final = ("VEO_LOCATION", "GOOGLE_CLOUD_LOCATION")
_TOLD_BY_KEY: Final = ("gptproto", "unified", "gemini", VERTEX)
"""Providers that a variable of their own is enough to choose, in this order."""


def variables_of(name: str) -> tuple[str, ...]:
    """Return the variables that a provider is known by: its keys', and for Vertex AI its project's."""
    return _PROJECTS if name == VERTEX else preset(name).key_variables


@frozen
class Environment:
    """Variables, keys among them: it shows none, as a traceback's locals would. What is empty is not set."""

    _values: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str] | None) -> Self:
        """Return these variables; None: the process's."""
        return cls(os.environ if environ is None else environ)

    def get(self, *variables: str) -> str | None:
        """Return the first of these that is set."""
        return next(filter(None, map(self._values.get, variables)), None)

    def provider(self, given: str | None) -> str:
        """Return the provider that is named, else the first whose own variable is set."""
        if given:
            name = given.strip().lower().replace("_", "-")
            if name not in NAMES:
                raise ConfigurationError(f"unknown provider {given[:40]!r}: known are {', '.join(NAMES)}")
            return name
        for name in _TOLD_BY_KEY:
            if self.get(*variables_of(name)):
                return name
        if self.get("VEO_API_KEY"):
            raise ConfigurationError(
                f"VEO_API_KEY is set, but not whose: set VEO_PROVIDER to {' or '.join(NAMES)}"
            )
        raise ConfigurationError("no key found: set VEO_PROVIDER and VEO_API_KEY, or GPTPROTO_API_KEY")

    def token(self) -> Secret | None:
        """Return what stands in `VEO_API_KEY`, for a service that has other ways as well."""
        found = self.get("VEO_API_KEY")
        return None if found is None else Secret(found)

    def key(self, name: str, variables: tuple[str, ...]) -> Secret:
        """Return the first of these keys of a provider that is set."""
        if not variables:
            raise ConfigurationError(f"no key for {name}: name its variable in key_variables")
        return Secret(self._first(variables, f"no key for {name}"))

    def place(self) -> tuple[str, str]:
        """Return the project and the location on Google Cloud."""
        project = self._first(_PROJECTS, "Vertex AI needs a project")
        return project, self._first(_LOCATIONS, "Vertex AI needs a location")

    def _first(self, variables: tuple[str, ...], lack: str) -> str:
        found = self.get(*variables)
        if found is None:
            raise ConfigurationError(f"{lack}: set {' or '.join(variables)}")
        return found
