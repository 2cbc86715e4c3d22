"""Requests of the OpenAI style, as each surface that takes them writes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.surfaces import body_of
from veo_async.dialects.openai_style import OpenAIStyleDialect
from veo_async.dialects.openai_videos import OpenAIVideosDialect
from veo_async.dialects.wrapped_videos import WrappedVideosDialect
from veo_async.models import Media, VideoRequest
from veo_async.wire import Base64Media, Request

BASE = "https://gateway.example"
PICTURE = Media(sha256="0" * 64, size=3, mime_type="image/jpeg")

each_surface = pytest.mark.parametrize("surface", [OpenAIVideosDialect, WrappedVideosDialect])


def made(surface: type[OpenAIStyleDialect], **options: Any) -> OpenAIStyleDialect:
    return surface(base_url=BASE, status_base_url="https://status.example", **options)


@each_surface
def test_the_smallest_submit(surface: type[OpenAIStyleDialect]) -> None:
    """Model and prompt."""
    assert made(surface).submit(VideoRequest("a boat"), "veo3.1") == Request(
        method="POST",
        url=f"{BASE}/v1/videos",
        headers={"Accept": "application/json", "Content-Type": "application/json"},
        body=(b'{"prompt": "a boat", "model": "veo3.1"}',),
    )


@each_surface
@pytest.mark.parametrize(
    ("request_", "members"),
    [
        (VideoRequest("a", duration_seconds=8), {"seconds": "8"}),
        (VideoRequest("a", resolution="720p"), {"size": "1280x720"}),
        (VideoRequest("a", aspect_ratio="9:16"), {"size": "720x1280"}),
        (VideoRequest("a", aspect_ratio="16:9", resolution="1080p"), {"size": "1920x1080"}),
        (VideoRequest("a", aspect_ratio="9:16", resolution="4k"), {"size": "2160x3840"}),
        (VideoRequest("a", image="https://h/a.png"), {"input_reference": "https://h/a.png"}),
        (VideoRequest("a", extra={"size": "1x1"}), {"size": "1x1"}),
    ],
)
def test_members_of_the_body(
    request_: VideoRequest, members: dict[str, Any], surface: type[OpenAIStyleDialect]
) -> None:
    """Seconds are a string, resolution and aspect ratio a size."""
    dialect = made(surface)
    assert list(dialect.problems(request_, "veo3.1")) == []
    assert body_of(dialect.submit(request_, "veo3.1")) == {"prompt": "a", "model": "veo3.1", **members}


@each_surface
def test_a_picture_of_this_machine_goes_as_a_data_url(surface: type[OpenAIStyleDialect]) -> None:
    """Its bytes are left for the transport."""
    dialect = made(surface)
    submit = dialect.submit(VideoRequest("a", image=PICTURE), "veo3.1")
    assert [part for part in submit.body if not isinstance(part, bytes)] == [Base64Media(PICTURE)]
    assert body_of(submit)["input_reference"] == "data:image/jpeg;base64,QUJD"
    assert not dialect.capabilities.url_only_media


@each_surface
def test_other_ways_to_write_it(surface: type[OpenAIStyleDialect]) -> None:
    """Gateways differ: a number of seconds, a picture within an object."""
    other = made(surface, seconds_as_number=True, reference_as_object=True)
    body = body_of(other.submit(VideoRequest("a", image=PICTURE, duration_seconds=8), "m"))
    assert body["seconds"] == 8
    assert body["input_reference"] == {"image_url": "data:image/jpeg;base64,QUJD"}


@each_surface
@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (VideoRequest("a", seed=3), "seed"),
        (VideoRequest("a", enhance_prompt=True), "enhance_prompt"),
        (VideoRequest("a", resolution="8k"), "resolution"),
        (VideoRequest("a", video="https://h/a.mp4"), "video"),
        (VideoRequest("a", reference_images=("https://h/a.png",)), "reference_images"),
        (VideoRequest("a", image="https://h/a.png", last_frame="https://h/b.png"), "last_frame"),
        (VideoRequest("a", image="gs://b/a.png"), "image"),
    ],
)
def test_what_has_no_place_is_named(
    request_: VideoRequest, field: str, surface: type[OpenAIStyleDialect]
) -> None:
    """With the way out."""
    (problem,) = made(surface).problems(request_, "m")
    assert problem.field == field
