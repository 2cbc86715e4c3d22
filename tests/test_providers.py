"""Providers: where the key may go, what the environment says, and what is refused at construction."""

from __future__ import annotations

import pickle
import ssl
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from veo_async.credentials import KeySource
from veo_async.dialects.dialect import Capabilities
from veo_async.errors import ConfigurationError, InvalidRequestError
from veo_async.models import VideoRequest
from veo_async.options import Limits, Rate
from veo_async.providers import Provider, origin_of
from veo_async.session.intake import check

KEY = "sk-0123456789abcdef"
GOOGLE_FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc:download?alt=media"


def test_gptproto() -> None:
    """Seed 003: submits to the one host, checks at the other; the key may go to these two."""
    provider = Provider.gptproto(api_key=KEY)
    assert provider.name == "gptproto"
    assert provider.base_url == "https://gptproto.com"
    assert provider.status_base_url == "https://api.gptproto.com"
    assert provider.origin == "https://gptproto.com"
    assert provider.credential_origins == {"https://gptproto.com", "https://api.gptproto.com"}
    assert provider.limits == Limits()
    assert provider.download_hosts == frozenset()
    assert (provider.proxy, provider.ssl, provider.trust_env, provider.upload) == (None, None, False, None)
    assert provider.capabilities == Capabilities(
        inline_videos=True,
        webhook=True,
        key_header="x-goog-api-key",
        submit_origin="https://gptproto.com",
        status_origin="https://api.gptproto.com",
        credential_origins=provider.credential_origins,
    )
    assert not provider.refreshable


def test_gptproto_elsewhere() -> None:
    """With another base URL the key and the checks go there, and nowhere else."""
    provider = Provider.gptproto(api_key=KEY, base_url="http://127.0.0.1:8080/")
    assert provider.status_base_url == provider.base_url == "http://127.0.0.1:8080"
    assert provider.credential_origins == {"http://127.0.0.1:8080"}
    assert provider.dialect.check("models/m/operations/a").url.startswith("http://127.0.0.1:8080/v1beta/")
    both = Provider.gptproto(
        api_key=KEY, base_url="https://a.example", status_base_url="https://b.example/x/"
    )
    assert both.credential_origins == {"https://a.example", "https://b.example"}
    assert both.dialect.check("models/m/operations/a").url.startswith("https://b.example/x/v1beta/models/m/")


def test_gemini() -> None:
    """The same format anywhere: prefix, version and switches reach the wire."""
    provider = Provider.gemini(
        api_key=KEY,
        base_url="https://gw.example/google/",
        name="mine",
        version="v1",
        duration_as_string=True,
        can_list=True,
        download_hosts=["CDN.example"],
        proxy="http://user:secret-pw@proxy:3128",
        trust_env=True,
        limits=Limits(submits=(Rate(1), Rate(100, per=86400))),
    )
    assert provider.name == "mine"
    submit = provider.dialect.submit(VideoRequest("a", duration_seconds=8), "m")
    assert submit.url == "https://gw.example/google/v1/models/m:predictLongRunning"
    assert submit.body == (b'{"instances": [{"prompt": "a"}], "parameters": {"durationSeconds": "8"}}',)
    assert (provider.capabilities.can_list, provider.capabilities.duration_as_string) == (True, True)
    assert provider.download_hosts == provider.capabilities.download_hosts == {"cdn.example"}
    assert provider.limits.submits == (Rate(1), Rate(100, per=86400))
    assert provider.trust_env
    assert "secret-pw" not in repr(provider)


@pytest.mark.parametrize("base", ["https://gw.example/p", "http://127.0.0.1:1"])
def test_files_at_googles_host_are_asked_from_the_service(base: str) -> None:
    """Its key cannot open them there (seed 001); a rule of the caller's own replaces this one."""
    ruled = Provider.gemini(api_key=KEY, base_url=base)
    assert ruled.dialect.download(GOOGLE_FILE)[0].url == f"{base}/v1beta/files/abc:download?alt=media"
    plain = Provider.gemini(api_key=KEY, base_url=base, rewrite_uri=lambda uri: uri)
    assert [request.url for request in plain.dialect.download(GOOGLE_FILE)] == [GOOGLE_FILE]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"api_key": "", "base_url": "https://a.example"}, "key is empty"),
        ({"api_key": KEY + "\n", "base_url": "https://a.example"}, "line break"),
        ({"api_key": KEY, "base_url": "http://a.example"}, "use https://"),
        ({"api_key": KEY, "base_url": "https://a.example?x=1"}, "base_url has a query"),
        ({"api_key": KEY, "base_url": "https://u:p@a.example"}, "base_url must be"),
        (
            {"api_key": KEY, "base_url": "https://a.example", "status_base_url": "http://b.example"},
            "status_base_url",
        ),
        ({"api_key": KEY, "base_url": "https://a.example", "status_base_url": ""}, "status_base_url must be"),
        ({"api_key": KEY, "base_url": "https://a.example", "download_hosts": "cdn.example"}, "set of hosts"),
        ({"api_key": KEY, "base_url": "https://a.example", "ssl": False}, "verifies"),
    ],
)
def test_what_is_refused_at_construction(options: dict[str, Any], words: str) -> None:
    """Before anything is sent, with the remedy and without the key."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        Provider.gemini(**options)
    assert "0123456789" not in str(caught.value)


def test_a_key_of_googles_is_not_sent_to_gptproto() -> None:
    """A variable mixed up must not hand out a key."""
    with pytest.raises(ConfigurationError, match="key of Google's"):
        Provider.gptproto(api_key="AIzaSy0123456789")


@pytest.mark.parametrize("check_hostname", [True, False])
def test_a_tls_context_must_verify(check_hostname: bool) -> None:
    """An authority of one's own is fine; verification cannot be switched off."""
    context = ssl.create_default_context()
    assert Provider.gptproto(api_key=KEY, ssl=context).ssl is context
    context.check_hostname = check_hostname
    if check_hostname:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ConfigurationError, match="verifies"):
        Provider.gptproto(api_key=KEY, ssl=context)


def test_a_provider_shows_no_key() -> None:
    """Not by repr, not by pickle."""
    provider = Provider.gptproto(api_key=KEY)
    assert KEY not in repr(provider)
    assert "***cdef" in repr(provider)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(provider)


@pytest.mark.anyio
async def test_authorization() -> None:
    """The header of the Gemini format; a callable is asked anew on refresh."""
    assert await Provider.gptproto(api_key=KEY).authorization() == {"x-goog-api-key": KEY}
    keys = iter(["one-0123456789", "two-0123456789"])

    async def ask() -> str:
        return next(keys)

    source: KeySource = ask
    provider = Provider.gemini(api_key=source, base_url="https://a.example")
    assert provider.refreshable
    assert await provider.authorization() == {"x-goog-api-key": "one-0123456789"}
    assert await provider.authorization() == {"x-goog-api-key": "one-0123456789"}
    assert await provider.authorization(True) == {"x-goog-api-key": "two-0123456789"}


def test_models_and_prices() -> None:
    """Aliases and estimates come from the catalogue."""
    provider = Provider.gptproto(api_key=KEY)
    assert provider.model_name(None) == "veo-3.1-fast-generate-preview"
    assert provider.model_name("veo-3.1") == "veo-3.1-generate-preview"
    assert provider.model_name("anything") == "anything"
    assert provider.estimate(VideoRequest("a"), "veo-3.1-generate-preview") == 3.20
    assert provider.estimate(VideoRequest("a")) == 0.80
    assert provider.estimate(VideoRequest("a", model="anything")) is None


@pytest.mark.parametrize(
    ("environ", "name", "base_url", "key"),
    [
        ({"GPTPROTO_API_KEY": "k1"}, "gptproto", "https://gptproto.com", "k1"),
        (
            {"VEO_PROVIDER": "gptproto", "VEO_API_KEY": "k1", "GPTPROTO_API_KEY": "k2"},
            "gptproto",
            "https://gptproto.com",
            "k1",
        ),
        ({"VEO_PROVIDER": " GPTProto ", "GPTPROTO_API_KEY": "k2"}, "gptproto", "https://gptproto.com", "k2"),
        (
            {"GPTPROTO_API_KEY": "k1", "VEO_BASE_URL": "https://b.example"},
            "gptproto",
            "https://b.example",
            "k1",
        ),
        ({"GEMINI_API_KEY": "k1", "VEO_BASE_URL": "https://b.example"}, "gemini", "https://b.example", "k1"),
        ({"GOOGLE_API_KEY": "k1", "VEO_BASE_URL": "https://b.example"}, "gemini", "https://b.example", "k1"),
        (
            {
                "VEO_PROVIDER": "gemini",
                "GOOGLE_API_KEY": "k1",
                "GPTPROTO_API_KEY": "k2",
                "VEO_BASE_URL": "https://b.example",
            },
            "gemini",
            "https://b.example",
            "k1",
        ),
        (
            {"GPTPROTO_API_KEY": "", "GEMINI_API_KEY": "k1", "VEO_BASE_URL": "https://b.example"},
            "gemini",
            "https://b.example",
            "k1",
        ),
    ],
)
@pytest.mark.anyio
async def test_from_env(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], name: str, base_url: str, key: str
) -> None:
    """The provider that is named, else the one whose key is there."""
    for variable in (
        "VEO_PROVIDER",
        "VEO_API_KEY",
        "VEO_BASE_URL",
        "GPTPROTO_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
    ):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    provider = Provider.from_env()
    assert (provider.name, provider.base_url) == (name, base_url)
    assert await provider.authorization() == {"x-goog-api-key": key}


@pytest.mark.parametrize(
    ("environ", "name", "base_url", "headers"),
    [
        (
            {"CHAINHUB_API_KEY": "k1", "GEMINI_API_KEY": "k2"},
            "unified",
            "https://api.chainhub.tech",
            {"Authorization": "Bearer k1"},
        ),
        (
            {"VEO_PROVIDER": "gptproto_v3", "GPTPROTO_API_KEY": "k1"},
            "gptproto-v3",
            "https://gptproto.com",
            {"Authorization": "k1"},
        ),
        (
            {"VEO_PROVIDER": "GPTProto-V3", "VEO_API_KEY": "k1"},
            "gptproto-v3",
            "https://gptproto.com",
            {"Authorization": "k1"},
        ),
        (
            {"VEO_PROVIDER": "openai_videos", "VEO_API_KEY": "k1", "VEO_BASE_URL": "https://b.example"},
            "openai-videos",
            "https://b.example",
            {"Authorization": "Bearer k1"},
        ),
        (
            {"VEO_PROVIDER": "wavespeed", "WAVESPEED_API_KEY": "k1"},
            "wavespeed",
            "https://api.wavespeed.ai",
            {"Authorization": "Bearer k1"},
        ),
    ],
)
@pytest.mark.anyio
async def test_gateways_from_env(
    environ: dict[str, str], name: str, base_url: str, headers: dict[str, str]
) -> None:
    """By name, hyphens and underscores alike, or by chainhub's own variable."""
    provider = Provider.from_env(environ=environ)
    assert (provider.name, provider.base_url) == (name, base_url)
    assert await provider.authorization() == headers


@pytest.mark.parametrize("name", ["gptproto-v3", "unified"])
def test_aliases_at_gateways(name: str) -> None:
    """They have names of their own; any other passes."""
    provider = Provider.from_env(provider=name, environ={"VEO_API_KEY": KEY})
    assert provider.model_name(None) == "veo3.1-fast"
    assert provider.model_name("veo-3.1") == "veo3.1"
    assert provider.model_name("veo-3.1-pro") == "veo3.1-pro"
    assert provider.model_name("veo3.1-components") == "veo3.1-components"
    assert provider.model_name("my-own") == "my-own"
    assert provider.estimate(VideoRequest("a")) == 0.80


def test_a_gateways_checks_may_go_elsewhere() -> None:
    """The key may go there, too."""
    provider = Provider.unified(
        api_key=KEY, base_url="https://a.example/x/", status_base_url="https://b.example", name="mine"
    )
    assert provider.name == "mine"
    assert provider.dialect.submit(VideoRequest("a"), "m").url == "https://a.example/x/v1/video/create"
    assert provider.dialect.check("t").url == "https://b.example/v1/video/query?id=t"
    assert provider.credential_origins == {"https://a.example", "https://b.example"}


def test_what_each_surface_can_do() -> None:
    """Whoever needs to know reads it in the record, and asks no name."""
    v3 = Provider.gptproto_v3(api_key=KEY, download_hosts={"cdn.example"}).capabilities
    assert (v3.url_only_media, v3.inline_videos, v3.webhook, v3.can_list) == (True, False, False, False)
    assert v3.key_header == "Authorization"
    assert v3.download_hosts == {"cdn.example"}
    openai = Provider.openai_videos(api_key=KEY, base_url="https://a.example", can_list=True).capabilities
    assert (openai.can_list, openai.duration_as_string, openai.url_only_media) == (True, True, False)
    number = Provider.openai_videos(api_key=KEY, base_url="https://a.example", seconds_as_number=True)
    assert not number.capabilities.duration_as_string
    cloud = vertex(status_base_url="https://checks.example:8443/x").capabilities
    assert cloud.submit_origin == "https://us-central1-aiplatform.googleapis.com"
    assert cloud.status_origin == "https://checks.example:8443"
    assert cloud.credential_origins == {cloud.submit_origin, cloud.status_origin}


@pytest.mark.parametrize(
    "base", ["https://gptproto.com", "https://gptproto.com/", "https://GPTProto.com/v1beta"]
)
def test_gptprotos_own_base_url_brings_its_host_for_checks(base: str) -> None:
    """However it is written, and also from the environment."""
    named = Provider.from_env(environ={"GPTPROTO_API_KEY": KEY, "VEO_BASE_URL": base})
    for provider in (Provider.gptproto(api_key=KEY, base_url=base), named):
        assert (provider.base_url, provider.status_base_url) == (
            "https://gptproto.com",
            "https://api.gptproto.com",
        )


def test_warnings_know_the_provider() -> None:
    """A model that Google's host retired is doubted in its format, there most of all, and nowhere else."""
    old, new = VideoRequest("a", model="veo-2"), VideoRequest("a", model="veo-3.1")
    google = Provider.gemini(api_key=KEY, base_url="https://generativelanguage.googleapis.com/v1beta")
    gateway = Provider.gptproto(api_key=KEY)
    assert [doubt.field for doubt in gateway.warnings(old)] == ["model"]
    assert [doubt.field for doubt in google.warnings(new)] == ["model"]
    assert [doubt.field for doubt in google.warnings(VideoRequest("a"), "veo-3.0-generate-001")] == ["model"]
    assert gateway.warnings(new) == gateway.warnings(VideoRequest("a")) == []
    assert vertex().warnings(old) == Provider.unified(api_key=KEY).warnings(old) == []


@pytest.mark.parametrize("name", ["gptproto-v3", "unified", "wavespeed"])
@pytest.mark.parametrize("field", ["image", "last_frame", "reference_images[0]"])
def test_a_picture_of_this_machine_needs_upload(name: str, field: str) -> None:
    """The error names provider, field and the hook, with a line to copy."""
    provider = Provider.from_env(provider=name, environ={"VEO_API_KEY": KEY})
    picture, url = b"picture", "https://pictures.example/a.png"
    request = {
        "image": VideoRequest("a", image=picture),
        "last_frame": VideoRequest("a", image=url, last_frame=picture),
        "reference_images[0]": VideoRequest("a", reference_images=[picture]),
    }[field]
    with pytest.raises(InvalidRequestError) as caught:
        check(request, provider)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{name} cannot be sent this: {field}: ")
    assert "upload=" in str(caught.value)
    assert "async def upload(media)" in str(caught.value)


def text_of(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # half made
        return ""


@pytest.mark.parametrize(
    "make",
    [
        lambda: Provider.gemini(api_key=KEY, base_url="http://a.example"),
        lambda: Provider.gemini(api_key=KEY + "\n", base_url="https://a.example"),
        lambda: Provider.unified(api_key=KEY, download_hosts="cdn.example"),
        lambda: vertex(token=KEY, location="US"),
        lambda: Provider.from_file("none.toml", api_key=KEY),
        lambda: Provider.from_env(environ={"VEO_PROVIDER": "sora", "VEO_API_KEY": KEY}),
        lambda: Provider.from_env(environ={"VEO_PROVIDER": "vertex", "VEO_API_KEY": KEY}),
        lambda: Provider.from_env(environ={"VEO_PROVIDER": "openai-videos", "VEO_API_KEY": KEY}),
    ],
)
def test_no_traceback_shows_the_key(make: Callable[[], Provider]) -> None:
    """Crash reporters write down the locals of every frame: ours hold the key sealed."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    frames = [entry.frame for entry in caught.traceback if "veo_async" in str(entry.path)]
    assert frames
    shown = [name for frame in frames for name, value in frame.f_locals.items() if KEY in text_of(value)]
    assert shown == []


def test_a_key_of_googles_is_not_sent_to_gptprotos_other_format() -> None:
    """As for the first."""
    with pytest.raises(ConfigurationError, match="key of Google's"):
        Provider.gptproto_v3(api_key="AIzaSy0123456789")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "no key found: set VEO_PROVIDER and VEO_API_KEY, or GPTPROTO_API_KEY"),
        ({"VEO_PROVIDER": "sora"}, "unknown provider 'sora': known are gptproto, gemini"),
        ({"VEO_PROVIDER": "gptproto"}, "no key for gptproto: set VEO_API_KEY or GPTPROTO_API_KEY"),
        ({"VEO_PROVIDER": "gptproto", "GEMINI_API_KEY": "k"}, "no key for gptproto"),
        ({"VEO_PROVIDER": "openai-videos", "VEO_API_KEY": "k"}, "base_url is not set .VEO_BASE_URL"),
        ({"VEO_PROVIDER": "unified"}, "no key for unified: set VEO_API_KEY or CHAINHUB_API_KEY"),
        ({"VEO_API_KEY": "k"}, "not whose: set VEO_PROVIDER"),
        ({"GEMINI_API_KEY": "k"}, "VEO_BASE_URL.: gemini has no host of its own, and Google's serves no"),
        ({"VEO_PROVIDER": "gptproto-v3", "GPTPROTO_API_KEY": "AIzaSy0123456789"}, "key of Google's"),
        ({"GPTPROTO_API_KEY": "k\n"}, "line breaks"),
    ],
)
def test_an_environment_that_says_too_little(environ: dict[str, str], words: str) -> None:
    """The error names the variable to set."""
    with pytest.raises(ConfigurationError, match=words):
        Provider.from_env(environ=environ)


def test_what_is_given_outright_wins_over_the_environment() -> None:
    """As a command line does."""
    environ = {"VEO_PROVIDER": "gemini", "VEO_API_KEY": "k", "VEO_BASE_URL": "https://b.example"}
    provider = Provider.from_env(
        provider="gptproto", base_url="https://c.example", limits=Limits(in_flight=3), environ=environ
    )
    assert (provider.name, provider.base_url, provider.limits.in_flight) == (
        "gptproto",
        "https://c.example",
        3,
    )


def test_importing_a_provider_is_light() -> None:
    """No HTTP client, no TLS, no sockets before they are used."""
    code = "import sys, veo_async.providers; print([m for m in ('aiohttp', 'ssl') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_origin_of_a_url_is_here_too() -> None:
    """The transport decides by it where the key may go."""
    assert origin_of("https://GPTProto.com:443/a") in Provider.gptproto(api_key=KEY).credential_origins


def vertex(**options: Any) -> Provider:
    given: dict[str, Any] = {"project": "films", "location": "us-central1", "token": "ya29.abcdefgh"}
    return Provider.vertex(**given | options)


def signed(uri: str) -> str:
    return uri.replace("gs://", "https://signed.example/")


@pytest.mark.anyio
async def test_vertex() -> None:
    """The host follows from the location, the token stands behind Bearer, names are Vertex AI's own."""
    provider = vertex()
    assert (provider.name, provider.family) == ("vertex", "vertex")
    assert provider.base_url == provider.origin == "https://us-central1-aiplatform.googleapis.com"
    assert await provider.authorization() == {"Authorization": "Bearer ya29.abcdefgh"}
    assert provider.model_name(None) == "veo-3.1-fast-generate-001"
    assert provider.capabilities.inline_videos
    assert not provider.refreshable
    assert vertex(location="global").base_url == "https://aiplatform.googleapis.com"
    private = vertex(base_url="https://vertex.example/prefix/v1", status_base_url="https://other.example")
    assert private.base_url == "https://vertex.example/prefix"
    assert private.credential_origins == {"https://vertex.example", "https://other.example"}
    dialect = vertex(rewrite_uri=signed).dialect
    assert dialect.download("gs://b/v.mp4")[0].url == "https://signed.example/b/v.mp4"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"project": ""}, "project"),
        ({"project": "../films"}, "project"),
        ({"project": "films/x"}, "project"),
        ({"location": ""}, "location"),
        ({"location": "evil.example/"}, "location"),
        ({"location": "US"}, "location"),
        ({"token": ""}, "empty"),
        ({"base_url": "http://vertex.example"}, "https://"),
    ],
)
def test_vertex_refuses_what_cannot_be(options: dict[str, Any], words: str) -> None:
    """Project and location stand in the host and in every path."""
    with pytest.raises(ConfigurationError, match=words):
        vertex(**options)


@pytest.mark.parametrize(
    "environ",
    [
        {
            "VEO_PROVIDER": "vertex",
            "VEO_PROJECT": "films",
            "VEO_LOCATION": "global",
            "VEO_API_KEY": "t-o-k-e-n",
        },
        {
            "VEO_PROVIDER": "Vertex",
            "GOOGLE_CLOUD_PROJECT": "films",
            "GOOGLE_CLOUD_LOCATION": "global",
            "VEO_API_KEY": "t-o-k-e-n",
            "GPTPROTO_API_KEY": "sk-other",
        },
    ],
)
@pytest.mark.anyio
async def test_vertex_from_env(environ: dict[str, str]) -> None:
    """Our variables first, else Google's."""
    provider = Provider.from_env(environ=environ)
    assert (provider.name, provider.base_url) == ("vertex", "https://aiplatform.googleapis.com")
    assert await provider.authorization() == {"Authorization": "Bearer t-o-k-e-n"}


def test_vertex_from_env_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Project, location; and a key that nobody said is Google's is not sent there."""
    for environ, words in (
        ({"VEO_PROVIDER": "vertex"}, "VEO_PROJECT or GOOGLE_CLOUD_PROJECT"),
        ({"GOOGLE_CLOUD_PROJECT": "films"}, "VEO_LOCATION or GOOGLE_CLOUD_LOCATION"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            Provider.from_env(environ=environ)
    monkeypatch.setattr("veo_async.google_tokens._is_installed", lambda: True)
    found = {"GOOGLE_CLOUD_PROJECT": "films", "GOOGLE_CLOUD_LOCATION": "global", "VEO_API_KEY": "whose"}
    assert Provider.from_env(environ=found).refreshable
