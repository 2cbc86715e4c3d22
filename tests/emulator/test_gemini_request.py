"""What a submission in the Gemini format may hold: strict, as the live service is."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from veo_async.emulator.gemini_request import read_submission
from veo_async.emulator.orders import Segment
from veo_async.emulator.refusals import Refusal, RefusedError, not_found

MODEL = "veo-3.1-generate-preview"
LITE, TWO = "veo-3.1-lite-generate-preview", "veo-2.0-generate-001"


def png() -> str:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


IMAGE = {"bytesBase64Encoded": png(), "mimeType": "image/png"}
REFERENCE = {"image": IMAGE, "referenceType": "asset"}


def find_file(name: str) -> tuple[Segment, ...]:
    if name == "long":
        return tuple(Segment(prompt="old", seconds=8) for _ in range(18))
    if name != "mine":
        raise not_found(f"File files/{name} was not found")
    return (Segment(prompt="old", seconds=8),)


def read(instance: dict[str, Any], model: str = MODEL, **parameters: Any) -> Any:
    body = json.dumps({"instances": [instance], "parameters": parameters}).encode()
    return read_submission(body, model, "v1beta", find_file)


def refused(body: Any, model: str = MODEL) -> RefusedError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(RefusedError) as caught:
        read_submission(content, model, "v1beta", find_file)
    return caught.value


def test_defaults_are_eight_seconds_of_720p_in_landscape() -> None:
    """What a bare prompt gets."""
    order = read({"prompt": "A boat"}).order
    assert (order.width, order.height, order.resolution, order.samples) == (1280, 720, "720p", 1)
    assert [segment.seconds for segment in order.segments] == [8]


def test_every_known_field_is_taken() -> None:
    """The full set, portrait 1080p."""
    order = read(
        {"prompt": "A boat", "image": IMAGE, "lastFrame": IMAGE},
        aspectRatio="9:16",
        resolution="1080p",
        durationSeconds=8,
        personGeneration="allow_adult",
        negativePrompt="rain",
        sampleCount=1,
        enhancePrompt=False,
        seed=7,
    ).order
    assert (order.width, order.height) == (1080, 1920)
    assert order.segments[0].seed == 7
    assert order.segments[0].image is not None


def test_an_extension_adds_seven_seconds_to_its_source() -> None:
    """By the URI of a file of the service, at whatever origin."""
    for origin in ("http://127.0.0.1:1/v1beta/", "https://generativelanguage.googleapis.com/v1beta/", ""):
        order = read({"prompt": "On", "video": {"uri": f"{origin}files/mine:download?alt=media"}}).order
        assert [segment.seconds for segment in order.segments] == [8, 7]
        assert order.billed_seconds == 7


def test_equal_requests_have_equal_digests_and_media_become_digests() -> None:
    """The order of keys doesn't count, any value does; no image bytes stay in the bill."""
    one = read({"prompt": "A boat", "image": IMAGE}, seed=1).order
    two = read({"image": IMAGE, "prompt": "A boat"}, seed=1).order
    assert one.digest == two.digest != read({"prompt": "A boat", "image": IMAGE}, seed=2).order.digest
    assert one.request["instances"][0]["image"]["bytesBase64Encoded"].startswith("sha256:")


@pytest.mark.parametrize(
    ("instance", "parameters", "named"),
    [
        ({}, {}, "prompt"),
        ({"prompt": "  "}, {}, "prompt"),
        ({"prompt": 3}, {}, "prompt"),
        ({"prompt": "A", "negative": "x"}, {}, "negative"),
        ({"prompt": "A"}, {"durationSeconds": "8"}, "durationSeconds"),
        ({"prompt": "A"}, {"durationSeconds": True}, "durationSeconds"),
        ({"prompt": "A"}, {"durationSeconds": 7.5}, "durationSeconds"),
        ({"prompt": "A"}, {"durationSeconds": 5}, "durationSeconds"),
        ({"prompt": "A"}, {"resolution": "8k"}, "resolution"),
        ({"prompt": "A"}, {"resolution": "1080p", "durationSeconds": 4}, "durationSeconds"),
        ({"prompt": "A"}, {"resolution": "4k", "durationSeconds": 6}, "durationSeconds"),
        ({"prompt": "A"}, {"aspectRatio": "1:1"}, "aspectRatio"),
        ({"prompt": "A"}, {"aspectRatio": ["16:9"]}, "aspectRatio"),
        ({"prompt": "A"}, {"enhancePrompt": "true"}, "enhancePrompt"),
        ({"prompt": "A"}, {"numberOfVideos": 1}, "numberOfVideos"),
        ({"prompt": "A"}, {"generateAudio": True}, "generateAudio"),
        ({"prompt": "A"}, {"sampleCount": 2}, "sampleCount"),
        ({"prompt": "A"}, {"sampleCount": 0}, "sampleCount"),
        ({"prompt": "A"}, {"personGeneration": "all"}, "personGeneration"),
        ({"prompt": "A", "image": {"inlineData": "x"}}, {}, "inlineData"),
        ({"prompt": "A", "image": {"imageBytes": "x", "mimeType": "image/png"}}, {}, "imageBytes"),
        ({"prompt": "A", "image": {"bytesBase64Encoded": "%%", "mimeType": "image/png"}}, {}, "Base64"),
        ({"prompt": "A", "image": {"bytesBase64Encoded": png()}}, {}, "mimeType"),
        ({"prompt": "A", "image": "x"}, {}, "image"),
        ({"prompt": "A", "lastFrame": IMAGE}, {}, "lastFrame"),
        ({"prompt": "A", "image": IMAGE, "referenceImages": [REFERENCE]}, {}, "referenceImages"),
        ({"prompt": "A", "referenceImages": [REFERENCE] * 4}, {}, "referenceImages"),
        ({"prompt": "A", "referenceImages": [REFERENCE]}, {"durationSeconds": 4}, "durationSeconds"),
        ({"prompt": "A", "referenceImages": [{"image": IMAGE, "referenceType": "style"}]}, {}, "asset"),
        ({"prompt": "A", "referenceImages": "x"}, {}, "referenceImages"),
        ({"prompt": "A", "video": {"uri": "https://example.com/clip.mp4"}}, {}, "video.uri"),
        ({"prompt": "A", "video": {"uri": "files/other"}}, {}, "video.uri"),
        ({"prompt": "A", "video": {"uri": "files/long"}}, {}, "too long"),
        ({"prompt": "A", "video": {"uri": "files/mine", "encoding": "video/mp4"}}, {}, "encoding"),
        ({"prompt": "A", "video": {"uri": "files/mine"}, "image": IMAGE}, {}, "image"),
    ],
)
def test_a_wrong_field_is_refused_and_named(
    instance: dict[str, Any], parameters: dict[str, Any], named: str
) -> None:
    """400 INVALID_ARGUMENT in the end; the text says which."""
    error = refused({"instances": [instance], "parameters": parameters})
    assert error.refusal is Refusal.INVALID
    assert named in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"instances": [{"prompt": "A"}], "parameters": {"seed": NaN}}',
        b'{"instances": [{"prompt": "A"}], "parameters": {"seed": 1e999}}',
        b"{}",
        b'{"instances": []}',
        b'{"instances": [{"prompt": "A"}, {"prompt": "B"}]}',
        b'{"instances": ["A"]}',
        b'{"instances": [{"prompt": "A"}], "prompt": "A"}',
        b'{"instances": [{"prompt": "A"}], "parameters": []  , "parameters": 3}',
    ],
)
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    """Bad JSON, or JSON of the wrong shape."""
    assert refused(body).refusal is Refusal.INVALID


@pytest.mark.parametrize(
    ("model", "instance", "parameters", "fine"),
    [
        (LITE, {}, {"resolution": "1080p"}, True),
        (LITE, {}, {"resolution": "4k"}, False),
        (LITE, {"referenceImages": [REFERENCE]}, {}, False),
        (LITE, {"video": {"uri": "files/mine"}}, {}, False),
        (TWO, {}, {"durationSeconds": 5, "sampleCount": 2}, True),
        (TWO, {}, {"resolution": "1080p"}, False),
        (TWO, {}, {"sampleCount": 3}, False),
        ("veo-9-future", {}, {"durationSeconds": 7}, True),
    ],
)
def test_models_differ_in_what_they_take(
    model: str, instance: dict[str, Any], parameters: dict[str, Any], fine: bool
) -> None:
    """By family; names we don't know are taken too."""
    document = {"instances": [{"prompt": "A"} | instance], "parameters": parameters}
    if fine:
        assert read({"prompt": "A"} | instance, model, **parameters).order.model == model
    else:
        assert refused(document, model).refusal is Refusal.INVALID
