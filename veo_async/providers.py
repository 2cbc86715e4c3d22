"""Who makes the videos: origins, key, dialect, limits.

The environment is read here, in `Provider.from_env`, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from veo_async import catalog
from veo_async.credentials import Credential, KeySource
from veo_async.dialects.dialect import Capabilities, Dialect
from veo_async.dialects.gemini import GeminiDialect, gateway_uri
from veo_async.dialects.vertex import VertexDialect, base_url_of
from veo_async.dialects.vertex_names import PROJECT, Place, is_location
from veo_async.errors import ConfigurationError
from veo_async.gateways import PRESETS, Gateway, preset, read_gateway
from veo_async.google_tokens import GoogleTokens
from veo_async.models import Media, VideoRequest
from veo_async.options import Limits
from veo_async.origins import host_of, is_loopback, origin_of, read_base_url

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["NAMES", "Provider", "Upload", "origin_of"]

Upload = Callable[[Media], Awaitable[str]]
"""Puts a picture, given with `data` and `mime_type`, where the provider can fetch it; returns its URL."""

_GPTPROTO: Final = "https://gptproto.com"
_CHAINHUB: Final = "https://api.chainhub.tech"
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
    """For services that take pictures as URLs only: called with each picture of this machine."""
    models: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    """Its own names of models by alias, where they are not the family's."""
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
        _check_not_googles(api_key)
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
    def vertex(
        cls,
        *,
        project: str,
        location: str,
        token: KeySource | None = None,
        base_url: str | None = None,
        status_base_url: str | None = None,
        name: str = "vertex",
        version: str = "v1",
        download_hosts: Iterable[str] = frozenset(),
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
    ) -> Provider:
        """Return Vertex AI in one project and location.

        Videos come inside the status answer, unless a request says by `storage_uri` in which bucket to put
        them: then a video's URI is gs://…, which is not fetched here.

        Args:
            project: Id or number of the Google Cloud project.
            location: As in "us-central1" or "global"; each has a host of its own.
            token: An async callable that returns an access token; it is asked again once one is refused,
                as they last about an hour. None: application default credentials (extra `vertex`), exchanged
                before they end. A string serves as long as it lasts.
            base_url: Another host, as a private endpoint's or the emulator's, without "/v1".
            status_base_url: Where operations are checked; None: the same.
            name: What the ledger knows it by.
            version: Version of the API, a segment of its paths.
            download_hosts: Hosts that videos may be fetched from; empty: any public host.
            rewrite_uri: Turns a video's URI into the one to fetch, without I/O: a signed link for gs://….
            upload: Puts a picture where the service can fetch it; not needed for this surface.
            proxy: URL of a proxy; google-auth goes its own way.
            ssl: Context with a certificate authority of one's own; it must verify.
            trust_env: Whether HTTP_PROXY, .netrc and their like count.
            limits: Rates, and how much runs at once. Google's quota is 50 submits a minute for a model that
                is generally available, 10 for a preview.

        Raises:
            ConfigurationError: project, location, token or a URL cannot be used, or google-auth is missing.
        """
        if not PROJECT.fullmatch(project):
            raise ConfigurationError('project must be a Google Cloud project, as "my-project" or its number')
        if not is_location(location):
            raise ConfigurationError('location must be one of Google Cloud, as "us-central1" or "global"')
        base = read_base_url(base_url or base_url_of(location), "base_url", version)
        status = base
        if status_base_url is not None:
            status = read_base_url(status_base_url, "status_base_url", version)
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
                rewrite_uri=rewrite_uri,
            ),
            limits=limits or Limits(),
            download_hosts=_hosts(download_hosts),
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
        )

    @classmethod
    def gptproto_v3(
        cls,
        *,
        api_key: KeySource,
        base_url: str = _GPTPROTO,
        status_base_url: str | None = None,
        bearer: bool = False,
        download_hosts: Iterable[str] = frozenset(),
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
    ) -> Provider:
        """Return GPTProto in its v3 format (seed 000).

        It takes pictures as URLs only. What is not said here is as for `gemini`.

        Args:
            api_key: The key, or an async callable that returns it.
            base_url: Where it is.
            status_base_url: Where tasks are checked; None: the same.
            bearer: Write "Bearer " before the key, as some of GPTProto's pages do; seed 000 does not.
            download_hosts: Hosts that videos may be fetched from; empty: any public host.
            rewrite_uri: Turns a video's URL into the one to fetch, without I/O.
            upload: Async callable that puts a picture where the service can fetch it, and returns its URL.
            proxy: URL of a proxy.
            ssl: Context with a certificate authority of one's own; it must verify.
            trust_env: Whether HTTP_PROXY, .netrc and their like count.
            limits: Rates, and how much runs at once.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        _check_not_googles(api_key)
        gateway = preset("gptproto-v3")
        return cls._at(
            evolve(gateway, key_prefix="Bearer ") if bearer else gateway,
            api_key=api_key,
            base_url=base_url,
            status_base_url=status_base_url,
            download_hosts=download_hosts,
            rewrite_uri=rewrite_uri,
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            limits=limits,
        )

    @classmethod
    def unified(
        cls,
        *,
        api_key: KeySource,
        base_url: str = _CHAINHUB,
        status_base_url: str | None = None,
        name: str = "unified",
        download_hosts: Iterable[str] = frozenset(),
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
    ) -> Provider:
        """Return a gateway that speaks the unified video format (seed 002), chainhub unless said otherwise.

        Takes what `gptproto_v3` takes but for `bearer`, and `name`: what the ledger knows it by. It takes
        pictures as URLs only; `resolution="1080p"` asks it to enlarge the 720p video that it makes.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        return cls._at(
            evolve(preset("unified"), name=name),
            api_key=api_key,
            base_url=base_url,
            status_base_url=status_base_url,
            download_hosts=download_hosts,
            rewrite_uri=rewrite_uri,
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            limits=limits,
        )

    @classmethod
    def openai_videos(
        cls,
        *,
        api_key: KeySource,
        base_url: str,
        status_base_url: str | None = None,
        name: str = "openai-videos",
        seconds_as_number: bool = False,
        reference_as_object: bool = False,
        can_list: bool = False,
        download_hosts: Iterable[str] = frozenset(),
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
    ) -> Provider:
        """Return a gateway that speaks the OpenAI style of videos (protocol's "/v1/videos").

        Takes what `gptproto_v3` takes but for `bearer`, and:

        Args:
            api_key: The key, or an async callable that returns it.
            base_url: Where it is, without "/v1/videos". There is no default.
            status_base_url: Where videos are checked and fetched; None: the same.
            name: What the ledger knows it by.
            seconds_as_number: Write the duration as a JSON number; OpenAI documents a string.
            reference_as_object: Write `input_reference` as `{"image_url": …}`.
            can_list: It answers lists of videos: many are checked by one request.
            download_hosts: Hosts that videos may be fetched from; empty: any public host.
            rewrite_uri: Turns a video's URL into the one to fetch, without I/O.
            upload: Not needed for this surface: a picture goes inside the request.
            proxy: URL of a proxy.
            ssl: Context with a certificate authority of one's own; it must verify.
            trust_env: Whether HTTP_PROXY, .netrc and their like count.
            limits: Rates, and how much runs at once.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        options = {
            "seconds_as_number": seconds_as_number,
            "reference_as_object": reference_as_object,
            "can_list": can_list,
        }
        return cls._at(
            evolve(preset("openai-videos"), name=name, options=options),
            api_key=api_key,
            base_url=base_url,
            status_base_url=status_base_url,
            download_hosts=download_hosts,
            rewrite_uri=rewrite_uri,
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            limits=limits,
        )

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        api_key: KeySource | None = None,
        base_url: str | None = None,
        status_base_url: str | None = None,
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Provider:
        """Return the gateway of a known shape that a TOML file describes.

        The file says `name` and `shape`, and as needed `base_url`, `status_base_url`, `key_variables`,
        `key_header`, `key_prefix`, `download_hosts`, and the tables `[options]`, `[paths]`, `[models]`,
        `[fields]`, `[status_words]` and `[[errors]]`. The key never stands in it.

        Args:
            path: The file.
            api_key: Instead of the environment's.
            base_url: Instead of the file's.
            status_base_url: Instead of the file's.
            rewrite_uri: Turns a video's URL into the one to fetch, without I/O.
            upload: Async callable that puts a picture where the service can fetch it, and returns its URL.
            proxy: URL of a proxy.
            ssl: Context with a certificate authority of one's own; it must verify.
            trust_env: Whether HTTP_PROXY, .netrc and their like count.
            limits: Rates, and how much runs at once.
            environ: Instead of the process's environment.

        Raises:
            ConfigurationError: the file cannot be used, naming every place in it that is at fault, or there
                is no key, naming the variable to set.
        """
        gateway = read_gateway(Path(path))
        if api_key is None:
            env = os.environ if environ is None else environ
            # VEO_API_KEY does not count here: it may be another service's.
            api_key = _first_key(gateway.name, gateway.key_variables, env)
        return cls._at(
            gateway,
            api_key=api_key,
            base_url=base_url,
            status_base_url=status_base_url,
            rewrite_uri=rewrite_uri,
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            limits=limits,
        )

    @classmethod
    def _at(
        cls,
        gateway: Gateway,
        *,
        api_key: KeySource,
        base_url: str | None = None,
        status_base_url: str | None = None,
        download_hosts: Iterable[str] = (),
        rewrite_uri: Callable[[str], str] | None = None,
        upload: Upload | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
        limits: Limits | None = None,
    ) -> Provider:
        """Return a service that is described by data."""
        where = gateway.base_url if base_url is None else base_url
        if where is None:
            raise ConfigurationError(
                f"base_url is not set (VEO_BASE_URL): {gateway.name} has no host of its own"
            )
        if status_base_url is None and base_url is None:
            status_base_url = gateway.status_base_url
        base = status = read_base_url(where, "base_url")
        if status_base_url is not None:
            status = read_base_url(status_base_url, "status_base_url")
        return cls(
            name=gateway.name,
            family=gateway.family,
            base_url=base,
            status_base_url=status,
            credential=Credential(api_key, header=gateway.header, prefix=gateway.prefix),
            dialect=gateway.dialect(base, status, rewrite_uri),
            models=gateway.models,
            limits=limits or Limits(),
            download_hosts=_hosts(download_hosts or gateway.download_hosts),
            upload=upload,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
        )

    @classmethod
    def from_env(
        cls,
        *,
        provider: str | None = None,
        base_url: str | None = None,
        status_base_url: str | None = None,
        limits: Limits | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Provider:
        """Return the provider that the environment speaks of.

        `VEO_PROVIDER` names it, `VEO_API_KEY` and `VEO_BASE_URL` go with it, for Vertex AI `VEO_PROJECT` and
        `VEO_LOCATION`; else the first of GPTPROTO_API_KEY, CHAINHUB_API_KEY, GEMINI_API_KEY,
        GOOGLE_API_KEY and GOOGLE_CLOUD_PROJECT (with GOOGLE_CLOUD_LOCATION) that is set says which it is.

        Args:
            provider: Instead of `VEO_PROVIDER`.
            base_url: Instead of `VEO_BASE_URL`.
            status_base_url: Where operations are checked; None: where the provider says.
            limits: Rates, and how much runs at once.
            environ: Instead of the process's environment.

        Raises:
            ConfigurationError: no such provider, or no key for it; says which variable to set.
        """
        env = os.environ if environ is None else environ
        given = provider or env.get("VEO_PROVIDER")
        name = _provider_name(given, env)
        base_url = base_url or env.get("VEO_BASE_URL") or None
        if name == "vertex":
            return cls.vertex(
                project=_first(env, "a project", "VEO_PROJECT", "GOOGLE_CLOUD_PROJECT"),
                location=_first(env, "a location", "VEO_LOCATION", "GOOGLE_CLOUD_LOCATION"),
                # Of nobody knows whose key: Google gets it only where it is named as the one it is for.
                token=(env.get("VEO_API_KEY") or None) if given else None,
                base_url=base_url,
                status_base_url=status_base_url,
                limits=limits,
            )
        api_key = _key(name, env)
        if name == "gptproto":
            return cls.gptproto(
                api_key=api_key,
                base_url=base_url or _GPTPROTO,
                status_base_url=status_base_url,
                limits=limits,
            )
        if name in PRESETS:
            return cls._at(
                preset(name),
                api_key=api_key,
                base_url=base_url,
                status_base_url=status_base_url,
                limits=limits,
            )
        if base_url is None:
            raise ConfigurationError(
                "VEO_BASE_URL is not set: the Gemini format has no host of its own, Google's serves no videos"
            )
        return cls.gemini(api_key=api_key, base_url=base_url, status_base_url=status_base_url, limits=limits)

    def model_name(self, model: str | None) -> str:
        """Return this service's own name for an alias; None: the default; any other name passes."""
        own = self.models.get(model or catalog.DEFAULT_MODEL)
        return catalog.model_name(model, self.family) if own is None else own

    def estimate(self, request: VideoRequest, model: str | None = None) -> float | None:
        """Return what `request` may cost in USD: an estimate by Google's list; None: no price is known."""
        name = self.model_name(model or request.model)
        alias = next((alias for alias, own in self.models.items() if own == name), name)
        return catalog.estimate(alias, request)

    def serves(self, name: str, origin: str) -> bool:
        """Return whether jobs that were submitted to `name` at `origin` are this service's.

        Two ports of this machine count as one: a service started anew on loopback may get another port.
        """
        both_here = all(is_loopback(host_of(url)) for url in (origin, self.origin))
        return name == self.name and (origin == self.origin or both_here)

    async def authorization(
        self, refresh: bool = False, *, sent_at: float | None = None
    ) -> Mapping[str, str]:
        """Return the headers that carry the key, for `credential_origins` only.

        Args:
            refresh: Ask for the key once more, when it comes from a callable; all that ask at a time share
                one call.
            sent_at: With `refresh`, the event loop's time at which the refused request was sent: a key that
                came after that is not asked for again.

        Raises:
            ConfigurationError: the callable failed, or what it returned can be no key.
        """
        return await self.credential.headers(refresh=refresh, sent_at=sent_at)


_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "gptproto": ("GPTPROTO_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "vertex": ("VEO_PROJECT", "GOOGLE_CLOUD_PROJECT"),
}
"""Variables that a provider's key is looked for in, after VEO_API_KEY; Vertex AI is known by its project."""

NAMES: Final = (*_KEYS, *PRESETS)
"""What `VEO_PROVIDER` may be; underscores count as hyphens."""

_TOLD_BY_KEY: Final = ("gptproto", "unified", "gemini", "vertex")
"""Providers that a variable of their own is enough to choose, in this order."""


def _variables(name: str) -> tuple[str, ...]:
    return preset(name).key_variables if name in PRESETS else _KEYS[name]


def _provider_name(given: str | None, env: Mapping[str, str]) -> str:
    if given:
        name = given.strip().lower().replace("_", "-")
        if name not in NAMES:
            raise ConfigurationError(f"unknown provider {given[:40]!r}: known are {', '.join(NAMES)}")
        return name
    for name in _TOLD_BY_KEY:
        if any(env.get(variable) for variable in _variables(name)):
            return name
    if env.get("VEO_API_KEY"):
        raise ConfigurationError(
            f"VEO_API_KEY is set, but not whose: set VEO_PROVIDER to {' or '.join(NAMES)}"
        )
    raise ConfigurationError("no key found: set VEO_PROVIDER and VEO_API_KEY, or GPTPROTO_API_KEY")


def _first(env: Mapping[str, str], what: str, *variables: str) -> str:
    found = next((env[variable] for variable in variables if env.get(variable)), None)
    if found is None:
        raise ConfigurationError(f"Vertex AI needs {what}: set {' or '.join(variables)}")
    return found


def _bearer(token: KeySource | None) -> Credential:
    if token is not None:
        return Credential(token, header="Authorization", prefix="Bearer ")
    tokens = GoogleTokens()
    return Credential(tokens, header="Authorization", prefix="Bearer ", is_stale=tokens.is_stale)


def _key(name: str, env: Mapping[str, str]) -> str:
    return _first_key(name, ("VEO_API_KEY", *_variables(name)), env)


def _first_key(name: str, variables: tuple[str, ...], env: Mapping[str, str]) -> str:
    for variable in variables:
        if env.get(variable):
            return env[variable]
    way_out = f"set {' or '.join(variables)}" if variables else "name its variable in key_variables"
    raise ConfigurationError(f"no key for {name}: {way_out}")


def _check_not_googles(api_key: KeySource) -> None:
    if isinstance(api_key, str) and api_key.startswith("AIza"):
        raise ConfigurationError("this is a key of Google's: GPTProto's begins with sk-")


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
