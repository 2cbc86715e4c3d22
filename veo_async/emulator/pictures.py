"""Pictures for clips: a prompt's own colours or the given image, and the prompt written on it."""

import colorsys
import hashlib
import io
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

_FONT_SHARE: Final = 0.058
_MARGIN_SHARE: Final = 0.08
_MOST_LINES: Final = 9
_MOST_LETTERS: Final = 1000
_ELLIPSIS: Final = "…"
_VEIL: Final = (0, 0, 0, 110)


def check_image(content: bytes) -> None:
    """See whether these bytes are an image.

    Raises:
        ValueError: they are none that can be decoded.
    """
    _decode(content)


def paint(size: tuple[int, int], prompt: str, tint: str, image: bytes | None) -> "Image.Image":
    """The picture of one segment.

    Args:
        size: width and height in pixels.
        prompt: the caption, wrapped and cut to fit.
        tint: decides the colours along with the prompt.
        image: what stands behind the caption instead of the gradient.
    """
    ground = _gradient(size, f"{prompt}:{tint}") if image is None else _cover(size, image)
    # Fonts can't draw lone surrogates, and more than this doesn't fit.
    return _caption(ground, prompt[:_MOST_LETTERS].encode(errors="replace").decode())


def _decode(content: bytes) -> "Image.Image":
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("the image can't be decoded") from error


def _cover(size: tuple[int, int], content: bytes) -> "Image.Image":
    return ImageOps.fit(_decode(content), size, Image.Resampling.BILINEAR)


def _gradient(size: tuple[int, int], text: str) -> "Image.Image":
    """Two colours of neighbouring hue, lighter above: mixed small, since enlarging smooths."""
    hue = hashlib.sha256(text.encode(errors="replace")).digest()[0] / 256
    above = _rgb(hue, 0.62, 0.55)
    below = _rgb(hue + 0.14, 0.28, 0.65)
    slope = Image.linear_gradient("L").rotate(25, resample=Image.Resampling.BILINEAR).crop((40, 40, 216, 216))
    mask = ImageOps.fit(slope, size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", size, below), Image.new("RGB", size, above), mask)


def _rgb(hue: float, lightness: float, saturation: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _caption(ground: "Image.Image", prompt: str) -> "Image.Image":
    width, height = ground.size
    size = max(8.0, min(width, height) * _FONT_SHARE)
    font = ImageFont.load_default(size)
    margin = round(min(width, height) * _MARGIN_SHARE)
    lines = _wrap(prompt, font, width - 2 * margin)
    draw = ImageDraw.Draw(ground, "RGBA")
    text = "\n".join(lines)
    spacing = round(size * 0.35)
    box = draw.multiline_textbbox((0, 0), text, font=font, spacing=spacing)
    top = (height - (box[3] - box[1])) / 2 - box[1]
    pad = round(size * 0.8)
    veil = (margin - pad, top + box[1] - pad, width - margin + pad, top + box[3] + pad)
    draw.rounded_rectangle(veil, radius=pad, fill=_VEIL)
    draw.multiline_text(
        (width / 2, top), text, font=font, spacing=spacing, anchor="ma", align="center", fill="white"
    )
    return ground


def _wrap(text: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont", width: float) -> list[str]:
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.extend(_break(word, font, width))
    lines = [line for line in lines if line]
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1] + _ELLIPSIS]


def _break(word: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont", width: float) -> list[str]:
    """A word too long for a line, cut where the line ends; also scripts without spaces."""
    pieces = [""]
    for letter in word:
        if font.getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces
