"""Flags and the environment make a provider; what is wrong says what to set."""

from __future__ import annotations

from pathlib import Path

import pytest

from veo_async.cli.backend import limits_of, look_of, provider_of
from veo_async.cli.flags import Brakes, ProviderFlags
from veo_async.errors import ConfigurationError
from veo_async.models import VideoRequest
from veo_async.options import Limits, Rate

NO_BRAKES = Brakes()
LOCAL = "http://127.0.0.1:9"


def test_rates_may_be_fractions() -> None:
    limits = limits_of(Brakes(submits_per_minute=7.5, checks_per_second=0.5, max_in_flight=3))
    assert limits.submits == (Rate(15, per=120.0),)
    assert limits.checks == (Rate(1, per=2.0),)
    assert limits.in_flight == 3
    assert limits_of(NO_BRAKES) == Limits()


def test_the_key_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-abc\n")
    provider = provider_of(ProviderFlags(provider="gptproto", key_file=path), NO_BRAKES)
    assert provider.name == "gptproto"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigurationError, match="--key-file"):
        provider_of(ProviderFlags(provider="gptproto", key_file=tmp_path / "key"), NO_BRAKES)


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        provider_of(ProviderFlags(provider="gptproto", key_file=tmp_path / "none"), NO_BRAKES)


def test_without_a_key_the_emulator_is_offered() -> None:
    with pytest.raises(ConfigurationError, match="--provider emulator"):
        provider_of(ProviderFlags(), NO_BRAKES)


def test_a_service_on_this_machine_wants_a_key_too() -> None:
    with pytest.raises(ConfigurationError, match="wants a key, too"):
        provider_of(ProviderFlags(provider="gemini", base_url=LOCAL), NO_BRAKES)


def test_status_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEO_API_KEY", "k")
    flags = ProviderFlags(provider="gemini", base_url=LOCAL, status_base_url="http://127.0.0.1:8")
    provider = provider_of(flags, NO_BRAKES)
    assert provider.dialect.check("models/m/operations/o").url.startswith("http://127.0.0.1:8/")
    assert provider.credential_origins == {LOCAL, "http://127.0.0.1:8"}


def test_a_gateway_by_its_file(tmp_path: Path) -> None:
    file, key = tmp_path / "mine.toml", tmp_path / "key"
    file.write_text(f'name = "mine"\nshape = "unified"\nbase_url = "{LOCAL}"')
    key.write_text("sk-abc")
    flags = ProviderFlags(provider_file=file, key_file=key, status_base_url="http://127.0.0.1:8")
    provider = provider_of(flags, NO_BRAKES)
    assert (provider.name, provider.base_url) == ("mine", LOCAL)
    assert provider.dialect.check("a").url == "http://127.0.0.1:8/v1/video/query?id=a"


def test_a_providers_name_and_a_file_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        provider_of(ProviderFlags(provider="unified", provider_file=tmp_path / "x"), NO_BRAKES)


def test_the_emulator_takes_no_address() -> None:
    with pytest.raises(ConfigurationError, match="--base-url"):
        look_of(ProviderFlags(provider="emulator", base_url=LOCAL), NO_BRAKES)


@pytest.mark.parametrize("flags", [ProviderFlags(project="x"), ProviderFlags(location="x")])
def test_cloud_flags_are_for_the_cloud(monkeypatch: pytest.MonkeyPatch, flags: ProviderFlags) -> None:
    monkeypatch.setenv("GPTPROTO_API_KEY", "sk-k")
    with pytest.raises(ConfigurationError, match="is for Vertex AI"):
        provider_of(flags, NO_BRAKES)


@pytest.mark.shows_keys
def test_vertex_by_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ya29.abcdefgh\n")
    flags = ProviderFlags(
        provider="vertex",
        project="films",
        location="us-central1",
        base_url=LOCAL,
        key_file=tmp_path / "token",
    )
    provider = provider_of(flags, NO_BRAKES)
    assert (provider.name, provider.base_url) == ("vertex", LOCAL)
    assert "/projects/films/locations/us-central1/" in provider.dialect.submit(VideoRequest("a"), "veo-2").url
