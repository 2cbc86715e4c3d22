"""Who makes the videos: origins, key, dialect, limits.

The environment is read here, in `Provider.from_env`, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from veo_async import catalog
from veo_async.credentials import Credential, KeySource
from veo_async.dialects.dialect import Capabilities, Dialect
from veo_async.dialects.gemini import GeminiDialect, gateway_uri
from veo_async.errors import ConfigurationError
from veo_async.models import Media, VideoRequest
from veo_async.options import Limits
from veo_async.origins import host_of, is_loopback, origin_of, read_base_url

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Provider", "Upload", "origin_of"]

Upload = Callable[[Media], Awaitable[str]]
"""Puts a picture where the provider can fetch it, and returns its URL."""

_GPTPROTO: Final = "https://gptproto.com"
_GPTPROTO_STATUS: Final = "https://api.gptproto.com"  # seed 003 submits to the one and queries the other
_VERIFY_NONE: Final = 0


@frozen(kw_only=True, eq=False)
class Provider:
    """One service, with one key. Make it by the classmethod that names the service's surface."""

    name: str
    """As in "gptproto"; jobs in the ledger are known by it."""
    family: str
    """Whose model names it takes, in the catalogue."""
    dialect: Dialect = field(repr=False)
    base_url: str
    """Where submits go."""
    status_base_url: str
    """Where checks go."""
    credential: Credential
    limits: Limits = field(factory=Limits, repr=False)
    download_hosts: frozenset[str] = frozenset()
    """Hosts that videos may be fetched from; empty: any public host."""
    upload: Upload | None = field(default=None, repr=False)
    """For services that take pictures as URLs only."""
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    """URL of a proxy for all requests."""
    ssl: SSLContext | None = field(default=None, repr=False)
    """For a certificate authority of one's own; None: the system's."""
    trust_env: bool = False
    """Whether HTTP_PROXY, .netrc and their like count."""
    origin: str = field(init=False, repr=False)
    """Scheme, host and port that jobs are submitted to."""
    credential_origins: frozenset[str] = field(init=False, repr=False)
    """The only origins that ever get the key."""

    def __attrs_post_init__(self) -> None:
        _check_ssl(self.ssl)
        origin = origin_of(self.base_url)
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "credential_origins", frozenset({origin, origin_of(self.status_base_url)}))

    @property
    def capabilities(self) -> Capabilities:
        """What its surface can do."""
        return self.dialect.capabilities

    @property
    def refreshable(self) -> bool:
        """Whether asking for the key again may bring another."""
        return self.credential.refreshable

    @classmethod
    def gemini(
        cls,
        *,
        api_key: KeySource,
        base_url: str,
        status_base_url: str | None = None,
        name: str = "gemini",
        version: str = "v1beta",
        duration_as_string: bool = False,
        can_list: bool = False,
        download_hosts: Iterable[str] = frozenset(),
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
    ) -> Provider:
        """Return a service that speaks the Gemini format: a gateway, or the emulator on this machine.

        Args:
            api_key: The key, or an async callable that returns it and is asked again once it is refused.
            base_url: Where it is, without "/v1beta". There is no default: Google's own host serves no videos.
            status_base_url: Where operations are checked; None: the same.
            name: What the ledger knows it by.
            version: Version of the API, a segment of its paths.
            duration_as_string: Write the duration as a JSON string, for gateways that want it so.
            can_list: It answers lists of operations: many are checked by one request.
            download_hosts: Hosts that videos may be fetched from; empty: any public host.
            rewrite_uri: Turns a video's URI into the one to fetch, without I/O. None: files at Google's host,
                which this service's key cannot open, are asked from the service itself (seed 003).
            upload: Puts a picture where the service can fetch it; not needed for this surface.
            proxy: URL of a proxy.
            ssl: Context with a certificate authority of one's own; it must verify.
            trust_env: Whether HTTP_PROXY, .netrc and their like count.
            limits: Rates, and how much runs at once.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        base = read_base_url(base_url, "base_url", version)
        status = base
        if status_base_url is not None:
            status = read_base_url(status_base_url, "status_base_url", version)
        return cls(
            name=name,
            family="gemini",
            base_url=base,
            status_base_url=status,
            credential=Credential(api_key, header="x-goog-api-key"),  # never ?key=, it lands in logs
            dialect=GeminiDialect(
                base_url=base,
                status_base_url=status,
                version=version,
                rewrite_uri=rewrite_uri or partial(gateway_uri, base_url=base, version=version),
                duration_as_string=duration_as_string,
                capabilities=Capabilities(inline_videos=True, can_list=can_list),
            ),
            limits=limits or Limits(),
            download_hosts=_hosts(download_hosts),
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
        )

    @classmethod
    def gptproto(
        cls,
        *,
        api_key: KeySource,
        base_url: str = _GPTPROTO,
        status_base_url: str | None = None,
        duration_as_string: bool = False,
        can_list: bool = False,
        download_hosts: Iterable[str] = frozenset(),
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
    ) -> Provider:
        """Return GPTProto in its Gemini format (seeds 001 and 003).

        Takes what `gemini` takes. `status_base_url` None: https://api.gptproto.com as in seed 003, and the
        same as `base_url` where that is not GPTProto's own.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        if isinstance(api_key, str) and api_key.startswith("AIza"):
            raise ConfigurationError("this is a key of Google's: GPTProto's begins with sk-")
        if status_base_url is None and read_base_url(base_url, "base_url") == _GPTPROTO:
            status_base_url = _GPTPROTO_STATUS
        return cls.gemini(
            name="gptproto",
            api_key=api_key,
            base_url=base_url,
            status_base_url=status_base_url,
            duration_as_string=duration_as_string,
            can_list=can_list,
            download_hosts=download_hosts,
            rewrite_uri=rewrite_uri,
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            limits=limits,
        )

    @classmethod
    def from_env(
        cls,
        *,
        provider: str | None = None,
        base_url: str | None = None,
        limits: Limits | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Provider:
        """Return the provider that the environment speaks of.

        `VEO_PROVIDER` names it, `VEO_API_KEY` and `VEO_BASE_URL` go with it; else the first of
        GPTPROTO_API_KEY, GEMINI_API_KEY and GOOGLE_API_KEY that is set says which it is.

        Args:
            provider: Instead of `VEO_PROVIDER`.
            base_url: Instead of `VEO_BASE_URL`.
            limits: Rates, and how much runs at once.
            environ: Instead of the process's environment.

        Raises:
            ConfigurationError: no such provider, or no key for it; says which variable to set.
        """
        env = os.environ if environ is None else environ
        name = _provider_name(provider or env.get("VEO_PROVIDER"), env)
        api_key = _key(name, env)
        base_url = base_url or env.get("VEO_BASE_URL") or None
        if name == "gptproto":
            return cls.gptproto(api_key=api_key, base_url=base_url or _GPTPROTO, limits=limits)
        if base_url is None:
            raise ConfigurationError(
                "VEO_BASE_URL is not set: the Gemini format has no host of its own, Google's serves no videos"
            )
        return cls.gemini(api_key=api_key, base_url=base_url, limits=limits)

    def model_name(self, model: str | None) -> str:
        """Return this service's own name for an alias; None: the default; any other name passes."""
        return catalog.model_name(model, self.family)

    def estimate(self, request: VideoRequest, model: str | None = None) -> float | None:
        """Return what `request` may cost in USD: an estimate by Google's list; None: no price is known."""
        return catalog.estimate(self.model_name(model or request.model), request)

    def serves(self, name: str, origin: str) -> bool:
        """Return whether jobs that were submitted to `name` at `origin` are this service's.

        Two ports of this machine count as one: a service started anew on loopback may get another port.
        """
        both_here = all(is_loopback(host_of(url)) for url in (origin, self.origin))
        return name == self.name and (origin == self.origin or both_here)

    async def authorization(self, refresh: bool = False) -> Mapping[str, str]:
        """Return the headers that carry the key, for `credential_origins` only.

        Args:
            refresh: Ask for the key once more, when it comes from a callable; all that ask at a time share
                one call.

        Raises:
            ConfigurationError: the callable failed, or what it returned can be no key.
        """
        return await self.credential.headers(refresh=refresh)


_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "gptproto": ("GPTPROTO_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
}
"""Variables that a provider's key is looked for in, after VEO_API_KEY."""


def _provider_name(given: str | None, env: Mapping[str, str]) -> str:
    if given:
        name = given.strip().lower().replace("_", "-")
        if name not in _KEYS:
            raise ConfigurationError(f"unknown provider {given[:40]!r}: known are {', '.join(_KEYS)}")
        return name
    for name, variables in _KEYS.items():
        if any(env.get(variable) for variable in variables):
            return name
    if env.get("VEO_API_KEY"):
        raise ConfigurationError(
            f"VEO_API_KEY is set, but not whose: set VEO_PROVIDER to {' or '.join(_KEYS)}"
        )
    raise ConfigurationError("no key found: set VEO_PROVIDER and VEO_API_KEY, or GPTPROTO_API_KEY")


def _key(name: str, env: Mapping[str, str]) -> str:
    variables = ("VEO_API_KEY", *_KEYS[name])
    for variable in variables:
        if env.get(variable):
            return env[variable]
    raise ConfigurationError(f"no key for {name}: set {' or '.join(variables)}")


def _hosts(hosts: Iterable[str]) -> frozenset[str]:
    if isinstance(hosts, str):
        raise ConfigurationError(f'download_hosts is a set of hosts: write {{"{hosts}"}}')
    return frozenset(host.lower() for host in hosts)


def _check_ssl(context: object) -> None:
    if context is None:
        return
    if getattr(context, "verify_mode", _VERIFY_NONE) == _VERIFY_NONE or not getattr(
        context, "check_hostname", 0
    ):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext that verifies certificates and host names: a key goes over it; "
            "for an authority of your own use ssl.create_default_context(cafile=…)"
        )
