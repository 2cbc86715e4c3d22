"""From what a constructor was given to a provider: gateways, which are data, and Vertex AI.

What speaks to the services is imported when a provider is made: it is most of this package's code, and who
imports `Provider` alone does not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from veo_async.credentials import Credential, KeySource
from veo_async.errors import ConfigurationError
from veo_async.options import Limits
from veo_async.origins import read_base_url
from veo_async.providers.arguments import Shared, check_key

if TYPE_CHECKING:
    from veo_async.gateways import Gateway
    from veo_async.providers.environment import Environment
    from veo_async.providers.provider import Provider

__all__ = ["at_file", "at_preset", "at_vertex"]


def at_preset(
    cls: type[Provider],
    name: str,
    own: Mapping[str, Any],
    api_key: KeySource,
    base_url: str | None,
    status_base_url: str | None,
    shared: Shared,
) -> Provider:
    """Return the provider of a service that comes with the package, `own` in place of what its file says.

    Raises:
        ConfigurationError: the key or a URL cannot be used, or there is none.
    """
    from veo_async.gateways import preset

    return _at_gateway(cls, evolve(preset(name), **own), api_key, base_url, status_base_url, shared)


def at_file(
    cls: type[Provider],
    path: Path,
    env: Environment,
    api_key: KeySource | None,
    base_url: str | None,
    status_base_url: str | None,
    shared: Shared,
) -> Provider:
    """Return the provider of a service that a file describes; without a key it is the environment's.

    Raises:
        ConfigurationError: the file, the key or a URL cannot be used, or there is none.
    """
    from veo_async.gateways import read_gateway

    gateway = read_gateway(path)
    if api_key is None:
        # VEO_API_KEY does not count here: it may be another service's.
        api_key = env.key(gateway.name, gateway.key_variables)
    return _at_gateway(cls, gateway, api_key, base_url, status_base_url, shared)


def _at_gateway(
    cls: type[Provider],
    gateway: Gateway,
    api_key: KeySource,
    base_url: str | None,
    status_base_url: str | None,
    shared: Shared,
) -> Provider:
    """Return the provider of a service that is described by data; what is given outright wins."""
    check_key(gateway.name, api_key)
    own, version = gateway.base_url, gateway.version
    where = own if base_url is None else base_url
    if where is None:
        raise ConfigurationError(
            f"base_url is not set (VEO_BASE_URL): {gateway.name} has no host of its own, "
            "and Google's serves no videos"
        )
    base = read_base_url(where, "base_url", version)
    if status_base_url is None and own is not None and base == read_base_url(own, "base_url", version):
        status_base_url = gateway.status_base_url  # of use beside its own base URL only
    status = base if status_base_url is None else read_base_url(status_base_url, "status_base_url", version)
    return cls(
        name=gateway.name,
        family=gateway.family,
        base_url=base,
        status_base_url=status,
        credential=Credential(api_key, header=gateway.header, prefix=gateway.prefix),
        dialect=gateway.dialect(base, status, shared.rewrite_uri),
        models=gateway.models,
        edge=gateway.edge,
        limits=shared.limits or Limits(),
        download_hosts=shared.download_hosts or Shared(gateway.download_hosts).download_hosts,
        upload=shared.upload,
        proxy=shared.proxy,
        ssl=shared.ssl,
        trust_env=shared.trust_env,
    )


def at_vertex(
    cls: type[Provider],
    place: tuple[str, str],
    token: KeySource | None,
    base_url: str | None,
    status_base_url: str | None,
    name: str,
    version: str,
    shared: Shared,
) -> Provider:
    """Return the provider of Vertex AI in one project and location.

    Raises:
        ConfigurationError: project, location, token or a URL cannot be used, or google-auth is missing.
    """
    from veo_async.dialects.vertex import VertexDialect, base_url_of
    from veo_async.dialects.vertex_names import PROJECT, Place, is_location

    project, location = place
    if not PROJECT.fullmatch(project):
        raise ConfigurationError('project must be a Google Cloud project, as "my-project" or its number')
    if not is_location(location):
        raise ConfigurationError('location must be one of Google Cloud, as "us-central1" or "global"')
    base = read_base_url(base_url or base_url_of(location), "base_url", version)
    status = base if status_base_url is None else read_base_url(status_base_url, "status_base_url", version)
    return cls(
        name=name,
        family="vertex",
        base_url=base,
        status_base_url=status,
        credential=_bearer(token),
        dialect=VertexDialect(
            base_url=base,
            status_base_url=status,
            place=Place(project, location),
            version=version,
            rewrite_uri=shared.rewrite_uri,
        ),
        limits=shared.limits or Limits(),
        download_hosts=shared.download_hosts,
        upload=shared.upload,
        proxy=shared.proxy,
        ssl=shared.ssl,
        trust_env=shared.trust_env,
    )


def _bearer(token: KeySource | None) -> Credential:
    if token is not None:
        return Credential(token, header="Authorization", prefix="Bearer ")
    from veo_async.google_tokens import GoogleTokens

    tokens = GoogleTokens()
    return Credential(tokens, header="Authorization", prefix="Bearer ", is_stale=tokens.is_stale)
