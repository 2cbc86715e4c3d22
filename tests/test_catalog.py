"""The catalogue: names, prices as of a date, and warnings that never refuse."""

from __future__ import annotations

import pytest

from veo_async import catalog
from veo_async.models import VideoRequest


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("veo-3.1", "veo-3.1-generate-preview"),
        ("veo-3.1-fast", "veo-3.1-fast-generate-preview"),
        ("veo-3.1-lite", "veo-3.1-lite-generate-preview"),
        ("veo-3.0", "veo-3.0-generate-001"),
        ("veo-3.0-fast", "veo-3.0-fast-generate-001"),
        ("veo-2", "veo-2.0-generate-001"),
        (None, "veo-3.1-fast-generate-preview"),
        ("veo-9-ultra", "veo-9-ultra"),
        ("models/veo-3.1-generate-preview", "veo-3.1-generate-preview"),
        ("models/veo-3.1", "veo-3.1-generate-preview"),
    ],
)
def test_names_in_the_gemini_format(alias: str | None, name: str) -> None:
    """An alias becomes the family's own name, any other name passes as it is."""
    assert catalog.model_name(alias, "gemini") == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("veo-3.1", "veo3.1"),
        ("veo-3.1-fast", "veo3.1-fast"),
        ("veo-3.1-pro", "veo3.1-pro"),
        ("veo-3.1-components", "veo3.1-components"),
        ("veo-3.0", "veo3"),
        (None, "veo3.1-fast"),
        ("veo3.1-fast", "veo3.1-fast"),
        ("veo-3.1-fast-generate-preview", "veo-3.1-fast-generate-preview"),
    ],
)
def test_names_at_gateways(alias: str | None, name: str) -> None:
    """Theirs have no hyphen after "veo", and some models are theirs alone."""
    assert catalog.model_name(alias, "gateway") == name


def test_names_of_a_family_that_is_not_known() -> None:
    """The alias passes."""
    assert catalog.model_name("veo-3.1", "other") == "veo-3.1"


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("veo-3.1", "veo-3.1"),
        ("veo-3.1-generate-preview", "veo-3.1"),
        ("veo-3.1-fast-generate-001", "veo-3.1-fast"),
        ("veo3.1-fast", "veo-3.1-fast"),
        ("veo-3.1-lite-generate-preview", "veo-3.1-lite"),
        ("veo-3.0-generate-001", "veo-3.0"),
        ("veo-3", "veo-3.0"),
        ("veo3-fast", "veo-3.0-fast"),
        ("veo-2.0-generate-001", "veo-2"),
        ("veo3.1-pro", None),
        ("veo3.1-components", None),
        ("veo-4.0", None),
        ("veo-2-fast", None),
        ("", None),
        ("x-veo-3.1", None),
    ],
)
def test_finding_a_model(name: str, alias: str | None) -> None:
    """By alias or by any service's way of writing it; what is not known is not guessed."""
    found = catalog.find(name)
    assert (found.alias if found else None) == alias


def test_prices() -> None:
    """USD for a second of video, as of the date."""
    assert catalog.AS_OF == "2026-09"
    assert {alias: dict(model.prices) for alias, model in catalog.MODELS.items()} == {
        "veo-3.1": {"720p": 0.40, "1080p": 0.40, "4k": 0.60},
        "veo-3.1-fast": {"720p": 0.10, "1080p": 0.12, "4k": 0.30},
        "veo-3.1-lite": {"720p": 0.05, "1080p": 0.08},
        "veo-3.0": {"720p": 0.40, "1080p": 0.40},
        "veo-3.0-fast": {"720p": 0.10, "1080p": 0.12},
        "veo-2": {"720p": 0.35},
    }


@pytest.mark.parametrize(
    ("name", "request_", "usd"),
    [
        ("veo-3.1-fast", VideoRequest("a"), 0.80),
        ("veo-3.1-fast-generate-preview", VideoRequest("a", resolution="1080p"), 0.96),
        ("veo-3.1", VideoRequest("a", resolution="4k", duration_seconds=8), 4.80),
        ("veo-3.1-lite", VideoRequest("a", duration_seconds="4"), 0.20),
        ("veo-2", VideoRequest("a", duration_seconds=5, sample_count=2), 3.50),
        ("veo-3.1-lite", VideoRequest("a", resolution="4k"), None),
        ("veo-9", VideoRequest("a"), None),
        ("veo-3.1", VideoRequest("a", duration_seconds="long"), None),
    ],
)
def test_estimates(name: str, request_: VideoRequest, usd: float | None) -> None:
    """By length and samples; 8 seconds of 720p once where nothing else is said; None where unknown."""
    assert catalog.estimate(name, request_) == usd


@pytest.mark.parametrize(
    ("model", "request_", "fields"),
    [
        ("veo-3.1", VideoRequest("a", image=b"x", last_frame=b"x", resolution="4k", duration_seconds=8), []),
        ("veo-3.1", VideoRequest("a", reference_images=[b"x"], duration_seconds=8), []),
        ("veo-3.1", VideoRequest("a", reference_images=[b"x"], duration_seconds=4), ["reference_images"]),
        ("veo-3.1", VideoRequest("a", video="https://h/v", resolution="1080p"), ["resolution"]),
        ("veo-3.1", VideoRequest("a", video="https://h/v", duration_seconds=6), ["duration_seconds"]),
        ("veo-3.1", VideoRequest("a", sample_count=2), ["sample_count"]),
        ("veo-3.1", VideoRequest("a", aspect_ratio="1:1"), ["aspect_ratio"]),
        ("veo-3.1", VideoRequest("a", person_generation="nobody"), ["person_generation"]),
        ("veo-3.1", VideoRequest("a", seed=0), ["seed"]),
        ("veo-3.1-lite", VideoRequest("a", reference_images=[b"x"]), ["reference_images"]),
        ("veo-3.1-lite", VideoRequest("a", video="https://h/v"), ["video"]),
        ("veo-3.1-lite", VideoRequest("a", resolution="4k"), ["resolution"]),
        ("veo-3.0", VideoRequest("a", image=b"x", resolution="1080p", duration_seconds=8), []),
        ("veo-3.0", VideoRequest("a", image=b"x", last_frame=b"x"), ["last_frame"]),
        ("veo-3.0", VideoRequest("a", duration_seconds=6), ["duration_seconds"]),
        ("veo-2", VideoRequest("a", duration_seconds=5, sample_count=2), []),
        ("veo-2", VideoRequest("a", resolution="1080p"), ["resolution"]),
        ("veo-2", VideoRequest("a", duration_seconds=4), ["duration_seconds"]),
        ("veo-2", VideoRequest("a", sample_count=3), ["sample_count"]),
        (
            "veo-2.0-generate-001",
            VideoRequest("a", generate_audio=True),
            ["generate_audio"],
        ),
        ("veo-9", VideoRequest("a", resolution="16k", duration_seconds=99, sample_count=9), []),
    ],
)
def test_warnings(model: str, request_: VideoRequest, fields: list[str]) -> None:
    """What a model is known not to take on Google's own service; other models are not spoken of."""
    warnings = [doubt for doubt in catalog.warnings(request_, model) if doubt.field != "model"]
    assert [warning.field for warning in warnings] == fields
    assert all("as of 2026-09" in warning.message and "{" not in warning.message for warning in warnings)


def test_warnings_of_a_family() -> None:
    """What only the Gemini format lacks is not said of others."""
    request = VideoRequest("a", seed=1)
    assert len(catalog.warnings(request, "veo-3.1", "gemini")) == 1
    assert catalog.warnings(request, "veo-3.1", "vertex") == []


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("veo-2", "2026-06-30"),
        ("veo-2.0-generate-001", "2026-06-30"),
        ("veo-3.0", "2026-06-30"),
        ("veo-3.0-fast-generate-001", "2026-06-30"),
        ("veo-3.1-lite-generate-preview", "2026-10-22"),
        ("veo-3.1", None),
        ("veo-3.1-fast-generate-preview", None),
        ("nobodys-model", None),
    ],
)
def test_retired_models(name: str, day: str | None) -> None:
    """Protocol §0: Google's host ended them on these days; seeds 001 and 003 offer two of them still."""
    end = catalog.retirement(name)
    assert (end is None) == (day is None)
    if end is not None:
        assert end.field == "model"
        assert f"on {day}" in end.message
        assert "third parties" in end.message
        assert catalog.warnings(VideoRequest("a"), name) == [end]


@pytest.mark.parametrize("model", catalog.MODELS)
def test_googles_own_host_serves_none(model: str) -> None:
    """There every model warns, whatever gateways offer, and the way out is another service."""
    (doubt,) = catalog.warnings(VideoRequest("a"), model, "gemini", catalog.GOOGLE)
    assert "use a gateway or Vertex AI" in doubt.message


@pytest.mark.parametrize("family", ["vertex", "gateway"])
def test_no_end_is_known_elsewhere(family: str) -> None:
    """Nothing is said that no page says."""
    assert [catalog.retirement(model, family) for model in catalog.MODELS] == [None] * len(catalog.MODELS)
