"""`Provider`: the value, and the constructors that name each service's surface."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from veo_async import catalog
from veo_async.credentials import Credential, KeySource, sealed
from veo_async.models import Problem, VideoRequest
from veo_async.options import Limits
from veo_async.origins import host_of, is_loopback, origin_of
from veo_async.providers.arguments import Shared, Upload, check_ssl
from veo_async.providers.constructors import at_file, at_preset, at_vertex

if TYPE_CHECKING:
    from ssl import SSLContext

    from veo_async.dialects.dialect import Capabilities, Dialect

__all__ = ["Provider"]

_GPTPROTO: Final = "https://gptproto.com"
_CHAINHUB: Final = "https://api.chainhub.tech"


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
    edge: str | None = field(default=None, repr=False)
    """The network before the service whose own errors prove that nothing was started: "cloudflare"."""
    trust_env: bool = False
    """Whether HTTP_PROXY, .netrc and their like count."""
    origin: str = field(init=False, repr=False)
    """Scheme, host and port that jobs are submitted to."""
    credential_origins: frozenset[str] = field(init=False, repr=False)
    """The only origins that ever get the key."""

    def __attrs_post_init__(self) -> None:
        check_ssl(self.ssl)
        origin = origin_of(self.base_url)
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "credential_origins", frozenset({origin, origin_of(self.status_base_url)}))

    @property
    def capabilities(self) -> Capabilities:
        """What the service can do, where its requests go and which header carries its key: all in one."""
        return evolve(
            self.dialect.capabilities,
            key_header=self.credential.header,
            submit_origin=self.origin,
            status_origin=origin_of(self.status_base_url),
            credential_origins=self.credential_origins,
            download_hosts=self.download_hosts,
        )

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
            upload: Async callable that puts a picture where the service can fetch it, and returns its URL;
                not needed here: pictures go inside the request.
            proxy: URL of a proxy for all requests.
            ssl: Context with a certificate authority of one's own; it must verify.
            trust_env: Whether HTTP_PROXY, .netrc and their like count.
            limits: Rates, and how much runs at once.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        api_key = sealed(api_key)
        shared = Shared(download_hosts, rewrite_uri, upload, proxy, ssl, trust_env, limits)
        switches = {"version": version, "duration_as_string": duration_as_string, "can_list": can_list}
        own = {"name": name, "options": switches}
        return at_preset(cls, "gemini", own, api_key, base_url, status_base_url, shared)

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

        All options are as for `gemini`. `status_base_url` None: https://api.gptproto.com as in seed 003, and
        the same as `base_url` where that is not GPTProto's own.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        api_key = sealed(api_key)
        shared = Shared(download_hosts, rewrite_uri, upload, proxy, ssl, trust_env, limits)
        switches = {"duration_as_string": duration_as_string, "can_list": can_list}
        own = {"options": switches}
        return at_preset(cls, "gptproto", own, api_key, base_url, status_base_url, shared)

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

        Options are as for `gemini`, and:

        - `project`: Id or number of the Google Cloud project.
        - `location`: As in "us-central1" or "global"; each has a host of its own.
        - `token`: An async callable that returns an access token; it is asked again once one is refused, as
          they last about an hour. None: application default credentials (extra `vertex`), exchanged before
          they end. A string serves as long as it lasts.
        - `base_url`: Another host, as a private endpoint's or the emulator's, without "/v1".
        - `rewrite_uri`: Turns a video's URI into the one to fetch, without I/O: a signed link for gs://….
        - `proxy`: URL of a proxy; google-auth goes its own way.
        - `limits`: Rates, and how much runs at once. Google's quota is 50 submits a minute for a model that
          is generally available, 10 for a preview.

        Raises:
            ConfigurationError: project, location, token or a URL cannot be used, or google-auth is missing.
        """
        token = None if token is None else sealed(token)
        shared = Shared(download_hosts, rewrite_uri, upload, proxy, ssl, trust_env, limits)
        place = (project, location)
        return at_vertex(cls, place, token, base_url, status_base_url, name, version, shared)

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
        """Return GPTProto in its v3 format (seed 000), which takes pictures as URLs only.

        Options are as for `gemini`, and:

        - `bearer`: Write "Bearer " before the key, as some of GPTProto's pages do; seed 000 does not.
        - `rewrite_uri`: Turns a video's URL into the one to fetch, without I/O. None: it is fetched as it is.
        - `upload`: Called with each picture of this machine. None: only URLs are taken.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        api_key = sealed(api_key)
        shared = Shared(download_hosts, rewrite_uri, upload, proxy, ssl, trust_env, limits)
        own = {"key_prefix": "Bearer " if bearer else ""}
        return at_preset(cls, "gptproto-v3", own, api_key, base_url, status_base_url, shared)

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

        Options are as for `gemini`, but for pictures: it takes URLs only, so `upload` is called with each
        picture of this machine. `resolution="1080p"` asks it to enlarge the 720p video that it makes.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        api_key = sealed(api_key)
        shared = Shared(download_hosts, rewrite_uri, upload, proxy, ssl, trust_env, limits)
        return at_preset(cls, "unified", {"name": name}, api_key, base_url, status_base_url, shared)

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
        """Return a gateway that speaks the OpenAI style of videos.

        Options are as for `gemini`, and:

        - `base_url`: Where it is, without "/v1/videos". There is no default.
        - `status_base_url`: Where videos are checked and fetched; None: the same.
        - `seconds_as_number`: Write the duration as a JSON number; OpenAI documents a string.
        - `reference_as_object`: Write `input_reference` as `{"image_url": …}`.
        - `rewrite_uri`: Turns a video's URL into the one to fetch, without I/O. None: it is fetched as it is.

        Raises:
            ConfigurationError: the key or a URL cannot be used; says why, without the key.
        """
        api_key = sealed(api_key)
        shared = Shared(download_hosts, rewrite_uri, upload, proxy, ssl, trust_env, limits)
        switches = {
            "seconds_as_number": seconds_as_number,
            "reference_as_object": reference_as_object,
            "can_list": can_list,
        }
        own = {"name": name, "options": switches}
        return at_preset(cls, "openai-videos", own, api_key, base_url, status_base_url, shared)

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

        `api_key` is taken instead of the environment's, `base_url` and `status_base_url` instead of the
        file's, `environ` instead of the process's environment. The others are as for `gptproto_v3`.

        Raises:
            ConfigurationError: the file cannot be used, naming every place in it that is at fault, or there
                is no key, naming the variable to set.
        """
        api_key = None if api_key is None else sealed(api_key)
        from veo_async.providers.environment import Environment  # brings all dialects, as the constructors do

        env = Environment.of(environ)
        del environ  # it shows what it holds
        shared = Shared((), rewrite_uri, upload, proxy, ssl, trust_env, limits)
        return at_file(cls, Path(path), env, api_key, base_url, status_base_url, shared)

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

        `provider` counts instead of `VEO_PROVIDER`, `base_url` instead of `VEO_BASE_URL`, `environ` instead
        of the process's environment. The others are as for `gemini`.

        Raises:
            ConfigurationError: no such provider, or no key for it; says which variable to set.
        """
        from veo_async.providers.environment import VERTEX, Environment, variables_of  # as in from_file

        env = Environment.of(environ)
        del environ  # it shows what it holds
        given = provider or env.get("VEO_PROVIDER")
        name = env.provider(given)
        base_url = base_url or env.get("VEO_BASE_URL")
        shared = Shared(limits=limits)
        if name == VERTEX:
            # Of nobody knows whose key: Google gets it only where it is named as the one it is for.
            token = env.token() if given else None
            return at_vertex(cls, env.place(), token, base_url, status_base_url, name, "v1", shared)
        key = env.key(name, ("VEO_API_KEY", *variables_of(name)))
        return at_preset(cls, name, {}, key, base_url, status_base_url, shared)

    def model_name(self, model: str | None) -> str:
        """Return this service's own name for an alias; None: the default; any other name passes."""
        own = self.models.get(model or catalog.DEFAULT_MODEL)
        return catalog.model_name(model, self.family) if own is None else own

    def estimate(self, request: VideoRequest, model: str | None = None) -> float | None:
        """Return what `request` may cost in USD: an estimate by Google's list; None: no price is known."""
        return catalog.estimate(self._known_name(model or request.model), request)

    def warnings(self, request: VideoRequest, model: str | None = None) -> Sequence[Problem]:
        """Return what this service may not take of `request`, by the catalogue; it is sent all the same."""
        name = self._known_name(model or request.model)
        return catalog.warnings(request, name, self.family, self.origin)

    def _known_name(self, model: str | None) -> str:
        """Return the name that the catalogue knows a model of ours by."""
        name = self.model_name(model)
        return next((alias for alias, own in self.models.items() if own == name), name)

    def serves(self, name: str, origin: str) -> bool:
        """Return whether jobs that were submitted to `name` at `origin` are this service's.

        Two ports of this machine count as one: a service started anew on loopback may get another port.
        """
        if name != self.name or origin == self.origin:
            return name == self.name
        return all(is_loopback(host_of(url)) for url in (origin, self.origin))

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
