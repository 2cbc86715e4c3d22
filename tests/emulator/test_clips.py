"""Clips: real MP4 files of the asked size and length, with the prompt in the picture."""

import base64
import io
import threading
from typing import Any

import av
import pytest
from attrs import evolve
from PIL import Image

from veo_async.emulator import Emulator, MissingExtraError, clips
from veo_async.emulator.clips import render
from veo_async.emulator.orders import ClipSpec, Segment
from veo_async.emulator.pictures import paint
from veo_async.emulator.refusals import RefusedError

from .client import Client, video_uri

pytestmark = pytest.mark.anyio


def probe(content: bytes) -> dict[str, Any]:
    with av.open(io.BytesIO(content)) as opened:
        container: Any = opened
        video: Any = container.streams.video[0]
        audio: Any = container.streams.audio[0]
        frames: list[Any] = list(container.decode(video=0))
        return {
            "codecs": (video.codec_context.name, audio.codec_context.name),
            "size": (video.width, video.height),
            "seconds": float(video.duration * video.time_base),
            "sound": float(audio.duration * audio.time_base),
            "frames": frames,
        }


def no_media(digest: str) -> bytes:
    raise AssertionError(digest)


def spec(width: int, height: int, *lengths: int) -> ClipSpec:
    segments = tuple(Segment(prompt=f"Part {place}", seconds=length) for place, length in enumerate(lengths))
    return ClipSpec(width=width, height=height, segments=segments)


def boxes(content: bytes) -> list[bytes]:
    names: list[bytes] = []
    at = 0
    while at < len(content):
        names.append(content[at + 4 : at + 8])
        at += int.from_bytes(content[at : at + 4])
    assert at == len(content)
    return names


@pytest.mark.parametrize(("width", "height", "seconds"), [(1280, 720, 4), (1080, 1920, 4), (64, 36, 8)])
def test_a_clip_has_the_asked_size_length_and_codecs(width: int, height: int, seconds: int) -> None:
    """H.264 and AAC, index in front, boxes closed."""
    content = render(spec(width, height, seconds), no_media, threading.Event())
    assert boxes(content)[:2] == [b"ftyp", b"moov"]
    found = probe(content)
    assert found["codecs"] == ("h264", "aac")
    assert found["size"] == (width, height)
    assert found["seconds"] == pytest.approx(seconds, abs=0.01)
    assert found["sound"] == pytest.approx(seconds, abs=0.05)
    first, last = found["frames"][0].to_image(), found["frames"][-1].to_image()
    assert first.tobytes() != last.tobytes()


def test_the_same_spec_gives_the_same_bytes() -> None:
    """So that an ETag holds after a restart."""
    asked = spec(64, 36, 4)
    once, again = (render(asked, no_media, threading.Event()) for _ in range(2))
    assert once == again
    assert render(evolve(asked, sample=1), no_media, threading.Event()) != once


def test_an_extension_shows_its_source_first() -> None:
    """Eight seconds of the one picture, seven of the other."""
    found = probe(render(spec(128, 72, 8, 7), no_media, threading.Event()))
    assert found["seconds"] == pytest.approx(15, abs=0.01)
    early, late = (found["frames"][at].to_image().getpixel((2, 2)) for at in (0, 100))
    assert early != late


def test_rendering_gives_up_when_asked() -> None:
    """Between two frames."""
    closing = threading.Event()
    closing.set()
    with pytest.raises(RefusedError):
        render(spec(64, 36, 4), no_media, closing)


@pytest.mark.parametrize(
    "prompt",
    ["A boat", "long " * 400, "W" * 500, "\ud800 lone \x00 \n\n control", "紙の船が水たまりを渡る" * 9, "."],
)
@pytest.mark.parametrize("size", [(1280, 720), (36, 64)])
def test_any_prompt_can_be_painted(prompt: str, size: tuple[int, int]) -> None:
    """Wrapped, cut, whatever the script; the picture differs from that of another prompt."""
    picture = paint(size, prompt, "", None)
    assert picture.size == size
    assert picture.tobytes() != paint(size, prompt + "?", "", None).tobytes()


def encoded(image: "Image.Image", kind: str = "PNG") -> dict[str, str]:
    out = io.BytesIO()
    image.save(out, kind)
    return {"bytesBase64Encoded": base64.b64encode(out.getvalue()).decode(), "mimeType": "image/png"}


async def test_an_input_image_is_the_background() -> None:
    """Its colour fills the corner of the first frame, also after a restart on the same state."""
    async with Emulator(waiting=0.0) as emulator, Client(emulator) as client:
        image = encoded(Image.new("RGB", (300, 400), (20, 200, 40)))
        answer = await client.send({"prompt": "A boat", "image": image}, durationSeconds=4)
        operation = (await client.get(f"/v1beta/{answer.json['name']}")).json
        found = probe((await client.get(video_uri(operation))).body)
        red, green, blue = found["frames"][0].to_image().getpixel((5, 5))
        assert green > 150 > max(red, blue)


async def test_bytes_that_are_no_image_are_refused() -> None:
    """400, nothing accepted."""
    async with Emulator(clip="tiny") as emulator, Client(emulator) as client:
        image = {"bytesBase64Encoded": base64.b64encode(b"no image").decode(), "mimeType": "image/png"}
        answer = await client.send({"prompt": "A boat", "image": image})
        assert answer.status == 400
        assert "image" in answer.json["error"]["message"]
        assert len(emulator.bill) == 0


async def test_an_extension_over_http_is_seven_seconds_longer() -> None:
    """By the URI that the first answer gave."""
    async with Emulator(clip="tiny", waiting=0.0) as emulator, Client(emulator) as client:
        uri = video_uri(await client.finished("A boat"))
        answer = await client.send({"prompt": "It sinks", "video": {"uri": uri}})
        operation = (await client.get(f"/v1beta/{answer.json['name']}")).json
        found = probe((await client.get(video_uri(operation))).body)
        assert found["seconds"] == pytest.approx(15, abs=0.01)
        assert found["size"] == (64, 36)


async def test_tiny_clips_are_valid_and_differ_in_bytes() -> None:
    """One rendering for all, a free box of its own for each file; portrait stays portrait."""
    async with Emulator(clip="tiny", waiting=0.0) as emulator, Client(emulator) as client:
        uris = [video_uri(await client.finished("A boat", aspectRatio="9:16")) for _ in range(3)]
        contents = [(await client.get(uri)).body for uri in uris]
        assert len(set(contents)) == 3
        assert boxes(contents[0])[-1] == b"free"
        assert probe(contents[0])["size"] == (36, 64)


async def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Submissions work all the same; the download answers 500 with the advice."""

    def find_nothing(name: str) -> None:
        assert name in {"av", "PIL"}

    monkeypatch.setattr(clips, "find_spec", find_nothing)
    with pytest.raises(MissingExtraError, match=r"pip install 'veo-async\[emulator\]'"):
        clips.require_extra()
    async with Emulator(waiting=0.0) as emulator, Client(emulator) as client:
        answer = await client.get(video_uri(await client.finished("A boat")))
        assert answer.status == 500
        assert "veo-async[emulator]" in answer.json["error"]["message"]
