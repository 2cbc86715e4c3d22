"""Clips: real MP4 files, H.264 and AAC, rendered in a thread and kept while there is room.

Each segment is one still picture with a light that crosses it and a bar that fills, eight frames a second: a
player shows motion, and a clip costs a fraction of a second. The same spec gives the same bytes.
"""

import asyncio
import hashlib
import struct
import tempfile
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from math import sin, tau
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from attrs import evolve

from veo_async.emulator.orders import ClipSpec, Segment
from veo_async.emulator.refusals import Refusal, RefusedError

if TYPE_CHECKING:
    from PIL import Image

FRAMES_PER_SECOND: Final = 8
_T = TypeVar("_T")
_R = TypeVar("_R")

_TINY_LONG, _TINY_SHORT = 64, 36
_SAMPLE_RATE: Final = 48_000
_LOUDNESS: Final = 2_500
_SOUND_BITS: Final = 96_000
_TINY_SOUND_BITS: Final = 16_000
_BRIGHT: Final = 235
_CACHE_BYTES: Final = 256 * 2**20


class MissingExtraError(ImportError):
    """PyAV or Pillow is not installed; the text says how to install them."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"the emulator needs {missing} to make clips and read images: pip install 'veo-async[emulator]'",
            name=missing,
        )


def require_extra() -> None:
    """See that PyAV and Pillow are there.

    Raises:
        MissingExtraError: one of them is not.
    """
    for module, package in (("av", "av"), ("PIL", "pillow")):
        if find_spec(module) is None:
            raise MissingExtraError(package)


def _stopping() -> RefusedError:
    return RefusedError(Refusal.STOPPING, "The emulator is stopping.")


class Studio:
    """Renders clips, one at a time in a thread of its own, and keeps those made last."""

    def __init__(self, media: Callable[[str], bytes], *, tiny: bool) -> None:
        """A studio that gets images by their SHA-256 from ``media``; ``tiny`` makes all clips tiny."""
        self._media = media
        self._tiny = tiny
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="emulator-studio")
        self._closing = threading.Event()
        self._kept: OrderedDict[ClipSpec, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._rendering: dict[ClipSpec, asyncio.Future[bytes]] = {}

    async def clip(self, spec: ClipSpec, serial: str) -> bytes:
        """The MP4 of a spec; tiny ones, which look alike, carry the serial so that their bytes differ.

        Raises:
            RefusedError: the emulator is stopping.
            MissingExtraError: PyAV or Pillow is not installed.
        """
        if self._tiny:
            return _with_serial(await self._render_once(_shrunk(spec)), serial)
        return await self._render_once(spec)

    async def check_image(self, content: bytes) -> None:
        """See whether these bytes are an image.

        Raises:
            ValueError: they can't be decoded.
            MissingExtraError: Pillow is not installed.
        """
        require_extra()
        from veo_async.emulator.pictures import check_image  # an optional extra

        await self._in_thread(check_image, content)

    def _in_thread(self, work: Callable[[_T], _R], item: _T) -> "asyncio.Future[_R]":
        if self._closing.is_set():
            raise _stopping()
        return asyncio.get_running_loop().run_in_executor(self._pool, work, item)

    async def _render_once(self, spec: ClipSpec) -> bytes:
        if spec in self._kept:
            self._kept.move_to_end(spec)
            return self._kept[spec]
        if spec not in self._rendering:
            self._rendering[spec] = self._in_thread(self._render, spec)
        try:
            # Shielded: another request may be waiting for the same clip.
            content = await asyncio.shield(self._rendering[spec])
        finally:
            self._rendering.pop(spec, None)
        self._keep(spec, content)
        return content

    def _keep(self, spec: ClipSpec, content: bytes) -> None:
        if spec in self._kept:
            return
        self._kept[spec] = content
        self._kept_bytes += len(content)
        while self._kept_bytes > _CACHE_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped)

    def _render(self, spec: ClipSpec) -> bytes:
        if self._closing.is_set():
            raise _stopping()
        require_extra()
        return render(spec, self._media, self._closing)

    def close(self) -> None:
        """Give up what is being rendered and end the thread, which takes no longer than one frame."""
        self._closing.set()
        self._pool.shutdown(wait=True)


def render(spec: ClipSpec, media: Callable[[str], bytes], closing: threading.Event) -> bytes:
    """Render a clip; a second or less for 720p.

    Raises:
        RefusedError: ``closing`` was set meanwhile.
    """
    import av  # an optional extra

    # The index goes in front of the frames, as real services have it; that takes a file, not memory.
    with tempfile.TemporaryDirectory(prefix="veo-emulator-") as folder:
        path = Path(folder, "clip.mp4")
        options = {"movflags": "faststart", "fflags": "bitexact"}
        with av.open(str(path), "w", format="mp4", options=options) as opened:
            container = cast("Any", opened)  # PyAV's types don't follow a stream's kind
            video = _video_stream(container, spec)
            audio = container.add_stream("aac", rate=_SAMPLE_RATE)
            audio.bit_rate = _SOUND_BITS if spec.width > _TINY_LONG else _TINY_SOUND_BITS
            for frame in _frames(spec, media):
                if closing.is_set():
                    raise _stopping()
                container.mux(video.encode(frame))
            container.mux(video.encode())
            for frame in _sound(spec):
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
        return path.read_bytes()


def _video_stream(container: Any, spec: ClipSpec) -> Any:
    options = {"preset": "ultrafast", "crf": "28", "x264-params": "threads=1:keyint=16"}
    stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
    stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
    return stream


def _frames(spec: ClipSpec, media: Callable[[str], bytes]) -> Iterator[Any]:
    number = 0
    for segment in spec.segments:
        planes, stride = _still(spec, segment, media)
        for _ in range(segment.seconds * FRAMES_PER_SECOND):
            done = (number + 1) / (spec.seconds * FRAMES_PER_SECOND)
            yield _frame(spec, planes, stride, number, done)
            number += 1


def _still(
    spec: ClipSpec, segment: Segment, media: Callable[[str], bytes]
) -> tuple[tuple[bytes, bytes, bytes], int]:
    """The segment's picture as planes; converting once and copying planes is what makes clips cheap."""
    import av  # an optional extra

    from veo_async.emulator.pictures import paint  # an optional extra

    image = None if segment.image is None else media(segment.image)
    tint = f"{segment.seed}:{spec.sample}"
    picture: Image.Image = paint((spec.width, spec.height), segment.prompt, tint, image)
    video_frame: Any = av.VideoFrame  # PyAV leaves from_image untyped
    frame: Any = video_frame.from_image(picture).reformat(format="yuv420p")
    luma, blue, red = (bytes(plane) for plane in frame.planes)
    return (luma, blue, red), frame.planes[0].line_size


def _frame(spec: ClipSpec, planes: tuple[bytes, bytes, bytes], stride: int, number: int, done: float) -> Any:
    import av  # an optional extra

    frame: Any = av.VideoFrame(spec.width, spec.height, "yuv420p")
    for plane, content in zip(frame.planes, planes, strict=True):
        plane.update(content)
    luma = memoryview(frame.planes[0])
    _fill_bar(luma, stride, spec, done)
    _light(luma, stride, spec, done)
    frame.pts = number
    return frame


def _fill_bar(luma: memoryview, stride: int, spec: ClipSpec, done: float) -> None:
    """A bar along the lower edge that is full when the clip ends."""
    filled = bytes([_BRIGHT]) * round(spec.width * done)
    for row in range(spec.height - max(1, spec.height // 60), spec.height):
        luma[row * stride : row * stride + len(filled)] = filled


def _light(luma: memoryview, stride: int, spec: ClipSpec, done: float) -> None:
    """A round light that crosses the upper part of the picture."""
    radius = min(spec.width, spec.height) // 18
    left = round((spec.width - 2 * radius) * done)
    top = round(spec.height * (0.18 - 0.10 * sin(tau * done / 2)))
    for row in range(2 * radius):
        half = int((radius**2 - (row - radius) ** 2) ** 0.5)
        start = (top + row) * stride + left + radius - half
        luma[start : start + 2 * half] = bytes([_BRIGHT]) * (2 * half)


def _sound(spec: ClipSpec) -> Iterator[Any]:
    """A quiet chord, a second at a time, its notes given by the prompt."""
    import av  # an optional extra

    number = 0
    for segment in spec.segments:
        content = _chord(segment.prompt)
        for _ in range(segment.seconds):
            frame: Any = av.AudioFrame(format="s16", layout="stereo", samples=_SAMPLE_RATE)
            frame.planes[0].update(content)
            frame.sample_rate = _SAMPLE_RATE
            frame.pts = number * _SAMPLE_RATE
            yield frame
            number += 1


def _chord(prompt: str) -> bytes:
    root = 165 + hashlib.sha256(prompt.encode(errors="replace")).digest()[1] % 110
    # One tenth of a second repeats exactly when every note is a multiple of ten hertz.
    notes = [round(root * ratio / 10) * 10 for ratio in (1.0, 1.25, 1.5)]
    tenth = range(_SAMPLE_RATE // 10)
    wave = [round(_LOUDNESS * sum(sin(tau * note * at / _SAMPLE_RATE) for note in notes)) for at in tenth]
    return array("h", [level for level in wave for _ in range(2)]).tobytes() * 10


def _shrunk(spec: ClipSpec) -> ClipSpec:
    """The tiny clip that stands for all specs of its shape and length."""
    wide = spec.width >= spec.height
    width, height = (_TINY_LONG, _TINY_SHORT) if wide else (_TINY_SHORT, _TINY_LONG)
    segment = Segment(prompt="tiny", seconds=spec.seconds)
    return evolve(spec, width=width, height=height, segments=(segment,), sample=0)


def _with_serial(content: bytes, serial: str) -> bytes:
    """The same MP4 with a ``free`` box behind it, which players skip: each job's bytes are its own."""
    payload = serial.encode()
    return content + struct.pack(">I4s", 8 + len(payload), b"free") + payload
